"""The model's sum and the rule that a text is read by, as one answer: how sure it is a code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from detectors.recognise.model import Model, confidence_of
from detectors.recognise.reading import Look
from detectors.recognise.rules import RULES

MODEL: Final = Model.shipped()

SURE_CODE: Final = 0.99
SURE_OTHER: Final = 0.01
"""Confidences where the score alone decides. Chosen: .3 % of such answers were wrong on texts whose
author the model had not seen (`code` and `other` in `data/model.toml`)."""


def confidence(
    looked: Look, score: int, rule: Callable[[], str], *, trusted: bool, person: bool
) -> float:
    """How sure it is, in whole hundredths, that a text is a code.

    The rules alone decide on what machines read, and on a trusted platform's text: who could write
    a text that deceives the model would else decide what is held of a bank. Elsewhere a score far
    enough from nought decides alone, and `rule`, which reads the text, is not called: that makes
    most new texts cheap. `person` is a subscriber's number with no signature.
    """
    if looked.host_line:
        return RULES["host-line"].confidence
    if not trusted and not looked.for_app:
        sure = MODEL.sure(score)
        if sure is False:
            return SURE_OTHER
        if sure and not person and "0" in looked.folded:
            return SURE_CODE
    name = rule()
    if trusted or not RULES[name].weighed:
        return RULES[name].confidence
    return confidence_of(MODEL.odds(score, name, person=person))


def named(rule: str, confidence: float) -> str:
    """The rule a verdict is told by: the one read, or that the model's sum went against it."""
    if not RULES[rule].weighed or (RULES[rule].confidence >= 0.5) == (confidence >= 0.5):
        return rule
    return "rescued" if confidence >= 0.5 else "overruled"
