"""Leads of hot platforms on days without a flood, and how far people differ in them. Pure.

Both decide how often the lead throttles a person by mistake: its bar was set for people of whom
each meets hot platforms about as often as any other. Where some meet many and most none, a bar of
10 holds what 8 holds elsewhere (`detectors/README.md`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bars import HOT_LEAD, HOT_LEAD_MOST
from detectors.model.times import DAY_S
from detectors.suspects.lead import lead
from detectors.suspects.suspect import Suspect

BARS: Final = (int(HOT_LEAD.watch), int(HOT_LEAD.throttle), 10, HOT_LEAD_MOST)
"""Leads of which the report says how many recipient-days reach them."""

LEAST: Final = 3
"""Lower leads are not kept: nobody asks for them."""

GROUPS: Final = 20
_T_19: Final = 2.093
"""Student's t, 95 % two-sided, of 19 degrees: the mean of `GROUPS` estimates."""


class LeadPeak(NamedTuple):
    """The highest leads of one recipient on one day."""

    whole: float  # another platform takes a point,
    half: float  # or half a one


class Leads:
    """The highest lead of each recipient and day."""

    def __init__(self, days_max: int = 1 << 18, aside: Iterable[str] = ()) -> None:
        self.days_max = days_max  # recipient-days that are kept; no further ones come in
        self.aside = set(aside)  # recipients that do not count
        self.peaks: dict[tuple[str, int], LeadPeak] = {}
        self.listed = 0  # platforms of the longest list so far

    def observe(
        self, hot: frozenset[int], suspects: Mapping[int, Suspect], first_s: Mapping[int, int]
    ) -> None:
        """Look at suspects again of whom messages came, the earliest at `first_s`."""
        self.listed = max(self.listed, len(hot))
        if not hot:
            return
        for recipient in suspects.keys() & first_s.keys():
            suspect, from_s = suspects[recipient], first_s[recipient]
            half = lead(suspect, hot, from_s, cold_half=True)
            if half.score < LEAST:
                continue
            found = LeadPeak(lead(suspect, hot, from_s).score, half.score)
            key = (suspect.name, half.since_s // DAY_S)
            held = self.peaks.get(key)
            if held is not None or len(self.peaks) < self.days_max:
                self.peaks[key] = LeadPeak(*map(max, found, held or found))

    def over(self, bar: float, *, cold_half: bool = False) -> int:
        """The number of recipient-days that reach a bar, of those that count."""
        return sum(
            (peak.half if cold_half else peak.whole) >= bar
            for (name, _), peak in self.peaks.items()
            if name not in self.aside
        )


class Spread(NamedTuple):
    """The difference between people in the share of hot platforms among those new to them."""

    share: float  # of all new platforms that are hot; NaN of none
    sightings: int  # new platforms that it is the share of
    rho: float  # correlation of two of one person; 0: all people are alike. NaN: cannot be told
    low: float  # 95 %
    high: float

    @property
    def kappa(self) -> float:
        """The same as the sum of a Beta distribution's parameters: 30 is little, 10 is much."""
        return kappa_of(self.rho)


def kappa_of(rho: float) -> float:
    """The sum of the parameters of a Beta distribution whose draws correlate so.

    >>> kappa_of(0.1), kappa_of(0.0), kappa_of(-0.2)
    (9.0, inf, inf)
    """
    if math.isnan(rho):
        return rho
    return 1 / rho - 1 if rho > 0 else math.inf


def spread(counts: NDArray[np.int64]) -> Spread:
    """The spread of people (n, 2): new platforms, and hot ones of them.

    Of two platforms of one person both are hot more often than chance says if people differ: the
    intraclass correlation. Its interval is a jackknife's over `GROUPS` groups of people (Miller,
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
