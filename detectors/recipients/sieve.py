"""The vectorised pass over every verification code of every recipient of one partition.

It counts, settles what cannot matter (a repeat of a sighting, a sighting that leaves its recipient
unsuspicious), and hands on the rest: the events of suspects. It loses no alarm: a recipient with
fewer than eight sightings in a day can only reach WATCH by its bucket, which is run here exactly
(`detectors.suspects.judge` has it for one suspect); with eight or more it is a suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import begins, indices
from detectors.model.times import DAY_S
from detectors.recipients.recall import Sightings, recall
from detectors.recipients.row import (
    BORN,
    COUNT_MOST,
    EXCUSED,
    MEMORY_WORDS,
    RING,
    RING_WORDS,
    SUSPECT,
    TAGS,
    halves,
    prints_of,
    words_of,
)
from detectors.recipients.table import ROWS_LIMIT, Table

_LOW: Final = np.uint64(0xFFFF_FFFF)
_SECONDS: Final = np.uint64(33)
_NOVEL: Final = np.uint64(32)
_FLAGGED: Final = np.uint64(SUSPECT)  # in the first u16 of word 10
_COUNT: Final = 0xFF  # of a u8
_TAG: Final = np.uint64(16)
_UNTAGGED: Final = np.uint64(0xFFFF_FFFF_0000_FFFF)
_WINDOW: Final = 0x7FFF_FFFF
_NEVER: Final = -(1 << 62)
_LANES: Final = np.arange(RING)[:, None]


@dataclass(frozen=True, slots=True)
class SieveParams:
    """Sizes of one partition's table, and when a recipient is handed to the judge."""

    rows_max: int = 1 << 20  # recipients remembered in a partition: 125 MB when all are used
    window_s: int = 300  # of the tumbling counts
    promote_distinct: int = RING  # sightings in a day; the ring holds no more. Fewer: slower, equal
    leak_milli_s: int = 25  # the bucket: thousandths of a sighting a second (1.5 a minute)
    promote_level_milli: int = 1500  # the lowest WATCH bar of any class of stamps
    promote_novel: int = 3
    loud_messages: int = 7  # in two neighbouring windows: looked at for one platform's re-sending

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

    judged: NDArray[np.int64]  # positions of the events of suspects,
    rows: NDArray[np.int64]  # and their rows
    promoted: int  # recipients that became suspects
    loud: NDArray[np.int64]  # positions of events whose recipient's two windows are loud
    window: NDArray[np.int64]  # (r,) one recipient's messages in one window, as far as they
    before: NDArray[np.int64]  # count: its number, how many there were before them
    after: NDArray[np.int64]  # and after them


def sift(
    params: SieveParams,
    table: Table,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
) -> Sifted:
    """Applies codes (n,) in the order of the log; in seconds since `EPOCH_S`.

    The result and the table are the same however a log is cut into passes.
    """
    n = len(recipient)
    rows = table.find_or_add(recipient)
    key = rows.astype(np.uint64) << _NOVEL | np.arange(n, dtype=np.uint64)
    key.sort()
    arrival = (key & _LOW).astype(np.int64)
    sorted_row = (key >> _NOVEL).astype(np.int64)
    at_s = at_s[arrival]
    first = begins(sorted_row)
    starts = indices(first)
    group = first.cumsum() - 1
    row = sorted_row[starts]
    taken = table.words.take(row, axis=0)

    loud, window, before, after = _count(params, taken, group, at_s)
    judged, promoted = _sight(params, taken, group, platform[arrival], at_s)
    table.put(row, taken)
    where = np.sort(arrival[judged])
    return Sifted(where, rows[where], promoted, np.sort(arrival[loud]), window, before, after)


def _count(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    at_s: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Adds every message to its recipient's two newest windows.

    A message of an older one is late and not counted.
    """
    n = len(group)
    number = at_s // params.window_s
    start = indices(begins(group) | begins(number))
    size = np.append(start[1:], n) - start
    runs = _Runs(start, size, group[start], number[start])
    if len(start) == len(taken):
        counts, total = _count_once(taken, runs)
    else:
        new = begins(runs.of)
        once = new & np.append(new[1:], True)
        some, several = runs.some(once), runs.some(~once)
        counts, total = np.zeros((3, len(start)), np.int64), np.zeros(len(start), np.int64)
        at, rest = indices(once), indices(~once)
        words = taken[some.of]
        counts[:, at], total[at] = _count_once(words, some)
        taken[some.of, 1] = words[:, 1]
        counts[:, rest], total[rest] = _count_several(taken, several)
    # A message is loud if with it, in the order of the log, the two windows reach the bar.
    loud = np.zeros(n, np.bool_)
    hot = indices(total >= params.loud_messages)
    if len(hot):
        size, total = size[hot], total[hot]
        quiet = np.maximum(0, params.loud_messages - 1 - (total - size))
        ends = (size - quiet).cumsum()
        inside = np.arange(ends[-1]) - np.repeat(ends - (size - quiet), size - quiet)
        loud[np.repeat(start[hot] + quiet, size - quiet) + inside] = True
    window, before, after = counts
    return loud, window, before, after


def _count_once(
    taken: NDArray[np.uint64], runs: _Runs
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For rows (m, 14) with one run each: window, count before and after (3, m), and both windows.

    The last is 0 where the run is late.
    """
    w, k = runs.window, runs.size
    packed = taken[:, 1].astype(np.int64)  # a window number has 31 bits at most
    held, now, last = packed >> 32, packed >> 8 & _COUNT, packed & _COUNT
    newer, late = w > held, w == held - 1
    last = np.where(newer, np.where(w == held + 1, now, 0), last)
    now = np.where(newer, 0, now)
    before = np.where(late, last, now)
    now = np.minimum(now + np.where(w >= held, k, 0), COUNT_MOST)
    last = np.minimum(last + np.where(late, k, 0), COUNT_MOST)
    after = np.where(late, last, np.where(w >= held, now, before))
    total = np.where(late | (w >= held), now + last, 0)
    tags = packed & TAGS
    taken[:, 1] = (np.maximum(w, held) << 32 | tags | now << 8 | last).astype(np.uint64)
    return np.stack((w, before, after)), total


def _count_several(
    taken: NDArray[np.uint64], runs: _Runs
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for rows with several runs each, in the order of the log.

    Two gateways that disagree by a window make a recipient go to and fro between two; so messages
    are added up by window, which costs the same in any order. The first run of a window tells of
    all of it, the others of nothing.
    """
    packed = taken[:, 1].astype(np.int64)
    held = _Held(packed >> 32, packed >> 8 & _COUNT, packed & _COUNT)
    newest = np.maximum(runs.window, held.window[runs.of])
    newest = np.maximum.accumulate(runs.of << 32 | newest) & _WINDOW
    counts, total = np.zeros((3, len(newest)), np.int64), np.zeros(len(newest), np.int64)
    counted = indices(runs.window >= newest - 1)
    runs, newest = runs.some(counted), newest[counted]
    key = runs.of << 32 | runs.window
    order = key.argsort(kind="stable")
    key, size = key[order], runs.size[order]
    first = begins(key)
    whole = indices(first)  # where another recipient or window begins
    of, window = key[whole] >> 32, key[whole] & _WINDOW
    before = held.at(of, window)
    above = size.cumsum() - size  # of all runs before each
    added = np.append(above[whole[1:]], size.sum()) - above[whole]
    after = np.minimum(before + added, COUNT_MOST)
    _settle(taken, held, of, window, after)
    counts[:, counted[order[whole]]] = window, before, after
    # What the two windows hold with each run: its own, and its neighbour's share so far.
    segment = first.cumsum() - 1
    own = before[segment] + above - above[whole][segment] + size
    beside = np.where(runs.window == newest, newest - 1, newest)
    beside = (runs.of << 32 | np.maximum(beside, 0))[order]
    other = held.at(beside >> 32, beside & _WINDOW) + _earlier(key, beside, whole, order, size)
    total[counted[order]] = own + other
    return counts, total


class _Runs(NamedTuple):
    """Messages (r,) of one recipient and window that follow one another."""

    start: NDArray[np.int64]
    size: NDArray[np.int64]
    of: NDArray[np.int64]  # the recipient's place
    window: NDArray[np.int64]

    def some(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> _Runs:
        return _Runs(*(column[mask] for column in self))


class _Held(NamedTuple):
    """What rows (m,) hold: the number of the newer window, and the counts of both."""

    window: NDArray[np.int64]
    now: NDArray[np.int64]
    last: NDArray[np.int64]

    def at(self, of: NDArray[np.int64], window: NDArray[np.int64]) -> NDArray[np.int64]:
        """The count of any window; 0 of those that are not held."""
        behind = self.window[of] - window
        return np.where(behind == 0, self.now[of], np.where(behind == 1, self.last[of], 0))


def _earlier(
    key: NDArray[np.int64],
    beside: NDArray[np.int64],
    whole: NDArray[np.int64],
    order: NDArray[np.int64],
    size: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many messages with the key `beside` came before each run, in the order of the log.

    The runs are sorted by `key`, and runs of one key as they came; `order` says when.
    """
    sums = np.append(0, size.cumsum())
    segment = np.minimum(np.searchsorted(key[whole], beside), len(whole) - 1)
    there = key[whole][segment] == beside
    came = (np.searchsorted(key[whole], key) << 32) | order
    until = np.searchsorted(came, segment << 32 | order)
    found: NDArray[np.int64] = np.where(there, sums[until] - sums[whole[segment]], 0)
    return found


def _settle(
    taken: NDArray[np.uint64],
    held: _Held,
    of: NDArray[np.int64],
    window: NDArray[np.int64],
    after: NDArray[np.int64],
) -> None:
    """Writes the two newest windows of each row; `of` and `window` ascend."""
    if not len(of):
        return
    ends = indices(np.append(of[1:] != of[:-1], True))
    row, newest, count = of[ends], window[ends], after[ends]
    top = np.maximum(newest, held.window[row])
    now = np.where(newest == top, count, held.now[row])
    below = np.maximum(ends - 1, 0)
    own = (of[below] == row) & (window[below] == top - 1)
    last = np.where(newest == top - 1, count, held.at(row, top - 1))
    last = np.where(own & (newest == top), after[below], last)
    tags = taken[row, 1].astype(np.int64) & TAGS
    taken[row, 1] = (top << 32 | tags | now << 8 | last).astype(np.uint64)


def _sight(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], int]:
    """Applies sightings, one to each recipient and round; returns the events of suspects."""
    born = indices(taken[:, 10] & np.uint64(BORN) == 0)
    if len(born):
        taken[born, 10] |= (at_s[np.searchsorted(group, born)] // DAY_S).astype(np.uint64)
    ring = np.ascontiguousarray(taken[:, RING_WORDS].T)  # (8, rows): a test of all is eight passes
    suspect = taken[:, 10] & _FLAGGED != 0
    judged = suspect[group]
    todo = indices(~judged)
    promoted = 0
    while len(todo):
        g, p, t = group[todo], platform[todo], at_s[todo]
        held = ring.take(g, axis=1)
        same = held.view(np.uint32)[:, ::2] == p  # the low halves of little-endian words
        sighting = t > (held[-1] >> _SECONDS).astype(np.int64) - DAY_S
        again = indices(same.any(axis=0))
        if len(again):
            seen = held[same[:, again].argmax(axis=0), again] >> _SECONDS
            sighting[again] &= np.abs(t[again] - seen.astype(np.int64)) >= DAY_S
        # Of each recipient: the messages before its first sighting are settled, and that sighting
        # is applied; what comes after sees the row as that leaves it, in the next round.
        first, later = _first_of_each(g, sighting)
        one = slice(None) if len(first) == len(todo) else first
        new = _New(g[one], p[one], t[one], held[:, one], same[:, one])
        gone = _apply(params, taken, ring, new)
        if len(gone):
            promoted += len(gone)
            suspect[g[first[gone]]] = True
            judged[todo[first[gone]]] = True
            judged[todo[later]] = suspect[g[later]]
        todo = todo[later]
        todo = todo[~judged[todo]]
    taken[:, RING_WORDS] = ring.T
    taken[suspect, 10] |= _FLAGGED
    return judged, promoted


class _New(NamedTuple):
    """Sightings of m distinct recipients."""

    group: NDArray[np.int64]
    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    held: NDArray[np.uint64]  # (8, m): their rings before
    same: NDArray[np.bool_]  # (8, m): where the ring has this platform already, over a day ago


def _first_of_each(
    group: NDArray[np.int64], sighting: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of each group's first sighting, and of the events that come after it."""
    at = indices(sighting)
    same = group[1:] == group[:-1]
    if not np.count_nonzero(same):
        return at, at[:0]
    first = at[begins(group[at])]
    seen = np.cumsum(sighting)
    start = np.maximum.accumulate(np.where(np.append(False, same), 0, np.arange(len(group))))
    earlier: NDArray[np.int64] = seen - sighting
    return first, indices(earlier > earlier[start])  # its group had a sighting before it


def _apply(
    params: SieveParams,
    taken: NDArray[np.uint64],
    ring: NDArray[np.uint64],
    new: _New,
) -> NDArray[np.int64]:
    """Applies one sighting to each of these distinct rows; returns which of them it promotes.

    A promoted one's ring stays as it was: the judge will see the sighting itself.
    """
    g, p, t, held, same = new
    again: NDArray[np.bool_] = np.logical_or.reduce(same, axis=0)
    memory = halves(taken if len(g) == len(taken) else taken.take(g, axis=0))
    wanted = prints_of(p)
    match = memory[2:] == wanted
    printed = match.any(axis=0) & ~again
    unknown = ~(again | printed)
    asked = indices(unknown)
    unknown[asked] = ~_kin(held.take(asked, axis=1), wanted[asked], t[asked])
    # Two sightings within a day have to be there before one can be too many of a print.
    two = (held[-EXCUSED] >> _SECONDS).astype(np.int64) > t - DAY_S
    asked = indices(~unknown & two)
    if len(asked):
        unknown[asked] = _exceeds(held.take(asked, axis=1), wanted[asked], t[asked])
    novel = unknown.astype(np.uint64)
    moved = np.empty_like(held)
    moved[:-1] = held[1:]
    moved[-1] = t.astype(np.uint64) << _SECONDS | novel << _NOVEL | p
    back = indices(again)
    slot = same[:, back].argmax(axis=0)
    if len(back):  # what leaves is the platform's older sighting, not the oldest of all
        moved[:, back] = np.where(slot > _LANES, held[:, back], moved[:, back])
    late = indices(moved[-1] < moved[-2])
    order = moved[:, late].argsort(axis=0)
    if len(late):
        moved[:, late] = np.take_along_axis(moved[:, late], order, axis=0)
    promoted = _promotes(params, moved, late)
    kept = indices(~promoted)
    if len(kept) == ring.shape[1]:
        ring[:] = moved
    else:
        for lane, word in zip(ring, moved, strict=True):  # twice as fast as ring[:, g] = moved
            lane[g[kept]] = word[kept]
    place = np.full(len(g), -1, np.int16)
    known = indices(printed)
    place[known] = match[:, known].argmax(axis=0)
    tags = (taken[g, 1] >> _TAG).astype(np.uint16)
    told, changed = recall(memory, tags, Sightings(wanted, t, held, back, slot, place, late, order))
    changed &= ~promoted
    at = indices(changed)
    if len(at):
        taken[g[at], MEMORY_WORDS] = words_of(memory if len(at) == len(g) else memory[:, at])
    at = indices((told != tags) & ~promoted)
    if len(at):
        taken[g[at], 1] = taken[g[at], 1] & _UNTAGGED | told[at].astype(np.uint64) << _TAG
    return indices(promoted)


def _kin(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each ring (8, m) holds a known platform with this print.

    It may have been known by that print, and have taken it along out of the memory.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    kin: NDArray[np.bool_] = alike.any(axis=0)
    some = indices(kin)
    if len(some):
        held = held.take(some, axis=1)
        old = (held >> _SECONDS).astype(np.int64) <= at_s[some] - DAY_S
        known = (held != 0) & (old | (held >> _NOVEL & np.uint64(1) == 0))
        kin[some] = (alike[:, some] & known).any(axis=0)
    return kin


def _exceeds(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether each ring (8, m) holds as many of this print as are excused in a day.

    In the one that ends with the newest sighting.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    seconds = (held >> _SECONDS).astype(np.int64)
    alike &= (held != 0) & (seconds > np.maximum(at_s, seconds[-1]) - DAY_S)
    exceeds: NDArray[np.bool_] = np.count_nonzero(alike, axis=0) >= EXCUSED
    return exceeds


def _promotes(
    params: SieveParams, ring: NDArray[np.uint64], late: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of these rings (8, m), each with its new sighting, belong to a suspect.

    `late` are those whose new sighting is not their newest.
    """
    seconds = (ring[-1] >> _SECONDS).astype(np.int64)
    oldest = (ring[RING - params.promote_distinct] >> _SECONDS).astype(np.int64)
    promoted: NDArray[np.bool_] = oldest > seconds - DAY_S
    # Under eight sightings, a bucket runs dry within the time that six take to leak out: so long
    # ago at most was the sighting that may be the first of as many novel ones as WATCH asks for.
    reach_s = -(-(RING - 2) * 1000 // params.leak_milli_s)
    third = (ring[RING - params.promote_novel] >> _SECONDS).astype(np.int64)
    close = third >= seconds - reach_s
    close[late] = True
    candidate = indices(close & ~promoted)
    if len(candidate):
        promoted[candidate] = _bucket(params, ring.take(candidate, axis=1))
    return promoted


def _bucket(params: SieveParams, ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether the bucket of these rings (8, m) reaches WATCH at any sighting."""
    real = ring != 0
    # Less what has leaked by then, a bucket that never runs dry holds -dry; it is empty before a
    # sighting whose dry is the highest so far.
    dry = params.leak_milli_s * (ring >> _SECONDS).astype(np.int64) - 1000 * real.cumsum(axis=0)
    dry[~real] = _NEVER
    highest = np.maximum.accumulate(dry, axis=0)
    novel = np.cumsum(ring >> _NOVEL & np.uint64(1), axis=0, dtype=np.int64)
    before = np.where(dry == highest, np.vstack([np.zeros_like(novel[:1]), novel[:-1]]), 0)
    novel -= np.maximum.accumulate(before, axis=0)
    enough = (highest - dry + 1000 >= params.promote_level_milli) & (novel >= params.promote_novel)
    reached: NDArray[np.bool_] = enough.any(axis=0)
    return reached
