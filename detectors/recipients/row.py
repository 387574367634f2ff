"""One recipient's row: what its fourteen words mean, and how it remembers platforms.

    word 0       the recipient
    word 1       window number u32 | messages in it u16 | messages in the one before u16
    words 2-9    ring: the newest eight sightings, oldest first and free places (0) before them;
                 a word is `seconds << 33 | novel << 32 | platform`
    words 10-13  sixteen u16: day born, flags, and the prints of 14 platforms, latest first

A platform leaves the ring for the prints when a newer one takes its place. Seconds and days count
from `detectors.model.times.EPOCH_S`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.event import platform_print

RING: Final = 8
PRINTS: Final = 14
RING_WORDS: Final = slice(2, 2 + RING)
MEMORY_WORDS: Final = slice(10, 14)

SUSPECT: Final = 1 << 15
"""Flag: a judge has this recipient; its ring is stale until the judge lets it go."""

HABITS: Final = (1 << PRINTS) - 1
"""Flags: bit i says that platform i was seen on two days or more."""

PROTECTED: Final = 8
"""So many places at the end of the prints are given up by platforms seen once before those seen
again. Six remain for the latest of any kind: with the ring, the 14 platforms used last are always
remembered, and a flood too slow to be noticed cannot wash out the eight habitual ones."""


def _victims() -> NDArray[np.int8]:
    """For each pattern of habits, which print goes.

    The last seen once among the protected places, else the last.
    """
    pattern = np.arange(1 << PRINTS)
    victim = np.full(len(pattern), PRINTS - 1, np.int8)
    for place in range(PRINTS - PROTECTED, PRINTS):
        victim[pattern >> place & 1 == 0] = place
    return victim


_VICTIM: Final = _victims()
_PLACES: Final = np.arange(PRINTS, dtype=np.int8)[:, None]
_NOVEL: Final = np.uint64(32)
_SHIFTS: Final = np.arange(0, 64, 16, dtype=np.uint64)[:, None]


def word(at_s: int, novel: int, platform: int) -> int:
    """A sighting, packed.

    >>> hex(word(1, 1, 7))
    '0x300000007'
    """
    return at_s << 33 | novel << 32 | platform


def prints_of(platforms: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """`detectors.model.event.platform_print` over an array."""
    folded = (platforms >> np.uint32(16) ^ platforms & np.uint32(0xFFFF)).astype(np.uint16)
    folded[folded == 0] = 1
    return folded


def halves(taken: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """The sixteen u16 of each of m rows (m, 14), as a copy (16, m)."""
    assert np.little_endian, "a row's halves are read in place"
    first = 4 * MEMORY_WORDS.start
    return np.ascontiguousarray(taken.view(np.uint16)[:, first:].T)


def words_of(memory: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """The inverse of `halves`: (16, m) -> (m, 4)."""
    four = memory.reshape(4, 4, -1).astype(np.uint64) << _SHIFTS
    words: NDArray[np.uint64] = np.bitwise_or.reduce(four, axis=1).T
    return words


def remember(
    memory: NDArray[np.uint16],
    outgoing: NDArray[np.uint64],
    place: NDArray[np.int8],
) -> None:
    """Puts the platform of each `outgoing` ring word before the prints of its row, in place.

    `memory` is (16, m). `place` (m,) is where the platform stood that comes back from the prints
    into the ring, and leaves room there; -1 where none does, and the victim leaves.
    """
    flags = memory[1].astype(np.int64)
    habits = flags & HABITS
    place = np.where(place < 0, _VICTIM[habits], place)
    prints = memory[2:]
    moved = np.empty_like(prints)
    moved[1:] = prints[:-1]
    moved[0] = prints_of(outgoing.astype(np.uint32))
    memory[2:] = np.where(place >= _PLACES, moved, prints)
    again = (~outgoing >> _NOVEL & np.uint64(1)).astype(np.int64)
    below = (1 << place.astype(np.int64)) - 1
    kept = habits & ~(below << 1 | 1)
    memory[1] = flags & ~HABITS | kept | (habits & below) << 1 | again


def forget(memory: NDArray[np.uint16], place: NDArray[np.int8]) -> None:
    """Takes the print at `place` (m,) out of each row's memory (16, m), in place."""
    flags = memory[1].astype(np.int64)
    habits = flags & HABITS
    prints = memory[2:]
    moved = np.zeros_like(prints)
    moved[:-1] = prints[1:]
    memory[2:] = np.where(place <= _PLACES, moved, prints)
    below = (1 << place.astype(np.int64)) - 1
    memory[1] = flags & ~HABITS | habits & below | habits >> 1 & ~below


class Memory:
    """The part of a row that a judge takes along: when it began, and the prints with habits."""

    __slots__ = ("born_day", "habits", "prints")

    def __init__(self, born_day: int = 0, habits: int = 0, prints: Iterable[int] = ()) -> None:
        self.born_day = born_day
        self.habits = habits
        self.prints = tuple(prints)

    @property
    def size(self) -> int:
        """How many platforms the prints stand for."""
        return len(self.prints) - self.prints.count(0)


def load(row: NDArray[np.uint64]) -> tuple[list[int], Memory]:
    """The sightings in a row's ring, oldest first, and its memory."""
    ring = [w for w in row[RING_WORDS].tolist() if w]
    born, flags, *prints = row[MEMORY_WORDS].copy().view(np.uint16).tolist()
    return ring, Memory(born, flags & HABITS, prints)


def store(row: NDArray[np.uint64], sightings: list[int], memory: Memory, recent_s: int) -> None:
    """Writes a judge's sightings (oldest first) back into a row.

    All from after `recent_s` must stay in the ring (the newest eight, if they are more). What
    place is left goes to platforms seen on two days or more, then to the old prints, and last to
    those seen once: a crowd of new platforms on one day washes nothing out.
    """
    recent = [w for w in sightings if w >> 33 > recent_s][-RING:]
    older = sightings[: len(sightings) - len(recent)][::-1]
    again = [w for w in older if not w >> 32 & 1]
    once = [w for w in older if w >> 32 & 1]
    space = RING - len(recent)
    ring = recent + again[:space]
    again = again[space:]
    taken = {platform_print(w & 0xFFFF_FFFF) for w in sightings if not w >> 32 & 1}
    line = [(platform_print(w & 0xFFFF_FFFF), 1) for w in again]
    line += [
        (p, memory.habits >> i & 1) for i, p in enumerate(memory.prints) if p and p not in taken
    ]
    space = RING - len(ring)
    ring += once[:space]
    line += [(platform_print(w & 0xFFFF_FFFF), 0) for w in once[space:]]
    line = line[:PRINTS]
    halves_ = np.zeros(16, np.uint16)
    halves_[0] = memory.born_day
    halves_[1] = sum(habit << i for i, (_, habit) in enumerate(line))
    halves_[2 : 2 + len(line)] = [p for p, _ in line]
    row[RING_WORDS] = [0] * (RING - len(ring)) + sorted(ring)
    row[MEMORY_WORDS] = halves_.view(np.uint64)
