"""The explanation of an answer: the sum that made a text count as a code or not, part by part."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.recognise.fold import mask
from detectors.recognise.reading import body_of, excerpt, look, read
from detectors.recognise.registry import Line, Registry
from detectors.recognise.rules import RULES
from detectors.recognise.scripts import Word, scripts_of
from detectors.recognise.traits import TRAITS
from detectors.recognise.weigh import CODE, against, alone, model


@dataclass(frozen=True, slots=True)
class WhyPart:
    """One part of the sum: what it is and what it adds to the log-odds of a code."""

    kind: str  # rule, trait, piece
    says: str
    adds: float  # natural units; over 0 speaks for a code


@dataclass(frozen=True, slots=True)
class Why:
    """The reading of a text, and what weighed in it."""

    rule: str
    says: str
    words: tuple[tuple[str, str], ...]  # the word as it stands in the folded text, its kind
    parts: tuple[WhyPart, ...]  # the heaviest first; empty where the sum was not asked
    odds: float | None  # the sum that decided: of all, or of the pieces where they alone did
    without: tuple[str, ...]  # parts without which the answer would be the other one


def why(registry: Registry, text: str, sender: str, rule: str, *, trusted: bool) -> Why:
    """Explain a text that was told by this rule; see `recogniser.recognise`.

    `trusted` tells that its platform is, so that the rules alone decided.
    """
    looked = look(mask(excerpt(text)))
    reading = read(looked)
    body = body_of(looked)
    words = [word for script in scripts_of(body) for word in script.words(body)]
    told = tuple((body[word.start : word.end], word.kind.value) for word in _first(words))
    decided = RULES[rule]
    if not text or trusted or not RULES[reading.rule].weighed or rule.startswith("category"):
        return Why(rule, decided.says, told, (), None, ())
    weights = model()
    line = registry.sender(sender).line
    person = line is Line.PERSON and looked.signature is None
    traits = (*reading.traits, "person") if person else reading.traits
    score = weights.score(looked.folded, looked.cased)
    odds = weights.odds(score, reading.rule, traits)
    sure = alone(looked, score, person=person)
    if sure is None and odds > 0 and against(looked, reading, score, odds, traits):
        return Why(rule, decided.says, told, (), None, ())
    share = 1.0
    parts: list[WhyPart] = []
    if sure is not None and (odds > 0) != (sure >= CODE):  # no rule had a say in it
        odds, share = score, weights.share
    else:
        parts.append(WhyPart("rule", RULES[reading.rule].says, weights.rules[reading.rule] / 100))
        parts += (WhyPart("trait", TRAITS[trait], weights.traits[trait] / 100) for trait in traits)
    parts += (
        WhyPart("piece", _readable(piece), adds / share / 100)
        for piece, adds in weights.told(looked.folded, looked.cased)
    )
    rest = odds / 100 - sum(part.adds for part in parts)
    parts.append(WhyPart("pieces", "all others together", rest))
    parts.sort(key=lambda part: -abs(part.adds))
    without = tuple(part.says for part in parts if (odds / 100 - part.adds > 0) != (odds > 0))
    return Why(rule, decided.says, told, tuple(parts), odds / 100, without)


def _first(words: list[Word], most: int = 8) -> list[Word]:
    return sorted(words)[:most]


def _readable(piece: str) -> str:
    r"""A piece as a person reads it: an edge of the text in words, a figure as so many digits.

    >>> _readable(" is 6"), _readable("\x00your")
    ('« is [6 digits]»', '«[start or end]your»')
    """
    shown = "".join(
        f"[{letter} digits]" if letter.isdigit() else "[start or end]" if letter == "\0" else letter
        for letter in piece.replace("\n", "⏎")
    )
    return f"«{shown}»"
