"""Texts in hexadecimal and base64: recognised by their column, never by one text."""

from __future__ import annotations

import base64
import json
import random
import re

import pytest

from streams.common.errors import UsageError
from streams.gateways.feeds.text_form import decode_lines, guess_form, text_reader

TEXTS = [
    "【淘宝】验证码 482913，5分钟内有效",
    "Код 1234, никому не говорите",
    "您的验证码是 552871",
]
PLAIN = ["Your code is 1234", "ok", "DEADBEEF", "1234567812345678", "Verification", "hallo123"]


def hexadecimal(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_column_is_hexadecimal_also_if_only_some_of_its_texts_are() -> None:
    assert guess_form([*map(hexadecimal, TEXTS), *PLAIN]) == "hex"
    assert guess_form([*map(str.lower, map(hexadecimal, TEXTS)), *PLAIN]) == "hex"


def test_a_column_is_base64_if_nearly_all_of_its_texts_are() -> None:
    assert guess_form(list(map(in_base64, TEXTS))) == "base64"
    assert guess_form([*map(in_base64, TEXTS), *PLAIN]) == "plain"


def test_other_texts_are_plain() -> None:
    digits = random.Random(7)
    hashes = [f"{digits.getrandbits(256):064x}" for _ in range(500)]
    for texts in ([], PLAIN, TEXTS, hashes, ["Verification"] * 9, [hexadecimal(TEXTS[0])]):
        assert guess_form(texts) == "plain"


@pytest.mark.parametrize(("form", "encode"), [("hex", hexadecimal), ("base64", in_base64)])
def test_encoded_texts_are_decoded_and_others_stay(form: str, encode: object) -> None:
    assert callable(encode)
    read = text_reader(form)
    assert [read(encode(text)) for text in TEXTS] == TEXTS
    assert [read(text) for text in PLAIN] == PLAIN


def test_a_wrong_form_is_an_error_that_names_the_right_ones() -> None:
    with pytest.raises(UsageError, match=re.escape("--text hexx: one of plain, hex, base64")):
        text_reader("hexx")


def test_lines_are_decoded_once_a_batch_shows_the_form_and_that_is_said_once() -> None:
    def line(text: str) -> bytes:
        return json.dumps({"recipient": "139", "text": text}).encode()

    encoded = [line(hexadecimal(text)) for text in TEXTS]
    odd = [b"", b"{", b"[]", b'{"text": 1}', b'{"recipient":"1"}', line("plain")]
    said: list[str] = []
    first, second = decode_lines(iter([odd, [*encoded, *odd]]), said.append)
    assert first == odd
    assert [json.loads(each)["text"] for each in second[:3]] == TEXTS
    assert second[3:] == odd
    assert [*decode_lines(iter([encoded[:1]]), said.append)] == [encoded[:1]], "a single one"
    assert said == ["texts in hexadecimal are decoded as UCS-2 (--text hex)"]
