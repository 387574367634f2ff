"""Figures of platforms in one partition: partial sums, given out at ticks.

They decide nothing. What is given out is a function of the log: everything between two ticks, at
the first of which in a new half hour by the log's time the sums so far are told and begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.hot.telling import HotPart
from detectors.model.records import Cause, utc_ms
from detectors.platforms.strangers import FOLD_OFFSETS, SweepPart

PART_S: Final = 1800
"""Seconds of one part: an hour's delay at most, and 48 parts a day of each partition."""

PART_PLATFORMS: Final = 4096
"""Platforms of a part that are told by name, those of most codes; the rest is one sum. A part has
300 kB then, under every broker's limit."""

PLATFORMS_MOST: Final = 32_768
"""Platforms that are counted apart at a time; further ones count with the rest."""

REST: Final = 0
"""Id of the rest: no platform has it."""

_NONE: Final = np.zeros(0, np.uint32)
CODES, SIGHTED, STRANGE, FLOODED = range(4)
"""Columns of the counts."""

_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class PlatformCounts:
    """Of one platform, in one part."""

    platform: str
    platform_id: int
    codes: int
    recipients: int  # to whom it was the first of this platform in 24 hours
    strangers: int  # of these, those who did not know the platform
    flood_codes: int  # codes that are evidence of a flood: novel, untrusted, in an episode


@dataclass(frozen=True, slots=True)
class PlatformPart:
    """The sums of one partition in one half hour by its log."""

    partition: int
    offset: int  # of the tick that gave it out: it rises within a partition
    epoch: int
    start_ms: int  # of the half hour; by the log's time, not by each message's
    platforms: tuple[PlatformCounts, ...]  # in the order of their ids, the rest first
    hot: HotPart | None = None  # for the network's list, where it is told now
    sweep: SweepPart | None = None  # strangers by neighbourhood, likewise


class Figures:
    """The sums of one partition since the last part."""

    __slots__ = ("counts", "ids", "number", "pending", "rest", "waiting")

    def __init__(self) -> None:
        self.number = 0  # of the half hour; 0 before the first tick
        self.ids = _NONE  # platforms (n,), ascending
        self.counts = np.zeros((0, _COLUMNS), np.int64)  # codes, recipients, strangers, of floods
        self.rest = [0] * _COLUMNS
        # What came, by column, not counted yet: arrays, and one by one.
        self.pending: list[list[NDArray[np.uint32]]] = [[] for _ in range(_COLUMNS)]
        self.waiting: list[list[int]] = [[] for _ in range(_COLUMNS)]

    def fold(self) -> None:
        """Count what came; when it is done changes nothing but what it costs."""
        for column in range(_COLUMNS):
            came = [*self.pending[column], np.array(self.waiting[column], np.uint32)]
            ids, counts = np.unique_counts(np.concatenate(came))
            self.pending[column].clear()
            self.waiting[column].clear()
            if len(ids):
                self._add(column, ids, counts)

    def _add(self, column: int, ids: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        place = np.searchsorted(self.ids, ids)
        held = np.zeros(len(ids), np.bool_)
        inside = place < len(self.ids)
        held[inside] = self.ids[place[inside]] == ids[inside]
        self.counts[place[held], column] += counts[held]
        fresh = ~held
        if fresh.any():
            where, new = place[fresh], np.zeros((int(fresh.sum()), _COLUMNS), np.int64)
            new[:, column] = counts[fresh]
            self.ids = np.insert(self.ids, where, ids[fresh])
            self.counts = np.insert(self.counts, where, new, axis=0)

    def tick(
        self, watermark_s: int, cause: Cause, epoch: int, named: Callable[[int], str]
    ) -> PlatformPart | None:
        """At a tick: the part that is whole now, or None."""
        number = watermark_s // PART_S
        begun, self.number = self.number, number
        if begun and number != begun:
            self.fold()
            return self._give_out(begun, cause, epoch, named)
        if cause.offset % FOLD_OFFSETS == 0:
            self.fold()
            self._bound()
        return None

    def _bound(self) -> None:
        """Keep the platforms of most codes apart; the lower id where two have as many."""
        if len(self.ids) > PLATFORMS_MOST:
            self._keep(PLATFORMS_MOST)

    def _keep(self, most: int) -> None:
        order = np.argsort(-self.counts[:, 0], kind="stable")
        kept = np.sort(order[:most])
        left = self.counts[order[most:]].sum(axis=0).tolist()
        self.rest = [a + b for a, b in zip(self.rest, left, strict=True)]
        self.ids, self.counts = self.ids[kept], self.counts[kept]

    def _give_out(
        self, number: int, cause: Cause, epoch: int, named: Callable[[int], str]
    ) -> PlatformPart | None:
        self._keep(PART_PLATFORMS)
        rows: list[tuple[int, list[int]]] = [(REST, self.rest)] if any(self.rest) else []
        rows += zip(self.ids.tolist(), self.counts.tolist(), strict=True)
        self.ids, self.counts = _NONE, np.zeros((0, _COLUMNS), np.int64)
        self.rest = [0] * _COLUMNS
        if not rows:
            return None
        return PlatformPart(
            cause.partition,
            cause.offset,
            epoch,
            utc_ms(number * PART_S),
            tuple(
                PlatformCounts("" if key == REST else named(key), key, *counts)
                for key, counts in rows
            ),
        )

    def state(self) -> list[Any]:
        """Plain data, the same whatever the order in which they came and were counted."""
        self.fold()
        return [self.number, self.ids.tobytes(), self.counts.tobytes(), list(self.rest)]


def figures_of(state: Iterable[Any]) -> Figures:
    """The inverse of `Figures.state`. Raises ValueError where ids and counts do not match."""
    number, ids, counts, rest = state
    figures = Figures()
    figures.number = number
    figures.ids = np.frombuffer(ids, np.uint32)
    figures.counts = np.frombuffer(counts, np.int64).reshape(-1, _COLUMNS).copy()
    if len(figures.ids) != len(figures.counts) or (figures.ids[1:] <= figures.ids[:-1]).any():
        raise ValueError("counts for each id, and ids that ascend, make figures")
    figures.rest = list(rest)
    return figures
