"""Traits: every one can be shown, each by a text that shows it."""

from __future__ import annotations

import pytest

from detectors.recognise.rules.shapes import numbers
from detectors.recognise.rules.traits import TRAITS, traits_of
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.vocabulary.owners import is_mentioned
from detectors.recognise.vocabulary.scripts import scripts_of

SHOWN = {
    "name": "your verification code",
    "weak name": "your code",
    "other name": "your order number",
    "denied": "never share your code",
    "purpose": "to log in",
    "secret": "do not share it",
    "typed": "enter it in the app",
    "other scene": "your parcel is in the locker",
    "one number": "it is 4829",
    "more numbers": "it is 4829 or 5829",
    "letters": "it is 4KX2TT",
    "price": "pay $20",
    "leads": "4829 it is",
    "colon": "it is: 4829",
    "four": "it is 4829",
    "unsure": "it is 4KX2TT",
    "way out": "reply stop to leave",
    "many words": "a " * 40,
    "phone": "call 020 441 0228",
    "long run": "call 1234567890",
    "short": "hi",
    "long": "long " * 40,
}


def shown(text: str, *, signed: bool = False) -> list[str]:
    body = mask(fold(text))
    words = sorted(word for script in scripts_of(body) for word in script.words(body))
    leaves = is_mentioned("leave", body)
    return traits_of(body, numbers(body), words, signed=signed, leaves=leaves)


@pytest.mark.parametrize(("trait", "text"), SHOWN.items(), ids=SHOWN)
def test_a_text_shows_its_trait(trait: str, text: str) -> None:
    assert trait in shown(text)


def test_every_trait_has_such_a_text_but_those_that_no_text_tells() -> None:
    assert set(TRAITS) == set(SHOWN) | {"signed", "person"}
    assert "signed" in shown("hi", signed=True)


def test_traits_stand_in_the_order_of_their_table() -> None:
    told = shown("your verification code is: 4829, do not share it. to log in")
    assert told == [name for name in TRAITS if name in told]
    assert len(told) > 3


@pytest.mark.parametrize("trait", ["one number", "price", "leads", "colon", "typed", "long run"])
def test_a_plain_text_shows_none_of_them(trait: str) -> None:
    assert trait not in shown("see you at noon")
