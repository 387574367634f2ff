"""Records the highest scores per recipient and day, and compares them with thresholds. Pure.

The sieve (fast check) passes a recipient to the judge (exact rules) in three cases: three novel
platforms with a bucket level of 1.5, five novel platforms in a day, or eight platforms in a day. No
other recipient comes near a threshold that counts platforms, so no other appears here. Thresholds
that count messages have no peaks; recipients over these are among the alarms.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappush, heapreplace
from typing import Final

import numpy as np

from detectors.episodes.episode_log import EpisodeLog
from detectors.model.records import Sighting, utc_ms
from detectors.model.times import DAY_S
from detectors.suspects.judge import Bars, JudgeParams, Scores, instants
from detectors.suspects.suspect import Suspect
from detectors.thresholds import BURST_NOVEL

LEVEL_STEP: Final = 0.1
LEVELS: Final = 121
"""Number of bucket levels: 0, 0.1, ... 12; the last stands for 12 and more."""

COUNTS: Final = (
    "raw_35min",
    "raw_24h",
    "spaced_50s_3h",
    "spaced_2min_3h",
    "spaced_5min_3h",
    "spaced_10min_24h",
)
SIGHTINGS_SHOWN: Final = 40
SHOWN_FROM: Final = 0.5
"""Share of a threshold from which a day counts as a near miss. A WATCH is at 0.6 at least."""


@dataclass(slots=True)
class Peak:
    """The highest scores of one recipient on one day."""

    recipient: str
    day: int
    level: float = 0.0  # Highest bucket level with as many novel platforms as a THROTTLE needs.
    near: float = 0.0  # The highest share of any THROTTLE threshold that was reached.
    rule: str = ""
    score: float = 0.0
    bar: float = 0.0
    novel: int = 0
    at_ms: int = 0
    known: int = 0
    sightings: tuple[Sighting, ...] = ()


class Peaks:
    """Peaks that may still rise, and sums over the peaks that are final."""

    def __init__(
        self,
        misses_max: int = 20,
        open_max: int = 1 << 20,
        near_max: int = 1 << 18,
        aside: Iterable[str] = (),
    ) -> None:
        self.misses_max = misses_max
        # Maximum number of open peaks; beyond it, the oldest are closed early.
        self.open_max = open_max
        self.near_max = near_max  # Maximum number of recipient-days that can be subtracted again.
        self.open: dict[tuple[int, int], Peak] = {}  # By (recipient, day), oldest first.
        self.levels = np.zeros(LEVELS, np.int64)  # Recipient-days by their highest level.
        self.days = 0  # Number of recipient-days in the sums.
        self.aside = set(aside)  # Recipients that are not counted.
        # Per recipient the places in `levels` of its days, to subtract these again.
        self._near: dict[str, list[int]] = {}
        self._near_days = 0
        self._misses: list[tuple[float, int, Peak]] = []  # Heap with the farthest miss first.

    @property
    def misses(self) -> list[Peak]:
        """Recipient-days that came nearest to THROTTLE without reaching it, nearest first."""
        nearest = sorted(self._misses, key=lambda m: (-m[0], m[1]))
        return [peak for _, _, peak in nearest if peak.recipient not in self.aside]

    def set_aside(self, recipient: str) -> None:
        """Exclude a recipient, and subtract the days on which it came near a threshold."""
        self.aside.add(recipient)
        for level in self._near.pop(recipient, ()):
            self.levels[level] -= 1

    def observe(
        self,
        params: JudgeParams,
        book: EpisodeLog,
        suspects: dict[int, Suspect],
        first_s: dict[int, int],
    ) -> None:
        """Update the peaks of suspects with messages; the earliest is at `first_s` (seconds)."""
        for recipient in suspects.keys() & first_s.keys():
            self._look(params, book, suspects[recipient], first_s[recipient])
        while len(self.open) > self.open_max:
            self._close(next(iter(self.open)))

    def close(self, before_day: int | None = None) -> None:
        """Add the peaks of days before this one to the sums, or all peaks."""
        for key in [k for k in self.open if before_day is None or k[1] < before_day]:
            self._close(key)

    def _look(self, params: JudgeParams, book: EpisodeLog, suspect: Suspect, from_s: int) -> None:
        for found, bars in instants(params, suspect, from_s, suspect.bucket_s):
            key = (suspect.recipient, found.at_s // DAY_S)
            peak = self.open.get(key)
            if peak is None:
                peak = self.open[key] = Peak(suspect.name, key[1])
            if found.burst_novel >= BURST_NOVEL.throttle:
                peak.level = max(peak.level, found.level)
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
        level = min(int(peak.level / LEVEL_STEP + 1e-9), LEVELS - 1)
        self.levels[level] += 1
        if peak.near >= SHOWN_FROM and self._near_days < self.near_max:
            self._near_days += 1
            self._near.setdefault(peak.recipient, []).append(level)
        if self._worth_showing(peak.near):
            put = heappush if len(self._misses) < self.misses_max else heapreplace
            put(self._misses, (peak.near, self.days, peak))


def nearest(bars: Bars, found: Scores) -> tuple[float, str, float, float]:
    """Return the THROTTLE threshold that was most nearly reached.

    The result is the share reached, the rule, the score and the threshold.

    A burst needs both its bucket level and its novel platforms, so the smaller share counts.
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
    """Yield the newest sightings of the day that ends at `at_s`, oldest first."""
    day: Iterable[int] = [w for w in suspect.sightings if at_s - DAY_S < w >> 33 <= at_s]
    for word in list(day)[-SIGHTINGS_SHOWN:]:
        yield book.sighting(word & 0xFFFF_FFFF, word >> 33, novel=bool(word >> 32 & 1))
