"""Overflow: extra memory for recipients who use more platforms than their row can store.

For most people the 14 prints of a row (hashes of platform ids) are enough. When they are full, the
row gets an *extent*: one to eight blocks. What is KEPT (it came on two days or more) moves there.
The row's prints are then the latest platforms that came ONCE; the older ones follow in the extent.

An extent is up to 64 places of u16:

    KEPT prints, the latest used first | a place of 0 | prints at ONCE, the latest used first
    | free places (0) | marks, the newest last

The place of 0 is missing if nothing follows it. When no place is free and no block can be added,
the last print at ONCE is dropped, or the last KEPT one if there is none. A mark is the print of a
platform that came on one day only, in an episode. A mark does not make a platform known. It records
that the next such day is the second one (`detectors.suspects.suspect`).

A row with an extent stores its position. The low bits replace the number of KEPT prints:

    word 1   bits 28-31 number of blocks, 1 to 8
             bits 20-27 the upper bits (16 and above) of the first block's number
             bits 16-19 number of marks
    halves   [1]: the low 16 bits of the first block's number

At each tick (every `TICK_OFFSETS`-th offset of the log), `settle` decides whether blocks are
allocated until the next tick. So between two ticks either all rows of a partition get blocks, or
none does. Decisions then do not depend on how a log is divided into batches.
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
"""Maximum number of places of one recipient. Chosen: enough for people who use 60 platforms,
together with the ring (the newest eight sightings)."""

MARKS_MAX: Final = 8  # Maximum number of marks of one extent.
BLOCKS_A_ROW: Final = 2
"""Maximum number of blocks per row of the table, on average. People have .9 after half a year and
1.4 after two years."""

RICH: Final = 1 << 12  # Lowest value of the tags (bits 16-31 of word 1) of a row with an extent.

_LIMIT: Final = 1 << 24
_LANES: Final = np.arange(BLOCKS_MAX)[None]


class Extent(NamedTuple):
    """The position of an extent: first block, number of blocks, and number of marks in it.

    A mark is the print of a platform that came on one day, in an episode, and is not known.
    """

    first: int
    blocks: int
    marks: int

    @classmethod
    def of(cls, tags: int, low: int) -> Extent:
        """Unpack an extent from a row's tags and its u16 `halves[1]`."""
        return cls((tags >> 4 & 0xFF) << 16 | low, tags >> 12, tags & 15)

    def pack(self) -> tuple[int, int]:
        """Return the tags and the u16 `halves[1]` of a row with this extent."""
        return self.blocks << 12 | self.first >> 16 << 4 | self.marks, self.first & 0xFFFF


class Overflow:
    """The extents of one partition's rows. Block 0 is never allocated, and always empty."""

    __slots__ = ("_free", "blocks_most", "dropped", "is_open", "live", "places", "used")

    def __init__(self, rows_max: int) -> None:
        self.blocks_most = min(BLOCKS_A_ROW * rows_max, _LIMIT) - 1
        self.places: NDArray[np.uint16] = np.zeros((16, BLOCK), np.uint16)
        self.used = 1  # places[used:] were never used
        self.live = 0  # number of allocated blocks
        # Free lists: size in blocks -> first blocks of free areas of this size.
        self._free: list[list[int]] = [[] for _ in range(BLOCKS_MAX + 1)]
        self.is_open = True  # true: blocks are allocated until the next tick
        self.dropped = 0  # number of prints without a place; the reader resets this counter

    @classmethod
    def over(cls, places: NDArray[np.uint16], words: NDArray[np.uint64], rows_max: int) -> Overflow:
        """Restore the extents of the rows `words` from `places`, without a copy of `places`.

        Raises ValueError if an extent lies outside of `places`, or if two extents overlap.
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
        """Decide, at a tick, whether there is room to allocate blocks until the next tick."""
        self.is_open = self.has_room

    @property
    def has_room(self) -> bool:
        """Return true if the messages of a tick find room."""
        return self.live + 2 * TICK_OFFSETS <= self.blocks_most

    def _give_back(self, first: int, blocks: int) -> None:
        while blocks > 0:
            part = min(blocks, BLOCKS_MAX)
            self._free[part].append(first)
            first, blocks = first + part, blocks - part

    def _add(self, blocks: int) -> int:
        """Allocate an extent of this many blocks; return its first block."""
        self.live += blocks
        for size in range(blocks, BLOCKS_MAX + 1):
            if self._free[size]:
                first = self._free[size].pop()
                self._give_back(first + blocks, size - blocks)
                return first
        first = self.used
        self.used += blocks
        if self.used > len(self.places):
            grown = np.zeros((max(self.used, len(self.places) * 9 // 8), BLOCK), np.uint16)
            grown[:first] = self.places[:first]
            self.places = grown
        return first

    def release(self, words: NDArray[np.uint64]) -> None:
        """Free the extents of these rows (m, 14)."""
        for first, blocks in zip(*(part.tolist() for part in _extents(words)), strict=True):
            self.live -= blocks
            self.places[first : first + blocks] = 0
            self._give_back(first, blocks)

    def read(self, extent: Extent) -> tuple[list[int], list[int], list[int]]:
        """Return an extent's prints, KEPT and at ONCE (latest used first), and its marks."""
        first, blocks, marks = extent
        flat = self.places[first : first + blocks].ravel().tolist()
        end = len(flat) - marks
        split = [*flat[:end], 0].index(0)
        return flat[:split], [each for each in flat[split:end] if each], flat[end:]

    def write(
        self, extent: Extent, kept: Sequence[int], once: Sequence[int], marks: Sequence[int]
    ) -> Extent:
        """Replace the content of an extent, and return the extent, which may have moved.

        An extent of 0 blocks means that the row has none yet. If space is short, the oldest marks
        are dropped first, then the last prints at ONCE, then the last KEPT prints.
        """
        first, blocks, _ = extent
        marks = marks[-MARKS_MAX:]
        known = [*kept, 0, *once] if once else [*kept]
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
        """Return the places of m extents as (64, m), with 0 after the end of each extent."""
        where = np.where(blocks[:, None] > _LANES, first[:, None] + _LANES, 0)
        held: NDArray[np.uint16] = self.places.take(where, axis=0).reshape(len(first), PLACES_MAX)
        return held.T

    def put(
        self, first: NDArray[np.int64], blocks: NDArray[np.int64], held: NDArray[np.uint16]
    ) -> None:
        """Write the places of m extents, given as (64, m) like the result of `take`."""
        own = blocks[:, None] > _LANES
        where = (first[:, None] + _LANES)[own]
        self.places[where] = held.T.reshape(len(first), BLOCKS_MAX, BLOCK)[own]


def _extents(words: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first blocks and the sizes of extents, for rows (m, 14) that have an extent."""
    rich = words[indices(words[:, 1] >> np.uint64(28) & np.uint64(15))]
    tags = (rich[:, 1] >> np.uint64(16)).astype(np.int64) & 0xFFFF
    low = (rich[:, 10] >> np.uint64(16)).astype(np.int64) & 0xFFFF
    return (tags >> 4 & 0xFF) << 16 | low, tags >> 12


def unique(prints: Iterable[int]) -> list[int]:
    """Return each print once, in the order of first occurrence."""
    return list(dict.fromkeys(prints))
