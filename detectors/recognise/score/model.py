"""The linear model: score how likely a text is a verification code, from its character n-grams.

The model is trained on this project's own texts (`python -m tests.detectors.recognise.train`). It
is shipped as a table with one byte per hashed n-gram ("piece"), and a TOML file with a few numbers.
The weights are integers and are added as integers, so a text has the same score in every batch.

The final log-odds of a code are the sum of three parts: `share` times the score, the weight of the
rule that applied, and the weight of each trait of the text. With this sum, a text in a language
that no rule knows can still be a code. The sum can also overrule a weak rule.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from detectors.recognise.score import clues
from detectors.recognise.score.grams import GRAM_CHARS, NOWHERE, View, sums, view
from detectors.recognise.text.shipped import read_data, shipped_octets


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model. Log-odds are in hundredths of a natural unit (nat)."""

    weights: NDArray[np.int8]  # (NOWHERE + 1,): weights of pieces, of clues, and one zero
    scale: float  # factor of a weight, in hundredths
    bias: float  # score of a text without pieces, in hundredths
    share: float  # factor of the score in the final sum
    rules: Mapping[str, int]  # log-odds that each rule adds
    traits: Mapping[str, int]  # log-odds that each trait adds
    code: int  # a text with a number and at least this score is a code; rules are not needed
    other: int  # a text with at most this score is no code; rules are not needed
    sure_code: float  # share of codes among texts with a score of `code` or more
    sure_other: float  # share of codes among texts with a score of `other` or less

    @classmethod
    def load(cls) -> Self:
        """Load the model from `data/`."""
        table = tomllib.loads(read_data("model"))
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
        """Return the score of each folded text, in hundredths, in one pass over all texts.

        `cased` are the same texts before lowercasing, with the same number of characters.
        """
        return self.scores_of(view(folded, cased)) if folded else np.zeros(0, np.int64)

    def scores_of(self, seen: View) -> NDArray[np.int64]:
        """Return the score of each of n > 0 texts of a view, in hundredths."""
        norm = np.sqrt(np.maximum(seen.lengths, 1) * float(GRAM_CHARS))
        summed = sums(seen, self.weights) / norm + clues.sums(seen, self.weights)
        return np.rint(self.bias + self.scale * summed).astype(np.int64)

    def score(self, folded: str, cased: str) -> int:
        """Return the score of one folded text, in hundredths."""
        return int(self.scores([folded], [cased])[0])

    def odds(self, score: int, rule: str, traits: Iterable[str]) -> int:
        """Return the log-odds of a code, in hundredths, from a score, a rule and traits."""
        shown = sum(self.traits[trait] for trait in traits)
        return round(self.share * score) + self.rules[rule] + shown

    def sure(self, score: int) -> bool | None:
        """Decide by the score alone whether a text with a number is a code. None if undecided."""
        if score >= self.code:
            return True
        return False if score <= self.other else None

    def explain(self, folded: str, cased: str, most: int = 6) -> list[tuple[str, int]]:
        """Return the words that change the score most, and what each adds to it in hundredths.

        A word adds the difference between the scores of the text with the word and without it. The
        largest difference comes first.
        """
        spans = [word.span() for word in _WORD.finditer(folded)]
        texts, high = ([one[:at] + one[end:] for at, end in spans] for one in (folded, cased))
        added = self.score(folded, cased) - self.scores(texts, high)
        told = {folded[at:end]: round(self.share * add)
                for (at, end), add in zip(spans, added.tolist(), strict=True)}  # fmt: skip
        return sorted(told.items(), key=lambda pair: (-abs(pair[1]), pair[0]))[:most]


_WORD: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff]{1,2}|[^\\W_\u3040-\u9fff]+")
"""Pattern of one word. Chinese and kana are written without spaces between words, so there it
matches two characters in place of a word, or one that is left over."""
_ODDS_MAX: Final = 460  # probability .99; no text is certain
_NO_CODE: Final = 0.49  # highest confidence of a text that is no code


def confidence_of(odds: int) -> float:
    """Convert log-odds in hundredths to a probability, rounded to hundredths, from .01 to .99.

    The result is .5 or more only if the log-odds are above 0. Rounding does not change this.

    >>> confidence_of(1), confidence_of(220), confidence_of(0), confidence_of(-5000)
    (0.5, 0.9, 0.49, 0.01)
    """
    told = round(100 / (1 + math.exp(-max(-_ODDS_MAX, min(_ODDS_MAX, odds)) / 100))) / 100
    return told if odds > 0 else min(told, _NO_CODE)
