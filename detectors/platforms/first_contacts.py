"""First contacts ("strangers") of each platform by neighbourhood of numbers, in one partition.

A first contact is a recipient that did not know a platform and got its first code in 24 hours. A
sweep is one platform that sends to many neighbouring numbers. Numbers are spread over partitions,
so no partition sees a whole range. Each partition publishes sums by thousand (the number without
its last three digits), and an agent adds up the sums of all partitions to find sweeps
(`detectors.platforms.sweeps`). No decision depends on these sums. Suspects (recipients under exact
rules) are left out, because their codes belong to a flood or to a person in a hurry.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import begins, indices, packed
from detectors.model.event import TICK_OFFSETS, TOKEN_BIT
from detectors.model.fields import Time
from detectors.model.records import utc_ms

SLOT_S: Final = 300
"""Length of a part in seconds. A sweep of 300 numbers a minute is found after about ten minutes."""

PAIRS_PART: Final = 2048
"""Maximum number of pairs (platform, thousand) in a part, those with most first contacts: below 100
kB. Normal traffic of 100 million numbers in 32 partitions has a thousand pairs in five minutes."""

PAIRS_MOST: Final = 32_768  # Maximum number of pairs in memory: 1 MB.

FOLD_OFFSETS: Final = 64 * TICK_OFFSETS
"""Ticks at multiples of this offset add pending data to the sums (also in `figures`). One large
sort is cheaper than many small ones.

Aggregates at fixed offsets, not when a queue reaches a length. A snapshot also aggregates, and it
must not change which pairs are dropped; otherwise a replay would give a different result.
"""

_NEIGHBOURHOODS: Final = np.uint64(1 << 31)  # a u64 also has 32 bits of platform, 1 bit of "fresh"

NO_THOUSAND: Final = 0  # Value of `thousand` for all tokens, which have no neighbours.


Thousand: TypeAlias = tuple[int, int, int, int]
"""The first contacts of one platform among a thousand neighbouring numbers.

The fields: platform id; a number without its last three digits, or NO_THOUSAND; first contacts
(recipients that did not know the platform); and those first contacts for which no code of any
platform was seen before. It is a plain tuple for speed."""


class SweepPart(NamedTuple):
    """One partition's sums in five minutes of its log's time."""

    start_ms: int
    thousands: tuple[Thousand, ...]  # ascending by platform, then by thousand


@dataclass(slots=True, eq=False)
class Strangers:
    """The sums since the last part, bounded by `PAIRS_MOST` and the codes of `FOLD_OFFSETS`.

    Call `fold` before this object is copied.
    """

    number: Time = 0  # number of the five minutes; 0 before the first tick
    # Rows are `Thousand`s, ascending.
    sums: Annotated[NDArray[np.int64], packed("i8", 4)] = field(
        default_factory=lambda: np.zeros((0, 4), np.int64)
    )
    # Arguments of `meet`, not yet in `sums`.
    pending: list[tuple[NDArray[Any], ...]] = field(init=False, default_factory=list)

    def meet(
        self,
        platform: NDArray[np.uint32],
        recipient: NDArray[np.uint64],
        fresh: NDArray[np.bool_],
    ) -> None:
        """Record first contacts (n,): platform, recipient, and whether the recipient is fresh."""
        self.pending.append((platform, recipient, fresh))

    def fold(self) -> None:
        """Add the pending first contacts to the sums."""
        if not self.pending:
            return
        platform, recipient, fresh = map(np.concatenate, zip(*self.pending, strict=True))
        self.pending = []
        thousand = recipient // np.uint64(1000)
        thousand[recipient >= np.uint64(TOKEN_BIT)] = NO_THOUSAND
        rows = _count_contacts(platform, thousand, fresh)
        self.sums = sum_contacts([self.sums, rows]) if len(self.sums) else rows

    def tick(self, watermark_s: int, offset: int) -> SweepPart | None:
        """Return, at the tick of this offset, the five-minute part that is complete, or None."""
        number = watermark_s // SLOT_S
        begun, self.number = self.number, number
        if not begun or number == begun:
            if offset % FOLD_OFFSETS == 0:
                self.fold()
                self.sums = keep_most(self.sums, PAIRS_MOST)
            return None
        self.fold()
        told, self.sums = keep_most(self.sums, PAIRS_PART), self.sums[:0]
        if not len(told):
            return None
        return SweepPart(utc_ms(begun * SLOT_S), tuple(zip(*told.T.tolist(), strict=True)))


def _count_contacts(
    platform: NDArray[np.uint32], thousand: NDArray[np.uint64], fresh: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the sums (m, 4) of first contacts (n,), in the form of `sum_contacts`.

    If all numbers are from one country, a first contact fits into a u64. Sorting these takes a
    fifth of the time of sorting rows.
    """
    known = thousand[thousand != NO_THOUSAND]
    first = known.min() - 1 if len(known) else np.uint64(0)
    if len(known) and known.max() - first >= _NEIGHBOURHOODS:
        rows = np.ones((len(platform), 4), np.int64)
        rows[:, 0], rows[:, 1], rows[:, 3] = platform, thousand, fresh
        return sum_contacts([rows])
    place = np.where(thousand == NO_THOUSAND, 0, thousand - first)  # NO_THOUSAND is first
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


def sum_contacts(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the sums of rows (n, 4), ascending by platform and thousand.

    >>> sum_contacts([np.array([[7, 2, 1, 0], [7, 1, 1, 1]]), np.array([[7, 2, 3, 1]])]).tolist()
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


def keep_most(sums: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` rows of sums: those with the most first contacts, in the given order.

    Of rows with equally many, the first are kept.
    """
    if len(sums) <= most:
        return sums
    number = sums[:, 2]
    least = np.partition(number, -most)[-most]
    kept = number > least
    kept[indices(number == least)[: most - np.count_nonzero(kept)]] = True
    left: NDArray[np.int64] = sums[kept]
    return left
