"""Digits written as words are read as digits; sentences with numbers in them stay."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.text.fold import fold, mask
from detectors.recognise.text.shipped import read_data
from detectors.recognise.text.spelled import NUMERALS, convert_spelled, words


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("code is eight two four zero one nine.", "code is 000000."),
        ("code 27four1 now", "code 0000 now"),
        ("use four-seven-one-nine to confirm", "use 0000 to confirm"),
        ("3 шесть 9 1 0", "00000"),
        ("giris sifresi dört sekiz iki sıfır", "giris sifresi 0000"),
        ("Clave: cuatro8821 (vence)", "clave: 00000 (vence)"),
        ("77ゼロ418（ゼロは", "000000（ゼロは"),
        ("2 8 8 ერთი 4", "00000"),
        ("验证码 4捌2零19", "验证码 000000"),
        ("731 八 02", "000000"),
        ("四 8 二 0 一 9，用来登陆", "000000，用来登陆"),
        ("9 0 - two 4 - 1 1 before 10pm", "000000 before 00pm"),
    ],
)
def test_a_run_with_a_word_in_it_is_a_number(text: str, read: str) -> None:
    assert convert_spelled(fold(mask(text)))[0] == read


@pytest.mark.parametrize(
    "text",
    [
        "one two three",
        "um acht 30.05. bis neun",
        "at nine 30 2024",
        "周一10:30开会",
        "2024年一月3日",
        "二0二5年",
        "第一23条第4款",
        "one of 20 people",
        "dos de 4 de mayo",
        "table for two, 7 30 pm",
        "write STORE to 121",
        "it rose to 500 mb",
        "een code van vier cijfers: 482019",
        "no digits at all",
    ],
)
def test_what_people_write_so_stays(text: str) -> None:
    folded = fold(mask(text))
    assert convert_spelled(folded) == (folded, None)


def test_words_of_two_languages_make_no_number() -> None:
    assert convert_spelled("uno two trois vier")[1] is None


@given(st.text("4 -*一二八年a", max_size=24) | st.text("onetw three4 8-", max_size=30))
def test_each_character_has_a_place(text: str) -> None:
    folded = fold(mask(text))
    read, places = convert_spelled(folded)
    if places is None:
        assert read == folded
    else:
        assert len(read) == len(places)
        assert places == sorted(set(places))
        assert all(
            folded[place] == letter
            for letter, place in zip(read, places, strict=True)
            if letter != "0"
        )


PARTS = [
    "four",
    "eight",
    "zero",
    "dos",
    "u",
    "ゼロ",
    "八",
    "4",
    "71",
    " ",
    "-",
    " - ",
    ".",
    "a",
    ": ",
]


@given(st.lists(st.sampled_from(PARTS), max_size=10).map("".join))
def test_what_is_converted_has_four_to_eight_digits(text: str) -> None:
    folded = fold(mask(text))
    read, places = convert_spelled(folded)
    if places is not None:
        assert max(map(len, re.findall("0+", read))) >= 4
        assert any(word in folded for word in (*words(), *NUMERALS))


def test_each_language_has_ten_words() -> None:
    table = tomllib.loads(read_data("digits"))
    assert len(table) >= 60
    assert {len(row.split()) for row in table.values()} == {10}
