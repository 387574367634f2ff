"""The sieve: a vectorised pass over every verification code of every recipient of a partition.

The sieve counts messages. It fully processes codes that cannot matter: repeats of a sighting, and
sightings after which the recipient is still unsuspicious. All other recipients are promoted to
suspects, and their events go to the exact judge.

No alarm is lost. A recipient with fewer than eight sightings in a day can reach WATCH in two ways:

- By the leaky bucket. The sieve computes the bucket exactly, as `detectors.suspects.judge` does
  for one suspect.
- By messages (`detectors.suspects.volume`) or hot platforms (`detectors.suspects.hot_score`), which
need
  five novel platforms in the day. A recipient with five novel platforms, or with eight sightings,
  or with a loud message of a novel platform, is promoted at once. A message is loud if the
  recipient had many messages (`LOUD_MESSAGES`) in two neighbouring windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.defaults import ROWS_MAX, WINDOW_S
from detectors.model.arrays import begins, indices
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTimes
from detectors.model.times import DAY_S
from detectors.recipients.extents import Extents, tables_of
from detectors.recipients.recall import Moves, recall
from detectors.recipients.repeats import Repeats
from detectors.recipients.row import (
    BORN,
    COUNT_MOST,
    CROWD_S,
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
from detectors.thresholds import (
    BURST_NOVEL,
    BURST_WATCH_LEAST,
    LEAK_MILLI_S,
    LOUD_MESSAGES,
    MASS_NOVEL,
    YOUNG_S,
)

_LOW: Final = np.uint64(0xFFFF_FFFF)
_UPPER: Final = np.uint64(32)  # position of the upper half of a word
_FLAGGED: Final = np.uint64(SUSPECT)  # flag in the first u16 of word 10
_COUNT: Final = 0xFF  # mask of a u8
_TAG: Final = np.uint64(16)
_NOVEL: Final = np.uint64(1) << NOVEL
_UNTAGGED: Final = np.uint64(0xFFFF_FFFF_0000_FFFF)
_WINDOW: Final = 0x7FFF_FFFF
_NEVER: Final = -(1 << 62)
_LANES: Final = np.arange(RING, dtype=np.int16)[:, None]
_ROW: Final = (1 << 24) - 1  # no row of a table has more bits: `ROWS_LIMIT`
TABLES_MAX: Final = 256
"""Maximum number of tables in one pass: the sort key has 32 bits for a row and its table."""
_TABLES: Final = np.arange(TABLES_MAX, dtype=np.uint64) << np.uint64(24)
_EDGES: Final = np.arange(TABLES_MAX + 1) << 24
_LEVEL_MILLI: Final = round(1000 * BURST_WATCH_LEAST)
_NOVEL_LEAST: Final = int(BURST_NOVEL.watch)
_Codes: TypeAlias = tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.int64]]
"""Columns of codes: the recipient (an index into the rows of a pass), platform and time."""


@dataclass(frozen=True, slots=True)
class SieveParams:
    """Settings of the sieve: the size of one partition's table, and when to promote a recipient."""

    rows_max: int = ROWS_MAX  # maximum number of recipients
    window_s: int = WINDOW_S  # length of a counting window, in seconds
    # Sightings in a day from which a recipient is promoted; at most the size of the ring (eight). A
    # smaller number is slower and gives the same decisions.
    promote_distinct: int = RING

    def __post_init__(self) -> None:
        if not 4 * 4096 <= self.rows_max <= ROWS_LIMIT:
            raise ValueError(f"rows_max must be 16384 to {ROWS_LIMIT}: {self.rows_max}")
        if not 1 <= self.promote_distinct <= RING:
            raise ValueError(f"promote_distinct must be 1 to {RING}: {self.promote_distinct}")
        if self.window_s < 1:
            raise ValueError(f"window_s must be positive: {self.window_s}")


@dataclass(frozen=True, slots=True)
class Sifted:
    """The result of one pass. Positions are indices into the pass's columns, ascending.

    A run is a group of messages of one recipient in one window.
    """

    judged: NDArray[np.int64]  # positions of the events of suspects
    rows: NDArray[np.int64]  # rows of these events' recipients
    promoted: list[int]  # number of recipients that became suspects, per table
    loud: NDArray[np.int64]  # positions of loud events: their recipient has many messages
    # Positions of novel sightings of recipients that are no suspects. With one table, in any order.
    novel: NDArray[np.int64]
    sighted: NDArray[np.int64]  # positions of all sightings of such recipients, in any order
    fresh: NDArray[np.int64]  # positions of the first code of each new recipient
    window: NDArray[np.int64]  # (r,) window number of each run; 0 for some runs that do not count
    before: NDArray[np.int64]  # (r,) the window's message count before the run
    after: NDArray[np.int64]  # (r,) the window's message count after the run
    runs: list[int]  # index of the first run of each table, then r


def sift_together(
    params: SieveParams,
    held: Tables,
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
    moment_s: NDArray[np.int64],
    time: LogTimes,
    later: NDArray[np.bool_],
) -> Sifted:
    """Apply codes (n,), in the order of their logs, one log after the other.

    `at_s`: event times in seconds. `moment_s`: the times under which repeats are counted. `time`:
    the log's time at each code of each partition. `later`: codes of a message's later attempt or
    part; as repeats they count only in the windows. `held`: the tables, which are changed. The
    result for a table does not depend on the other tables of the pass.
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
    later = later[arrival]
    loud &= ~later
    messages = _Messages(platform[arrival], at_s, moment_s[arrival], loud, clock, later)
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
    """Looks up the log's time at codes that are sorted by recipient, not by log position."""

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

    A message of an older window is late and not counted, unless the newest window is ahead of the
    log. Returns which messages are loud (n,); the index of each run's recipient (r,); and for each
    run (3, r) its window, and the window's count before and after the run.
    """
    n = len(group)
    number = at_s // params.window_s
    soon = max(SOON_S // params.window_s, 2)
    begin = begins(group) | begins(number)
    astray = _astray(taken, group, number, soon)
    if len(astray):  # one run per message, because the log's time at each message is needed
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
    """Return which messages (n,) are loud: `LOUD_MESSAGES` or more in the recipient's two windows.

    The messages are in the order of the log.
    """
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
    """Return recipients (indices into `taken`) with a window that may be ahead of a message."""
    held = (taken[:, 1] >> _UPPER).astype(np.int64)
    if max(held.max(initial=0), number.max(initial=0)) <= number.min(initial=1 << 40) + soon:
        return indices(held[:0])
    starts = indices(begins(group))
    newest = np.maximum(np.maximum.reduceat(number, starts), held)
    return indices(newest > np.minimum.reduceat(number, starts) + soon)


def _count_astray(
    taken: NDArray[np.uint64], runs: _Runs, limit: NDArray[np.int64], soon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the messages of rows whose window may be ahead of the log, one message at a time.

    Windows are numbers, and `soon` is a number of windows. `limit` is the log's window at each
    message. A stored window that is more than `soon` after this window and the message's own came
    from a clock that was ahead: its counts are reset.
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
    """Count the messages of rows (m, 14) that have one run each.

    Returns (window, count before, count after) as (3, m), and the total of both windows after the
    run (m,), which is 0 if the run is late.
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
    """Count the messages of rows with several runs each, in the order of the log.

    The results have the form of those of `_count_once`.

    If the clocks of two gateways differ by a window, a recipient's messages alternate between two
    windows. So messages are summed per window, which takes the same time in any order. The first
    run of each window carries the sum of that window; for its other runs the counts are 0.
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
    whole = indices(first)  # indices at which another recipient or window begins
    of, window = key[whole] >> 32, key[whole] & _WINDOW
    before = held.at(of, window)
    above = size.cumsum() - size  # number of messages of all runs before each run
    added = np.append(above[whole[1:]], size.sum()) - above[whole]
    after = np.minimum(before + added, COUNT_MOST)
    _settle(taken, held, of, window, after)
    counts[:, counted[order[whole]]] = window, before, after
    # Total of both windows at each run: its own window, and the neighbouring window so far.
    segment = first.cumsum() - 1
    own = before[segment] + above - above[whole][segment] + size
    beside = np.where(runs.window == newest, newest - 1, newest)
    beside = (runs.of << 32 | np.maximum(beside, 0))[order]
    other = held.at(beside >> 32, beside & _WINDOW) + _earlier(key, beside, whole, order, size)
    total[counted[order]] = own + other
    return counts, total


class _Runs(NamedTuple):
    """Runs (r,): consecutive messages of one recipient and one window."""

    start: NDArray[np.int64]  # index of the run's first message
    size: NDArray[np.int64]  # number of messages
    of: NDArray[np.int64]  # index of the recipient
    window: NDArray[np.int64]  # number of the window

    def some(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> _Runs:
        return _Runs(*(column[mask] for column in self))


class _Held(NamedTuple):
    """The two windows stored in rows (m,): newer window number, and the count of each window."""

    window: NDArray[np.int64]
    now: NDArray[np.int64]
    last: NDArray[np.int64]

    def at(self, of: NDArray[np.int64], window: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the count of any window of the recipients `of`; 0 if it is not stored."""
        behind = self.window[of] - window
        return np.where(behind == 0, self.now[of], np.where(behind == 1, self.last[of], 0))


def _earlier(
    key: NDArray[np.int64],
    beside: NDArray[np.int64],
    whole: NDArray[np.int64],
    order: NDArray[np.int64],
    size: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how many messages with the key `beside` came before each run, in the log's order.

    The runs are sorted by `key`; runs of the same key are in log order. `order` is the position of
    each run in the log.
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
    """Write the two newest windows of each row. `of` and `window` are in ascending order."""
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
    """Codes (n,), sorted by recipient and then by log position."""

    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    moment_s: NDArray[np.int64]
    loud: NDArray[np.bool_]
    clock: _Clock
    later: NDArray[np.bool_]  # of a later attempt or part


def _give_days(
    taken: NDArray[np.uint64], group: NDArray[np.int64], at_s: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Write the day of the first code into new rows; return the indices of these rows."""
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
    """Apply sightings: in each round, at most one per recipient.

    Returns four arrays: which events belong to suspects; the indices of the recipients that became
    suspects; the positions of novel sightings of others; the positions of all sightings of others.
    """
    platform, at_s, moment_s, loud, clock, later_part = messages
    # (8, rows): a test over all rings is then eight passes over contiguous memory.
    ring = np.ascontiguousarray(taken[:, RING_WORDS].T)
    suspect = taken[:, 10] & _FLAGGED != 0
    judged = suspect[group]
    todo = indices(~judged)
    promoted, novel, sighted = [todo[:0]], [todo[:0]], [todo[:0]]
    while len(todo):
        g, p, t, when = group[todo], platform[todo], at_s[todo], moment_s[todo]
        held = ring.take(g, axis=1)
        same = held.view(np.uint32)[:, ::2] == p  # the low halves of little-endian words
        sighting = t > (held[-1] >> SECONDS).astype(np.int64) - DAY_S
        stirs = np.zeros(len(todo), np.bool_)  # events that promote though they are no sightings
        slot = first_place(same)
        again = indices(slot < RING)
        if len(again):
            again, seen = _repeats(held, slot, again, sighting, t, later_part[todo])
            asked = again[seen & _NOVEL != 0]
            if len(asked):
                stirs[asked] = loud[todo[asked]] | _many(held.take(asked, axis=1))
        # For each recipient: messages before its first sighting are complete. That sighting is
        # applied now. Later messages see the changed row in the next round.
        stirs[_meets_astray(held[-1], t, clock, todo, sighting)] = True
        first, later = _first_of_each(g, sighting | stirs)
        if len(again):
            again = again[when[again] != seen >> SECONDS]  # else delivered twice
            waits = stirs.copy()
            waits[later] = True
            if over := _count_repeats(tables, taken, (g, p, when), again[~waits[again]]):
                stirs[over] = True
                first, later = _first_of_each(g, sighting | stirs)
        handed = stirs[first]
        gone, first = first[handed], first[~handed]
        if len(first):
            one = slice(None) if len(first) == len(todo) else first
            fresh = _New(g[one], p[one], t[one], held[:, one], slot[one], loud[todo[one]])
            promotes, met = _apply(params, tables, taken, ring, fresh)
            novel.append(todo[first[met]])
            stay = np.delete(first, promotes) if len(promotes) else first
            sighted.append(todo[stay])
            whole = stay[when[stay] != t[stay]]  # sightings with the time of a whole minute
            for repeats, pair, when_s in _with_repeats(tables, taken, (g, p, when), whole):
                repeats.first[pair] = when_s
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


def _repeats(
    held: NDArray[np.uint64],
    slot: NDArray[np.int16],
    again: NDArray[np.int64],
    sighting: NDArray[np.bool_],
    at_s: NDArray[np.int64],
    later: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return which codes at the indices `again` are repeats, and the sightings that they repeat.

    A repeat comes within a day of the sighting of its platform. That sighting is in the ring `held`
    (8, n) at the place `slot` (n,). `sighting` (n,) is false for codes over a day older than the
    newest sighting of the ring. It is set to false for repeats. A repeat that is a `later` delivery
    attempt, or a later part of a long message (n,), is not returned.
    """
    seen = held[slot[again], again]
    fresh = np.abs(at_s[again] - (seen >> SECONDS).astype(np.int64)) < DAY_S
    fresh &= sighting[again]
    sighting[again[fresh]] = False
    fresh &= ~later[again]
    return again[fresh], seen[fresh]


def _count_repeats(
    tables: Tables,
    taken: NDArray[np.uint64],
    codes: _Codes,
    at: NDArray[np.int64],
) -> list[int]:
    """Count codes that platforms sent again within a day (`detectors.recipients.repeats`).

    `codes`: the recipient (an index into `taken`), platform and time of each code. `at`: positions
    of the repeats among them, ascending. Returns the position of the first code of each recipient
    that reaches the limit of a new platform, which promotes the recipient. Known platforms count
    too: below it, no seven of them reach a limit on all together. The judge counts that code and
    all later ones.
    """
    over, gone = [], -1
    for i, place, (repeats, pair, when_s) in zip(
        codes[0][at].tolist(), at.tolist(), _with_repeats(tables, taken, codes, at), strict=True
    ):
        if i == gone or repeats.first.get(pair) == when_s:  # the latter: delivered twice
            continue
        if repeats.is_over(pair, when_s):
            gone = i
            over.append(place)
        else:
            repeats.add(pair, when_s)
    return over


def _with_repeats(
    tables: Tables, taken: NDArray[np.uint64], codes: _Codes, at: NDArray[np.int64]
) -> Iterator[tuple[Repeats, int, int]]:
    """Yield (repeats, key, time in seconds) for each code at the positions `at`.

    `repeats` is the partition's record of codes that a platform sent again within a day. The key is
    made of the recipient and the platform, as in `Repeats`.
    """
    if not len(at):
        return
    group = codes[0][at]
    columns = tables_of(tables.edges, group), taken[group, 0], codes[1][at], codes[2][at]
    for which, recipient, platform, at_s in zip(*(c.tolist() for c in columns), strict=True):
        yield tables.tables[which].repeats, recipient << 32 | platform, at_s


def _meets_astray(
    newest: NDArray[np.uint64],
    at_s: NDArray[np.int64],
    clock: _Clock,
    todo: NDArray[np.int64],
    sighting: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return positions of codes whose recipient has a sighting far ahead of code and log time.

    Their recipients are promoted, because the code for suspects removes such sightings.
    """
    late = indices(~sighting)
    from_s = (newest[late] >> SECONDS).astype(np.int64) - ASTRAY_S
    far = indices(from_s > at_s[late])
    if not len(far):
        return far
    late, from_s = late[far], from_s[far]
    return late.take(indices(from_s > clock.at(todo[late])))


class _New(NamedTuple):
    """Sightings of m distinct recipients, one each."""

    group: NDArray[np.int64]  # index of the recipient
    platform: NDArray[np.uint32]
    at_s: NDArray[np.int64]
    held: NDArray[np.uint64]  # (8, m): the rings before these sightings
    slot: NDArray[np.int16]  # place in the ring of this platform, from over a day ago; 8: none
    loud: NDArray[np.bool_]


def _first_of_each(
    group: NDArray[np.int64], sighting: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of each group's first sighting, and of the events after it."""
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
    """Apply one sighting (first code of a platform in 24 hours) to each of these distinct rows.

    Returns two arrays of indices into `sightings`. The first has the sightings that make their
    recipient a suspect (promote it). The second has the novel sightings of all other recipients.
    A row's ring holds its eight newest sightings. The ring of a promoted recipient does not change,
    because the judge will record the sighting itself.
    """
    g, p, t, held, slot, loud = sightings
    words = taken if len(g) == len(taken) else taken.take(g, axis=0)
    memory = halves(words)
    wanted = prints_of(p)
    place = first_place(memory[2:] == wanted)
    again = slot < RING
    printed = (place < PRINTS) & ~again
    once = printed & (place >= memory[1])
    unknown = ~(again | printed)
    extents = Extents(tables, g, words[:, 1] >> _TAG, memory[1])
    if len(extents.at):
        unknown[extents.find(wanted, unknown)] = False
        once[extents.at] = printed[extents.at]
        once[extents.found_once()] = True
    asked = indices(unknown)
    if len(asked):
        unknown[asked] = ~_kin(held.take(asked, axis=1), wanted[asked], t[asked])
    # `_exceeds` can only be true if there are already `EXCUSED` (two) sightings within a day.
    two = (held[-EXCUSED] >> SECONDS).astype(np.int64) > t - DAY_S
    asked = indices(~unknown & two)
    if len(asked):
        unknown[asked] = _exceeds(held.take(asked, axis=1), wanted[asked], t[asked])
    novel = unknown.astype(np.uint64)
    moved = np.empty_like(held)
    moved[:-1] = held[1:]
    moved[-1] = t.astype(np.uint64) << SECONDS | novel << NOVEL | p
    back = indices(again)
    if len(back):  # the platform's own older sighting leaves the ring, not the oldest of all
        moved[:, back] = np.where(slot[back] > _LANES, held[:, back], moved[:, back])
    late = indices(moved[-1] < moved[-2])
    if len(late):
        moved[:, late] = np.sort(moved[:, late], axis=0)
    promoted = _promotes(params, moved, late) | unknown & loud
    stays = ~promoted
    kept = indices(stays)
    if len(kept) == ring.shape[1]:
        ring[:] = moved
    else:
        ring[:, g[kept]] = moved[:, kept]
    _note_young(tables, taken, sightings, indices((again | once) & stays & ~unknown), once)
    leaves = (held[0] != 0) & ~again
    if len(extents.at) or leaves.any() or printed.any():
        oldest = held[0]
        place[~printed] = -1
        crowd = (moved[-1] >> SECONDS) - (oldest >> SECONDS) < np.uint64(CROWD_S)
        leaving = prints_of(oldest.astype(np.uint32)) * leaves
        moves = Moves(leaving, oldest & _NOVEL == 0, crowd, place, stays)
        _remember(taken, g, memory, moves, extents)
    return indices(promoted), indices(unknown & stays)


def _remember(
    taken: NDArray[np.uint64],
    g: NDArray[np.int64],
    memory: NDArray[np.uint16],
    moves: Moves,
    extents: Extents,
) -> None:
    """Update the memories (16, m) of the rows `g`, and write those that changed."""
    at = indices(recall(memory, moves, extents) & moves.written)
    if len(at):
        taken[g[at], MEMORY_WORDS] = words_of(memory if len(at) == len(g) else memory[:, at])
    if len(extents.at):
        of = indices(moves.written[extents.at])
        at, tags = g[extents.at[of]], extents.links()[0][of].astype(np.uint64)
        taken[at, 1] = taken[at, 1] & _UNTAGGED | tags << _TAG


def _note_young(
    tables: Tables,
    taken: NDArray[np.uint64],
    sightings: _New,
    at: NDArray[np.int64],
    once: NDArray[np.bool_],
) -> None:
    """Remember which sightings, at these indices, are of platforms that came on one day before.

    `once` (m,): the row has the platform at ONCE. The others at these indices are in the ring.
    Prints (16-bit hashes) have no time. Each is older than the ring, so the ring's oldest sighting
    decides.
    """
    if not len(at):
        return
    held, slot = sightings.held[:, at], sightings.slot[at]
    slot = np.minimum(slot, np.where(once[at], first_place(held != 0), RING))
    words = held[np.minimum(slot, RING - 1), np.arange(len(at))]
    lately = sightings.at_s[at] - (words >> SECONDS).astype(np.int64) < YOUNG_S
    at = at[lately & (once[at] | (words & _NOVEL != 0))]
    for repeats, pair, at_s in _with_repeats(tables, taken, sightings[:3], at):
        repeats.young[pair] = at_s


def _kin(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return, as (m,), which rings have a sighting of a known platform with the wanted print.

    `held` (8, m): one ring in each column. `wanted` (m,): one print for each ring. When a known
    platform sends again, its print is moved from the row's 14 prints into the ring. So the ring may
    have the only trace of that platform.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    kin: NDArray[np.bool_] = alike.any(axis=0)
    some = indices(kin)
    if len(some):
        held = held.take(some, axis=1)
        old = (held >> SECONDS).astype(np.int64) <= at_s[some] - DAY_S
        known = (held != 0) & (old | (held & _NOVEL == 0))
        kin[some] = (alike[:, some] & known).any(axis=0)
    return kin


def _exceeds(
    held: NDArray[np.uint64], wanted: NDArray[np.uint16], at_s: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rings (8, m) have `EXCUSED` or more sightings with this print in a day.

    The day ends with the newest sighting.
    """
    alike = prints_of(held.astype(np.uint32)) == wanted
    seconds = (held >> SECONDS).astype(np.int64)
    alike &= (held != 0) & (seconds > np.maximum(at_s, seconds[-1]) - DAY_S)
    exceeds: NDArray[np.bool_] = np.count_nonzero(alike, axis=0) >= EXCUSED
    return exceeds


def _promotes(
    params: SieveParams, ring: NDArray[np.uint64], late: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rings (8, m), each with its new sighting, promote their recipient.

    `late`: indices of the rings whose new sighting is not their newest one.
    """
    seconds = (ring[-1] >> SECONDS).astype(np.int64)
    oldest = (ring[RING - params.promote_distinct] >> SECONDS).astype(np.int64)
    promoted: NDArray[np.bool_] = oldest > seconds - DAY_S
    # With fewer than eight sightings, a bucket is empty after the time in which six leak out. So if
    # the third newest sighting is older than that, the bucket cannot have enough novel sightings.
    reach_s = -(-(RING - 2) * 1000 // LEAK_MILLI_S)
    third = (ring[RING - _NOVEL_LEAST] >> SECONDS).astype(np.int64)
    close = third >= seconds - reach_s
    close[late] = True
    candidate = indices(close & ~promoted)
    if len(candidate):
        promoted[candidate] = _bucket(ring.take(candidate, axis=1))
    return promoted | _many(ring)


def _many(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which rings (8, m) have at least `MASS_NOVEL` novel sightings in a day."""
    fifth, newest = (word >> SECONDS for word in (ring[-MASS_NOVEL], ring[-1]))
    many: NDArray[np.bool_] = fifth.astype(np.int64) > newest.astype(np.int64) - DAY_S
    some = indices(many)
    if len(some):
        ring = ring.take(some, axis=1)
        seconds = (ring >> SECONDS).astype(np.int64)
        novel = (ring & _NOVEL != 0) & (seconds > seconds[-1] - DAY_S)
        many[some] = np.add.reduce(novel, axis=0, dtype=np.int8) >= MASS_NOVEL
    return many


def _bucket(ring: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which of these rings (8, m) have a bucket that reaches WATCH at any sighting."""
    real = ring != 0
    # `dry` is the amount leaked minus the amount added up to a sighting. The bucket was last empty
    # before the sighting with the highest `dry` so far, and its level follows from the difference.
    dry = LEAK_MILLI_S * (ring >> SECONDS).astype(np.int64) - 1000 * real.cumsum(axis=0)
    dry[~real] = _NEVER
    highest = np.maximum.accumulate(dry, axis=0)
    novel = np.cumsum(ring >> NOVEL & np.uint64(1), axis=0, dtype=np.int64)
    before = np.where(dry == highest, np.vstack([np.zeros_like(novel[:1]), novel[:-1]]), 0)
    novel -= np.maximum.accumulate(before, axis=0)
    enough = (highest - dry + 1000 >= _LEVEL_MILLI) & (novel >= _NOVEL_LEAST)
    reached: NDArray[np.bool_] = enough.any(axis=0)
    return reached
