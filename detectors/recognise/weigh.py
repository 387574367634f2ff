"""Combine the model's sum and the rule of a text to one confidence that the text is a code."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.recognise.rules import glance
from detectors.recognise.rules.reading import (
    USED,
    Glanced,
    Look,
    Reading,
    likely_folded,
    look,
    may_be,
    read,
    shown_at,
    tells_spent,
    unusual,
)
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.shapes import has_invitation, has_link
from detectors.recognise.rules.traits import LONG
from detectors.recognise.score.model import Model, confidence_of
from detectors.recognise.text.patterns import section
from detectors.recognise.vocabulary.owners import is_mentioned, is_owned

_SEEN: Final = section("weigh")

CODE: Final = 0.5
"""Smallest confidence for which a rule or a sum counts as evidence for a code."""

SALE: Final = frozenset({"way out", "phone", "price", "many words", "long run"})
"""Traits of advertising and spam. Codes with two of these traits are found by a rule."""
RESCUE_IN_DOUBT: Final = 80
"""Smallest sum, in hundredths of log-odds, that makes a doubtful text a code. Chosen: half of the
public messages that were wrongly found are below, and 6 % of our own codes that only the sum
finds."""
_SHOWS_NONE: Final = frozenset({"link", "shapeless"})
"""Rules of texts without a number of the shape of a code. A link may verify instead."""
_ODD_CHARS: Final = 120
"""Longest text, in characters, that can be a code if its numbers have unusual shapes. Chosen: none
of our own codes that only the sum finds has such a number and over 100 characters."""
_RESCUE_LISTED: Final = 300
_RESCUE_LATIN: Final = 200
_RESCUE_UNNAMED: Final = 100
"""Smallest sums, in hundredths of log-odds, for a text without a word for codes: in a language
whose words are listed, in other text of plain Latin letters or that begins with its number, and in
any other text. The last one also holds for a text that says what a code is for, how to keep it, or
where to type it. Chosen: of 476 public messages that were wrongly found 325 are below, and of 478
of our own codes 90."""
_NAMES: Final = frozenset({"name", "weak name"})  # traits
_SEARCHED: Final = glance.NUMBER | glance.SPENT | glance.LINK  # searches before a score decides
_TAKES_A_LOOK: Final = glance.HIDES | glance.PROGRAM  # parsed whatever the score is
_LINES_MAX: Final = 3
"""Largest number of line breaks in a text for which the score alone decides for a code, because the
weights of line breaks add up. Chosen: .4 % of our own codes have more."""
_NAMED: Final = frozenset({"named", "letter-code"})
"""Rules of codes that a word names. Their codes can contradict a gateway's category."""
_BEATS_CATEGORY: Final = 0.9
"""Smallest confidence of a text that contradicts its gateway's category. Chosen: from here on a
confidence is right on the blind texts."""


@cache
def model() -> Model:
    """Return the shipped model. It is loaded at the first call."""
    return Model.load()


@dataclass
class Weighed:
    """A parsed text with masked digits, and its score."""

    look: Look
    score: int

    @cached_property
    def reading(self) -> Reading:
        """The result of the rules for this text. Slow, so it is computed at most once."""
        return read(self.look)


def weigh_text(masked: str) -> Weighed:
    """Parse and score a single masked excerpt."""
    looked = look(masked)
    return Weighed(looked, model().score(looked.folded, looked.cased))


def score_texts(seen: Glanced) -> NDArray[np.int64]:
    """Return the model's scores (n,) of n texts, in hundredths, computed in one pass."""
    looks = list(seen.looks.values())
    own = model().scores([each.folded for each in looks], [each.cased for each in looks])
    if seen.glance is None:
        return own
    scores = model().scores_of(seen.glance.view())
    scores[list(seen.looks)] = own
    return scores


def decide_by_scores(seen: Glanced, scores: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return what the score alone decides for each of n texts, without parsing the text.

    1 is a code, unless a subscriber's number sent it. -1 is no code. 0 is undecided: `alone` has to
    parse the text.
    """
    found = np.zeros(len(scores), np.int8)
    if (told := seen.glance) is None:
        return found
    plain = told.may & _TAKES_A_LOOK == 0
    found[plain & (scores <= model().other)] = -1
    for at in told.with_runs().tolist():
        if found[at] == -1 and _SEEN.near_number.search(told.text(at)):
            found[at] = 0
    sure = plain & (scores >= model().code) & (told.may & _SEARCHED == 0)
    # The same test as `_long`, for all texts at once.
    found[sure & (told.lengths <= LONG) & (told.lines() <= _LINES_MAX)] = 1
    return found


def confidence(weighed: Weighed, *, trusted: bool, person: bool) -> float:
    """Return the confidence that a text is a code, rounded to hundredths.

    The rules alone decide for texts that programs read, and for a trusted platform's text.
    Otherwise an attacker whose text fools the model could get a bank's codes throttled.

    For other texts the model's score decides alone if it is far from 0. Then the rules are not
    applied, which makes many new texts cheap. For a code, the text must also show a number of a
    suitable shape. A text that shows nothing like a code is never a code by the sum.

    `person`: the sender is a subscriber's number, and the text has no signature.
    """
    looked, score = weighed.look, weighed.score
    if looked.host_line:
        return RULES["host-line"].confidence
    if not trusted and (sure := alone(looked, score, person=person)) is not None:
        return sure
    reading = weighed.reading
    if trusted or not RULES[reading.rule].weighed:
        return RULES[reading.rule].confidence
    traits = (*reading.traits, "person") if person else reading.traits
    if reading.part:
        score = model().score(reading.part.folded, reading.part.cased)
    odds = model().odds(score, reading.rule, traits)
    if odds > 0 and against(looked, reading, odds, traits):
        return RULES[reading.rule].confidence
    return confidence_of(odds)


def surely_named(weighed: Weighed, *, trusted: bool, person: bool) -> float | None:
    """Return the confidence of a text with a sure code that a word names, else None.

    Such a text is a code whatever its gateway says. A text that the score alone refuses is not
    read.
    """
    sure = alone(weighed.look, weighed.score, person=person)
    if (sure is not None and sure < CODE) or weighed.reading.rule not in _NAMED:
        return None
    sure = confidence(weighed, trusted=trusted, person=person)
    return sure if sure >= _BEATS_CATEGORY else None


def alone(looked: Look, score: int, *, person: bool) -> float | None:
    """Return the confidence if the score is far enough from 0 to decide alone, else None."""
    if looked.for_app or (sure := model().sure(score)) is None:
        return None
    if not sure:
        near = "0000" in looked.folded and _SEEN.near_number.search(looked.folded)
        return None if near else model().sure_other
    if person or _long(looked.folded) or not _shows_its_own(looked):
        return None
    return model().sure_code


def _long(folded: str) -> bool:
    """Return whether a text has too many characters or lines for its score alone to decide."""
    return len(folded) > LONG or folded.count("\n") > _LINES_MAX


def _shows_its_own(looked: Look) -> bool:
    """Return whether a text shows a number that can be a code.

    The number must not be an amount, a number with another name, or a used code.
    """
    if not looked.may & _SEARCHED:
        return True
    span = shown_at(looked)
    return not (
        span is None
        or has_link(looked.folded)
        or tells_spent(looked)
        or any(is_owned(looked.folded, *span, owner) for owner in ("other", "counted"))
    )


def against(looked: Look, reading: Reading, odds: int, traits: Sequence[str]) -> bool:
    """Return whether a text in which no rule finds a code stays no code, whatever the sum is."""
    if RULES[reading.rule].confidence >= CODE:
        return False
    return _is_foreign(looked, reading) or (
        reading.rule != "crowded"
        and (
            reading.rule == "spam"
            or ("price" in traits and "secret" not in traits and has_invitation(looked.folded))
            or _long_and_nameless(looked, reading, traits)
            or is_barred(looked, reading, odds)
            or _has_owner(looked)
            or _lacks_a_word(looked, reading, odds)
        )
    )


def _is_foreign(looked: Look, reading: Reading) -> bool:
    """Return whether a text without a word for codes is about something else.

    Such a text has a link, or it is a form of four lines or more, or its numbers have other
    owners and it says nothing about the use of a code.
    """
    return _NAMES.isdisjoint(reading.traits) and (
        has_link(looked.folded)
        or looked.folded.count("\n") > 2
        or (reading.rule == "held" and USED.isdisjoint(reading.traits))
    )


def _has_owner(looked: Look) -> bool:
    """Return whether the words before the likely number name another, or a link is the text.

    The number of settings that a carrier sends has an owner too.
    """
    if _SEEN.address.fullmatch(looked.folded) or is_mentioned("settings", looked.folded):
        return True
    place = likely_folded(looked)
    return place is not None and is_owned(looked.folded, *place, "other")


def _long_and_nameless(looked: Look, reading: Reading, traits: Sequence[str]) -> bool:
    """Return whether a text is long and has no word that only codes have.

    The sum grows with the number of pieces. Long advertising in a language with little training
    data therefore reaches the sum of a code. None of our own 924 codes that only the sum finds is
    such a text. The number of words counts too, for texts in languages with spaces.
    """
    odd = "unsure" in traits and reading.rule not in _SHOWS_NONE
    return "name" not in traits and (
        (reading.rule == "held" and "long" in traits and "weak name" not in traits)
        or (odd and len(looked.folded) > _ODD_CHARS)
        or ("long" in traits and "many words" in traits)
    )


def _lacks_a_word(looked: Look, reading: Reading, odds: int) -> bool:
    """Return whether a text without a word for codes lacks the sum of weights that it then needs.

    In a language whose words are listed, a code has a listed word near it. Other numbers are years,
    amounts, numbers to call, and what a program prints. A text that begins with its number needs
    the larger sum even if it names a use: it may be a headline, or laughter in Thai, where 5 is
    read "ha". A headline in Chinese, Japanese or Korean is never a code by the sum.
    """
    if reading.rule == "held" or not _NAMES.isdisjoint(reading.traits):
        return False
    folded, leads = looked.folded, "leads" in reading.traits
    if not (leads or USED.isdisjoint(reading.traits)):
        return odds < _RESCUE_UNNAMED
    if _SEEN.listed.search(folded):
        return odds < _RESCUE_LISTED or (leads and _SEEN.leads_alone.match(folded) is not None)
    plain = leads or folded.isascii()
    return odds < (_RESCUE_LATIN if plain else _RESCUE_UNNAMED)


def is_barred(looked: Look, reading: Reading, odds: int) -> bool:
    """Return whether a text without a code by the rules must stay so, whatever the sum of weights.

    This is true if nothing in the text can be a code. If the text sells something, or if its
    numbers have unusual shapes, a high sum is needed.
    """
    signs = sum(trait in SALE for trait in reading.traits)
    return RULES[reading.rule].confidence < CODE and (
        signs > 1
        or (odds < RESCUE_IN_DOUBT and (signs > 0 or unusual(looked)))
        or not may_be(looked, reading)
    )


def name_rule(rule: str, confidence: float) -> str:
    """Return the rule of a verdict: `rule`, or "rescued" or "overruled" if the sum reversed it."""
    if not RULES[rule].weighed or (RULES[rule].confidence >= CODE) == (confidence >= CODE):
        return rule
    return "rescued" if confidence >= CODE else "overruled"
