"""What stands apart to hide a word is put together; dates, amounts and sentences stay."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.text.gather import join_separated


@pytest.mark.parametrize(
    ("folded", "together"),
    [
        ("v.e.r.i.f.y your c o d e", "verify your code"),
        ("验.证.码:0000", "验证码:0000"),
        ("验 证 码 是 0*0*0*0", "验证码是 0000"),
        ("(0)(0)(0)(0) is it", "0000 is it"),
        ("【0】【0】【0】【0】", "0000"),
        ("0_0_0_0", "0000"),
        ("00*00*00 ok", "000000 ok"),
        ("000~000", "000000"),
        ("0__0__0__0", "0000"),
        ("0 . 0 . 0 . 0 now", "0000 now"),
        ("tan\n a u 0 k u f\nplease", "tan\n au0kuf\nplease"),
        ("your code is k 0 q m 0 now", "your code is k0qm0 now"),
    ],
)
def test_letters_and_digits_with_one_sign_between_them_are_gathered(
    folded: str, together: str
) -> None:
    assert join_separated(folded)[0] == together


@pytest.mark.parametrize(
    "folded",
    [
        "on 00.00.0000", "0,000.00", "at 00:00", "a.b", "u.s.", "0-0-0-0", "i am a b",
        "www.a.b.c", "(0)(0)(0)", "0*0*0", "plain text",
        "*000*0000#", "00*00*00cm", "00*0", "000*000*000*000",
        "u r 0 late m 0 u b", "0 a 0 b", "row 0 b",
    ],
)  # fmt: skip
def test_what_people_write_so_stays(folded: str) -> None:
    assert join_separated(folded) == (folded, None)


@given(st.text("abc0.*( )验证码", max_size=40))
def test_each_character_keeps_its_place(folded: str) -> None:
    together, places = join_separated(folded)
    if places is None:
        assert together == folded
    else:
        assert together == "".join(folded[place] for place in places)
        assert places == sorted(set(places))
