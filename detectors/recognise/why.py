"""Explain an answer of recognition: list the parts of the sum that decided about a text."""

from dataclasses import dataclass

from detectors.recognise.platform.registry import Line, Registry
from detectors.recognise.rules.reading import body_of, excerpt, look, read
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.traits import TRAITS
from detectors.recognise.text.fold import mask
from detectors.recognise.vocabulary.scripts import Word, scripts_of
from detectors.recognise.weigh import CODE, against, alone, model


@dataclass(frozen=True, slots=True)
class WhyPart:
    """One part of the sum, with its contribution to the log-odds of a code."""

    kind: str  # rule, trait, piece, or pieces (all other pieces together)
    says: str
    adds: float  # in natural units; above 0 is evidence for a code


@dataclass(frozen=True, slots=True)
class Why:
    """The explanation of an answer about one text."""

    rule: str
    says: str
    words: tuple[tuple[str, str], ...]  # words in the folded text that name numbers, and kinds
    parts: tuple[WhyPart, ...]  # largest first; empty if the sum did not decide
    odds: float | None  # the sum that decided: of all parts, or of the pieces alone
    without: tuple[str, ...]  # parts that each alone would reverse the answer if missing


def why(registry: Registry, text: str, sender: str, rule: str, *, trusted: bool) -> Why:
    """Explain the answer for a text that `rule` decided; see `recogniser.recognise`.

    `trusted`: the platform is trusted, so the rules alone decided.
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
    looked = reading.part or looked
    score = weights.score(looked.folded, looked.cased)
    odds = weights.odds(score, reading.rule, traits)
    sure = alone(looked, score, person=person)
    if sure is None and odds > 0 and against(looked, reading, odds, traits):
        return Why(rule, decided.says, told, (), None, ())
    share = 1.0
    parts: list[WhyPart] = []
    if sure is not None and (odds > 0) != (sure >= CODE):  # the score alone decided
        odds, share = score, weights.share
    else:
        parts.append(WhyPart("rule", RULES[reading.rule].says, weights.rules[reading.rule] / 100))
        parts += (WhyPart("trait", TRAITS[trait], weights.traits[trait] / 100) for trait in traits)
    parts += (
        WhyPart("piece", _readable(piece), adds / share / 100)
        for piece, adds in weights.explain(looked.folded, looked.cased)
    )
    rest = odds / 100 - sum(part.adds for part in parts)
    parts.append(WhyPart("pieces", "all others together", rest))
    parts.sort(key=lambda part: -abs(part.adds))
    without = tuple(part.says for part in parts if (odds / 100 - part.adds > 0) != (odds > 0))
    return Why(rule, decided.says, told, tuple(parts), odds / 100, without)


def _first(words: list[Word], most: int = 8) -> list[Word]:
    return sorted(words)[:most]


def _readable(word: str) -> str:
    """Return a word of the text in readable form, with the length of a number.

    >>> _readable("code"), _readable("000000")
    ('«code»', '«[6 digits]»')
    """
    return f"«[{len(word)} digits]»" if word.isdigit() else f"«{word}»"
