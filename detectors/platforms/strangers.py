"""Strangers of each platform by neighbourhood, in one partition: what a sweep is seen by.

A sweep is one platform that goes through numbers which lie together. Numbers are spread over
partitions, so no partition sees a range; each tells sums by thousand (a number without its last
three digits), and an agent adds them up (`detectors.platforms.sweeps`). They decide nothing.
Suspects are left out: what comes to them is a flood's, or a person's in a rush.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import begins, indices
from detectors.model.event import TICK_OFFSETS, TOKEN_BIT
from detectors.model.records import utc_ms
from detectors.model.rows import rows_of

SLOT_S: Final = 300
"""Seconds of one part: a sweep of 300 numbers a minute is seen after some ten minutes."""

PAIRS_PART: Final = 2048
"""Pairs of platform and thousand that a part tells, those of most strangers: under 100 kB. Ordinary
traffic of 100 million numbers in 32 partitions has a thousand in five minutes."""

PAIRS_MOST: Final = 32_768
"""Pairs at a time: 1 MB."""

FOLD_OFFSETS: Final = 64 * TICK_OFFSETS
"""At each tick whose offset is a multiple of this, what came is counted, in figures too: sorting
many costs less than few many times. By the offset, and not by what waits, so that a copy of the
state, for which all is counted, does not move the moments at which the least lose their count."""

_NEIGHBOURHOODS: Final = np.uint64(1 << 31)  # beside a platform's 32 bits, and one for "fresh"

NO_THOUSAND: Final = 0
"""Stands for all tokens, which have no neighbours."""


class Thousand(NamedTuple):
    """The strangers of one platform among a thousand numbers."""

    platform_id: int
    thousand: int  # a number without its last three digits, or NO_THOUSAND
    strangers: int  # who did not know the platform, and got its first code in 24 hours
    fresh: int  # of these, those of whom no code was ever seen


class SweepPart(NamedTuple):
    """One partition's sums in five minutes by its log."""

    start_ms: int
    thousands: tuple[Thousand, ...]  # in the order of platforms, then numbers


class Strangers:
    """The sums since the last part. Bounded by `PAIRS_MOST` and what comes in `FOLD_OFFSETS`."""

    __slots__ = ("number", "pending", "sums")

    def __init__(self) -> None:
        self.number = 0  # of the five minutes; 0 before the first tick
        self.sums = np.zeros((0, 4), np.int64)  # as `Thousand`; in the order of the first two
        self.pending: list[tuple[NDArray[Any], ...]] = []  # what came, as `meet` was told

    def meet(
        self,
        platform: NDArray[np.uint32],
        recipient: NDArray[np.uint64],
        fresh: NDArray[np.bool_],
    ) -> None:
        """Note strangers (n,), each of a platform."""
        self.pending.append((platform, recipient, fresh))

    def fold(self) -> None:
        """Count what came."""
        if not self.pending:
            return
        platform, recipient, fresh = map(np.concatenate, zip(*self.pending, strict=True))
        self.pending = []
        thousand = recipient // np.uint64(1000)
        thousand[recipient >= np.uint64(TOKEN_BIT)] = NO_THOUSAND
        rows = _counted(platform, thousand, fresh)
        self.sums = summed([self.sums, rows]) if len(self.sums) else rows

    def tick(self, watermark_s: int, offset: int) -> SweepPart | None:
        """At the tick of an offset: the part that is whole now, or None."""
        number = watermark_s // SLOT_S
        begun, self.number = self.number, number
        if not begun or number == begun:
            if offset % FOLD_OFFSETS == 0:
                self.fold()
                self.sums = _most(self.sums, PAIRS_MOST)
            return None
        self.fold()
        told, self.sums = _most(self.sums, PAIRS_PART), self.sums[:0]
        if not len(told):
            return None
        return SweepPart(utc_ms(begun * SLOT_S), tuple(rows_of(Thousand, *told.T.tolist())))

    def state(self) -> list[Any]:
        """Plain data, the same whatever the order in which they came."""
        self.fold()
        return [self.number, self.sums.tobytes()]


def strangers_of(state: Sequence[Any]) -> Strangers:
    """The inverse of `Strangers.state`. Raises ValueError where the sums are none."""
    strangers = Strangers()
    strangers.number, held = state
    strangers.sums = np.frombuffer(held, np.int64).reshape(-1, 4)
    return strangers


def _counted(
    platform: NDArray[np.uint32], thousand: NDArray[np.uint64], fresh: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The sums (m, 4) of strangers (n,), one a row, as `summed` has them.

    Those of one country fit in a word each, and words are sorted in a fifth of the time of rows.
    """
    known = thousand[thousand != NO_THOUSAND]
    first = known.min() - 1 if len(known) else np.uint64(0)
    if len(known) and known.max() - first >= _NEIGHBOURHOODS:
        rows = np.ones((len(platform), 4), np.int64)
        rows[:, 0], rows[:, 1], rows[:, 3] = platform, thousand, fresh
        return summed([rows])
    place = np.where(thousand == NO_THOUSAND, 0, thousand - first)  # NO_THOUSAND stands first
    words = platform.astype(np.uint64) << np.uint64(32) | place << np.uint64(1) | fresh
    words.sort()
    pairs = words >> np.uint64(1)
    starts = indices(begins(pairs))
    pairs = pairs[starts]
    place = pairs & (_NEIGHBOURHOODS - 1)
    sums = np.empty((len(starts), 4), np.int64)
    sums[:, 0] = pairs >> np.uint64(31)
    sums[:, 1] = np.where(place == 0, NO_THOUSAND, place + first)
    sums[:, 2] = np.diff(starts, append=len(words))
    sums[:, 3] = np.add.reduceat(words & np.uint64(1), starts)
    return sums


def summed(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The sums of rows (n, 4) by platform and thousand, in their order.

    >>> summed([np.array([[7, 2, 1, 0], [7, 1, 1, 1]]), np.array([[7, 2, 3, 1]])]).tolist()
    [[7, 1, 1, 1], [7, 2, 4, 1]]
    """
    held = np.concatenate(rows)
    if not len(held):
        return held
    held = held[np.lexsort((held[:, 1], held[:, 0]))]
    platform, thousand = held[:, 0], held[:, 1]
    other = np.ones(len(held), np.bool_)
    other[1:] = (platform[1:] != platform[:-1]) | (thousand[1:] != thousand[:-1])
    starts = indices(other)
    totals = held[starts]
    totals[:, 2:] = np.add.reduceat(held[:, 2:], starts, axis=0)
    return totals


def _most(sums: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Sums of most strangers, in the same order; of as many, those that stand first."""
    if len(sums) <= most:
        return sums
    kept: NDArray[np.int64] = sums[np.sort(np.argsort(-sums[:, 2], kind="stable")[:most])]
    return kept
