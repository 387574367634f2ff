"""Codes that no usual phrase names, told by several cues together, and what looks like them.

Texts are made up, ten or so in each language. They were written from lists of cues (what a code is
called, what it is for, how it is to be kept) before the rules had seen them.
"""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.fold import mask
from detectors.recognise.reading import excerpt, look, read
from detectors.recognise.registry import Registry
from detectors.recognise.rules import RULES
from tests.builders.detectors.recognise.cues import CODES, LOOK_ALIKES

REGISTRY = Registry.load_shipped()


@pytest.mark.parametrize("text", CODES)
def test_cues_together_make_a_code(text: str) -> None:
    text = text.replace("\\n", "\n")
    verdict = recognise(REGISTRY, text, sender="Example")
    assert verdict.otp, verdict
    assert verdict.code_span is not None
    assert len(text[slice(*verdict.code_span)].replace("-", "").replace(" ", "")) >= 4


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_cues_of_other_numbers_make_none_by_the_rules(text: str) -> None:
    rule = RULES[read(look(mask(excerpt(text)))).rule]
    assert rule.confidence < 0.5, rule


def test_cues_of_other_numbers_make_none() -> None:
    """All but one in a hundred: the model weighs, and is not bent for a single text."""
    taken = [text for text in LOOK_ALIKES if recognise(REGISTRY, text, sender="Example").otp]
    assert len(taken) <= len(LOOK_ALIKES) // 100 + 1, taken
