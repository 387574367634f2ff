"""The whole chain over one batch: recognise, sieve, judge, episode; and a partition's whole state.

A partition's state is a function of its log up to one offset. Maintenance happens where the log
passes a tick, so a batch is cut there (and where a number is recycled), and nothing else that a
batch's edges could change is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.episode import (
    Action,
    Book,
    Cause,
    Episode,
    EpisodeParams,
    EpisodeRecord,
    Level,
    Name,
    Step,
    advance,
    end,
    ends_s,
    over,
    recycle,
    seconds,
)
from detectors.event import TICK_OFFSETS, TOKEN_BIT, Batch, Kind, Trust
from detectors.judge import CALM, JudgeParams, Seen, Suspect, forget_tainted, judge, see
from detectors.memory import DAY_S, EPOCH_S, HABITS, MEMORY_WORDS, SUSPECT, Memory, load, store
from detectors.sieve import SieveParams, sift
from detectors.stamps import SAMPLE_OFFSETS, Gateway, StampParams, Stamps, coarse, observe
from detectors.table import WORDS, Table
from detectors.windows import Tally, Window, Windows, close, tally

LATE_S: Final = 3600
"""Exact for messages that come out of order by up to an hour: so much longer than a day a judge
keeps sightings before it lets a suspect go. Later ones are judged too, on what is still there."""


class Codes(Protocol):
    """What the chain needs of `detectors.recognise.Codes`: arrays (n,) over a batch."""

    @property
    def otp(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def platform(self) -> NDArray[np.uint32]: ...  # noqa: D102
    @property
    def trust(self) -> NDArray[np.uint8]: ...  # noqa: D102
    @property
    def names(self) -> Mapping[int, str]: ...  # noqa: D102


class Recognises(Protocol):
    """What the chain needs of `detectors.recognise.Recogniser`."""

    def columns(self, batch: Batch) -> Codes: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Params:
    """Everything that decisions depend on besides the log."""

    sieve: SieveParams = field(default_factory=SieveParams)
    judge: JudgeParams = field(default_factory=JudgeParams)
    episode: EpisodeParams = field(default_factory=EpisodeParams)
    stamps: StampParams = field(default_factory=StampParams)
    suspects_max: int = 1 << 16  # of a partition; further ones at a tick let go the longest idle
    idle_s: int = 600  # a suspect with nothing to hide is let go after so long without a message
    names_max: int = 16_384  # platform names remembered for explanations

    def __post_init__(self) -> None:
        if not 1 <= self.suspects_max <= self.sieve.rows_max:
            raise ValueError("suspects_max must be 1 to rows_max")
        if self.idle_s < 1 or self.names_max < 1:
            raise ValueError("idle_s and names_max must be positive")


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


class Partition:
    """The state of one partition, as of `next_offset`."""

    __slots__ = (
        "book",
        "due",
        "gateways",
        "next_offset",
        "samples",
        "stamps",
        "suspects",
        "table",
        "watermark_s",
        "windows",
    )

    def __init__(self, params: Params) -> None:
        self.next_offset = 0
        self.watermark_s = 0  # seconds of `detectors.memory`
        self.samples: list[tuple[int, str]] = []  # event time, gateway: of this tick so far
        self.table = Table(params.sieve.rows_max)
        self.suspects: dict[int, Suspect] = {}
        self.due: list[tuple[int, int]] = []  # heap: when to look at which suspect
        self.book = Book()
        self.gateways: dict[str, Gateway] = {}
        self.stamps = coarse(params.stamps, {})  # as of the last tick
        self.windows = Windows()

    @property
    def watermark_ms(self) -> int:
        """Milliseconds UTC; 0 before the first tick.

        The highest median of any tick's event times: one bad clock cannot drag it.
        """
        return (self.watermark_s + EPOCH_S) * 1000 if self.watermark_s else 0

    @property
    def recipients(self) -> int:
        """Recipients that have a row."""
        return self.table.count

    def levels(self) -> dict[Level, int]:
        """Open episodes by level."""
        counts = {Level.WATCH: 0, Level.THROTTLE: 0}
        for suspect in self.suspects.values():
            if suspect.episode is not None:
                counts[suspect.episode.level] += 1
        return counts


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
    decisions.episodes, book.records = book.records, []
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
    passed = np.flatnonzero(ticks <= np.append(batch.offset, batch.next_offset))
    recycled = np.flatnonzero(batch.kind == Kind.RECYCLED)
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
    for i in np.flatnonzero(batch.offset[here] % SAMPLE_OFFSETS == 0).tolist():
        partition.samples.append(
            (int(batch.event_time_ms[here.start + i]), batch.gateway[here.start + i])
        )
    message = codes.otp[here] & (batch.kind[here] == Kind.MESSAGE)
    at = np.flatnonzero(message) + here.start
    if not len(at):
        return
    recipient, platform, trust = batch.recipient[at], codes.platform[at], codes.trust[at]
    at_s = np.clip(batch.event_time_ms[at] // 1000 - EPOCH_S, 1, (1 << 31) - 1)
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
    _judge(
        params, partition, batch, _Judged(at[judged], sifted.rows, platform[judged], trust[judged])
    )


def _name(
    partition: Partition,
    codes: Codes,
    platform: NDArray[np.uint32],
    trust: NDArray[np.uint8],
) -> None:
    """Remembers the names of these platforms, and the trust that each first came with."""
    names = partition.book.names
    tick = partition.next_offset // TICK_OFFSETS
    ids = np.sort(platform)  # np.unique takes five times as long
    ids = ids[np.diff(ids, prepend=0) != 0]
    fresh = [key for key in ids.tolist() if key not in names]
    if fresh:
        first = dict(zip(platform[::-1].tolist(), trust[::-1].tolist(), strict=True))
        for key in fresh:
            names[key] = Name(codes.names.get(key, f"#{key}"), Trust(first[key]), tick)
    for key in ids.tolist():
        if names[key].tick != tick:
            names[key] = names[key]._replace(tick=tick)


class _Judged(NamedTuple):
    """The events of suspects, in the order of the log."""

    where: NDArray[np.int64]  # in the batch
    row: NDArray[np.int64]
    platform: NDArray[np.uint32]
    trust: NDArray[np.uint8]


def _judge(params: Params, partition: Partition, batch: Batch, events: _Judged) -> None:
    """The events of suspects, one by one."""
    book, suspects, stamps = partition.book, partition.suspects, partition.stamps
    where = events.where
    for i, recipient, row, at_ms, platform, trust in zip(
        where.tolist(),
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
        cause = _cause(batch, i)
        advance(params.episode, params.judge, book, suspect, cause, finding=finding, flood=flood)
        if episode is None and suspect.episode is not None:
            suspect.due_s = ends_s(params.episode, suspect.episode)
            heappush(partition.due, (suspect.due_s, recipient))


def _cause(batch: Batch, i: int) -> Cause:
    """The event at position i of a batch."""
    return Cause(batch.topic, batch.partition, int(batch.offset[i]), int(batch.event_time_ms[i]))


def _adopt(params: Params, partition: Partition, batch: Batch, recipient: int, row: int) -> Suspect:
    """Makes a suspect of a recipient that the sieve has just promoted, from its row."""
    sightings, memory = load(partition.table.words[row])
    name = batch.tokens[recipient] if recipient & TOKEN_BIT else str(recipient)
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
    decisions.windows += close(partition.windows, params.sieve.window_s, partition.watermark_s)
    _forget_names(params, partition)


def _let_go(params: Params, partition: Partition, batch: Batch) -> int:
    """Ends what is over, and returns suspects that their row can speak for to the sieve."""
    released = 0
    now_s = partition.watermark_s
    cause = Cause(batch.topic, batch.partition, partition.next_offset, partition.watermark_ms)
    while partition.due and partition.due[0][0] <= now_s:
        due_s, recipient = heappop(partition.due)
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
    spare = len(partition.suspects) - params.suspects_max
    if spare > 0:
        idle = sorted(
            (s.last_s, s.recipient) for s in partition.suspects.values() if s.episode is None
        )
        for _, recipient in idle[:spare]:
            _release(partition, partition.suspects[recipient], now_s)
        released += min(spare, len(idle))
    return released


def _due(params: Params, suspect: Suspect) -> int:
    """When a suspect may be let go, if it hears nothing more.

    Its last day must fit a ring with a place to spare, or the sieve would promote it at once, and
    what is tainted must be over a day old.
    """
    if suspect.episode is not None:
        return ends_s(params.episode, suspect.episode)
    held = suspect.sightings
    fits = params.sieve.promote_distinct - 1
    day_s = DAY_S + LATE_S
    full = (held[-1 - fits] >> 33) + day_s if len(held) > fits else 0
    taint = max((suspect.seen[p] >> 33 for p in suspect.tainted), default=-day_s) + day_s
    return max(full, taint, suspect.last_s + params.idle_s)


def _release(partition: Partition, suspect: Suspect, now_s: int) -> None:
    """Writes a suspect back to its row, without what is tainted."""
    forget_tainted(suspect)
    recent_s = now_s - DAY_S - LATE_S
    store(partition.table.words[suspect.row], suspect.sightings, suspect.memory, recent_s)
    del partition.suspects[suspect.recipient]


def _recycle(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    recipient = int(batch.recipient[i])
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
    idle = words[(words[:, 0] != 0) & (flags & np.uint64(SUSPECT) == 0)][:, :2]
    # A sixteenth at once: finding the oldest means looking at all.
    count = min(len(idle), max(2 * TICK_OFFSETS, params.sieve.rows_max // 16))
    order = np.lexsort((idle[:, 0], idle[:, 1] >> np.uint64(32)))[:count]
    return table.drop(idle[order, 0])


def _forget_names(params: Params, partition: Partition) -> None:
    names = partition.book.names
    if len(names) > params.names_max:
        order = sorted((name.tick, key) for key, name in names.items())
        for _, key in order[: len(names) - params.names_max * 3 // 4]:  # not at every tick
            del names[key]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A partition's whole state at one offset, copied."""

    header: dict[str, int]
    rows: NDArray[np.uint64]  # (rows, 14)
    rest: dict[str, Any]  # lists, dicts, ints, floats, strings and bytes


def snapshot(partition: Partition) -> Snapshot:
    """A copy that later batches do not change."""
    table, windows, book = partition.table, partition.windows, partition.book
    return Snapshot(
        header={
            "format": 1,
            "next_offset": partition.next_offset,
            "watermark_s": partition.watermark_s,
            "row_words": WORDS,
        },
        rows=table.words[: table.used].copy(),
        rest={
            "samples": [list(sample) for sample in partition.samples],
            "suspects": [_suspect_state(s) for s in partition.suspects.values()],
            "names": [[key, n.key, int(n.trust), n.tick] for key, n in book.names.items()],
            "chronic": [[key, *days] for key, days in book.chronic.items()],
            "gateways": [[name, *g.state()] for name, g in partition.gateways.items()],
            "window_next": windows.next,
            "windows": [
                [number, w.codes, np.packbits(w.prints).tobytes(), list(w.rungs)]
                for number, w in windows.open.items()
            ],
        },
    )


def restore(params: Params, held: Snapshot) -> Partition:
    """The partition as it was: continuing gives the same decisions, byte for byte."""
    assert held.header["format"] == 1
    assert held.header["row_words"] == WORDS
    partition = Partition(params)
    partition.next_offset = held.header["next_offset"]
    partition.watermark_s = held.header["watermark_s"]
    partition.table = Table.over(held.rows.copy(), params.sieve.rows_max)
    rest = held.rest
    partition.samples = [(at_ms, gateway) for at_ms, gateway in rest["samples"]]
    for state in rest["suspects"]:
        suspect = _suspect_of(state)
        partition.suspects[suspect.recipient] = suspect
    partition.due = [(s.due_s, s.recipient) for s in partition.suspects.values()]
    heapify(partition.due)
    partition.book.names = {k: Name(name, Trust(t), tick) for k, name, t, tick in rest["names"]}
    partition.book.chronic = {key: (last, days) for key, last, days in rest["chronic"]}
    partition.gateways = {name: Gateway(*state) for name, *state in rest["gateways"]}
    partition.stamps = coarse(params.stamps, partition.gateways)
    partition.windows.next = rest["window_next"]
    for number, codes, prints, rungs in rest["windows"]:
        tallied = partition.windows.open[number] = Tally()
        tallied.codes = codes
        tallied.prints = np.unpackbits(np.frombuffer(prints, np.uint8)).astype(np.bool_)
        tallied.rungs = list(rungs)
    return partition


def _suspect_state(suspect: Suspect) -> list[Any]:
    """Everything but what the sightings say again."""
    memory, episode = suspect.memory, suspect.episode
    return [
        suspect.recipient,
        suspect.name,
        suspect.row,
        list(suspect.sightings),
        [memory.born_day, memory.habits & HABITS, list(memory.prints)],
        suspect.last_s,
        suspect.due_s,
        int(suspect.stamps),
        sorted(suspect.tainted),
        [
            suspect.bucket_level_milli,
            suspect.bucket_novel,
            suspect.bucket_s,
            suspect.bucket_since_s,
        ],
        None
        if episode is None
        else [
            episode.id,
            episode.since_s,
            episode.opened_s,
            episode.last_flood_s,
            episode.messages,
            int(episode.level),
            episode.mode,
            episode.issued_ms,
            episode.expires_ms,
            episode.chronic,
            [[int(step.level), *step[1:]] for step in episode.path],
        ],
    ]


def _suspect_of(state: list[Any]) -> Suspect:
    recipient, name, row, sightings, memory, last_s, due_s, stamps, tainted, bucket, held = state
    born_day, habits, prints = memory
    suspect = Suspect(recipient, name, row, list(sightings), Memory(born_day, habits, prints))
    suspect.last_s = last_s
    suspect.due_s = due_s
    suspect.stamps = Stamps(stamps)
    suspect.tainted = set(tainted)
    (
        suspect.bucket_level_milli,
        suspect.bucket_novel,
        suspect.bucket_s,
        suspect.bucket_since_s,
    ) = bucket
    if held is not None:
        episode_id, since_s, opened_s, *rest, path = held
        episode = suspect.episode = Episode(episode_id, since_s, opened_s)
        (
            episode.last_flood_s,
            episode.messages,
            level,
            episode.mode,
            episode.issued_ms,
            episode.expires_ms,
            episode.chronic,
        ) = rest
        episode.level = Level(level)
        episode.path = [Step(Level(step[0]), *step[1:]) for step in path]
    return suspect
