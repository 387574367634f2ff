"""Rows of format 1, which knew two steps where there are three: from them, and back.

They differ from `detectors.recipients.row` in words 1 and 10 to 13: counts of u16 and no tags; the
day born as u16, then flags, of which bit i says that print i was seen on two days or more, and bit
15 that a judge has the recipient; then the prints, latest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.times import DAY_S
from detectors.recipients.row import (
    AGAIN,
    BORN,
    COUNT_MOST,
    MEMORY_WORDS,
    ONCE,
    PERIOD_WEEKS,
    PRINTS,
    SUSPECT,
    WEEK_DAYS,
    Known,
    halves,
    week_of,
    words_of,
)

_BLOCK: Final = 1 << 16
"""Rows at a time: all at once, half of their bytes in arrays."""
_BITS: Final = np.arange(PRINTS, dtype=np.uint16)[:, None]
_WINDOW: Final = np.uint64(0xFFFF_FFFF_0000_0000)
_WEEK_S: Final = WEEK_DAYS * DAY_S


def from_one(rows: NDArray[np.uint64]) -> None:
    """Turn rows (n, 14) of format 1 into today's, in place.

    Of what format 1 does not tell: whatever was seen on two days or more came AGAIN, last used a
    week before the row's newest sighting; counts over 255 are 255.
    """
    for at in range(0, len(rows), _BLOCK):
        part = rows[at : at + _BLOCK]
        counts = part[:, 1]
        now = np.minimum(counts >> np.uint64(16) & np.uint64(0xFFFF), np.uint64(COUNT_MOST))
        last = np.minimum(counts & np.uint64(0xFFFF), np.uint64(COUNT_MOST))
        part[:, 1] = counts & _WINDOW | now << np.uint64(8) | last
        memory = halves(part)
        flags = memory[1]
        again = (flags >> _BITS & np.uint16(1)) * (memory[2:] != 0)
        order = (-again.astype(np.int8)).argsort(axis=0, kind="stable")
        memory[2:] = np.take_along_axis(memory[2:], order, axis=0)
        memory[0] = memory[0] & np.uint16(BORN) | flags & np.uint16(SUSPECT)
        count = again.sum(axis=0).astype(np.uint16)
        newest = (part[:, 9] >> np.uint64(33)).astype(np.int64)
        born = memory[0] & np.uint16(BORN)
        this = week_of(newest, born) // PERIOD_WEEKS
        fresh = week_of(newest - _WEEK_S, born) // PERIOD_WEEKS == this
        memory[1] = count << 4 | np.where(fresh, count, 0).astype(np.uint16) << 12
        part[:, MEMORY_WORDS] = words_of(memory)


def to_one(rows: NDArray[np.uint64]) -> None:
    """Turn rows (n, 14) into those of format 1, in place: of three steps it keeps two."""
    for at in range(0, len(rows), _BLOCK):
        part = rows[at : at + _BLOCK]
        counts = part[:, 1]
        now, last = counts >> np.uint64(8) & np.uint64(0xFF), counts & np.uint64(0xFF)
        part[:, 1] = counts & _WINDOW | now << np.uint64(16) | last
        memory = halves(part)
        again = (memory[1] & 15) + (memory[1] >> 4 & 15)  # the first of the prints
        suspect = memory[0] & np.uint16(SUSPECT)
        memory[0] &= np.uint16(BORN)
        memory[1] = (np.uint16(1) << again) - np.uint16(1) | suspect
        part[:, MEMORY_WORDS] = words_of(memory)


def known_from_one(habits: int, prints: Iterable[int], newest_s: int) -> list[Known]:
    """The prints of a judge's memory, as `from_one` reads those of a row."""
    again, once = (AGAIN, newest_s - _WEEK_S), (ONCE, 0)
    known = [Known(p, *(again if habits >> i & 1 else once)) for i, p in enumerate(prints) if p]
    return sorted(known, key=lambda each: -each.level)


def known_to_one(known: Sequence[Known]) -> tuple[int, list[int]]:
    """Habits and prints, as format 1 has them in a judge's memory."""
    habits = sum(1 << i for i, each in enumerate(known) if each.level > ONCE)
    prints = [each.print for each in known]
    return habits, prints + [0] * (PRINTS - len(prints))
