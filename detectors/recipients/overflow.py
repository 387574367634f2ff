"""Overflow: platforms of recipients who use more than their row can hold.

Most people fit into the 14 prints of a row. A row whose prints are full, and which has come to know
`SPILL` of them on two days or more, moves these out: into an *extent* of one to eight blocks here.
From then on its prints hold what came ONCE, and the extent what came AGAIN. That way nobody who
tries many platforms loses those that she uses.

An extent is up to 64 places of u16. Its known prints stand first, the latest used first: the last
one is dropped when no place is free. Its *marks* stand at the end, the newest last: prints of
platforms that came on one day only, in an episode. A mark makes nothing known; it says that the
next such day is the second one (`detectors.suspects.suspect`).

A row with an extent keeps the extent's place where other rows keep their counts of steps:

    word 1   bits 28-31 blocks of the extent, 1 to 8; 20-27 its first block, from bit 16 on
             bits 16-19 marks in it
    halves   [1], `marks` elsewhere: the low 16 bits of its first block

Blocks are given out until a tick finds too few left (`settle`): between two ticks all rows of a
partition find room, or none does, so that decisions do not depend on how a log is cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS

BLOCK: Final = 8
BLOCKS_MAX: Final = 8
PLACES_MAX: Final = BLOCK * BLOCKS_MAX
"""Platforms of one recipient. Chosen: people who use 60 keep them, with those in the ring."""

SPILL: Final = 8
"""Platforms of two days or more among the prints of a row from which it has an extent: they fill a
block. Simulated over half a year, people who use 20 platforms: .14 % of those used are not known
with 8 (1.29 % with 14), at .88 blocks a recipient (.70)."""

MARKS_MAX: Final = 8
BLOCKS_A_ROW: Final = 2
"""Blocks per row of the table, as a bound: people have .9 after half a year and 1.4 after two."""

RICH: Final = 1 << 12
"""Tags (bits 16-31 of word 1) from which a row has an extent."""

_LIMIT: Final = 1 << 24
_LANES: Final = np.arange(BLOCKS_MAX)[None]


class Extent(NamedTuple):
    """The place of an extent."""

    first: int
    blocks: int
    marks: int

    @classmethod
    def of(cls, tags: int, low: int) -> Extent:
        """Read it from a row: its tags and its half [1]."""
        return cls((tags >> 4 & 0xFF) << 16 | low, tags >> 12, tags & 15)

    def packed(self) -> tuple[int, int]:
        """The tags and half [1] of a row that has it."""
        return self.blocks << 12 | self.first >> 16 << 4 | self.marks, self.first & 0xFFFF


class Overflow:
    """The extents of one partition's rows. Block 0 is nobody's, and empty."""

    __slots__ = ("_free", "blocks_most", "dropped", "is_open", "live", "places", "used")

    def __init__(self, rows_max: int) -> None:
        self.blocks_most = min(BLOCKS_A_ROW * rows_max, _LIMIT) - 1
        self.places: NDArray[np.uint16] = np.zeros((16, BLOCK), np.uint16)
        self.used = 1  # places[used:] were never touched
        self.live = 0  # blocks of extents
        self._free: list[list[int]] = [[] for _ in range(BLOCKS_MAX + 1)]  # by their size
        self.is_open = True
        self.dropped = 0  # prints for which there was no place, since somebody asked

    @classmethod
    def over(cls, places: NDArray[np.uint16], words: NDArray[np.uint64], rows_max: int) -> Overflow:
        """The extents of the rows `words`, which lie in `places`: both are taken over.

        Raises ValueError where an extent is not there, or two rows have the same.
        """
        held = cls(rows_max)
        held.places, held.used = places, len(places)
        first, blocks = _extents(words)
        order = first.argsort(kind="stable")
        first, ends = first[order], (first + blocks)[order]
        starts = np.append(first, len(places))
        behind = np.append(1, ends)
        if (starts < behind).any() or (blocks > BLOCKS_MAX).any():
            raise ValueError("extents of rows are not there, or overlap")
        held.live = int(blocks.sum())
        for at in indices(starts > behind).tolist():
            held._give_back(int(behind[at]), int(starts[at] - behind[at]))
        return held

    def settle(self) -> None:
        """At a tick: decide if blocks are given out until the next one."""
        self.is_open = self.live + 2 * TICK_OFFSETS <= self.blocks_most

    def _give_back(self, first: int, blocks: int) -> None:
        while blocks > 0:
            part = min(blocks, BLOCKS_MAX)
            self._free[part].append(first)
            first, blocks = first + part, blocks - part

    def _add(self, blocks: int) -> int:
        """The first block of a new extent."""
        self.live += blocks
        for size in range(blocks, BLOCKS_MAX + 1):
            if self._free[size]:
                first = self._free[size].pop()
                self._give_back(first + blocks, size - blocks)
                return first
        first = self.used
        self.used += blocks
        if self.used > len(self.places):
            grown = np.zeros((max(self.used, len(self.places) * 3 // 2), BLOCK), np.uint16)
            grown[:first] = self.places[:first]
            self.places = grown
        return first

    def release(self, words: NDArray[np.uint64]) -> None:
        """Give the extents of these rows (m, 14) back."""
        for first, blocks in zip(*(part.tolist() for part in _extents(words)), strict=True):
            self.live -= blocks
            self.places[first : first + blocks] = 0
            self._give_back(first, blocks)

    def read(self, extent: Extent) -> tuple[list[int], list[int]]:
        """The known prints of an extent, the latest used first, and its marks, the newest last."""
        first, blocks, marks = extent
        flat = self.places[first : first + blocks].ravel().tolist()
        known = len(flat) - marks
        return [each for each in flat[:known] if each], flat[known:]

    def write(self, extent: Extent, known: Sequence[int], marks: Sequence[int]) -> Extent:
        """Store prints in place of what an extent holds; one of 0 blocks is none yet.

        Marks give way to known prints, the oldest first. Of known ones the last are dropped.
        """
        first, blocks, _ = extent
        marks = marks[-MARKS_MAX:]
        wanted = min(BLOCKS_MAX, -(-(len(known) + len(marks)) // BLOCK))
        if wanted > blocks and self.is_open:
            if blocks:
                self.live -= blocks
                self.places[first : first + blocks] = 0
                self._give_back(first, blocks)
            first, blocks = self._add(wanted), wanted
        room = blocks * BLOCK
        self.dropped += max(0, len(known) + len(marks) - room)
        known = known[:room]
        marks = marks[max(0, len(marks) + len(known) - room) :]
        flat = [*known, *[0] * (room - len(known) - len(marks)), *marks]
        if blocks:
            self.places[first : first + blocks] = np.array(flat, np.uint16).reshape(-1, BLOCK)
        return Extent(first, blocks, len(marks))

    def take(self, first: NDArray[np.int64], blocks: NDArray[np.int64]) -> NDArray[np.uint16]:
        """The places of extents (m,): (64, m); 0 past their end."""
        where = np.where(blocks[:, None] > _LANES, first[:, None] + _LANES, 0)
        held: NDArray[np.uint16] = self.places.take(where, axis=0).reshape(len(first), PLACES_MAX)
        return held.T

    def put(
        self, first: NDArray[np.int64], blocks: NDArray[np.int64], held: NDArray[np.uint16]
    ) -> None:
        """The inverse of `take`."""
        own = blocks[:, None] > _LANES
        where = (first[:, None] + _LANES)[own]
        self.places[where] = held.T.reshape(len(first), BLOCKS_MAX, BLOCK)[own]


def _extents(words: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First block and size of the extents that rows (m, 14) have."""
    rich = words[indices(words[:, 1] >> np.uint64(28) & np.uint64(15))]
    tags = (rich[:, 1] >> np.uint64(16)).astype(np.int64) & 0xFFFF
    low = (rich[:, 10] >> np.uint64(16)).astype(np.int64) & 0xFFFF
    return (tags >> 4 & 0xFF) << 16 | low, tags >> 12


def unique(prints: Iterable[int]) -> list[int]:
    """Each print once, in the order of their first places."""
    return list(dict.fromkeys(prints))
