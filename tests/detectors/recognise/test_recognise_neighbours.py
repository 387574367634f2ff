"""Codes beside what else a message says, and numbers beside the words of codes.

One text or two a language for each kind: a code with a way to unsubscribe, a code after a card's
last digits; and what is no code: told to a courier, of a locker, of a shop, of a flight, of a bet
"without any OTP", of those who sell text messages, the end marks of Turkish carriers. All made up.
"""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.fold import mask
from detectors.recognise.reading import excerpt, look, read
from detectors.recognise.registry import Registry
from detectors.recognise.rules import RULES
from tests.builders.detectors.recognise.recognise_neighbours import (
    AFTER_A_CARD,
    LOOK_ALIKES,
    WITH_A_WAY_OUT,
)

REGISTRY = Registry.load_shipped()


@pytest.mark.parametrize("text", WITH_A_WAY_OUT)
def test_a_code_that_is_to_be_kept_stays_one_beside_a_way_to_unsubscribe(text: str) -> None:
    verdict = recognise(REGISTRY, text, "89203", "", "")
    assert verdict.otp, verdict.rule


@pytest.mark.parametrize("text", AFTER_A_CARD)
def test_the_code_is_not_the_last_digits_of_the_card_before_it(text: str) -> None:
    verdict = recognise(REGISTRY, text, "BANK", "", "")
    assert verdict.otp, verdict.rule
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == "285590"


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_words_of_codes_nearby_make_no_code_by_the_rules(text: str) -> None:
    rule = RULES[read(look(mask(excerpt(text)))).rule]
    assert rule.confidence < 0.5, rule


def test_words_of_codes_nearby_make_no_code() -> None:
    """All but one in twenty-five: codes told to couriers are labelled both ways by other hands."""
    taken = [text for text in LOOK_ALIKES if recognise(REGISTRY, text, sender="89203").otp]
    assert len(taken) <= len(LOOK_ALIKES) // 25, taken


def test_the_hash_of_an_app_holds_no_code() -> None:
    text = "<#> 07193288 is your Facebook code H29Q+Fsn4Sr"
    span = recognise(REGISTRY, text, "Facebook", "", "").code_span
    assert span is not None
    assert text[slice(*span)] == "07193288"


def test_registering_in_thai_is_no_registration_number() -> None:
    text = "เทศบาลนครริมน้ำ รหัสยืนยันการลงทะเบียนคือ ๑๙๓๕๐๘ กรุณากรอกภายใน ๑๐ นาที"
    assert recognise(REGISTRY, text, "0994820173", "", "").otp
