"""The model's sum and the rule that a text is read by, as one answer: how sure it is a code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.recognise import glance
from detectors.recognise.lures import lured, owned, verifies
from detectors.recognise.model import Model, confidence_of
from detectors.recognise.reading import (
    USED,
    Glanced,
    Look,
    Reading,
    likely_folded,
    may_be,
    shown_at,
    slight,
    tells_spent,
    unusual,
)
from detectors.recognise.rules import RULES
from detectors.recognise.shapes import counts, has_link
from detectors.recognise.traits import LONG

CODE: Final = 0.5
"""The confidence from which on a rule or a sum calls a text a code."""

SALE: Final = frozenset({"way out", "phone", "price", "many words", "long run"})
"""Traits that advertising and spam have; a code that has two of them is found by a rule."""
RESCUE_IN_DOUBT: Final = 85
"""Hundredths of log-odds. Chosen: half of the public messages that were rescued by mistake fall
under it, and 6 % of the codes of our own that only the sum finds."""
_OF_LINES: Final = frozenset({"held", "nothing", "link", "shapeless"})
"""Rules of texts whose line breaks alone make no code, or no link that verifies. Texts without a
word that anybody listed have nothing else to tell where their number stands."""
_SHOWS_NONE: Final = frozenset({"link", "shapeless"})
"""Rules of texts that show no number of any code's shape: a link may be what verifies."""
_ODD_CHARS: Final = 120
"""Characters of a text that its score may call a code for letters and digits. Chosen: none of our
own codes that only the sum finds has such a number and over a hundred."""
_RESCUE_UNNAMED: Final = 150
"""Hundredths of log-odds from which a sum makes a code of a text without a listed word, in letters
whose languages are all listed. Chosen: our own such codes begin at 199, and public texts that were
called codes by mistake end at 110, but for one."""
_TOLD: Final = USED | {"name", "weak name"}  # traits of a text with any word of codes
_RESCUE_LEADING: Final = 300
"""The same where the number comes first, as a laugh does. Chosen: our own begin at 515."""
_LISTED: Final = re.compile("[\u0600-\u06ff\u0900-\u09ff\u0e00-\u0e7f]")
"""Letters of Arabic, Persian and Urdu, of Hindi, Marathi, Nepali and Bengali, of Thai."""
_LISTED_LETTERS: Final = 4  # a brand or a sign beside another script is no language
_LEADS_ALONE: Final = re.compile("\\W{0,8}[0a-z -]{4,16}[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")
_SEARCHED: Final = glance.NUMBER | glance.SPENT  # before a score calls a text a code
_TAKES_A_LOOK: Final = glance.HIDES | glance.PROGRAM  # whatever its score
_LINES_MAX: Final = 3
"""Line breaks of a text that its score alone may call a code; they add up. Chosen: of our own codes
.4 % have more."""
_ADDRESS: Final = re.compile("\\s*(?:https?://\\S+|(?:[a-z0-9-]+[.])+[a-z]{2,}[/?]\\S*)\\s*")


@cache
def model() -> Model:
    """The shipped model, read when the first text comes."""
    return Model.shipped()


def scored(seen: Glanced) -> NDArray[np.int64]:
    """The model's score of each text (n,), in hundredths; one pass over all of them."""
    looks = list(seen.looks.values())
    own = model().scores([each.folded for each in looks], [each.cased for each in looks])
    if seen.glance is None:
        return own
    scores = model().scores_of(seen.glance.view())
    scores[list(seen.looks)] = own
    return scores


def decided(seen: Glanced, scores: NDArray[np.int64]) -> NDArray[np.int8]:
    """Tell of each text (n,) if it takes no look to see what its score decides alone.

    1 for a code, unless a subscriber sent it; -1 for none; 0 where `alone` has to be asked.
    """
    found = np.zeros(len(scores), np.int8)
    if (told := seen.glance) is None:
        return found
    plain = told.may & _TAKES_A_LOOK == 0
    found[plain & (scores <= model().other)] = -1
    sure = plain & (scores >= model().code) & (told.may & _SEARCHED == 0)
    # As `_long` has it, of all at once.
    found[sure & (told.lengths <= LONG) & (told.lines() <= _LINES_MAX)] = 1
    return found


def confidence(
    looked: Look, score: int, read: Callable[[Look], Reading], *, trusted: bool, person: bool
) -> float:
    """The confidence, in whole hundredths, that a text is a code.

    The rules alone decide on what machines read, and on a trusted platform's text: who could write
    a text that deceives the model would else decide what is held of a bank. Elsewhere a score far
    enough from nought decides alone, and `read` is not called: that makes many new texts cheap; for
    a code a number of its shape has to be there. No sum makes a code of a text that shows nothing
    that could be one.
    `person` is a subscriber's number with no signature.
    """
    if looked.host_line:
        return RULES["host-line"].confidence
    if not trusted and (sure := alone(looked, score, person=person)) is not None:
        return sure
    reading = read(looked)
    if trusted or not RULES[reading.rule].weighed:
        return RULES[reading.rule].confidence
    traits = (*reading.traits, "person") if person else reading.traits
    odds = model().odds(score, reading.rule, traits)
    if odds > 0 and against(looked, reading, score, odds, traits):
        return RULES[reading.rule].confidence
    return confidence_of(odds)


def alone(looked: Look, score: int, *, person: bool) -> float | None:
    """The confidence where a score is far enough from nought to decide alone; else None."""
    if looked.for_app or (sure := model().sure(score)) is None:
        return None
    if not sure:
        return model().sure_other
    if person or _long(looked.folded) or not _shows_its_own(looked):
        return None
    return model().sure_code


def _long(folded: str) -> bool:
    """Tell if a text is too long, or of too many lines, for its score alone to call it a code."""
    return len(folded) > LONG or folded.count("\n") > _LINES_MAX


def _shows_its_own(looked: Look) -> bool:
    """Tell if a text shows a number that is no amount, nor another's by name, nor used."""
    if not looked.may & _SEARCHED:
        return True
    place = shown_at(looked)
    return not (
        place is None
        or tells_spent(looked)
        or owned(looked.folded, place)
        or counts(looked.folded, place)
    )


def against(looked: Look, reading: Reading, score: int, odds: int, traits: Sequence[str]) -> bool:
    """Tell if no sum makes a code of a text in which no rule finds one."""
    if RULES[reading.rule].confidence >= CODE:
        return False
    return (
        _long_and_nameless(looked, reading, traits)
        or barred(looked, reading, score, odds)
        or misled(looked)
        or _leads_alone(looked, reading, traits)
        or _without_a_word(looked, reading, odds)
        or ("unsure" in traits and not _TOLD.intersection(traits) and slight(looked))
        or _of_lines(looked, reading, traits)
    )


def _long_and_nameless(looked: Look, reading: Reading, traits: Sequence[str]) -> bool:
    """Tell if a text is long and names no code.

    A sum of so many pieces grows with them: advertising in a language that has few look-alikes to
    learn from reaches what a code does. None of our own 924 codes that only the sum finds is so.
    Its words are counted too: where none are apart, a text of that many characters may be short.
    """
    if "name" in traits:
        return False
    if reading.rule == "held" and "long" in traits and "weak name" not in traits:
        return True
    if "unsure" in traits and reading.rule not in _SHOWS_NONE and len(looked.folded) > _ODD_CHARS:
        return True
    return "long" in traits and "many words" in traits


def _leads_alone(looked: Look, reading: Reading, traits: Sequence[str]) -> bool:
    """Tell if a number begins a Chinese, Japanese or Korean text that tells nothing of a use.

    A year, a day, a thing's number begin headlines. None of our own codes that only the sum finds
    begins a text in these languages without a word of what it is for or how to keep it.
    """
    return (
        reading.rule == "wordless"
        and "leads" in traits
        and not USED.intersection(traits)
        and _LEADS_ALONE.match(looked.folded) is not None
    )


def _without_a_word(looked: Look, reading: Reading, odds: int) -> bool:
    """Tell if a low sum is for a text without a listed word, though its languages are listed.

    There a code has some word of the table beside it; what is left are years, amounts, and how
    people laugh in Thai, whose five is read "ha".
    """
    return (
        reading.rule == "wordless"
        and odds < (_RESCUE_LEADING if "leads" in reading.traits else _RESCUE_UNNAMED)
        and len(_LISTED.findall(looked.folded)) >= _LISTED_LETTERS
    )


def barred(looked: Look, reading: Reading, score: int, odds: int) -> bool:
    """Tell if a sum makes no code of a text in which no rule finds one.

    Where nothing could be one, no sum does; and where things are sold, or no number looks like most
    codes do, only a high one.
    """
    if RULES[reading.rule].confidence >= CODE:
        return False
    signs = sum(trait in SALE for trait in reading.traits)
    if signs > 1 or (odds < RESCUE_IN_DOUBT and (signs or unusual(looked))):
        return True
    return not may_be(looked, reading, score)


def misled(looked: Look) -> bool:
    """Tell if a sum for a code knows less than is plain to see, where no rule finds one.

    The text lures to a link, or is an address; there is nothing but a link, and none that verifies;
    or the words straight before the number name another one.
    Training does not ask: what the weights of rules say of such texts they say of them as well.
    """
    linked = has_link(looked.folded)
    if _ADDRESS.fullmatch(looked.folded) or (linked and lured(looked.folded)):
        return True
    place = likely_folded(looked)
    if place is None:
        return linked and not verifies(looked.folded, looked.cased)
    return owned(looked.folded, place[0])


def _of_lines(looked: Look, reading: Reading, traits: Sequence[str]) -> bool:
    """Tell if a sum is for a code by its line breaks alone, and no name for codes is there."""
    if reading.rule not in _OF_LINES or "name" in traits or "\n" not in looked.folded:
        return False
    known = model()
    score = known.score(looked.folded.replace("\n", " "), looked.cased.replace("\n", " "))
    return known.odds(score, reading.rule, traits) <= 0


def named(rule: str, confidence: float) -> str:
    """The rule a verdict is told by: the one read, or that the model's sum went against it."""
    if not RULES[rule].weighed or (RULES[rule].confidence >= CODE) == (confidence >= CODE):
        return rule
    return "rescued" if confidence >= CODE else "overruled"
