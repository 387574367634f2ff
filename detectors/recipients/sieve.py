"""The vectorised pass over every verification code of every recipient of one partition.

It counts, settles what cannot matter (a repeat of a sighting, a sighting that leaves its recipient
unsuspicious), and hands on the rest: the events of suspects. It loses no alarm: a recipient with
fewer than eight sightings in a day can only reach WATCH by its bucket, which is run here exactly
(`detectors.suspects.judge` has it for one suspect); with eight or more it is a suspect. Of messages
(`detectors.suspects.mass`) those of a novel platform count that are loud, or come when the day has
had five novel platforms: each of them makes a suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bars import (
    BURST_NOVEL,
    BURST_WATCH_LEAST,
    LEAK_MILLI_S,
    LOUD_MESSAGES,
    MASS_NOVEL,
)
from detectors.model.arrays import begins, indices
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTime
from detectors.model.times import DAY_S
from detectors.recipients.row import (
    MEMORY_WORDS,
    RING,
    RING_WORDS,
    SUSPECT,
    forget,
    halves,
    prints_of,
    remember,
    words_of,
)
from detectors.recipients.table import ROWS_LIMIT, Table

_LOW: Final = np.uint64(0xFFFF_FFFF)
_SECONDS: Final = np.uint64(33)
_NOVEL: Final = np.uint64(32)
_FLAGGED: Final = np.uint64(SUSPECT << 16)  # the flags are the second u16 of word 10
_COUNT_MOST: Final = 0xFFFF
_NEVER: Final = -(1 << 62)
_LANES: Final = np.arange(RING)[:, None]
_LEVEL_MILLI: Final = round(1000 * BURST_WATCH_LEAST)
_NOVEL_LEAST: Final = int(BURST_NOVEL.watch)


@dataclass(frozen=True, slots=True)
class SieveParams:
    """Sizes of one partition's table, and when a recipient is handed to the judge."""

    rows_max: int = 1 << 20  # recipients remembered in a partition: 125 MB when all are used
    window_s: int = 300  # of the tumbling counts
    promote_distinct: int = RING  # sightings in a day; the ring holds no more. Fewer: slower, equal

    def __post_init__(self) -> None:
        if not 4 * 4096 <= self.rows_max <= ROWS_LIMIT:
            raise ValueError(f"rows_max must be 16384 to {ROWS_LIMIT}: {self.rows_max}")
        if not 1 <= self.promote_distinct <= RING:
            raise ValueError(f"promote_distinct must be 1 to {RING}: {self.promote_distinct}")
        if self.window_s < 1:
            raise ValueError(f"window_s must be positive: {self.window_s}")


@dataclass(frozen=True, slots=True)
class Sifted:
    """What one pass hands on. Positions are into the pass's columns, ascending."""

    judged: NDArray[np.int64]  # positions of the events of suspects,
    rows: NDArray[np.int64]  # and their rows
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
    log: LogTime | None = None,
) -> Sifted:
    """Applies codes (n,) in the order of the log; in seconds since `EPOCH_S`.

    `log` says what time it was by all codes of the partition; without it, by these alone. The
    result and the table are the same however a log is cut into passes.
    """
    time = LogTime([], at_s, 0) if log is None else log
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

    clock = _Clock(time, arrival)
    loud, window, before, after = _count(params, taken, group, at_s, clock)
    messages = _Messages(platform[arrival], at_s, loud, clock)
    judged, promoted = _sight(params, taken, group, messages)
    table.put(row, taken)
    where = np.sort(arrival[judged])
    return Sifted(where, rows[where], promoted, np.sort(arrival[loud]), window, before, after)


class _Clock(NamedTuple):
    """The log's time at codes that stand in another order than they came in."""

    log: LogTime
    arrival: NDArray[np.int64]

    def at(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.log.at(self.arrival[place])


def _count(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    at_s: NDArray[np.int64],
    clock: _Clock,
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Adds every message to its recipient's two newest windows.

    A message of an older one is late and not counted, unless that window is ahead of the log. Runs
    in one window are added at once.
    """
    n = len(group)
    number = at_s // params.window_s
    soon = max(SOON_S // params.window_s, 2)
    begin = begins(group) | begins(number)
    astray = _astray(taken, group, number, soon)
    if len(astray):  # each message by itself: the log's time is that of the message
        begin |= np.isin(group, astray)
    start = indices(begin)
    size = np.append(start[1:], n) - start
    of, window = group[start], number[start]
    before, after, total = (np.zeros(len(start), np.int64) for _ in range(3))
    runs: list[NDArray[np.int64] | slice] = [slice(None)]
    if len(start) > len(taken):  # of a recipient's runs the second is added after the first
        rank = np.arange(len(start)) - np.searchsorted(of, of)
        runs = [indices(rank == turn) for turn in range(int(rank.max()) + 1)]
    for run in runs:
        g, w, k = of[run], window[run], size[run]
        packed = taken[g, 1].astype(np.int64)  # a window number has 31 bits at most
        held, now, last = packed >> 32, packed >> 16 & _COUNT_MOST, packed & _COUNT_MOST
        if len(astray) and len(far := indices(held > w + soon)):
            limit = np.maximum(clock.at(start[run][far]) // params.window_s, w[far]) + soon
            wrong = far[held[far] > limit]
            held[wrong] = now[wrong] = last[wrong] = 0
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
    for i in indices(total >= LOUD_MESSAGES).tolist():
        quiet = LOUD_MESSAGES - 1 - (int(total[i]) - int(size[i]))
        loud[start[i] + max(0, quiet) : start[i] + size[i]] = True
    return loud, window, before, after


def _astray(
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    number: NDArray[np.int64],
    soon: int,
) -> NDArray[np.int64]:
    """Recipients (their places in `taken`) with a window that may be ahead of another message."""
    held = (taken[:, 1] >> _NOVEL).astype(np.int64)
    if max(held.max(initial=0), number.max(initial=0)) <= number.min(initial=1 << 40) + soon:
        return indices(held[:0])
    starts = indices(begins(group))
    newest = np.maximum(np.maximum.reduceat(number, starts), held)
    return indices(newest > np.minimum.reduceat(number, starts) + soon)


class _Messages(NamedTuple):
    """Codes (n,), sorted by recipient and then as they came."""

    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    loud: NDArray[np.bool_]
    clock: _Clock


def _sight(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    messages: _Messages,
) -> tuple[NDArray[np.bool_], int]:
    """Applies sightings, one to each recipient and round; returns the events of suspects."""
    platform, at_s, loud, clock = messages
    born = indices(taken[:, 10] & np.uint64(0xFFFF) == 0)
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
        stirs = np.zeros(len(todo), np.bool_)  # repeats that the judge must hear
        again = indices(same.any(axis=0))
        if len(again):
            seen = held[same[:, again].argmax(axis=0), again]
            fresh = np.abs(t[again] - (seen >> _SECONDS).astype(np.int64)) < DAY_S
            asked = again[fresh & sighting[again] & (seen >> _NOVEL & np.uint64(1) == 1)]
            stirs[asked] = loud[todo[asked]] | _many(held.take(asked, axis=1))
            sighting[again] &= ~fresh
        # Of each recipient: the messages before its first sighting are settled, and that sighting
        # is applied; what comes after sees the row as that leaves it, in the next round. What the
        # judge must hear ends the sieve's part, as a sighting does that promotes: a repeat that may
        # count for the mass, and a code that meets a sighting far ahead of the log.
        stirs[_meets_astray(held[-1], t, clock, todo, sighting)] = True
        first, later = _first_of_each(g, sighting | stirs)
        handed = stirs[first]
        gone = first[handed]
        if len(gone):
            first = first[~handed]
        if len(first):
            one = slice(None) if len(first) == len(todo) else first
            new = _New(g[one], p[one], t[one], held[:, one], same[:, one], loud[todo[one]])
            gone = np.append(gone, first[_apply(params, taken, ring, new)])
        if len(gone):
            promoted += len(gone)
            suspect[g[gone]] = True
            judged[todo[gone]] = True
            judged[todo[later]] = suspect[g[later]]
        todo = todo[later]
        todo = todo[~judged[todo]]
    taken[:, RING_WORDS] = ring.T
    taken[suspect, 10] |= _FLAGGED
    return judged, promoted


def _meets_astray(
    newest: NDArray[np.uint64],
    at_s: NDArray[np.int64],
    clock: _Clock,
    todo: NDArray[np.int64],
    sighting: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Positions of the codes (n,) that meet a sighting far ahead of them and of the log's time.

    They are for the judge, who puts it right.
    """
    late = indices(~sighting)
    from_s = (newest[late] >> _SECONDS).astype(np.int64) - ASTRAY_S
    far = indices(from_s > at_s[late])
    if not len(far):
        return far
    late, from_s = late[far], from_s[far]
    return late.take(indices(from_s > clock.at(todo[late])))


class _New(NamedTuple):
    """Sightings of m distinct recipients."""

    group: NDArray[np.int64]
    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    held: NDArray[np.uint64]  # (8, m): their rings before
    same: NDArray[np.bool_]  # (8, m): where the ring has this platform already, over a day ago
    loud: NDArray[np.bool_]


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
    g, p, t, held, same, loud = new
    again: NDArray[np.bool_] = np.logical_or.reduce(same, axis=0)
    memory = halves(taken if len(g) == len(taken) else taken.take(g, axis=0))
    wanted = prints_of(p)
    match = memory[2:] == wanted
    printed = match.any(axis=0) & ~again
    unknown = ~(again | printed)
    asked = indices(unknown)
    unknown[asked] = ~_kin(held.take(asked, axis=1), wanted[asked], t[asked])
    novel = unknown.astype(np.uint64)
    outgoing = np.where(again, 0, held[0])
    moved = np.empty_like(held)
    moved[:-1] = held[1:]
    moved[-1] = t.astype(np.uint64) << _SECONDS | novel << _NOVEL | p
    back = indices(again)
    if len(back):  # what leaves is the platform's older sighting, not the oldest of all
        slot = same[:, back].argmax(axis=0)
        moved[:, back] = np.where(slot > _LANES, held[:, back], moved[:, back])
    late = indices(moved[-1] < moved[-2])
    if len(late):
        moved[:, late] = np.sort(moved[:, late], axis=0)
    promoted = _promotes(params, moved, late) | unknown & loud
    kept = indices(~promoted)
    if len(kept) == ring.shape[1]:
        ring[:] = moved
    else:
        for lane, word in zip(ring, moved, strict=True):  # twice as fast as ring[:, g] = moved
            lane[g[kept]] = word[kept]
    place = np.full(len(g), -1, np.int8)
    known = indices(printed)
    place[known] = match[:, known].argmax(axis=0)
    full = outgoing != 0
    pushed = indices(full & ~promoted)
    if len(pushed):
        prints = memory if len(pushed) == len(g) else memory.take(pushed, axis=1)
        remember(prints, outgoing[pushed], place[pushed])
        taken[g[pushed], MEMORY_WORDS] = words_of(prints)
    pulled = indices(printed & ~full & ~promoted)
    if len(pulled):  # into a free place of the ring
        prints = memory.take(pulled, axis=1)
        forget(prints, place[pulled])
        taken[g[pulled], MEMORY_WORDS] = words_of(prints)
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
    reach_s = -(-(RING - 2) * 1000 // LEAK_MILLI_S)
    third = (ring[RING - _NOVEL_LEAST] >> _SECONDS).astype(np.int64)
    close = third >= seconds - reach_s
    close[late] = True
    candidate = indices(close & ~promoted)
    if len(candidate):
        promoted[candidate] = _bucket(ring.take(candidate, axis=1))
    fifth = (ring[RING - MASS_NOVEL] >> _SECONDS).astype(np.int64)
    candidate = indices((fifth > seconds - DAY_S) & ~promoted)
    if len(candidate):
        promoted[candidate] = _many(ring.take(candidate, axis=1))
    return promoted


def _many(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of these rings (8, m) hold so many novel sightings of one day that messages count."""
    seconds = (ring >> _SECONDS).astype(np.int64)
    novel = (ring >> _NOVEL & np.uint64(1) == 1) & (seconds > seconds[-1] - DAY_S)
    many: NDArray[np.bool_] = np.count_nonzero(novel, axis=0) >= MASS_NOVEL
    return many


def _bucket(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether the bucket of these rings (8, m) reaches WATCH at any sighting."""
    real = ring != 0
    # Less what has leaked by then, a bucket that never runs dry holds -dry; it is empty before a
    # sighting whose dry is the highest so far.
    dry = LEAK_MILLI_S * (ring >> _SECONDS).astype(np.int64) - 1000 * real.cumsum(axis=0)
    dry[~real] = _NEVER
    highest = np.maximum.accumulate(dry, axis=0)
    novel = np.cumsum(ring >> _NOVEL & np.uint64(1), axis=0, dtype=np.int64)
    before = np.where(dry == highest, np.vstack([np.zeros_like(novel[:1]), novel[:-1]]), 0)
    novel -= np.maximum.accumulate(before, axis=0)
    enough = (highest - dry + 1000 >= _LEVEL_MILLI) & (novel >= _NOVEL_LEAST)
    reached: NDArray[np.bool_] = enough.any(axis=0)
    return reached
