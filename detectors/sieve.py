"""The vectorised pass over every verification code of every recipient of one partition.

It counts, settles what cannot matter (a repeat of a sighting, a sighting that leaves its recipient
unsuspicious), and hands on the rest: the events of suspects. It loses no alarm: a recipient with
fewer than eight sightings in a day can only reach WATCH by its bucket, which is run here exactly
(`detectors.judge` has it for one suspect); with eight or more it is a suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.memory import (
    DAY_S,
    MEMORY_WORDS,
    RING,
    RING_WORDS,
    SUSPECT,
    halves,
    prints_of,
    remember,
    words_of,
)
from detectors.table import ROWS_LIMIT, Table

_LOW: Final = np.uint64(0xFFFF_FFFF)
_SECONDS: Final = np.uint64(33)
_NOVEL: Final = np.uint64(32)
_FLAGGED: Final = np.uint64(SUSPECT << 16)  # the flags are the second u16 of word 10
_COUNT_MOST: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class SieveParams:
    """Sizes of one partition's table, and when a recipient is handed to the judge."""

    rows_max: int = 1 << 20  # recipients remembered in a partition: 125 MB when all are used
    window_s: int = 300  # of the tumbling counts
    promote_distinct: int = RING  # sightings in a day; the ring holds no more. Fewer: slower, equal
    leak_milli_s: int = 25  # the bucket: thousandths of a sighting a second (1.5 a minute)
    promote_level_milli: int = 1500  # the lowest WATCH bar of any class of stamps
    promote_novel: int = 3
    loud_messages: int = 9  # in two neighbouring windows: looked at for one platform's re-sending

    def __post_init__(self) -> None:
        if not 4 * 4096 <= self.rows_max <= ROWS_LIMIT:
            raise ValueError(f"rows_max must be 16384 to {ROWS_LIMIT}: {self.rows_max}")
        if not 1 <= self.promote_distinct <= RING:
            raise ValueError(f"promote_distinct must be 1 to {RING}: {self.promote_distinct}")
        if self.window_s < 1 or self.leak_milli_s < 1 or self.loud_messages < 2:
            raise ValueError("window_s and leak_milli_s must be positive, loud_messages over 1")


@dataclass(frozen=True, slots=True)
class Sifted:
    """What one pass hands on. Positions are into the pass's columns, ascending."""

    judged: NDArray[np.int64]  # positions of the events of suspects
    promoted: int  # recipients that became suspects
    loud: NDArray[np.int64]  # positions of events whose recipient's two windows are loud
    window: NDArray[np.int64]  # (r,) runs of one recipient's messages in one window: its number,
    before: NDArray[np.int64]  # and how many it had there before them
    after: NDArray[np.int64]  # and after them; equal to `before` if the window is forgotten


def sift(
    params: SieveParams,
    table: Table,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
) -> Sifted:
    """Applies codes (n,) in the order of the log; their seconds are those of `detectors.memory`.

    The result and the table are the same however a log is cut into passes.
    """
    n = len(recipient)
    rows = table.find_or_add(recipient)
    key = rows.astype(np.uint64) << _NOVEL | np.arange(n, dtype=np.uint64)
    key.sort()
    arrival = (key & _LOW).astype(np.int64)
    sorted_row = (key >> _NOVEL).astype(np.int64)
    at_s = at_s[arrival]
    starts = np.flatnonzero(np.diff(sorted_row, prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=n))
    row = sorted_row[starts]
    taken = table.words.take(row, axis=0)

    loud, window, before, after = _count(params, taken, group, at_s)
    judged, promoted = _sight(params, taken, group, platform[arrival], at_s)
    table.words[row] = taken
    return Sifted(np.sort(arrival[judged]), promoted, np.sort(arrival[loud]), window, before, after)


def _count(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    at_s: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Adds every message to its recipient's two newest windows; a message of an older one is late
    and not counted. Runs of messages in one window are added at once."""
    n = len(group)
    number = at_s // params.window_s
    start = np.flatnonzero((np.diff(group, prepend=-1) != 0) | (np.diff(number, prepend=-1) != 0))
    size = np.diff(start, append=n)
    of, window = group[start], number[start]
    before, after, total = (np.zeros(len(start), np.int64) for _ in range(3))
    rank = np.arange(len(start)) - np.searchsorted(of, of)
    for turn in range(int(rank.max(initial=-1)) + 1):
        run = np.flatnonzero(rank == turn) if turn or rank.any() else slice(None)
        g, w, k = of[run], window[run], size[run]
        packed = taken[g, 1].astype(np.int64)  # a window number has 31 bits at most
        held, now, last = packed >> 32, packed >> 16 & _COUNT_MOST, packed & _COUNT_MOST
        newer, late = w > held, w == held - 1
        last = np.where(newer, np.where(w == held + 1, now, 0), last)
        now = np.where(newer, 0, now)
        before[run] = np.where(late, last, now)
        now = np.minimum(now + np.where(w >= held, k, 0), _COUNT_MOST)
        last = np.minimum(last + np.where(late, k, 0), _COUNT_MOST)
        after[run] = np.where(late, last, np.where(w >= held, now, before[run]))
        total[run] = np.where(late | (w >= held), now + last, 0)
        taken[g, 1] = (np.maximum(w, held) << 32 | now << 16 | last).astype(np.uint64)
    # A message is loud if with it, in the order of the log, the two windows reach the bar.
    loud = np.zeros(n, np.bool_)
    for run in np.flatnonzero(total >= params.loud_messages).tolist():
        quiet = params.loud_messages - 1 - (int(total[run]) - int(size[run]))
        loud[start[run] + max(0, quiet) : start[run] + size[run]] = True
    return loud, window, before, after


def _sight(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], int]:
    """Applies sightings, one to each recipient and round; returns the events of suspects."""
    ring = np.ascontiguousarray(taken[:, RING_WORDS].T)  # (8, rows): a reduction is eight passes
    day = (at_s // DAY_S).astype(np.uint64)
    born = np.flatnonzero(taken[:, 10] & np.uint64(0xFFFF) == 0)
    if len(born):
        taken[born, 10] |= day[np.searchsorted(group, born)]
    suspect = taken[:, 10] & _FLAGGED != 0
    judged = suspect[group]
    todo = np.flatnonzero(~judged)
    promoted = 0
    while len(todo):
        g = group[todo]
        p = platform[todo].astype(np.uint64)
        t = at_s[todo]
        held = ring[:, g]
        seconds = (held >> _SECONDS).astype(np.int64)
        newest = seconds.max(axis=0)
        same = held & _LOW == p
        seen = np.where(same, seconds, -DAY_S).max(axis=0)
        sighting = (np.abs(t - seen) >= DAY_S) & (t > newest - DAY_S)
        # Of each recipient: the messages before its first sighting are settled, and that sighting
        # is applied; what comes after sees the row as that leaves it, in the next round.
        first, later = _first_of_each(g, sighting)
        todo_next = todo[later]
        if len(first):
            gone = _apply(
                params, taken, ring, g[first], p[first], t[first], held[:, first], same[:, first]
            )
            promoted += len(gone)
            if len(gone):
                suspect[gone] = True
                judged[todo[first]] |= suspect[g[first]]
                judged[todo_next] |= suspect[group[todo_next]]
                todo_next = todo_next[~judged[todo_next]]
        todo = todo_next
    taken[:, RING_WORDS] = ring.T
    taken[suspect, 10] |= _FLAGGED
    return judged, promoted


def _first_of_each(
    group: NDArray[np.int64], sighting: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Positions of each group's first sighting, and which events come after it."""
    at = np.flatnonzero(sighting)
    first = at[np.flatnonzero(np.diff(group[at], prepend=-1))]
    if len(group) == 0 or (len(at) == len(group) == len(first)):
        return first, np.zeros(len(group), np.bool_)
    seen = np.cumsum(sighting)
    start = np.searchsorted(group, group)  # of each event's group
    base = seen[start] - sighting[start]
    return first, (seen - base > 1) | ((seen - base == 1) & ~sighting)


def _apply(
    params: SieveParams,
    taken: NDArray[np.uint64],
    ring: NDArray[np.uint64],
    g: NDArray[np.int64],
    p: NDArray[np.uint64],
    t: NDArray[np.int64],
    held: NDArray[np.uint64],
    same: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Applies one sighting to each of these distinct rows; returns the rows that it promotes,
    whose ring it leaves as it was (the judge will see the sighting itself)."""
    lane = np.arange(len(g))
    aged = same.any(axis=0)
    slot = np.where(aged, same.argmax(axis=0), held.argmin(axis=0))
    outgoing = np.where(aged, 0, held[slot, lane]).astype(np.uint64)
    memory = halves(taken.take(g, axis=0))
    match = memory[2:] == prints_of(p.astype(np.uint32))
    printed = match.any(axis=0) & ~aged
    novel = ~(aged | printed)
    held[slot, lane] = t.astype(np.uint64) << _SECONDS | novel.astype(np.uint64) << _NOVEL | p
    promoted = _promotes(params, held, t)
    kept = np.flatnonzero(~promoted)
    ring[slot[kept], g[kept]] = held[slot[kept], kept]
    push = np.flatnonzero(~promoted & ((outgoing != 0) | printed))
    if len(push):
        place = np.where(printed[push], match[:, push].argmax(axis=0), -1)
        pushed = np.ascontiguousarray(memory[:, push])
        remember(pushed, outgoing[push], place)
        taken[g[push], MEMORY_WORDS] = words_of(pushed)
    return g[promoted]


def _promotes(
    params: SieveParams, ring: NDArray[np.uint64], t: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of these rings (8, m), with their new sighting at `t`, belong to a suspect."""
    seconds = (ring >> _SECONDS).astype(np.int64)
    recent = seconds > seconds.max(axis=0) - DAY_S
    promoted: NDArray[np.bool_] = recent.sum(axis=0) >= params.promote_distinct
    # Under eight sightings, the bucket runs dry within the time that six take to leak out.
    reach_s = -(-(RING - 2) * 1000 // params.leak_milli_s)
    near = (np.abs(seconds - t) <= reach_s) & (ring >> _NOVEL & np.uint64(1) != 0)
    close = np.flatnonzero((near.sum(axis=0) >= params.promote_novel) & ~promoted)
    if len(close):
        promoted[close] = _bucket(params, np.sort(ring[:, close], axis=0))
    return promoted


def _bucket(params: SieveParams, ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether the bucket of these sorted rings (8, m) reaches WATCH at any sighting."""
    level, novel = np.zeros(ring.shape[1], np.int64), np.zeros(ring.shape[1], np.int64)
    last = np.zeros(ring.shape[1], np.int64)
    reached = np.zeros(ring.shape[1], np.bool_)
    for word in ring:
        at = (word >> _SECONDS).astype(np.int64)
        level = np.maximum(0, level - params.leak_milli_s * (at - last))
        real = word != 0
        level_now = level + 1000 * real
        novel = np.where(level == 0, 0, novel) + (word >> _NOVEL & np.uint64(1)).astype(np.int64)
        level, last = level_now, at
        reached |= (level >= params.promote_level_milli) & (novel >= params.promote_novel)
    return reached
