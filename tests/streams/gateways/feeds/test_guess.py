"""What a file does not say of itself: said, or asked for, and never guessed in silence."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pytest

from streams.common.errors import UsageError
from streams.gateways.feeds.guess import COMMON, SAMPLE_BYTES, encoding, zone
from tests.harm import damaged

TEXT = "收件人,验证码482913\n"


def test_plain_utf_8_is_said_without_a_word() -> None:
    assert encoding(io.BytesIO(TEXT.encode() * 100)) == "utf-8"
    assert encoding(io.BytesIO(b"")) == "utf-8"


@pytest.mark.parametrize(
    ("name", "text"),
    [("gb18030", TEXT), ("cp1251", "код 482913\n"), ("cp1252", "Código 482913\n")],
)
def test_another_encoding_is_named_with_the_option_that_reads_it(name: str, text: str) -> None:
    with pytest.raises(UsageError, match="line 2 is not UTF-8") as found:
        encoding(io.BytesIO(b"a,b\n" + text.encode(name) * 20))
    assert "--encoding" in str(found.value)
    assert name in str(found.value) or any(each in str(found.value) for each in COMMON)


def test_text_in_no_usual_encoding_is_said_to_be_damaged() -> None:
    damaged = "".join(map(chr, range(0x80, 0x100))).encode("latin-1") + b"\xff\xff\x81\x8d"
    with pytest.raises(UsageError, match="damaged"):
        encoding(io.BytesIO(b"\x81\x00\xff" + damaged))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_by_its_mark(codec: str) -> None:
    mark = "\ufeff".encode(codec)
    with pytest.raises(UsageError, match="iconv -f utf-16"):
        encoding(io.BytesIO(mark + TEXT.encode(codec)))


def test_a_letter_cut_at_the_end_of_the_sample_is_no_damage() -> None:
    line = TEXT.encode()
    whole = line * (SAMPLE_BYTES // len(line) + 2)
    assert encoding(io.BytesIO(whole)) == "utf-8"


@pytest.mark.parametrize("harm", [lambda packed: packed[:-20], damaged])
def test_a_packed_file_that_is_harmed_is_left_to_whoever_reads_its_lines(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(harm(gzip.compress(TEXT.encode() * 1000)))
    with gzip.open(path) as stream:
        assert encoding(cast("IO[bytes]", stream)) == "utf-8"


@pytest.mark.parametrize(
    ("country", "name"), [("CN", "Asia/Shanghai"), ("JP", "Asia/Tokyo"), ("US", None), ("BR", None)]
)
def test_a_zone_is_said_where_a_country_has_one_clock(country: str, name: str | None) -> None:
    assert zone(country) == name
