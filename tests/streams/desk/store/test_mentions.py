"""A number in a text is found in every grouping, and what only looks like it is left."""

from __future__ import annotations

import pytest

from streams.desk.store.mentions import (
    is_mentioned,
    like,
    mention_in_bytes,
    without_mention,
    written_forms,
)
from tests.enforce.records import RECIPIENT

TOKEN = f"hk1:{'5a' * 32}"


@pytest.mark.parametrize(
    "text",
    [RECIPIENT, "13900000001", "+86 139 0000 0001", "0086-139-0000-0001", "(139) 0000.0001",
     "139_0000:0001", "139*0000,0001", "139\u200b0000\ufeff0001", "139：0000＿0001",
     "139\u30000000\u20110001", "１３９　００００　０００１", f"x{RECIPIENT}y"],
)  # fmt: skip
def test_it_is_found(text: str) -> None:
    assert is_mentioned(text, RECIPIENT)
    assert mention_in_bytes(RECIPIENT).search(text.encode())


@pytest.mark.parametrize(
    "text", ["13900000002", "139 0000", "139, 0000 und 0001", "", "1390000x0001"]
)
def test_another_is_not(text: str) -> None:
    assert not is_mentioned(text, RECIPIENT)
    assert not mention_in_bytes(RECIPIENT).search(text.encode())


@pytest.mark.parametrize(
    "between", [*"_,:*~|#、，：＿＊\n", "\u200b", "\u2060", "\ufeff", "\xad", " - "]
)
def test_it_is_found_whatever_stands_between_its_digits(between: str) -> None:
    text = f"call {between.join(('139', '0000', '0001'))} now"
    assert without_mention(text, RECIPIENT, "X") == "call X now"
    assert without_mention(between.join("13900000001"), RECIPIENT, "X") == "X"


@pytest.mark.parametrize(
    "digits",
    ["０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "⓪①②③④⑤⑥⑦⑧⑨", "⁰¹²³⁴⁵⁶⁷⁸⁹", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
     "〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", [f"{n}\ufe0f\u20e3" for n in range(10)]],
)  # fmt: skip
def test_it_is_found_in_whatever_digits_it_is_written(digits: str | list[str]) -> None:
    text = "".join(digits[int(each)] for each in "8613900000001")
    assert without_mention(f"»{text}«", RECIPIENT, "X").startswith("»X")
    assert not any(each.isdecimal() for each in without_mention(text, RECIPIENT, ""))
    mixed = "".join(digits[int(d)] if n % 2 else d for n, d in enumerate("13900000001"))
    assert is_mentioned(mixed, RECIPIENT)


@pytest.mark.parametrize("text", ["", "一三九号 0000", "１３９０００００００2", "①⑨", "ﷺ 13 9"])
def test_a_text_without_it_stays_as_it_is(text: str) -> None:
    assert without_mention(text, RECIPIENT, "X") == text
    assert not is_mentioned(text, RECIPIENT)


def test_a_token_and_a_foreign_number_have_the_forms_they_have() -> None:
    assert written_forms(TOKEN) == (TOKEN,)
    assert like(TOKEN) == (f"%{TOKEN}%",)
    assert is_mentioned(f"see {TOKEN}.", TOKEN)
    assert written_forms("33612345678") == ("33612345678", "612345678")
