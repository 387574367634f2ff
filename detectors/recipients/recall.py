"""Updates the memories of many recipients at once, after one sighting of each.

The rules are explained in `detectors.recipients.row`, whose class `Memory` applies the same rules
to a single recipient.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.event import platform_print
from detectors.recipients.extents import Extents
from detectors.recipients.overflow import SPILL
from detectors.recipients.row import (
    AGAIN,
    BORN,
    HABIT,
    NOVEL,
    ONCE,
    PERIOD_WEEKS,
    RING,
    SECONDS,
    Leaving,
    Marks,
    age,
    forget,
    prints_of,
    remember,
    week_of,
)

_ONE: Final = np.uint16(1)
_RINGS: Final = np.uint16(0xFF)  # tags: bit i is set if place i of the ring has a platform at HABIT
_WEEK: Final = np.uint16(8)  # tags: lowest bit of the number of prints at AGAIN used in this week
_PERIOD: Final = np.int32(PERIOD_WEEKS)
_LAST: Final = np.uint16(RING - 1)
_BITS: Final = np.arange(RING, dtype=np.uint16)[:, None]


class Sightings(NamedTuple):
    """One sighting for each of m rows, and the state of the rows before it."""

    print: NDArray[np.uint16]  # print of the platform
    at_s: NDArray[np.int64]
    held: NDArray[np.uint64]  # (8, m): the rings before the sighting
    back: NDArray[np.int64]  # indices of rows whose ring has the platform, from over a day ago
    slot: NDArray[np.int16]  # (back,): the platform's place in the ring
    place: NDArray[np.int16]  # the platform's index among the prints; -1: not there
    late: NDArray[np.int64]  # indices of rows whose new sighting is not their newest
    order: NDArray[np.int64]  # (8, late): the order in which their rings were sorted
    kept: NDArray[np.bool_]  # true for rows that are written; promoted rows are not


def recall(
    memory: NDArray[np.uint16], tags: NDArray[np.uint16], new: Sightings, extents: Extents
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Update the prints as platforms enter and leave the rings.

    `memory` (16, m) and the extents change in place. Returns the new tags (m,), and which rows of
    `memory` changed.
    """
    if len(extents.at):  # rows with an extent store its place in these bits; restored at the end
        tags = tags.copy()
        tags[extents.at] = memory[1, extents.at] = 0
    born = memory[0] & np.uint16(BORN)
    newest = (new.held[-1] >> SECONDS).astype(np.int64)
    week = week_of(np.maximum(new.at_s, newest), born)
    tags, changed = _turn(memory, tags, week, week_of(newest, born), newest)
    aged = indices(changed)
    if len(aged):  # the index of a print may have changed
        match = memory[2:, aged] == new.print[aged]
        new.place[aged] = np.where(new.place[aged] < 0, -1, match.argmax(axis=0))
    outgoing = new.held[0]
    if len(new.back):
        outgoing = outgoing.copy()
        outgoing[new.back] = 0
    outgoing = _overflow(memory, tags, new, extents, outgoing)
    changed[extents.at] = True
    pushed = indices(outgoing)
    printed = new.place >= 0
    habit = _rising(memory, tags, new, born)
    rings = _shift(tags & _RINGS, habit, new)
    free = indices(printed & (outgoing == 0))
    if 2 * len(pushed) > len(week):  # processing all rows is cheaper than selecting these
        leaving = _leaving(outgoing, tags, week, born)
        left = remember(memory, tags >> _WEEK, leaving, new.place, outgoing == 0)
        tags[pushed] = left[pushed] << _WEEK
        changed[pushed] = True
    elif len(pushed):
        prints = memory.take(pushed, axis=1)
        leaving = _leaving(outgoing[pushed], tags[pushed], week[pushed], born[pushed])
        left = remember(prints, tags[pushed] >> _WEEK, leaving, new.place[pushed])
        tags[pushed] = left << _WEEK
        memory[:, pushed] = prints
        changed[pushed] = True
    if len(free):
        prints = memory.take(free, axis=1)
        left = forget(prints, tags[free] >> _WEEK, new.place[free])
        tags[free] = left << _WEEK
        memory[:, free] = prints
        changed[free] = True
    tags = tags & ~_RINGS | rings
    if len(extents.at):
        tags[extents.at], memory[1, extents.at] = extents.links()
    return tags, changed


def _rising(
    memory: NDArray[np.uint16],
    tags: NDArray[np.uint16],
    new: Sightings,
    born: NDArray[np.uint16],
) -> NDArray[np.uint16]:
    """Return 1 for each row whose platform reaches HABIT with this sighting, else 0 (m,).

    The platform comes back from the prints, or was already in the ring.
    """
    some = indices(new.place >= 0)
    habit = np.zeros(len(tags), np.uint16)
    if len(some):
        marks = Marks(memory[1, some], tags[some] >> _WEEK)
        place = new.place[some]
        level = marks.level(place)
        habit[some] = (level == HABIT) | (
            (level == AGAIN) & (place - marks.habit >= marks.again_week)
        )
    if len(new.back):
        habit[new.back] = _returns(new, tags, born)
    return habit


def _overflow(
    memory: NDArray[np.uint16],
    tags: NDArray[np.uint16],
    new: Sightings,
    extents: Extents,
    outgoing: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """Move platforms at AGAIN or HABIT that leave the ring into the extent, if the row has one.

    Returns the other platforms that leave the rings. A row whose prints are full gets an extent if
    `SPILL` or more of its platforms are at AGAIN or HABIT.
    """
    full = indices(memory[-1])
    if len(full):
        full = full[(new.place[full] < 0) & new.kept[full] & (outgoing[full] != 0)]
        often = (memory[1, full] & 15) + (memory[1, full] >> 4 & 15)
        known = outgoing[full] >> NOVEL & np.uint64(1) == 0
        many = (often + known >= SPILL) & extents.is_open(full)
        full, often, known = full[many], often[many], known[many]
        for i, count, more in zip(full.tolist(), often.tolist(), known.tolist(), strict=True):
            moved = memory[2 : 2 + count, i].tolist()
            if more:
                moved.insert(0, platform_print(int(outgoing[i]) & 0xFFFF_FFFF))
            extents.spill(i, moved)
            memory[1, i] = 0
            memory[2:, i] = [*memory[2 + count :, i], *[0] * count]
    if len(at := extents.at):
        tags[at] = 0
        known = (outgoing[at] != 0) & (outgoing[at] >> NOVEL & np.uint64(1) == 0)
        extents.move(prints_of(outgoing[at].astype(np.uint32)) * known, new.kept[at])
        outgoing = outgoing.copy()
        outgoing[at[known]] = 0
    return outgoing


def _turn(
    memory: NDArray[np.uint16],
    tags: NDArray[np.uint16],
    week: NDArray[np.int32],
    before: NDArray[np.int32],
    newest: NDArray[np.int64],
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Update tags and marks in rows where a new week or period has begun.

    Returns the new tags (m,), and which rows of `memory` changed.
    """
    changed = (week > before) & (memory[1] != 0) & (newest != 0)
    tags = np.where(changed, tags & _RINGS, tags)
    turned = indices(changed)
    if len(turned):
        periods = week[turned] // _PERIOD - before[turned] // _PERIOD
        changed[turned] = aged = periods > 0
        turned, periods = turned[aged], periods[aged]
    if len(turned):
        prints = memory.take(turned, axis=1)
        age(prints, periods)
        memory[:, turned] = prints
    return tags, changed


def _levels(
    word: NDArray[np.uint64],
    habit: NDArray[np.uint16],
    week: NDArray[np.int32],
    was: NDArray[np.int32],
) -> NDArray[np.int16]:
    """Return the levels of the platforms of ring words (m,), last used in the week `was`."""
    level = np.where(habit != 0, HABIT, AGAIN).astype(np.int16)
    idle = week // _PERIOD - was // _PERIOD > 1
    level[idle | (word >> NOVEL & np.uint64(1) != 0)] = ONCE
    return level


def _returns(
    new: Sightings,
    tags: NDArray[np.uint16],
    born: NDArray[np.uint16],
) -> NDArray[np.bool_]:
    """Return which of the platforms that come back within the ring reach HABIT."""
    back, slot = new.back, new.slot
    word = new.held[slot, back]
    was = week_of((word >> SECONDS).astype(np.int64), born[back])
    now = week_of(new.at_s[back], born[back])
    level = _levels(word, tags[back] >> slot.astype(np.uint16) & _ONE, now, was)
    found: NDArray[np.bool_] = (level == HABIT) | (level == AGAIN) & (now > was)
    return found


def _leaving(
    word: NDArray[np.uint64],
    tags: NDArray[np.uint16],
    week: NDArray[np.int32],
    born: NDArray[np.uint16],
) -> Leaving:
    """Return the platforms of these oldest ring words (m,), with their levels and last use."""
    was = week_of((word >> SECONDS).astype(np.int64), born)
    return Leaving(
        prints_of(word.astype(np.uint32)),
        _levels(word, tags & _ONE, week, was),
        was >= week,
        was // _PERIOD >= week // _PERIOD,
    )


def _shift(
    rings: NDArray[np.uint16], habit: NDArray[np.uint16], new: Sightings
) -> NDArray[np.uint16]:
    """Return the HABIT bits of the rings (m,) after the words of the rings have moved."""
    moved = rings >> _ONE
    if len(new.back):
        slot = new.slot.astype(np.uint16)
        below = (_ONE << slot) - _ONE
        old = rings[new.back]
        moved[new.back] = old & below | old >> _ONE & ~below
    moved |= habit << _LAST
    if len(new.late):
        bits = moved[new.late] >> _BITS & _ONE
        bits = np.take_along_axis(bits, new.order, axis=0)
        moved[new.late] = np.bitwise_or.reduce(bits << _BITS, axis=0)
    return moved
