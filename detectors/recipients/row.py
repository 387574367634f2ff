"""The packed row of one recipient: 14 words of 64 bits, and how it remembers platforms.

    word 0       the recipient
    word 1       window number u32 | 0 u4 | prints AGAIN of this week u4 | habits in the ring u8
                 | messages in the window u8 | messages in the previous window u8
    words 2-9    ring: the newest eight sightings, oldest first, after the free places (0);
                 a word is `seconds << 33 | novel << 32 | platform`
    words 10-13  sixteen u16: suspect u1 and day born u15, `marks`, and the prints of 14 platforms

A print is a 16-bit hash of a platform id. A platform moves from the ring to the prints when a newer
platform takes its place. Seconds and days count from `detectors.model.times.EPOCH_S`.

A platform has one of three levels. ONCE: it came on one day. AGAIN: it came on a second day.
HABIT: it came again after that, in a later week than the time before. The prints are sorted by
level, habits first, and within a level the latest first. So the last print is the next to be
dropped, and four small counts describe all levels. `marks` has these counts, from the lowest bits
on: prints at HABIT, prints at AGAIN, prints at HABIT used in this period, and prints at AGAIN used
in this period. A recipient's weeks begin on the weekday of its first code, so an outsider does not
know when they begin.

- A new print never displaces a print of the same or a higher level. The exception is ONCE: there,
  the longest unused print is dropped.
- Recipients who use more platforms have an extent for the platforms at AGAIN or HABIT. Their rows
  store no counts of levels: see `detectors.recipients.overflow`.
- A period is 13 weeks. A platform unused for a whole period counts as ONCE. So it can be displaced
  after 91 to 182 days without use.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import platform_print
from detectors.model.times import DAY_S
from detectors.recipients.overflow import PLACES_MAX, RICH, SPILL, Extent, Overflow, unique

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

ONCE, AGAIN, HABIT = range(3)

WEEK_DAYS: Final = 7
PERIOD_WEEKS: Final = 13
"""Weeks of a period. Chosen: an account in use sends a code every 87 days on average (14 accounts,
.16 codes a day in all), so most accounts in use come once in a period."""

EXCUSED: Final = 2
"""Number of platforms per day with the same known print that count as known; further ones are
novel. Chosen: a third one by chance is rare, even in a flood. This limit affects only the evidence.
It does not affect which codes pass, because a gateway cannot distinguish these platforms."""

COUNT_MOST: Final = 0xFF
"""Maximum of a window's message count. The highest count that any reader needs is 50."""

TAGS: Final = 0xFFFF_0000
"""Mask of the tags in word 1: the bits that are neither message counts nor the window number."""

_PLACES: Final = np.arange(PRINTS, dtype=np.int16)[:, None]


def word(at_s: int, novel: int, platform: int) -> int:
    """Return a packed sighting. `at_s` is in seconds since `EPOCH_S`; `novel` is 0 or 1.

    >>> hex(word(1, 1, 7))
    '0x300000007'
    """
    return at_s << 33 | novel << 32 | platform


def prints_of(platforms: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Return the prints of platforms: `detectors.model.event.platform_print` over an array."""
    folded = (platforms >> np.uint32(16) ^ platforms & np.uint32(0xFFFF)).astype(np.uint16)
    folded[folded == 0] = 1
    return folded


def week_of(at_s: NDArray[np.int64], born: NDArray[np.uint16]) -> NDArray[np.int32]:
    """Return the number of the week since each recipient's first day, (m,)."""
    days = at_s.astype(np.int32) // np.int32(DAY_S) - born.astype(np.int32)
    week: NDArray[np.int32] = days // np.int32(WEEK_DAYS)
    return week


def halves(taken: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return a copy (16, m) of the sixteen u16 in words 10-13 of m rows (m, 14)."""
    assert np.little_endian, "a row's halves are read in place"
    first = 4 * MEMORY_WORDS.start
    return np.array(taken.view(np.uint16)[:, first:].T, order="C")  # a copy even if m is 1


def words_of(memory: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return words 10-13 (m, 4) from the sixteen u16 (16, m): the inverse of `halves`."""
    assert np.little_endian, "as in `halves`"
    return np.array(memory.T, order="C").view(np.uint64)


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


class Marks:
    """The unpacked `marks` of m rows: counts of prints by level and last use, (m,) of int16."""

    __slots__ = ("again", "again_period", "again_week", "habit", "habit_period")

    def __init__(self, marks: NDArray[np.uint16], week: NDArray[np.uint16]) -> None:
        packed = marks.astype(np.int16)
        self.habit = packed & 15
        self.again = packed >> 4 & 15
        self.habit_period = packed >> 8 & 15
        self.again_period = packed >> 12 & 15
        self.again_week = week.astype(np.int16)

    def packed(self) -> NDArray[np.uint16]:
        """Return the packed `marks`. The count of this week is stored in the tags of word 1."""
        habits = self.habit | self.habit_period << 8
        return (habits | self.again << 4 | self.again_period << 12).astype(np.uint16)

    def level(self, place: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the level of the print at index `place` (m,)."""
        again = (place < self.habit + self.again).astype(np.int16)
        return again + (place < self.habit)

    def take_out(self, place: NDArray[np.int16]) -> None:
        """Update the counts for the removal of the print at index `place` (m,); none if below 0."""
        here = place >= 0
        behind = place - self.habit
        habit, again = here & (behind < 0), (behind >= 0) & (behind < self.again)
        self.habit_period -= habit & (place < self.habit_period)
        self.again_period -= again & (behind < self.again_period)
        self.again_week -= again & (behind < self.again_week)
        self.habit -= habit
        self.again -= again


class Leaving(NamedTuple):
    """Platforms (m,) that leave the ring, with their levels."""

    print: NDArray[np.uint16]
    level: NDArray[np.int16]
    week: NDArray[np.bool_]  # true if used in this week
    period: NDArray[np.bool_]  # true if used in this period


def remember(
    memory: NDArray[np.uint16],
    week: NDArray[np.uint16],
    leaving: Leaving,
    place: NDArray[np.int16],
    none: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint16]:
    """Insert each platform that leaves the ring into the prints of its row, in place.

    `memory` (16, m): changed in place. `week` (m,): number of prints at AGAIN used in this week;
    the new numbers are returned. `place` (m,): index of the print that comes back into the ring and
    frees its place; -1 if there is none. Without a free place the last print is dropped, or the new
    one if the last has the same level. `none` (m,): rows in which nothing leaves the ring; they are
    not changed.
    """
    marks = Marks(memory[1], week)
    full = place < 0
    held = marks.habit + marks.again
    most = np.where(leaving.level == HABIT, marks.habit, held)
    refused = full & (most == PRINTS)
    if none is not None:
        refused |= none
    out = np.where(full, np.where(held == PRINTS, PRINTS - 1, -1), place)
    out[refused] = -1
    marks.take_out(out)
    habit, again = leaving.level == HABIT, leaving.level == AGAIN
    at = marks.habit + np.where(
        again,
        np.where(leaving.week, 0, np.where(leaving.period, marks.again_week, marks.again_period)),
        marks.again,
    )
    at = np.where(habit, np.where(leaving.period, 0, marks.habit_period), at)
    at[refused] = PRINTS
    gap = np.where(full, PRINTS - 1, place)
    gap[refused] = PRINTS
    prints = memory[2:]
    moved = np.empty_like(prints)
    moved[1:] = prints[:-1]
    # Bit masks: `where` and `copyto` take several times as long over so many short lanes.
    between = -((at < _PLACES) & (gap >= _PLACES)).astype(np.int16)
    moved = prints ^ (prints ^ moved) & between.view(np.uint16)
    before = indices(gap < at)
    if len(before):  # rows where the print that comes back had a lower index than the new print
        some, low, high = prints[:, before], gap[before], at[before]
        up = np.append(some[1:], some[-1:], axis=0)
        moved[:, before] = np.where((low <= _PLACES) & (high > _PLACES), up, moved[:, before])
    put = indices(~refused)
    moved[at[put], put] = leaving.print[put]
    memory[2:] = moved
    kept = ~refused
    marks.habit += habit & kept
    marks.again += again & kept
    marks.habit_period += habit & kept & leaving.period
    marks.again_period += again & kept & leaving.period
    marks.again_week += again & kept & leaving.week
    memory[1] = marks.packed()
    return marks.again_week.astype(np.uint16)


def forget(
    memory: NDArray[np.uint16], week: NDArray[np.uint16], place: NDArray[np.int16]
) -> NDArray[np.uint16]:
    """Remove the print at index `place` (m,) from each row's memory (16, m), in place.

    `week` and the result are as in `remember`.
    """
    marks = Marks(memory[1], week)
    marks.take_out(place)
    prints = memory[2:]
    moved = np.zeros_like(prints)
    moved[:-1] = prints[1:]
    memory[2:] = np.where(place <= _PLACES, moved, prints)
    memory[1] = marks.packed()
    return marks.again_week.astype(np.uint16)


def age(memory: NDArray[np.uint16], periods: NDArray[np.int32]) -> None:
    """Start a new period in each row: prints that were not used in the last period become ONCE.

    `memory` (16, m) changes in place. `periods` (m,), above 0: number of periods that have begun.
    """
    marks = Marks(memory[1], np.zeros(memory.shape[1], np.uint16))
    idle = periods > 1
    marks.habit_period[idle] = marks.again_period[idle] = 0
    behind = _PLACES - marks.habit
    kept = np.where(marks.habit_period > _PLACES, 0, 2)
    kept[(behind >= 0) & (behind < marks.again_period)] = 1
    kept[behind >= marks.again] = 3
    order = kept.argsort(axis=0, kind="stable")
    memory[2:] = np.take_along_axis(memory[2:], order, axis=0)
    marks.habit, marks.again = marks.habit_period, marks.again_period
    marks.habit_period = marks.again_period = np.zeros_like(marks.habit)
    memory[1] = marks.packed()


class Known(NamedTuple):
    """A platform in the memory: its print, its level, and the time of its last use in seconds.

    `last_s` is only approximate, and 0 for a platform at ONCE: a row does not store more.
    """

    print: int
    level: int
    last_s: int


class Memory:
    """The known platforms that a suspect takes over from its row: day born, prints, extent.

    `extent`: the known prints in the row's extent, the latest used first. None: the row has no
    extent, so its own prints may be above ONCE. `marks`: prints of platforms that came on one day,
    in an episode, and are not known.
    """

    __slots__ = ("born_day", "extent", "known", "marks", "prints")

    def __init__(
        self,
        born_day: int = 0,
        known: Iterable[Known] = (),
        extent: Sequence[int] | None = None,
        marks: Sequence[int] = (),
    ) -> None:
        self.born_day = born_day
        self.known = tuple(known)
        self.extent = None if extent is None else tuple(extent)
        self.marks = tuple(marks)
        self.prints = (*(each.print for each in self.known), *(extent or ()))

    @property
    def size(self) -> int:
        """Return the number of remembered platforms."""
        return len(self.prints)

    def week(self, at_s: int) -> int:
        """Return the number of the recipient's week at `at_s`."""
        return (at_s // DAY_S - self.born_day) // WEEK_DAYS

    def period(self, at_s: int) -> int:
        """Return the number of the recipient's period at `at_s`."""
        return self.week(at_s) // PERIOD_WEEKS

    def aged(self, level: int, last_s: int, at_s: int) -> int:
        """Return the level at `at_s` of a platform that had `level` when it last came, `last_s`."""
        return ONCE if self.period(at_s) - self.period(last_s) > 1 else level

    def risen(self, level: int, last_s: int, at_s: int) -> int:
        """Return the new level of a platform that comes again at `at_s`, a day or more later."""
        level = self.aged(level, last_s, at_s)
        if level == AGAIN and self.week(at_s) > self.week(last_s):
            return HABIT
        return max(level, AGAIN)

    def with_one(self, leaving: Known, back: Container[int], at_s: int) -> Memory:
        """Return a memory with one more platform, which leaves the ring; rules as in `remember`.

        `back`: prints that have come back into the ring since. They leave the memory.
        """
        kept = [each for each in self.known if each.print not in back]
        line = [
            each._replace(level=self.aged(each.level, each.last_s, at_s))
            for each in (leaving, *kept)
        ]
        if self.extent is not None:
            line[0] = leaving
            extent = [p for p in self.extent if p not in back]
            return self._settled(line, extent)
        return self._settled(line)

    def _settled(self, line: list[Known], extent: Sequence[int] | None = None) -> Memory:
        """Return a memory of these platforms, which are the latest first within their levels.

        The first platform of `line` is the new one. The memory moves to an extent if needed. Else
        the longest unused print of the lowest level is dropped. A new print displaces none of its
        own level, except at ONCE.
        """
        often = [each for each in line if each.level > ONCE]
        if extent is None and len(line) > PRINTS and len(often) >= SPILL:
            extent = ()
        if extent is not None:
            often.sort(key=lambda each: -each.level)
            extent = unique([*(each.print for each in often), *extent])[:PLACES_MAX]
            once = [each for each in line if each.level == ONCE]
            return Memory(self.born_day, once[:PRINTS], extent, self.marks)
        if sum(each.level >= max(line[0].level, AGAIN) for each in line[1:]) == PRINTS:
            return Memory(self.born_day, line[1:], None, self.marks)
        line = sorted(line, key=lambda each: -each.level)
        return Memory(self.born_day, line[:PRINTS], None, self.marks)

    def recall(self, print_: int) -> Known | None:
        """Return the platform with this print that has the highest level, or None."""
        found = [each for each in self.known if each.print == print_]
        return max(found, key=lambda each: each.level) if found else None


def unpack(
    row: NDArray[np.uint64], at_s: int, overflow: Overflow | None = None
) -> tuple[list[int], Memory, set[int]]:
    """Return a row's sightings (oldest first), its memory, and the platforms in the ring at HABIT.

    A row stores only the week or period in which a print was last used. So `last_s` of a print is
    the beginning of this week, of this period, or of the period before. Week and period are those
    of the row's newest sighting, or of `at_s` if the ring is empty.
    """
    words = row[RING_WORDS].tolist()
    ring = [w for w in words if w]
    tags = int(row[1]) >> 16 & 0xFFFF
    born, marks, *prints = row[MEMORY_WORDS].copy().view(np.uint16).tolist()
    extent: list[int] | None = None
    marked: list[int] = []
    if tags >= RICH:
        assert overflow is not None
        extent, marked = overflow.read(extent_of(row))
        tags = marks = 0
    habits = {w & 0xFFFF_FFFF for i, w in enumerate(words) if w and tags >> i & 1}
    memory = Memory(born & BORN)
    newest_s = ring[-1] >> 33 if ring else at_s
    week, period = memory.week(newest_s), memory.period(newest_s)
    weeks = (week, period * PERIOD_WEEKS, (period - 1) * PERIOD_WEEKS)
    days = (memory.born_day + number * WEEK_DAYS for number in weeks)
    this_week, this_period, before = (day * DAY_S for day in days)
    habit, again, habit_period, again_period = (marks >> shift & 15 for shift in (0, 4, 8, 12))
    steps = [(HABIT, this_period)] * habit_period + [(HABIT, before)] * (habit - habit_period)
    steps += [(AGAIN, this_week)] * (tags >> 8 & 15)
    steps += [(AGAIN, this_period)] * (again_period - (tags >> 8 & 15))
    steps += [(AGAIN, before)] * (again - again_period)
    steps += [(ONCE, 0)] * (PRINTS - len(steps))
    known = [Known(p, *step) for p, step in zip(prints, steps, strict=True) if p]
    return ring, Memory(memory.born_day, known, extent, marked), habits


def pack(
    row: NDArray[np.uint64],
    sightings: list[int],
    memory: Memory,
    recent_s: int,
    habits: Container[int] = (),
    overflow: Overflow | None = None,
) -> None:
    """Write a suspect's sightings (oldest first) and memory back into a row.

    All sightings after `recent_s` stay in the ring (the newest eight, if there are more). The other
    places of the ring go to the latest platforms that came on two days or more, then to the latest
    of any kind. The remaining sightings compete with the old prints: those with the highest level
    stay. At the same level, an old print stays before a sighting. Between two sightings of known
    platforms the one used longer ago stays, as in the sieve; between two others the later one.

    A row with an extent in `overflow` stores platforms at AGAIN or HABIT there. A row gets an
    extent if the memory has marks, or more platforms at AGAIN than fit.
    """
    recent = [w for w in sightings if w >> 33 > recent_s][-RING:]
    older = sightings[: len(sightings) - len(recent)][::-1]
    again = [w for w in older if not w >> 32 & 1]
    once = [w for w in older if w >> 32 & 1]
    ring = recent + again[: RING - len(recent)]
    again = again[RING - len(recent) :]
    space = RING - len(ring)
    ring += once[:space]
    times_s = [w >> 33 for w in sightings] or [each.last_s for each in memory.known]
    now_s = max(times_s, default=0)
    taken = {platform_print(w & 0xFFFF_FFFF) for w in sightings if not w >> 32 & 1}
    line = [each for each in memory.known if each.print not in taken]
    for w in again[::-1] + once[space:]:
        platform = w & 0xFFFF_FFFF
        level = ONCE if w >> 32 & 1 else HABIT if platform in habits else AGAIN
        line.append(Known(platform_print(platform), level, w >> 33))
    if memory.extent is None:
        line = [each._replace(level=memory.aged(each.level, each.last_s, now_s)) for each in line]
    ring.sort()
    tags = sum(1 << RING - len(ring) + i for i, w in enumerate(ring) if w & 0xFFFF_FFFF in habits)
    held = extent_of(row)
    often = sorted((each for each in line if each.level > ONCE), key=lambda each: -each.last_s)
    old = [each for each in memory.extent or () if each not in taken]
    spills = memory.extent is not None or len(memory.marks) > 0
    spills = spills or (len(line) > PRINTS and len(often) >= SPILL)
    if overflow is not None and spills and (held.blocks or overflow.is_open):
        known = unique([*(each.print for each in often), *old])
        marks = [each for each in memory.marks if each not in taken and each not in known]
        held = overflow.write(held, known, marks)
        line = [each for each in line if each.level == ONCE]
    else:
        line += [Known(each, AGAIN, now_s) for each in old]
    line = sorted(line, key=lambda each: -each.level)[:PRINTS]
    _write(row, [0] * (RING - len(ring)) + ring, memory, line, tags, now_s)
    if held.blocks:
        tags, low = held.packed()
        row[1] = int(row[1]) & ~(0xFFFF << 16) | tags << 16
        row[MEMORY_WORDS.start] = int(row[MEMORY_WORDS.start]) & ~(0xFFFF << 16) | low << 16


def extent_of(row: NDArray[np.uint64]) -> Extent:
    """Return the extent of a row; an extent of 0 blocks if the row has none."""
    tags = int(row[1]) >> 16 & 0xFFFF
    low = int(row[MEMORY_WORDS.start]) >> 16 & 0xFFFF
    return Extent.of(tags, low) if tags >= RICH else Extent(0, 0, 0)


def _write(
    row: NDArray[np.uint64],
    ring: list[int],
    memory: Memory,
    line: list[Known],
    tags: int,
    now_s: int,
) -> None:
    """Write the ring (eight words), the prints sorted by level, and the counts of levels."""
    week, period = memory.week(now_s), memory.period(now_s)

    def used(each: Known) -> tuple[int, bool, bool]:
        late = memory.week(each.last_s) >= week and each.level == AGAIN
        return -each.level, not late, memory.period(each.last_s) < period and each.level > ONCE

    line = sorted(line, key=used)
    marks = 0
    for each in line:
        level, earlier, idle = used(each)
        if level:
            shift = 0 if -level == HABIT else 4
            marks += (1 << shift) + (0 if idle else 1 << shift + 8)
            tags += (not earlier) << 8
    halves_ = np.zeros(16, np.uint16)
    halves_[0] = memory.born_day
    halves_[1] = marks
    halves_[2 : 2 + len(line)] = [each.print for each in line]
    row[1] = int(row[1]) & ~(0xFFFF << 16) | tags << 16
    row[RING_WORDS] = ring
    row[MEMORY_WORDS] = halves_.view(np.uint64)
