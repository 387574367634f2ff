"""The linear model: how far the pieces of a text speak for a code, as a sum.

Trained on this project's own texts (`python -m tests.detectors.recognise.train`), shipped as one
table of a byte for each hashed piece and a page of numbers beside it. All sums are of integers, so
a text has the same score in any batch.

The score and what the rules read make one more sum, log-odds of a code: `share` of the score, a
weight for the rule and one for each trait. So a text whose words speak for a code is one although
no rule knows its language, and a weak rule is overruled where they speak against it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from detectors.recognise import clues
from detectors.recognise.grams import GRAM_CHARS, NOWHERE, View, pieces, sums, view
from detectors.recognise.shipped import shipped, shipped_octets


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model; see the module. Log-odds are in hundredths of a natural unit."""

    weights: NDArray[np.int8]  # (NOWHERE + 1,): of pieces, of clues, and a nought
    scale: float  # of a weight, in hundredths
    bias: float  # of a text without pieces, in hundredths
    share: float  # of the score in the whole sum
    rules: Mapping[str, int]  # what each rule adds
    traits: Mapping[str, int]  # what each trait adds
    code: int  # from this score on a text with a number is a code, whatever the rules say
    other: int  # up to this score it is none
    sure_code: float  # how many of the first are codes
    sure_other: float  # and how many of the others

    @classmethod
    def shipped(cls) -> Self:
        """The model in `data/`."""
        table = tomllib.loads(shipped("model"))
        octets = shipped_octets("model.weights")
        weights = np.zeros(NOWHERE + 1, np.int8)
        weights[:-1] = np.frombuffer(octets, np.int8)
        return cls(
            weights,
            float(table["scale"]),
            float(table["bias"]),
            float(table["share"]),
            {str(rule): int(weight) for rule, weight in table["rules"].items()},
            {str(trait): int(weight) for trait, weight in table["traits"].items()},
            int(table["code"]),
            int(table["other"]),
            float(table["sure_code"]),
            float(table["sure_other"]),
        )

    def scores(self, folded: Sequence[str], cased: Sequence[str]) -> NDArray[np.int64]:
        """The score of each folded text, in hundredths; one pass over all of them.

        `cased` are the same texts with their capitals, a character for a character.
        """
        return self.scores_of(view(folded, cased)) if folded else np.zeros(0, np.int64)

    def scores_of(self, seen: View) -> NDArray[np.int64]:
        """The score of each text (n > 0) of a view, in hundredths."""
        norm = np.sqrt(np.maximum(seen.lengths, 1) * float(GRAM_CHARS))
        summed = sums(seen, self.weights) / norm + clues.sums(seen, self.weights)
        return np.rint(self.bias + self.scale * summed).astype(np.int64)

    def score(self, folded: str, cased: str) -> int:
        """The score of one folded text, in hundredths."""
        return int(self.scores([folded], [cased])[0])

    def odds(self, score: int, rule: str, traits: Iterable[str]) -> int:
        """The log-odds of a code, in hundredths, for a score, the rule read, and the traits."""
        shown = sum(self.traits[trait] for trait in traits)
        return round(self.share * score) + self.rules[rule] + shown

    def sure(self, score: int) -> bool | None:
        """Tell if the score alone says that a text with a number is a code; None if it does not."""
        if score >= self.code:
            return True
        return False if score <= self.other else None

    def told(self, folded: str, cased: str, most: int = 6) -> list[tuple[str, int]]:
        """The pieces and clues that weighed most, with what they add in hundredths.

        The heaviest first; of pieces inside one another only the heaviest is named. A figure stands
        for a number of so many digits, an edge of the text for itself.
        """
        seen = view([folded], [cased])
        norm = math.sqrt(max(1, len(seen.letters) - 2) * GRAM_CHARS)
        found: dict[str, float] = {}
        for piece, place in pieces(folded):
            found[piece] = found.get(piece, 0) + int(self.weights[place]) / norm
        for clue, place, by in clues.described(seen):
            found[clue] = found.get(clue, 0) + int(self.weights[place]) / by
        told: list[tuple[str, int]] = []
        for piece, weight in sorted(found.items(), key=lambda pair: (-abs(pair[1]), pair[0])):
            if len(told) == most or not weight:
                break
            if not any(piece in other or other in piece for other, _ in told):
                told.append((piece, round(self.share * self.scale * weight)))
        return told


_ODDS_MAX: Final = 460  # .99: no text is certain
_NO_CODE: Final = 0.49  # the most that is none


def confidence_of(odds: int) -> float:
    """Log-odds in hundredths as a probability in whole hundredths, .01 to .99.

    One half is for a code: rounding never takes a sum there that does not speak for one.

    >>> confidence_of(1), confidence_of(220), confidence_of(0), confidence_of(-5000)
    (0.5, 0.9, 0.49, 0.01)
    """
    told = round(100 / (1 + math.exp(-max(-_ODDS_MAX, min(_ODDS_MAX, odds)) / 100))) / 100
    return told if odds > 0 else min(told, _NO_CODE)
