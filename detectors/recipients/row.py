"""The packed row of one recipient: 14 words of 64 bits, and how it remembers platforms.

    word 0       the recipient
    word 1       window number u32 | position of the extent u16 | messages in the window u8
                 | messages in the previous window u8
    words 2-9    ring: the newest eight sightings, oldest first, after the free places (0);
                 a word is `seconds << 33 | novel << 32 | platform`
    words 10-13  sixteen u16: suspect flag u1 and day born u15, the number of prints that are KEPT,
                 and the prints of 14 platforms

A print is a 16-bit hash of a platform id. A platform moves from the ring to the prints when a newer
platform takes its place. Seconds and days count from `detectors.model.times.EPOCH_S`.

A remembered platform is KEPT if it came on two days or more, else ONCE. The prints that are KEPT
come first. Within both, the latest used comes first. So the last print is the next to be dropped,
and no platform that came on one day displaces a platform that came on two.

A recipient whose 14 prints are full gets an extent in the overflow for the others
(`detectors.recipients.overflow`). Then all that is KEPT is in the extent, and the row's prints are
the latest that came ONCE.

A crowd displaces nothing. A platform that is ONCE and leaves the ring less than `CROWD_S` after its
code came is part of a crowd. It is remembered only if the row has no extent and one of its 14
prints is free. So nobody can teach a row many platforms in a day.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from operator import attrgetter
from typing import Annotated, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import platform_print
from detectors.model.fields import As, Bounds, Print
from detectors.model.times import DAY_S
from detectors.recipients.overflow import MARKS_MAX, PLACES_MAX, RICH, Extent, Overflow, unique

RING: Final = 8
PRINTS: Final = 14
RING_WORDS: Final = slice(2, 2 + RING)
MEMORY_WORDS: Final = slice(10, 14)

SECONDS: Final = np.uint64(33)
NOVEL: Final = np.uint64(32)
"""Bit positions in a sighting: the lowest bit of its seconds, and the flag for a novel platform."""

SUSPECT: Final = 1 << 15
"""Flag above the day born: the recipient is a suspect. The row's ring is stale until the suspect is
released."""
BORN: Final = SUSPECT - 1

EXCUSED: Final = 2
"""Number of platforms per day with the same known print that count as known; further ones are
novel. Chosen: a third one by chance is rare, even in a flood. This limit affects only the evidence.
It does not affect which codes pass, because a gateway cannot distinguish these platforms."""

CROWD_S: Final = 2 * DAY_S
"""A platform whose only code came within this time of the code that pushed it out of the ring is
part of a crowd. So an attacker can teach eight platforms in two days. Measured: of 1,080 own codes
of people with 30 and with 60 platforms 0 and 0 are refused with 2 and 3 days, 2 and 2 with 4 days,
and 5 and 53 with 7 days. Of 1,600 own codes of people who use 60 platforms three times in nine
weeks, 18 are refused with 2 days and 224 with 3 days."""

COUNT_MOST: Final = 0xFF
"""Maximum of a window's message count. The highest count that any reader needs is 50."""

_HALF: Final = np.uint32(16)
_LEAST_PRINT: Final = np.uint16(1)
TAGS: Final = 0xFFFF_0000
"""Mask of the tags in word 1: the bits that are neither message counts nor the window number."""


def word(at_s: int, novel: int, platform: int) -> int:
    """Return a packed sighting. `at_s` is in seconds since `EPOCH_S`; `novel` is 0 or 1.

    >>> hex(word(1, 1, 7))
    '0x300000007'
    """
    return at_s << 33 | novel << 32 | platform


def prints_of(platforms: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Return the prints of platforms: `detectors.model.event.platform_print` over an array."""
    return np.maximum((platforms >> _HALF ^ platforms).astype(np.uint16), _LEAST_PRINT)


def halves(taken: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return a copy (16, m) of the sixteen u16 in words 10-13 of m rows (m, 14)."""
    assert np.little_endian, "a row's halves are read in place"
    first = 4 * MEMORY_WORDS.start
    return np.array(taken.view(np.uint16)[:, first:].T, order="C")  # a copy even if m is 1


def words_of(memory: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return words 10-13 (m, 4) from the sixteen u16 (16, m): the inverse of `halves`."""
    assert np.little_endian, "as in `halves`"
    return np.array(memory.T, order="C").view(np.uint64)


def count_cold(
    rows: NDArray[np.uint64], at_s: int, least_known: int, least_days: int
) -> tuple[int, int]:
    """Count rows (m, 14) whose recipient got a code in the last day, and the cold ones of these.

    Cold: it knows fewer than `least_known` platforms, and its first code came less than
    `least_days` days ago. `at_s` is in seconds since `EPOCH_S`. Rows of suspects count by what they
    were at the promotion.
    """
    ring, memory = rows[:, RING_WORDS], halves(rows)
    times = ring >> SECONDS
    seen = (rows[:, 0] != 0) & (times[:, -1] + DAY_S > at_s)
    met = (ring >> NOVEL & 1 == 0) | (times + DAY_S <= at_s)
    known = (memory[2:] != 0).sum(axis=0) + ((ring != 0) & met).sum(axis=1)
    days = at_s // DAY_S - (memory[0] & BORN).astype(np.int64)
    poor = rows[:, 1] >> 16 & 0xFFFF < RICH
    cold = seen & poor & (known < least_known) & (days < least_days)
    return int(seen.sum()), int(cold.sum())


def first_place(found: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return the index of the first true value in each of m columns of `found` (k, m); k if none.

    Numpy's `argmax` scans each column separately, which takes ten times as long.

    >>> first_place(np.array([[False, False], [True, False]])).tolist()
    [1, 2]
    """
    k = len(found)
    nearest = (found * np.arange(k, 0, -1, dtype=np.int8)[:, None]).max(axis=0)
    place: NDArray[np.int16] = np.int16(k) - nearest
    return place


def shift(
    lanes: NDArray[np.uint16],
    at: NDArray[np.int64],
    gap: NDArray[np.int64],
    put: NDArray[np.uint16],
) -> None:
    """Move one print in each of m columns of `lanes` (k, m), in place.

    The print at index `gap` (m,) is removed. `put` (m,) is inserted before the print at index `at`
    (m,). Both indices are those before the change. Where `at` and `gap` are k, nothing changes.
    """
    k = len(lanes)
    places = np.arange(k, dtype=np.int16)[:, None]
    down = np.empty_like(lanes)
    down[1:] = lanes[:-1]
    # Bit masks: `where` and `copyto` take several times as long over so many short lanes.
    between = -((at < places) & (gap >= places)).astype(np.int16)
    moved = lanes ^ (lanes ^ down) & between.view(np.uint16)
    ahead = gap < at
    before = indices(ahead)
    if len(before):
        some, low, high = lanes[:, before], gap[before], at[before]
        up = np.append(some[1:], some[-1:], axis=0)
        moved[:, before] = np.where((low <= places) & (high > places), up, some)
    goes_to = at - ahead
    puts = indices(goes_to < k)
    moved[goes_to[puts], puts] = put[puts]
    lanes[:] = moved


class Memory:
    """The known platforms that a suspect takes over from its row: day born and prints.

    `kept`: prints of platforms that came on two days or more. `once`: prints of platforms that came
    on one day. The latest used comes first. `marks`: prints of platforms that came on one day, in
    an episode, and are not known.
    """

    __slots__ = ("born_day", "kept", "marks", "once", "prints")

    def __init__(
        self,
        born_day: int = 0,
        kept: Iterable[int] = (),
        once: Iterable[int] = (),
        marks: Iterable[int] = (),
    ) -> None:
        self.born_day = born_day
        self.kept = tuple(unique(kept)[:PLACES_MAX])
        fresh = [each for each in unique(once) if each not in self.kept]
        # The row and its largest extent have room for so many prints beside the KEPT ones.
        self.once = tuple(fresh[: PRINTS + max(0, PLACES_MAX - 1 - len(self.kept))])
        self.marks = tuple(each for each in marks if each not in self.kept)
        self.prints = self.kept + self.once

    @property
    def size(self) -> int:
        """Return the number of remembered platforms."""
        return len(self.prints)

    @property
    def free(self) -> int:
        """Return how many of the 14 prints of a row without an extent are free."""
        return max(0, PRINTS - self.size)

    def with_one(self, sighting: int, later: int, back: Container[int] = ()) -> Memory:
        """Return a memory with one more platform, which leaves the ring.

        `sighting`: its sighting. `later`: the sighting that pushed it out. `back`: prints that have
        come back into the ring since. These prints leave the memory.
        """
        kept = [each for each in self.kept if each not in back]
        once = [each for each in self.once if each not in back]
        memory = Memory(self.born_day, kept, once, self.marks)
        if not sighting >> 32 & 1:
            kept.insert(0, platform_print(sighting & 0xFFFF_FFFF))
        elif memory.free or (later >> 33) - (sighting >> 33) >= CROWD_S:
            once.insert(0, platform_print(sighting & 0xFFFF_FFFF))
        return Memory(self.born_day, kept, once, self.marks)


StoredMemory: TypeAlias = Annotated[
    Memory,
    As(
        tuple[
            Annotated[int, Bounds(0, BORN)],
            Annotated[tuple[Print, ...], Bounds(0, PLACES_MAX)],
            Annotated[tuple[Print, ...], Bounds(0, PRINTS + PLACES_MAX)],
            Annotated[tuple[Print, ...], Bounds(0, MARKS_MAX)],
        ],
        attrgetter("born_day", "kept", "once", "marks"),
        lambda state: Memory(*state),
    ),
]
"""A memory as a field of a suspect that is stored."""


def unpack(row: NDArray[np.uint64], overflow: Overflow | None = None) -> tuple[list[int], Memory]:
    """Return a row's sightings, oldest first, and its memory."""
    ring = [w for w in row[RING_WORDS].tolist() if w]
    born, count, *prints = row[MEMORY_WORDS].view(np.uint16).tolist()
    kept, once, marks = prints[:count], prints[count:], list[int]()
    if (extent := extent_of(row)).blocks:
        assert overflow is not None
        kept, once, marks = overflow.read(extent)
        once = prints + once
    return ring, Memory(born & BORN, filter(None, kept), filter(None, once), marks)


def pack(
    row: NDArray[np.uint64],
    sightings: list[int],
    memory: Memory,
    overflow: Overflow | None = None,
) -> None:
    """Write a suspect's sightings (oldest first) and memory back into a row.

    The newest eight sightings become the ring. The others become prints. A row gets an extent in
    `overflow` if the memory has marks, or more platforms than fit.
    """
    taken = {platform_print(w & 0xFFFF_FFFF) for w in sightings if not w >> 32 & 1}
    kept, once, marks = (
        [each for each in prints if each not in taken]
        for prints in (memory.kept, memory.once, memory.marks)
    )
    memory = Memory(memory.born_day, kept, once, marks)
    for sighting, later in zip(sightings, sightings[RING:], strict=False):
        memory = memory.with_one(sighting, later)
    extent = extent_of(row)
    if overflow is not None and (extent.blocks or marks or memory.size > PRINTS):
        extent = overflow.write(extent, memory.kept, memory.once[PRINTS:], memory.marks)
    tags, low = extent.pack()
    prints = memory.once
    if not extent.blocks:
        low, prints = min(len(memory.kept), PRINTS), memory.prints
    halves_ = np.zeros(16, np.uint16)
    halves_[:2] = memory.born_day, low
    halves_[2 : 2 + len(prints)] = prints[:PRINTS]
    row[1] = int(row[1]) & ~(0xFFFF << 16) | tags << 16
    row[RING_WORDS] = ([0] * RING + sightings)[-RING:]
    row[MEMORY_WORDS] = halves_.view(np.uint64)


def extent_of(row: NDArray[np.uint64]) -> Extent:
    """Return the extent of a row; an extent of 0 blocks if the row has none."""
    tags = int(row[1]) >> 16 & 0xFFFF
    low = int(row[MEMORY_WORDS.start]) >> 16 & 0xFFFF
    return Extent.of(tags, low) if tags >= RICH else Extent(0, 0, 0)
