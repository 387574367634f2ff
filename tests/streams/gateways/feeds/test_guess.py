"""What a file does not say of itself: said, or asked for, and never guessed in silence."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.common.errors import UsageError
from streams.gateways.feeds.guess import SAMPLE_BYTES, delimiter, encoding, sample, zone
from tests.harm import damaged

TEXT = "收件人,验证码482913\n"


def test_plain_utf_8_is_said_without_a_word() -> None:
    assert encoding(TEXT.encode() * 100) == "utf-8"
    assert encoding(b"") == "utf-8"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gb18030", TEXT),
        ("big5", "【台灣銀行】您的驗證碼為 482913，請於五分鐘內輸入。\n"),
        ("shift_jis", "【楽天】認証コードは482913です。他人に教えないでください。\n"),
        ("cp1251", "Ваш код подтверждения: 482913. Никому не сообщайте\n"),
        ("cp1252", "Seu código de verificação é 482913. Não compartilhe\n"),
        ("cp1252", "Ihr Bestätigungscode für das Größenmaß lautet 482913\n"),
    ],
)
def test_another_encoding_is_told_by_the_letters_it_gives(name: str, text: str) -> None:
    assert encoding(b"a,b\n" + text.encode(name) * 20) == name


def test_encodings_that_give_usual_letters_alike_are_asked_for() -> None:
    with pytest.raises(UsageError, match="line 2 is not UTF-8; it could be gb18030 or euc_kr"):
        encoding(b"a,b\n" + "인증번호 482913\n".encode("euc_kr"))


def test_text_in_no_usual_encoding_is_said_to_be_damaged() -> None:
    damaged = "".join(map(chr, range(0x80, 0x100))).encode("latin-1") + b"\xff\xff\x81\x8d"
    with pytest.raises(UsageError, match="damaged"):
        encoding(b"\x81\xff" + damaged)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", ["\ufeff", "a,"])
def test_a_sample_of_utf_16_is_converted(codec: str, before: str) -> None:
    stream = io.BytesIO((before + TEXT).encode(codec))
    assert sample(stream).decode().endswith(TEXT)
    assert stream.tell() == 0


def test_a_sample_ends_with_a_line() -> None:
    line = TEXT.encode()
    whole = line * (SAMPLE_BYTES // len(line) + 2)
    assert encoding(sample(io.BytesIO(whole))) == "utf-8"


def test_a_pipe_gives_what_it_has_and_keeps_it() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"a\nb\nc")
    with os.fdopen(ours, "rb") as stream:
        assert sample(stream) == b"a\nb\n"
        os.close(theirs)
        assert stream.read() == b"a\nb\nc"


@pytest.mark.parametrize("harm", [lambda packed: packed[:-20], damaged])
def test_a_packed_file_that_is_harmed_is_left_to_whoever_reads_its_lines(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(harm(gzip.compress(TEXT.encode() * 1000)))
    with gzip.open(path) as stream:
        assert encoding(sample(stream)) == "utf-8"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a,b\n1,2\n", ","), ("a|b\n1|x, y\n", "|"), ("alone\n1\n", ","), ("", ","),
        ('a\tb;c\n"x;\ny"\t2\n', "\t"),
    ],
)  # fmt: skip
def test_a_delimiter_gives_rows_of_one_width(text: str, mark: str) -> None:
    assert delimiter(text) == mark


@pytest.mark.parametrize(
    ("country", "name"), [("CN", "Asia/Shanghai"), ("JP", "Asia/Tokyo"), ("US", None), ("BR", None)]
)
def test_a_zone_is_said_where_a_country_has_one_clock(country: str, name: str | None) -> None:
    assert zone(country) == name
