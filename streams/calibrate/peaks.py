"""The highest scores that each recipient reached on each day, beside the bars. Pure.

The sieve shows the judge whoever has three novel platforms in a bucket of 1.5, or five of them or
eight platforms in a day; nobody else comes near a bar of platforms, and nobody else is here. Bars
of messages have no peaks; what is over them is among the alarms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappush, heapreplace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bars import BURST_NOVEL
from detectors.episodes.episode import EpisodeLog, sighting_of
from detectors.model.records import Sighting, utc_ms
from detectors.model.times import DAY_S
from detectors.suspects.judge import Bars, JudgeParams, Scores, instants
from detectors.suspects.suspect import Suspect

NOVELS: Final = tuple(range(3, 11))
"""Novel platforms asked for in the what-if; the bars ask for 3 and 5."""

LEVEL_STEP: Final = 0.1
LEVELS: Final = 121
"""Levels of the bucket 0, 0.1, ... 12 and over."""

COUNTS: Final = (
    "raw_35min",
    "raw_24h",
    "spaced_50s_3h",
    "spaced_2min_3h",
    "spaced_5min_3h",
    "spaced_10min_24h",
)
COUNT_MOST: Final = 64
SIGHTINGS_SHOWN: Final = 40
SHOWN_FROM: Final = 0.5
"""Of a bar: who came no nearer than that is nobody's near miss. A WATCH is at .6 at least."""


_NOVEL_ROWS: Final = np.arange(len(NOVELS))
_COUNT_ROWS: Final = np.arange(len(COUNTS))


@dataclass(slots=True)
class Peak:
    """The highest scores of one recipient on one day."""

    recipient: str
    day: int
    levels: list[float]  # of the bucket, with at least so many novel platforms as in NOVELS
    counts: list[int]  # of COUNTS
    near: float = 0.0  # the highest share of any THROTTLE bar that was reached
    rule: str = ""
    score: float = 0.0
    bar: float = 0.0
    novel: int = 0
    at_ms: int = 0
    known: int = 0
    sightings: tuple[Sighting, ...] = ()


class _Near(NamedTuple):
    """The place in the sums of a recipient-day that came near a bar."""

    levels: NDArray[np.int64]
    counts: NDArray[np.int64]


class Peaks:
    """Peaks that may still grow, and sums over those that can't."""

    def __init__(
        self,
        misses_max: int = 20,
        open_max: int = 1 << 20,
        near_max: int = 1 << 18,
        aside: Iterable[str] = (),
    ) -> None:
        self.misses_max = misses_max
        self.open_max = open_max  # further ones close the oldest early
        self.near_max = near_max  # recipient-days that can be taken out again
        self.open: dict[tuple[int, int], Peak] = {}  # (recipient, day), oldest first
        self.levels = np.zeros((len(NOVELS), LEVELS), np.int64)
        self.counts = np.zeros((len(COUNTS), COUNT_MOST + 1), np.int64)
        self.days = 0  # recipient-days that were summed
        self.aside = set(aside)  # recipients that count nowhere here
        self._near: dict[str, list[_Near]] = {}
        self._near_days = 0
        self._misses: list[tuple[float, int, Peak]] = []  # heap, the farthest first

    @property
    def misses(self) -> list[Peak]:
        """List the days that came nearest to a THROTTLE without one, the nearest first."""
        nearest = sorted(self._misses, key=lambda m: (-m[0], m[1]))
        return [peak for _, _, peak in nearest if peak.recipient not in self.aside]

    def set_aside(self, recipient: str) -> None:
        """Take out again the days on which this recipient came near a bar."""
        self.aside.add(recipient)
        for near in self._near.pop(recipient, ()):
            self.levels[_NOVEL_ROWS, near.levels] -= 1
            self.counts[_COUNT_ROWS, near.counts] -= 1

    def observe(
        self,
        params: JudgeParams,
        book: EpisodeLog,
        suspects: dict[int, Suspect],
        first_s: dict[int, int],
    ) -> None:
        """Look at suspects again of whom messages came, the earliest at `first_s`."""
        for recipient in suspects.keys() & first_s.keys():
            self._look(params, book, suspects[recipient], first_s[recipient])
        while len(self.open) > self.open_max:
            self._close(next(iter(self.open)))

    def close(self, before_day: int | None = None) -> None:
        """Sums up the days before this one, or all."""
        for key in [k for k in self.open if before_day is None or k[1] < before_day]:
            self._close(key)

    def _look(self, params: JudgeParams, book: EpisodeLog, suspect: Suspect, from_s: int) -> None:
        for found, bars in instants(params, suspect, from_s, suspect.bucket_s):
            key = (suspect.recipient, found.at_s // DAY_S)
            peak = self.open.get(key)
            if peak is None:
                peak = self.open[key] = Peak(
                    suspect.name, key[1], [0.0] * len(NOVELS), [0] * len(COUNTS)
                )
            for i, novel in enumerate(NOVELS):
                if found.burst_novel < novel:
                    break
                peak.levels[i] = max(peak.levels[i], found.level)
            for i, rule in enumerate(COUNTS):
                peak.counts[i] = max(peak.counts[i], getattr(found, rule))
            near, rule, score, bar = nearest(bars, found)
            if near > peak.near:
                peak.near, peak.rule, peak.score, peak.bar = near, rule, score, bar
                peak.at_ms, peak.novel = utc_ms(found.at_s), found.burst_novel
                if self._worth_showing(near):
                    peak.known = suspect.memory_size(found.at_s)
                    peak.sightings = tuple(_sightings(book, suspect, found.at_s))

    def _worth_showing(self, near: float) -> bool:
        return SHOWN_FROM <= near < 1 and (
            len(self._misses) < self.misses_max or near > self._misses[0][0]
        )

    def _close(self, key: tuple[int, int]) -> None:
        peak = self.open.pop(key)
        if peak.recipient in self.aside:
            return
        self.days += 1
        steps = np.floor(np.array(peak.levels) / LEVEL_STEP + 1e-9).astype(np.int64)
        levels = np.minimum(steps, LEVELS - 1)
        counts = np.minimum(peak.counts, COUNT_MOST)
        self.levels[_NOVEL_ROWS, levels] += 1
        self.counts[_COUNT_ROWS, counts] += 1
        if peak.near >= SHOWN_FROM and self._near_days < self.near_max:
            self._near_days += 1
            self._near.setdefault(peak.recipient, []).append(_Near(levels, counts))
        if self._worth_showing(peak.near):
            put = heappush if len(self._misses) < self.misses_max else heapreplace
            put(self._misses, (peak.near, self.days, peak))

    def over(self, novel: int) -> NDArray[np.int64]:
        """(LEVELS,) recipient-days whose bucket reached each level with so many novel platforms."""
        return np.cumsum(self.levels[NOVELS.index(novel)][::-1])[::-1]


def nearest(bars: Bars, found: Scores) -> tuple[float, str, float, float]:
    """The share of the nearest THROTTLE bar that is reached, its rule, the score and the bar.

    A burst needs both its level and its novel platforms: the lesser share counts.
    """
    share = min(found.level / bars.level.throttle, found.burst_novel / BURST_NOVEL.throttle)
    best = (share, "burst", found.level, bars.level.throttle)
    if not found.raw_24h:
        return best
    for rule in COUNTS:
        score, bar = getattr(found, rule), getattr(bars, rule).throttle
        if score / bar > best[0]:
            best = (score / bar, rule, score, bar)
    return best


def _sightings(book: EpisodeLog, suspect: Suspect, at_s: int) -> Iterator[Sighting]:
    """The newest ones of the day that ends there, oldest first."""
    day: Iterable[int] = [w for w in suspect.sightings if at_s - DAY_S < w >> 33 <= at_s]
    for word in list(day)[-SIGHTINGS_SHOWN:]:
        yield sighting_of(book, word & 0xFFFF_FFFF, word >> 33, novel=bool(word >> 32 & 1))
