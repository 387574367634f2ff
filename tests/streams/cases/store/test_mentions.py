"""A number in a text is found in every grouping, and what only looks like it is left."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from streams.cases.store.mentions import (
    is_mentioned,
    is_mentioned_in_bytes,
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
    assert is_mentioned_in_bytes(text.encode(), [RECIPIENT])


@pytest.mark.parametrize(
    "text", ["13900000002", "139 0000", "139, 0000 und 0001", "", "1390000x0001"]
)
def test_another_is_not(text: str) -> None:
    assert not is_mentioned(text, RECIPIENT)
    assert not is_mentioned_in_bytes(text.encode(), [RECIPIENT])


@pytest.mark.parametrize(
    "between", [*"_,:*~|#、，：＿＊\n", "\u200b", "\u2060", "\ufeff", "\xad", " - "]
)
def test_it_is_found_whatever_stands_between_its_digits(between: str) -> None:
    text = f"call {between.join(('139', '0000', '0001'))} now"
    assert without_mention(text, RECIPIENT, "X") == "call X now"
    assert without_mention(between.join("13900000001"), RECIPIENT, "X") == "X"


SCRIPTS = (
    "0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙",
    "⓪①②③④⑤⑥⑦⑧⑨", "⁰¹²³⁴⁵⁶⁷⁸⁹", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖",
    [f"{n}\ufe0f\u20e3" for n in range(10)],
)  # fmt: skip
"""Digits from 0 to 9 as people and their keyboards write them, one script after another."""
BETWEEN = ("", "", " ", "-", ".", "_", "*", "，", " - ", "\u200b", "\u2060", "\u3000", "\xad", "／")


@st.composite
def written(draw: st.DrawFn, number: str = RECIPIENT) -> str:
    """Draw a number in digits of any scripts, with anything between them."""
    form = draw(st.sampled_from(written_forms(number)))
    digits = [draw(st.sampled_from(SCRIPTS))[int(each)] for each in form]
    gaps = [draw(st.sampled_from(BETWEEN)) for _ in digits[1:]]
    text = digits[0] + "".join(gap + digit for gap, digit in zip(gaps, digits[1:], strict=True))
    return draw(st.sampled_from(("", "+", "00"))) + text


@given(written(), st.sampled_from(("", "the son of ", "查询 ")))
def test_a_number_in_mixed_digits_is_found_in_text_and_in_bytes(text: str, before: str) -> None:
    assert is_mentioned(before + text, RECIPIENT)
    left = without_mention(f"{before}{text}.", RECIPIENT, "X")
    assert left.rstrip(".\ufe0f\u20e3") == f"{before}X"  # a mark on the last digit is no digit
    assert is_mentioned_in_bytes((before + text).encode(), [RECIPIENT])


@pytest.mark.parametrize("digits", SCRIPTS)
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
    assert is_mentioned(f"see {TOKEN}.", TOKEN)
    assert written_forms("33612345678") == ("33612345678", "612345678")
