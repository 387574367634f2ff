"""Owners: which word a number belongs to, by what stands between the two."""

from __future__ import annotations

import pytest

from detectors.recognise.owners import done_with, is_owned_by_other, owned_codes, without_objects
from detectors.recognise.scripts import Word, WordKind, scripts_of
from detectors.recognise.shapes import numbers


def heard(body: str) -> list[Word]:
    return sorted(word for script in scripts_of(body) for word in script.words(body))


def owned(body: str) -> list[tuple[str, str]]:
    found = owned_codes(body, numbers(body), without_objects(body, heard(body)))
    return [(rule, body[number.code : number.end]) for rule, number in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("your verification code is: 000000", [("named", "000000")]),
        ("000000 is your verification code", [("named", "000000")]),
        ("g-000000 is your verification code", [("letter-code", "000000")]),
        ("your code is 0000", [("weak", "0000")]),
        ("pickup code 0000", []),
        ("您的取件码0000，验证码000000", [("named", "000000")]),
        ("verification code for your account: 000000", [("named", "000000")]),
        ("verification code will come. 000000", []),
        ("never share your verification code. call 000000", []),
        ("one-time password of account 000000 changed", []),
        ("one-time password of account 000000: 0000", [("named", "0000")]),
    ],
)
def test_a_number_belongs_to_the_word_that_names_it(
    body: str, expected: list[tuple[str, str]]
) -> None:
    assert owned(body) == expected


def test_the_first_that_is_surely_a_code_ends_the_search() -> None:
    body = "verification code: 000000, verification code: 0000"
    assert owned(body) == [("named", "000000")]


def test_what_a_code_is_for_is_no_owner() -> None:
    body = "otp for your account number is: 000000"
    kinds = [word.kind for word in without_objects(body, heard(body))]
    assert WordKind.OTHERS not in kinds


@pytest.mark.parametrize(
    ("body", "is_held"),
    [
        ("order number 000000 shipped", True),
        ("use the number 000000 to log in", False),
        ("use the order number 000000 to log in", True),
        ("his number 000000 is ours", True),
        ("valide 000000 no aplicativo", False),
        ("your code (file 0000) came", True),
        ("not you? 0000 0000", True),
        ("type 000000 here", False),
    ],
)
def test_a_number_may_be_held_by_something_else(body: str, is_held: bool) -> None:
    number = numbers(body)[-1]
    assert is_owned_by_other(body, number, heard(body), scripts_of(body)) is is_held


@pytest.mark.parametrize(
    ("body", "done"),
    [
        ("confirm the new phone with 0fq0k", True),
        ("with green00 you save", False),
        ("the number 0000 came", False),
    ],
)
def test_something_is_done_with_a_code(body: str, done: bool) -> None:
    assert done_with(body, numbers(body)[0]) is done
