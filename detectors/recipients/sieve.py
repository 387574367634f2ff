"""The vectorised pass over every verification code of every recipient of one partition.

It counts, settles what cannot matter (a repeat of a sighting, a sighting that leaves its recipient
unsuspicious), and hands on the rest: the events of suspects. It loses no alarm: a recipient with
fewer than eight sightings in a day can reach WATCH by its bucket, which is run here exactly
(`detectors.suspects.judge` has it for one suspect), or, from five novel platforms in the day on, by
messages (`detectors.suspects.mass`) or hot platforms (`detectors.suspects.lead`): who has five, or
eight sightings, is a suspect already, and so is whoever gets a loud message of a novel platform.
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
from detectors.defaults import ROWS_MAX, WINDOW_S
from detectors.model.arrays import begins, indices
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTimes
from detectors.model.times import DAY_S
from detectors.recipients.extents import Extents
from detectors.recipients.recall import Sightings, recall
from detectors.recipients.row import (
    BORN,
    COUNT_MOST,
    EXCUSED,
    MEMORY_WORDS,
    NOVEL,
    PRINTS,
    RING,
    RING_WORDS,
    SECONDS,
    SUSPECT,
    TAGS,
    first_place,
    halves,
    prints_of,
    words_of,
)
from detectors.recipients.table import ROWS_LIMIT
from detectors.recipients.tables import Tables

_LOW: Final = np.uint64(0xFFFF_FFFF)
_UPPER: Final = np.uint64(32)  # above the lower half of a word
_FLAGGED: Final = np.uint64(SUSPECT)  # in the first u16 of word 10
_COUNT: Final = 0xFF  # of a u8
_TAG: Final = np.uint64(16)
_UNTAGGED: Final = np.uint64(0xFFFF_FFFF_0000_FFFF)
_WINDOW: Final = 0x7FFF_FFFF
_NEVER: Final = -(1 << 62)
_LANES: Final = np.arange(RING, dtype=np.int16)[:, None]
_ROW: Final = (1 << 24) - 1  # no row of a table has more bits: `ROWS_LIMIT`
TABLES_MAX: Final = 256
"""In one pass: a row and its table have 32 bits where they are sorted."""
_TABLES: Final = np.arange(TABLES_MAX, dtype=np.uint64) << np.uint64(24)
_EDGES: Final = np.arange(TABLES_MAX + 1) << 24
_LEVEL_MILLI: Final = round(1000 * BURST_WATCH_LEAST)
_NOVEL_LEAST: Final = int(BURST_NOVEL.watch)


@dataclass(frozen=True, slots=True)
class SieveParams:
    """Sizes of one partition's table, and when a recipient is handed to the judge."""

    rows_max: int = ROWS_MAX
    window_s: int = WINDOW_S
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
    """The result of one pass. Positions are into the pass's columns, ascending."""

    judged: NDArray[np.int64]  # positions of the events of suspects,
    rows: NDArray[np.int64]  # and their rows
    promoted: list[int]  # recipients that became suspects, of each table
    loud: NDArray[np.int64]  # positions of events whose recipient's two windows are loud
    novel: NDArray[np.int64]  # positions of novel sightings of recipients that are no suspects;
    # of one table in any order
    sighted: NDArray[np.int64]  # positions of all sightings of those, in any order
    fresh: NDArray[np.int64]  # of the novel ones those that are a recipient's first code
    window: NDArray[np.int64]  # (r,) one recipient's messages in one window, as far as they
    before: NDArray[np.int64]  # count: its number, how many there were before them
    after: NDArray[np.int64]  # and after them
    runs: list[int]  # where those of each table begin, and r


def sift_together(
    params: SieveParams,
    held: Tables,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
    time: LogTimes,
) -> Sifted:
    """Apply codes (n,) in the order of their logs, one log after the other; in seconds.

    `time` says what time it was by all codes of each partition. The result and the tables are the
    same whatever other tables a pass holds.
    """
    n = len(recipient)
    several = len(held.tables) > 1
    rows = held.find_or_add(recipient)
    place = rows.astype(np.uint64)
    if several:
        place |= np.repeat(_TABLES[: len(held.tables)], np.diff(held.edges))
    key = place << _UPPER | np.arange(n, dtype=np.uint64)
    key.sort()
    arrival = (key & _LOW).astype(np.int64)
    sorted_row = (key >> _UPPER).astype(np.int64)
    at_s = at_s[arrival]
    first = begins(sorted_row)
    starts = indices(first)
    group = first.cumsum() - 1
    row = sorted_row[starts]
    edges = [0, len(row)]
    if several:
        edges = row.searchsorted(_EDGES[: len(held.tables) + 1]).tolist()
        row &= _ROW
    touched = Tables(held.tables, edges)
    taken = touched.take(row)

    clock = _Clock(time, arrival)
    loud, of, (window, before, after) = _count(params, taken, group, at_s, clock)
    messages = _Messages(platform[arrival], at_s, loud, clock)
    born = group.searchsorted(_give_days(taken, group, at_s))
    judged, gone, novel, seen = _sight(params, touched, taken, group, messages)
    touched.put(row, taken)
    where = np.sort(arrival[judged])
    promoted, runs = [len(gone)], [0, len(window)]
    if several:
        runs = of.searchsorted(edges).tolist()
        promoted = np.diff(np.sort(gone).searchsorted(edges)).tolist()
    heard, met = np.sort(arrival[loud]), arrival[novel]
    if several:
        met.sort()
    sighted = np.sort(arrival[seen]) if several else arrival[seen]
    fresh = np.sort(arrival[born])
    return Sifted(
        where, rows[where], promoted, heard, met, sighted, fresh, window, before, after, runs
    )


class _Clock(NamedTuple):
    """The log's time at codes that stand in another order than they came in."""

    log: LogTimes
    arrival: NDArray[np.int64]

    def at(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.log.at(self.arrival[place])


def _count(
    params: SieveParams,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    at_s: NDArray[np.int64],
    clock: _Clock,
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Add every message to its recipient's two newest windows.

    A message of an older one is late and not counted, unless that window is ahead of the log.
    Return which messages are loud, and of each run the recipient's place and (3, r) the window,
    what it held before and after.
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
    runs = _Runs(start, size, group[start], number[start])
    if len(start) == len(taken) and not len(astray):
        counts, total = _count_once(taken, runs)
    else:
        counts, total = np.zeros((3, len(start)), np.int64), np.zeros(len(start), np.int64)
        new = begins(runs.of)
        lost = np.isin(runs.of, astray)
        once = new & np.append(new[1:], True) & ~lost
        if len(at := indices(once)):
            some = runs.some(at)
            words = taken[some.of]
            counts[:, at], total[at] = _count_once(words, some)
            taken[some.of, 1] = words[:, 1]
        if len(at := indices(~once & ~lost)):
            counts[:, at], total[at] = _count_several(taken, runs.some(at))
        if len(at := indices(lost)):
            limit = clock.at(start[at]) // params.window_s
            counts[:, at], total[at] = _count_astray(taken, runs.some(at), limit, soon)
    return _loud(start, size, total, n), runs.of, counts


def _loud(
    start: NDArray[np.int64], size: NDArray[np.int64], total: NDArray[np.int64], n: int
) -> NDArray[np.bool_]:
    """Mark the messages (n,) with which, in the log's order, the two windows reach the bar."""
    loud = np.zeros(n, np.bool_)
    hot = indices(total >= LOUD_MESSAGES)
    if len(hot):
        size, total = size[hot], total[hot]
        quiet = np.maximum(0, LOUD_MESSAGES - 1 - (total - size))
        ends = (size - quiet).cumsum()
        inside = np.arange(ends[-1]) - np.repeat(ends - (size - quiet), size - quiet)
        loud[np.repeat(start[hot] + quiet, size - quiet) + inside] = True
    return loud


def _astray(
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    number: NDArray[np.int64],
    soon: int,
) -> NDArray[np.int64]:
    """Recipients (their places in `taken`) with a window that may be ahead of another message."""
    held = (taken[:, 1] >> _UPPER).astype(np.int64)
    if max(held.max(initial=0), number.max(initial=0)) <= number.min(initial=1 << 40) + soon:
        return indices(held[:0])
    starts = indices(begins(group))
    newest = np.maximum(np.maximum.reduceat(number, starts), held)
    return indices(newest > np.minimum.reduceat(number, starts) + soon)


def _count_astray(
    taken: NDArray[np.uint64], runs: _Runs, limit: NDArray[np.int64], soon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for rows of which a window may be ahead of the log, each message by itself.

    `limit` is the log's window at each message. A window over `soon` beyond that and the message is
    of a clock that was ahead: the counts begin anew.
    """
    counts, total = np.zeros((3, len(limit)), np.int64), np.zeros(len(limit), np.int64)
    rank = np.arange(len(limit)) - np.searchsorted(runs.of, runs.of)
    for turn in range(int(rank.max()) + 1):
        at = indices(rank == turn)
        one = runs.some(at)
        words = taken[one.of]
        held = (words[:, 1] >> _UPPER).astype(np.int64)
        wrong = held > np.maximum(limit[at], one.window) + soon
        words[wrong, 1] &= np.uint64(TAGS)
        counts[:, at], total[at] = _count_once(words, one)
        taken[one.of, 1] = words[:, 1]
    return counts, total


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
    """The windows of rows (m,): the number of the newer one, and the counts of both."""

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
    """Count the messages with the key `beside` that came before each run, in the order of the log.

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
    """Write the two newest windows of each row; `of` and `window` ascend."""
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


class _Messages(NamedTuple):
    """Codes (n,), sorted by recipient and then as they came."""

    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    loud: NDArray[np.bool_]
    clock: _Clock


def _give_days(
    taken: NDArray[np.uint64], group: NDArray[np.int64], at_s: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Write into rows that are new the day of their first code; return their places."""
    born = indices(taken[:, 10] & np.uint64(BORN) == 0)
    if len(born):
        taken[born, 10] |= (at_s[np.searchsorted(group, born)] // DAY_S).astype(np.uint64)
    return born


def _sight(
    params: SieveParams,
    tables: Tables,
    taken: NDArray[np.uint64],
    group: NDArray[np.int64],
    messages: _Messages,
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Apply sightings, one to each recipient and round.

    Return the events of suspects, the places of the recipients that became some, and the positions
    of the novel sightings and of all sightings of others.
    """
    platform, at_s, loud, clock = messages
    ring = np.ascontiguousarray(taken[:, RING_WORDS].T)  # (8, rows): a test of all is eight passes
    suspect = taken[:, 10] & _FLAGGED != 0
    judged = suspect[group]
    todo = indices(~judged)
    promoted, novel, sighted = [todo[:0]], [todo[:0]], [todo[:0]]
    while len(todo):
        g, p, t = group[todo], platform[todo], at_s[todo]
        held = ring.take(g, axis=1)
        same = held.view(np.uint32)[:, ::2] == p  # the low halves of little-endian words
        sighting = t > (held[-1] >> SECONDS).astype(np.int64) - DAY_S
        stirs = np.zeros(len(todo), np.bool_)  # repeats that the judge must hear
        slot = first_place(same)
        again = indices(slot < RING)
        if len(again):
            seen = held[slot[again], again]
            fresh = np.abs(t[again] - (seen >> SECONDS).astype(np.int64)) < DAY_S
            asked = again[fresh & sighting[again] & (seen >> NOVEL & np.uint64(1) == 1)]
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
            promotes, met = _apply(params, tables, taken, ring, new)
            novel.append(todo[first[met]])
            sighted.append(todo[np.delete(first, promotes) if len(promotes) else first])
            gone = np.append(gone, first[promotes])
        if len(gone):
            promoted.append(g[gone])
            suspect[g[gone]] = True
            judged[todo[gone]] = True
            judged[todo[later]] = suspect[g[later]]
        todo = todo[later]
        todo = todo[~judged[todo]]
    taken[:, RING_WORDS] = ring.T
    taken[suspect, 10] |= _FLAGGED
    return judged, np.concatenate(promoted), np.concatenate(novel), np.concatenate(sighted)


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
    from_s = (newest[late] >> SECONDS).astype(np.int64) - ASTRAY_S
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
    tables: Tables,
    taken: NDArray[np.uint64],
    ring: NDArray[np.uint64],
    sightings: _New,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Apply one sighting to each of these distinct rows.

    Return which of them it promotes, and which others have met a novel platform. The ring of one
    that is promoted stays as it was: the judge will see the sighting itself.
    """
    g, p, t, held, same, loud = sightings
    slot = first_place(same)
    again = slot < RING
    memory = halves(taken if len(g) == len(taken) else taken.take(g, axis=0))
    wanted = prints_of(p)
    place = first_place(memory[2:] == wanted)
    place[again] = PRINTS
    printed = place < PRINTS
    unknown = ~(again | printed)
    tags = (taken[g, 1] >> _TAG).astype(np.uint16)
    extents = Extents(tables, g, tags, memory[1])
    if len(extents.at):
        unknown[extents.find(wanted, unknown)] = False
    asked = indices(unknown)
    unknown[asked] = ~_kin(held.take(asked, axis=1), wanted[asked], t[asked])
    # Two sightings within a day have to be there before one can be too many of a print.
    two = (held[-EXCUSED] >> SECONDS).astype(np.int64) > t - DAY_S
    asked = indices(~unknown & two)
    if len(asked):
        unknown[asked] = _exceeds(held.take(asked, axis=1), wanted[asked], t[asked])
    novel = unknown.astype(np.uint64)
    moved = np.empty_like(held)
    moved[:-1] = held[1:]
    moved[-1] = t.astype(np.uint64) << SECONDS | novel << NOVEL | p
    back = indices(again)
    if len(back):  # what leaves is the platform's older sighting, not the oldest of all
        slot[~again] = 0
        moved = np.where(slot > _LANES, held, moved)
    late = indices(moved[-1] < moved[-2])
    order = moved[:, late].argsort(axis=0)
    if len(late):
        moved[:, late] = np.take_along_axis(moved[:, late], order, axis=0)
    promoted = _promotes(params, moved, late) | unknown & loud
    kept = indices(~promoted)
    if len(kept) == ring.shape[1]:
        ring[:] = moved
    else:
        for lane, word in zip(ring, moved, strict=True):  # twice as fast as ring[:, g] = moved
            lane[g[kept]] = word[kept]
    place[~printed] = -1
    new = Sightings(wanted, t, held, back, slot[back], place, late, order, ~promoted)
    told, changed = recall(memory, tags, new, extents)
    changed &= ~promoted
    at = indices(changed)
    if len(at):
        taken[g[at], MEMORY_WORDS] = words_of(memory if len(at) == len(g) else memory[:, at])
    at = indices((told != tags) & ~promoted)
    if len(at):
        taken[g[at], 1] = taken[g[at], 1] & _UNTAGGED | told[at].astype(np.uint64) << _TAG
    return indices(promoted), indices(unknown & ~promoted)


def _kin(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Mark each ring (8, m) that holds a known platform with this print.

    It may have been known by that print, and have taken it along out of the memory.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    kin: NDArray[np.bool_] = alike.any(axis=0)
    some = indices(kin)
    if len(some):
        held = held.take(some, axis=1)
        old = (held >> SECONDS).astype(np.int64) <= at_s[some] - DAY_S
        known = (held != 0) & (old | (held >> NOVEL & np.uint64(1) == 0))
        kin[some] = (alike[:, some] & known).any(axis=0)
    return kin


def _exceeds(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell if each ring (8, m) holds as many of this print as are excused in a day.

    In the one that ends with the newest sighting.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    seconds = (held >> SECONDS).astype(np.int64)
    alike &= (held != 0) & (seconds > np.maximum(at_s, seconds[-1]) - DAY_S)
    exceeds: NDArray[np.bool_] = np.count_nonzero(alike, axis=0) >= EXCUSED
    return exceeds


def _promotes(
    params: SieveParams, ring: NDArray[np.uint64], late: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """True for those of the rings (8, m), each with its new sighting, that belong to a suspect.

    `late` are those whose new sighting is not their newest.
    """
    seconds = (ring[-1] >> SECONDS).astype(np.int64)
    oldest = (ring[RING - params.promote_distinct] >> SECONDS).astype(np.int64)
    promoted: NDArray[np.bool_] = oldest > seconds - DAY_S
    # Under eight sightings, a bucket runs dry within the time that six take to leak out: so long
    # ago at most was the sighting that may be the first of as many novel ones as WATCH asks for.
    reach_s = -(-(RING - 2) * 1000 // LEAK_MILLI_S)
    third = (ring[RING - _NOVEL_LEAST] >> SECONDS).astype(np.int64)
    close = third >= seconds - reach_s
    close[late] = True
    candidate = indices(close & ~promoted)
    if len(candidate):
        promoted[candidate] = _bucket(ring.take(candidate, axis=1))
    fifth = (ring[RING - MASS_NOVEL] >> SECONDS).astype(np.int64)
    candidate = indices((fifth > seconds - DAY_S) & ~promoted)
    if len(candidate):
        promoted[candidate] = _many(ring.take(candidate, axis=1))
    return promoted


def _many(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True for rings (8, m) with enough novel sightings in a day for messages to count."""
    seconds = (ring >> SECONDS).astype(np.int64)
    novel = (ring >> NOVEL & np.uint64(1) == 1) & (seconds > seconds[-1] - DAY_S)
    many: NDArray[np.bool_] = np.count_nonzero(novel, axis=0) >= MASS_NOVEL
    return many


def _bucket(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Mark each of these rings (8, m) whose bucket reaches WATCH at any sighting."""
    real = ring != 0
    # Less what has leaked by then, a bucket that never runs dry holds -dry; it is empty before a
    # sighting whose dry is the highest so far.
    dry = LEAK_MILLI_S * (ring >> SECONDS).astype(np.int64) - 1000 * real.cumsum(axis=0)
    dry[~real] = _NEVER
    highest = np.maximum.accumulate(dry, axis=0)
    novel = np.cumsum(ring >> NOVEL & np.uint64(1), axis=0, dtype=np.int64)
    before = np.where(dry == highest, np.vstack([np.zeros_like(novel[:1]), novel[:-1]]), 0)
    novel -= np.maximum.accumulate(before, axis=0)
    enough = (highest - dry + 1000 >= _LEVEL_MILLI) & (novel >= _NOVEL_LEAST)
    reached: NDArray[np.bool_] = enough.any(axis=0)
    return reached
