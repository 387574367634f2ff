"""The whole chain over one batch: recognise, sieve, judge, episode; and a partition's whole state.

A partition's state is a function of its log up to one offset. Maintenance happens where the log
passes a tick, so a batch is cut there (and where a number is recycled), and nothing else that a
batch's edges could change is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors import resend
from detectors.arrays import indices
from detectors.episode import Name, advance, end, ends_s, over, recycle
from detectors.event import TICK_OFFSETS, TOKEN_BIT, Batch, Kind, Trust
from detectors.hindsight import meet, refuse, settle
from detectors.judge import CALM, judge
from detectors.memory import DAY_S, EPOCH_S, MEMORY_WORDS, SUSPECT, load, store
from detectors.partition import Params, Partition, Snapshot, restore, snapshot
from detectors.records import Action, Cause, EpisodeRecord, seconds
from detectors.resend import Resend
from detectors.sieve import sift
from detectors.stamps import SAMPLE_OFFSETS, Stamps, coarse, observe
from detectors.suspect import TAINT_S, Seen, Suspect, forget_tainted, see
from detectors.windows import Window, close, tally

__all__ = ["Decisions", "Params", "Partition", "Snapshot", "process", "restore", "snapshot"]

LATE_S: Final = 3600
"""Exact for messages that come out of order by up to an hour: so much longer than a day a judge
keeps sightings before it lets a suspect go. Later ones are judged too, on what is still there."""


LET_GO_MAX: Final = TICK_OFFSETS
"""Suspects looked at in one tick; the others wait for the next. A tick brings no more new ones, so
the queue ends, and a tick after a great campaign stops nothing for long (.1 ms each, measured)."""

NAME_TICKS: Final = 16
"""A name's last use is noted to so many ticks: enough to tell which are in use at all."""


class Codes(Protocol):
    """What the chain needs of `detectors.recognise.Codes`: arrays (n,) over a batch."""

    @property
    def otp(self) -> NDArray[np.bool_]: ...
    @property
    def platform(self) -> NDArray[np.uint32]: ...
    @property
    def trust(self) -> NDArray[np.uint8]: ...
    @property
    def names(self) -> Mapping[int, str]: ...


class Recognises(Protocol):
    """What the chain needs of `detectors.recognise.Recogniser`."""

    def columns(self, batch: Batch) -> Codes: ...


@dataclass(slots=True)
class Decisions:
    """What one batch led to."""

    actions: list[Action] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)  # closed at ticks within this batch
    events: int = 0
    codes: int = 0
    judged: int = 0  # codes that reached the judge
    promoted: int = 0  # recipients handed to the judge
    released: int = 0  # suspects that it let go
    evicted: int = 0  # recipients forgotten for want of room
    recycled: int = 0
    refused: int = 0  # platforms at recipients whose first code a lease refuses, or would
    used_later: int = 0  # of those of before, platforms that the recipient uses after all


def process(
    params: Params, recogniser: Recognises, partition: Partition, batch: Batch
) -> Decisions:
    """Takes one batch in. Its offsets lie at or after `partition.next_offset`."""
    assert batch.next_offset >= partition.next_offset, "a batch must not go back in the log"
    decisions = Decisions(events=len(batch))
    book = partition.book
    codes = recogniser.columns(batch)
    for start, stop, next_offset in _passes(batch, partition.next_offset):
        _pass(params, partition, batch, codes, slice(start, stop), into=decisions)
        if start < stop and batch.kind[stop - 1] == Kind.RECYCLED:
            _recycle(params, partition, batch, stop - 1, decisions)
        partition.next_offset = next_offset
        if next_offset % TICK_OFFSETS == 0 and next_offset:
            _tick(params, partition, batch, decisions)
    partition.next_offset = batch.next_offset
    decisions.actions, book.actions = book.actions, []
    # In the order of the log, as one batch or many would have it.
    decisions.episodes, book.records = sorted(book.records, key=lambda r: r.revision), []
    return decisions


def _passes(batch: Batch, offset: int) -> Iterator[tuple[int, int, int]]:
    """Pieces of a batch: positions from, to, and the offset behind it.

    Each ends at a tick, after an event that recycles a number, or with the batch. A tick belongs
    to the piece before it.
    """
    # The first tick behind each offset, where the log passes it before the next event. Later ones
    # before that event would find nothing left to do.
    behind = np.concatenate(([offset], batch.offset))
    ticks = (behind // TICK_OFFSETS + 1) * TICK_OFFSETS
    passed = indices(ticks <= np.append(batch.offset, batch.next_offset))
    recycled = indices(batch.kind == Kind.RECYCLED)
    ends = sorted(
        {
            *zip(ticks[passed].tolist(), passed.tolist(), strict=True),
            *zip((batch.offset[recycled] + 1).tolist(), (recycled + 1).tolist(), strict=True),
            (batch.next_offset, len(batch)),
        }
    )
    start = 0
    for next_offset, stop in ends:
        yield start, stop, next_offset
        start = stop


def _pass(
    params: Params,
    partition: Partition,
    batch: Batch,
    codes: Codes,
    here: slice,
    *,
    into: Decisions,
) -> None:
    """One piece with no maintenance inside."""
    sampled = indices(batch.offset[here] % SAMPLE_OFFSETS == 0) + here.start
    gateways = [batch.gateway[i] for i in sampled.tolist()]
    partition.samples += zip(batch.event_time_ms[sampled].tolist(), gateways, strict=True)
    message = codes.otp[here] & (batch.kind[here] == Kind.MESSAGE)
    at = indices(message) + here.start
    if not len(at):
        return
    recipient, platform, trust = batch.recipient[at], codes.platform[at], codes.trust[at]
    at_s = np.minimum(np.maximum(batch.event_time_ms[at] // 1000 - EPOCH_S, 1), (1 << 31) - 1)
    _name(partition, codes, platform, trust)
    sifted = sift(params.sieve, partition.table, recipient, platform, at_s)
    tally(
        partition.windows,
        at_s // params.sieve.window_s,
        platform,
        sifted.window,
        before=sifted.before,
        after=sifted.after,
    )
    into.codes += len(at)
    into.judged += len(sifted.judged)
    into.promoted += sifted.promoted
    judged = sifted.judged
    refused = _judge(
        params, partition, batch, _Judged(at[judged], sifted.rows, platform[judged], trust[judged])
    )
    into.refused += _look_back(partition, at, recipient, platform, at_s, refused=refused)
    loud = sifted.loud
    _resend(params, partition, batch, at[loud].tolist(), platform[loud].tolist())


def _name(
    partition: Partition,
    codes: Codes,
    platform: NDArray[np.uint32],
    trust: NDArray[np.uint8],
) -> None:
    """Remembers the names of these platforms, and the trust that each first came with."""
    tick = partition.next_offset // TICK_OFFSETS
    noted, noted_tick = partition.noted, partition.noted_tick
    slot = platform % np.uint32(len(noted))
    old = (noted.take(slot) != platform) | (noted_tick.take(slot) <= tick - NAME_TICKS)
    if not np.count_nonzero(old):
        return
    names = partition.book.names
    platform, trust = platform[old], trust[old]
    first = dict(zip(platform[::-1].tolist(), trust[::-1].tolist(), strict=True))
    for key in sorted(first):
        held = names.get(key)
        if held is None or tick - held.tick >= NAME_TICKS:
            held = held or Name(codes.names.get(key, f"#{key}"), Trust(first[key]), tick)
            held = names[key] = held._replace(tick=tick)
        noted[key % len(noted)], noted_tick[key % len(noted)] = key, held.tick


def _resend(
    params: Params, partition: Partition, batch: Batch, where: list[int], platform: list[int]
) -> None:
    """Messages, at these positions of the batch, of recipients that are loud."""
    for i, recipient, key in zip(where, batch.recipient[where].tolist(), platform, strict=True):
        held = partition.resends.get(recipient)
        if held is None and len(partition.resends) >= params.resend.recipients_max:
            continue
        cause = _cause(batch, i)
        if held is None:
            held = partition.resends[recipient] = Resend(_text(batch, recipient), cause.at_s)
        resend.observe(params.resend, params.episode, partition.book, held, cause, platform=key)


def _text(batch: Batch, recipient: int) -> str:
    """A recipient of this batch, as the world writes it."""
    return batch.tokens[recipient] if recipient & TOKEN_BIT else str(recipient)


class _Judged(NamedTuple):
    """The events of suspects, in the order of the log."""

    where: NDArray[np.int64]  # in the batch
    row: NDArray[np.int64]
    platform: NDArray[np.uint32]
    trust: NDArray[np.uint8]


def _look_back(
    partition: Partition,
    at: NDArray[np.int64],
    recipient: NDArray[np.uint64],
    platform: NDArray[np.uint32],
    at_s: NDArray[np.int64],
    *,
    refused: set[int],
) -> int:
    """Codes at recipients where some were refused, at positions `at` of the batch (n,).

    How many platforms were refused for the first time.
    """
    hindsight = partition.hindsight
    if not refused and not hindsight.entries:
        return 0
    here = hindsight.among(recipient)
    if refused:
        here |= np.isin(recipient, recipient[np.isin(at, list(refused))])
    first = 0
    for i, whom, what, when_s in zip(
        at[here].tolist(),
        recipient[here].tolist(),
        platform[here].tolist(),
        at_s[here].tolist(),
        strict=True,
    ):
        if i in refused:
            first += refuse(hindsight, whom, what, when_s)
        else:
            meet(hindsight, whom, what, when_s)
    return first


def _judge(params: Params, partition: Partition, batch: Batch, events: _Judged) -> set[int]:
    """The events of suspects, one by one; the positions of those that a lease refuses."""
    refused = set()
    book, suspects, stamps = partition.book, partition.suspects, partition.stamps
    where = events.where
    for i, offset, recipient, row, at_ms, platform, trust in zip(
        where.tolist(),
        batch.offset[where].tolist(),
        batch.recipient[where].tolist(),
        events.row.tolist(),
        batch.event_time_ms[where].tolist(),
        events.platform.tolist(),
        events.trust.tolist(),
        strict=True,
    ):
        suspect = suspects.get(recipient) or _adopt(params, partition, batch, recipient, row)
        if stamps:
            suspect.stamps = max(suspect.stamps, stamps.get(batch.gateway[i], Stamps.EXACT))
        at_s = seconds(at_ms)
        if suspect.episode is not None and over(params.episode, suspect.episode, at_s):
            end(params.episode, params.judge, book, suspect, _cause(batch, i))
        seen = see(suspect, platform, at_s)
        if seen is Seen.LATE:
            continue
        finding = judge(params.judge, suspect, at_s) if seen is Seen.SIGHTING else CALM
        episode = suspect.episode
        if episode is None and finding is CALM:
            continue
        flood = trust == Trust.NONE and not suspect.knows(platform, at_s)
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        if flood and episode is not None and episode.issued_ms < at_ms < episode.expires_ms:
            refused.add(i)
        advance(params.episode, params.judge, book, suspect, cause, finding=finding, flood=flood)
        if episode is None and suspect.episode is not None:
            suspect.due_s = ends_s(params.episode, suspect.episode)
            heappush(partition.due, (suspect.due_s, recipient))
    return refused


def _cause(batch: Batch, i: int) -> Cause:
    """The event at position i of a batch."""
    return Cause(batch.topic, batch.partition, int(batch.offset[i]), int(batch.event_time_ms[i]))


def _adopt(params: Params, partition: Partition, batch: Batch, recipient: int, row: int) -> Suspect:
    """Makes a suspect of a recipient that the sieve has just promoted, from its row."""
    sightings, memory = load(partition.table.words[row])
    name = _text(batch, recipient)
    suspect = partition.suspects[recipient] = Suspect(recipient, name, row, sightings, memory)
    suspect.due_s = partition.watermark_s + params.idle_s
    heappush(partition.due, (suspect.due_s, recipient))
    return suspect


def _tick(params: Params, partition: Partition, batch: Batch, decisions: Decisions) -> None:
    """Maintenance, when the log passes a tick: the one place where time passes for all."""
    if partition.samples:
        times = sorted(at_ms for at_ms, _ in partition.samples)
        partition.watermark_s = max(partition.watermark_s, seconds(times[len(times) // 2]))
    for at_ms, gateway in partition.samples:
        observe(params.stamps, partition.gateways, gateway, at_ms)
    partition.samples = []
    partition.stamps = coarse(params.stamps, partition.gateways)
    decisions.released += _let_go(params, partition, batch)
    decisions.evicted += _evict(params, partition)
    decisions.used_later += len(settle(partition.hindsight, partition.watermark_s))
    decisions.windows += close(partition.windows, params.sieve.window_s, partition.watermark_s)
    _forget_names(params, partition)


def _let_go(params: Params, partition: Partition, batch: Batch) -> int:
    """Ends what is over, and returns suspects that their row can speak for to the sieve."""
    released = looked_at = 0
    now_s = partition.watermark_s
    cause = Cause(batch.topic, batch.partition, partition.next_offset, partition.watermark_ms)
    while partition.due and partition.due[0][0] <= now_s and looked_at < LET_GO_MAX:
        due_s, recipient = heappop(partition.due)
        looked_at += 1
        suspect = partition.suspects.get(recipient)
        if suspect is None or suspect.due_s != due_s:
            continue  # let go, or adopted anew
        if suspect.episode is not None and over(params.episode, suspect.episode, now_s):
            end(params.episode, params.judge, partition.book, suspect, cause)
        suspect.due_s = _due(params, suspect)
        if suspect.due_s > now_s:
            heappush(partition.due, (suspect.due_s, recipient))
        else:
            _release(partition, suspect, now_s)
            released += 1
    quiet_s = now_s - params.resend.quiet_s
    for recipient in [key for key, held in partition.resends.items() if held.last_s <= quiet_s]:
        over_now = partition.resends.pop(recipient)
        resend.end(params.resend, params.episode, partition.book, over_now, cause)
    spare = len(partition.suspects) - params.suspects_max
    if spare > 0:  # those in an episode last: what is given up here fails open
        held = partition.suspects.values()
        idle = sorted((s.episode is not None, s.last_s, s.recipient) for s in held)
        for in_episode, _, recipient in idle[:spare]:
            suspect = partition.suspects[recipient]
            if in_episode:
                end(params.episode, params.judge, partition.book, suspect, cause)
            _release(partition, suspect, now_s)
        released += spare
    return released


def _due(params: Params, suspect: Suspect) -> int:
    """When a suspect may be let go, if it hears nothing more.

    Its last day must fit a ring with a place to spare, or the sieve would promote it at once, and
    what is tainted must be too old to count on.
    """
    if suspect.episode is not None:
        return ends_s(params.episode, suspect.episode)
    held = suspect.sightings
    fits = params.sieve.promote_distinct - 1
    day_s = DAY_S + LATE_S
    full = (held[-1 - fits] >> 33) + day_s if len(held) > fits else 0
    taint = max((suspect.seen[p] >> 33 for p in suspect.tainted), default=-TAINT_S) + TAINT_S
    taint += LATE_S
    return max(full, taint, suspect.last_s + params.idle_s)


def _release(partition: Partition, suspect: Suspect, now_s: int) -> None:
    """Writes a suspect back to its row, without what is tainted."""
    forget_tainted(suspect, now_s)
    recent_s = now_s - DAY_S - LATE_S
    store(partition.table.words[suspect.row], suspect.sightings, suspect.memory, recent_s)
    del partition.suspects[suspect.recipient]


def _recycle(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    recipient = int(batch.recipient[i])
    partition.resends.pop(recipient, None)
    partition.hindsight.drop(recipient)
    suspect = partition.suspects.pop(recipient, None)
    if suspect is not None:
        recycle(params.episode, params.judge, partition.book, suspect, _cause(batch, i))
    decisions.recycled += partition.table.drop(np.array([recipient], np.uint64))


def _evict(params: Params, partition: Partition) -> int:
    """Keeps room for a tick's worth of new recipients; never forgets a suspect.

    The longest idle go, by their newest window and then by key.
    """
    table = partition.table
    if table.room >= TICK_OFFSETS:
        return 0
    words = table.words[: table.used]
    flags = words[:, MEMORY_WORDS.start] >> np.uint64(16)
    idle = indices((words[:, 0] != 0) & (flags & np.uint64(SUSPECT) == 0))
    window = (words[idle, 1] >> np.uint64(32)).astype(np.uint32)
    # A sixteenth at once: finding the oldest means looking at all.
    count = min(len(idle), max(2 * TICK_OFFSETS, params.sieve.rows_max // 16))
    newest = np.partition(window, count - 1)[count - 1]
    older, last = idle[window < newest], words[idle[window == newest], 0]
    more = count - len(older)
    return table.drop(np.append(words[older, 0], np.partition(last, more - 1)[:more]))


def _forget_names(params: Params, partition: Partition) -> None:
    names = partition.book.names
    if len(names) > params.names_max:
        order = sorted((name.tick, key) for key, name in names.items())
        for _, key in order[: len(names) - params.names_max * 3 // 4]:  # not at every tick
            del names[key]
        partition.noted[:] = 0
