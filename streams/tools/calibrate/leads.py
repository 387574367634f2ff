"""Measures the lead of hot platforms on days without a flood, and how people differ. Pure.

The lead is the score of a rule: novel hot platforms (abused in other floods) minus other novel
platforms. Leads and differences together decide how often the rule throttles a person by mistake.
Its threshold was chosen for people who all meet hot platforms about equally often. If some meet
many and most meet none, a threshold of 10 achieves what 8 achieves elsewhere
(`detectors/README.md`).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.times import DAY_S
from detectors.suspects.hot_score import lead
from detectors.suspects.suspect import Suspect

LEAST: Final = 3  # Lower leads are not stored, because nobody needs them.

GROUPS: Final = 20
_T_19: Final = 2.093
"""Student's t, 95 % two-sided, 19 degrees of freedom: for the mean of `GROUPS` estimates."""


class Leads:
    """Keeps the highest lead of each recipient and day; cold platforms subtract half a point."""

    def __init__(self, days_max: int = 1 << 18, aside: Iterable[str] = ()) -> None:
        # Maximum number of stored recipient-days; further ones are not added.
        self.days_max = days_max
        self.aside = set(aside)  # Recipients that are not counted.
        self.peaks: dict[tuple[str, int], float] = {}  # By recipient and day.

    def observe(
        self, hot: frozenset[int], suspects: Mapping[int, Suspect], first_s: Mapping[int, int]
    ) -> None:
        """Update the leads of suspects with messages; the earliest is at `first_s` (seconds)."""
        if not hot:
            return
        for recipient in suspects.keys() & first_s.keys():
            suspect = suspects[recipient]
            found = lead(suspect, hot, first_s[recipient], cold_half=True)
            key = (suspect.name, found.since_s // DAY_S)
            is_stored = key in self.peaks or len(self.peaks) < self.days_max
            if found.score >= LEAST and is_stored:
                self.peaks[key] = max(found.score, self.peaks.get(key, 0))

    def over(self, bar: float) -> int:
        """Return the number of counted recipient-days whose lead reaches a threshold."""
        return sum(peak >= bar for (name, _), peak in self.peaks.items() if name not in self.aside)


class Spread(NamedTuple):
    """The difference between people in their share of hot platforms among novel platforms."""

    share: float  # Share of hot platforms among all novel ones; NaN without novel platforms.
    sightings: int  # Number of novel platforms from which the share was computed.
    rho: float  # Correlation of two platforms of one person. 0: all people are alike. NaN: unknown.
    low: float  # Lower end of the 95 % interval; `high` is its upper end.
    high: float


def kappa_of(rho: float) -> float:
    """Return the parameter sum of a Beta distribution whose draws have this correlation.

    A kappa of 30 is a small difference between people, 10 a large one.

    >>> kappa_of(0.1), kappa_of(0.0), kappa_of(-0.2)
    (9.0, inf, inf)
    """
    if math.isnan(rho):
        return rho
    return 1 / rho - 1 if rho > 0 else math.inf


def spread(counts: NDArray[np.int64]) -> Spread:
    """Return the spread of people; `counts` is (n, 2): novel platforms, and hot ones of them.

    If people differ, two platforms of one person are both hot more often than by chance. This is
    the intraclass correlation. Its interval is a jackknife over `GROUPS` groups of people (Miller,
    Biometrika 1974).
    """
    total, hot = (int(n) for n in counts.sum(axis=0)) if len(counts) else (0, 0)
    if not 0 < hot < total:
        return Spread(hot / total if total else math.nan, total, math.nan, math.nan, math.nan)
    rho = _correlation(counts)
    left_out = np.array([
        _correlation(np.delete(counts, np.s_[i::GROUPS], axis=0)) for i in range(GROUPS)
    ])  # fmt: skip
    half = _T_19 * math.sqrt(
        (GROUPS - 1) / GROUPS * float(((left_out - left_out.mean()) ** 2).sum())
    )
    return Spread(hot / total, total, rho, rho - half, rho + half)


def _correlation(counts: NDArray[np.int64]) -> float:
    met, hot = counts.T.astype(np.float64)
    pairs = float((met * (met - 1)).sum())
    share = float(hot.sum() / met.sum()) if met.sum() else 0.0
    if not pairs or not 0 < share < 1:
        return math.nan
    both = float((hot * (hot - 1)).sum()) / pairs
    return (both - share * share) / (share * (1 - share))
