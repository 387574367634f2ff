"""Scenes: what a text tells of parcels, shops, prices and couriers speaks against a code."""

from __future__ import annotations

import pytest

from detectors.recognise.rules.scenes import (
    advertises,
    is_other_scene,
    of_another,
    weak_rule,
)
from detectors.recognise.rules.shapes import Number, numbers
from detectors.recognise.vocabulary.scripts import scripts_of


def first(body: str) -> Number:
    return numbers(body)[0]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("your code is 0000", "weak"),
        ("your code is 0000. never share it", "weak-login"),
        ("your locker code is 0000", "held"),
        ("your code is 0000 for 00% off", "held"),
        ("log in with code 0000. today 00% off", "weak-login"),
        ("log in with code 0000, today 00% off", "weak-login"),
        ("with code 0000, log in, today 00% off", "held"),
        ("log in with code 0000 and save 00%", "held"),
        ("is your code 0000?", "held"),
        ("your code is a000", "held"),  # called up at a counter
    ],
)
def test_a_weak_name_is_believed_where_nothing_speaks_against_it(body: str, rule: str) -> None:
    assert weak_rule(body, first(body)) == rule


def test_a_sentence_that_says_whom_not_to_tell_is_no_other_scene() -> None:
    kept = "your code is 0000. do not share it, not even with your courier"
    parcel = "your code is 0000. show it to the courier"
    assert not is_other_scene(kept, first(kept))
    assert is_other_scene(parcel, first(parcel))


@pytest.mark.parametrize("text", ["reply stop to end", "00% off", "pay $0", "see shop.example"])
def test_a_sentence_advertises_by_its_price_link_or_way_out(text: str) -> None:
    assert advertises(text)
    assert not advertises("never share it")


def test_letters_and_digits_may_be_those_of_a_flight() -> None:
    flight = "your verification code is 0kx0tt for the parcel locker"
    login = "your verification code is 0kx0tt, do not share"
    for body, other in ((flight, True), (login, False)):
        words = sorted(word for script in scripts_of(body) for word in script.words(body))
        assert of_another(body, first(body), words) is other
