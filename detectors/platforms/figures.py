"""Figures of platforms in one partition: partial sums, published at ticks (maintenance).

No decision depends on these figures. The parts depend only on the log: at the first tick of a new
half hour, by the log's time, the sums so far are published as a part and start again at 0. A tick
is every `TICK_OFFSETS`-th offset of the log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.hot.published_sums import HotPart
from detectors.model.arrays import find_places, packed
from detectors.model.fields import Bounds, Count, Time
from detectors.model.records import Cause, utc_ms
from detectors.platforms.first_contacts import FOLD_OFFSETS, SweepPart

PART_S: Final = 1800
"""Length of a part in seconds. The delay is at most an hour, with 48 parts a day per partition."""

PART_PLATFORMS: Final = 4096
"""Maximum number of platforms named in a part, those with most codes. All others are one sum
(`REST`). A part then has 300 kB, which is below every broker's limit."""

PLATFORMS_MOST: Final = 32_768
"""Maximum number of platforms that are counted separately at a time. Further ones count as
`REST`."""

REST: Final = 0
"""Platform id for the sum of all platforms that are not counted separately. No platform has this
id."""

_NONE: Final = np.zeros(0, np.uint32)
CODES, SIGHTED, STRANGE, FLOODED = range(4)
"""Columns of the counts."""

_COLUMNS: Final = 4


class PlatformCounts(NamedTuple):
    """The counts of one platform in one half hour of a partition."""

    platform: str
    platform_id: int
    codes: int
    recipients: int  # recipients that got the platform's first code in 24 hours
    strangers: int  # first contacts: such recipients that did not know the platform
    flood_codes: int  # codes that are evidence of a flood: novel, untrusted, in an episode


@dataclass(frozen=True, slots=True)
class PlatformPart:
    """The counts of each platform in one partition, for one half hour by the log's time."""

    partition: int
    offset: int  # offset of the tick that published it; ascending within a partition
    epoch: int
    start_ms: int  # beginning of the half hour, by the log's time, not by event times
    platforms: tuple[PlatformCounts, ...]  # ascending by id, so `REST` is first
    hot: HotPart | None = None  # sums for the network's list of platforms abused by floods, if due
    sweep: SweepPart | None = None  # first contacts by neighbourhood, if due now


@dataclass(slots=True, eq=False)
class Figures:
    """The sums of one partition since the last part. Call `fold` before this object is copied."""

    number: Time = 0  # number of the half hour; 0 before the first tick
    # Platforms (n,), ascending.
    ids: Annotated[NDArray[np.uint32], packed("u4")] = field(default_factory=lambda: _NONE)
    # Columns: codes, recipients, first contacts, codes of floods.
    counts: Annotated[NDArray[np.int64], packed("i8", _COLUMNS)] = field(
        default_factory=lambda: np.zeros((0, _COLUMNS), np.int64)
    )
    # The same columns for `REST`.
    rest: Annotated[list[Count], Bounds(_COLUMNS, _COLUMNS)] = field(
        default_factory=lambda: [0] * _COLUMNS
    )
    # Platforms that are not counted yet, by column: as arrays, and one by one.
    pending: list[list[NDArray[np.uint32]]] = field(init=False)
    waiting: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.counts) or (self.ids[1:] <= self.ids[:-1]).any():
            raise ValueError("counts for each id, and ids that ascend, make figures")
        self.pending = [[] for _ in range(_COLUMNS)]
        self.waiting = [[] for _ in range(_COLUMNS)]

    def fold(self) -> None:
        """Add the pending platforms to the counts. The time of the call affects only the cost."""
        for column in range(_COLUMNS):
            came = [*self.pending[column], np.array(self.waiting[column], np.uint32)]
            ids, counts = np.unique_counts(np.concatenate(came))
            self.pending[column].clear()
            self.waiting[column].clear()
            if len(ids):
                self._add(column, ids, counts)

    def _add(self, column: int, ids: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        place, held = find_places(self.ids, ids)
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
        """Return, at a tick, the part of a half hour that is complete now, or None.

        `named`: returns the name of a platform id.
        """
        number = watermark_s // PART_S
        begun, self.number = self.number, number
        if begun and number != begun:
            self.fold()
            return self._give_out(begun, cause, epoch, named)
        if cause.offset % FOLD_OFFSETS == 0:
            self.fold()
            self._keep(PLATFORMS_MOST)
        return None

    def _keep(self, most: int) -> None:
        """Keep at most this many platforms, those with most codes; ties go to the lower id."""
        if len(self.ids) <= most:
            return
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
