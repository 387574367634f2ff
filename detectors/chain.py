"""The whole chain over one batch: recognise, sieve, judge, episode; and a partition's whole state.

A partition's state is a function of its log up to one offset. Maintenance happens where the log
passes a tick, so a batch is cut there (and where a number is recycled), and nothing else that a
batch's edges could change is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappush
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.bars import RESEND_RECIPIENTS_MAX, SUSPECT_IDLE_S
from detectors.decisions import Decisions
from detectors.episodes import resend
from detectors.episodes.episode import (
    AMBIGUOUS,
    Name,
    advance,
    ahead_of,
    end,
    ends_s,
    over,
    recycle,
)
from detectors.episodes.resend import Resend
from detectors.episodes.used_later import note_refusal, note_use
from detectors.model.arrays import indices
from detectors.model.codes import Codes
from detectors.model.event import TICK_OFFSETS, TOKEN_BIT, Batch, EventKind, Trust, name_check
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTime
from detectors.model.records import Cause, Level, seconds
from detectors.model.times import EPOCH_S
from detectors.partition import (
    FORMATS,
    NOTED_BITS,
    Params,
    Partition,
    Snapshot,
    restore,
    snapshot,
)
from detectors.recipients.row import unpack
from detectors.recipients.sieve import sift
from detectors.recipients.windows import tally
from detectors.suspects.clocks import SAMPLE_OFFSETS, ClockClass
from detectors.suspects.judge import CALM, judge
from detectors.suspects.mass import Heard, forget_after, hear, many, mass
from detectors.suspects.suspect import Seen, Suspect, newest_s, put_right, see
from detectors.upkeep import DUE_MAX_S, tick

__all__ = [
    "FORMATS",
    "Decisions",
    "Params",
    "Partition",
    "Snapshot",
    "process",
    "restore",
    "snapshot",
]

NAME_TICKS: Final = 16
"""A name's last use is noted to so many ticks: enough to tell which are in use at all."""


def process(params: Params, partition: Partition, batch: Batch, codes: Codes) -> Decisions:
    """Take one batch in, with the verdicts about its events.

    The batch's offsets lie at or after `partition.next_offset`.
    """
    assert batch.next_offset >= partition.next_offset, "a batch must not go back in the log"
    decisions = Decisions(events=len(batch))
    book = partition.book
    for start, stop, next_offset in _passes(batch, partition.next_offset):
        _pass(params, partition, batch, codes, slice(start, stop), into=decisions)
        if start < stop and batch.kind[stop - 1] == EventKind.RECYCLED:
            _recycle(params, partition, batch, stop - 1, decisions)
        partition.next_offset = next_offset
        if next_offset % TICK_OFFSETS == 0 and next_offset:
            tick(params, partition, batch, decisions)
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
    recycled = indices(batch.kind == EventKind.RECYCLED)
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
    message = codes.otp[here] & (batch.kind[here] == EventKind.MESSAGE)
    at = indices(message) + here.start
    if not len(at):
        return
    at_s = np.minimum(np.maximum(batch.event_time_ms[at] // 1000 - EPOCH_S, 1), (1 << 31) - 1)
    log = LogTime(partition.recent_s, at_s, partition.watermark_s)
    partition.recent_s = log.newest_s
    ahead = log.ahead()
    if len(ahead):
        into.ahead += batch.offset[at[ahead]].tolist()
        log.without(ahead)
        at, at_s = np.delete(at, ahead), np.delete(at_s, ahead)
    recipient, platform, trust = batch.recipient[at], codes.platform[at], codes.trust[at]
    if not len(at):
        return
    _name(partition, codes, at, platform, trust)
    sifted = sift(params.sieve, partition.table, recipient, platform, at_s, log)
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
    judged, loud = sifted.judged, sifted.loud
    suspects = _Judged(
        at[judged], judged, sifted.rows, platform[judged], trust[judged], np.isin(judged, loud)
    )
    refused = _judge(params, partition, batch, suspects, log)
    into.refused += _look_back(partition, at, recipient, platform, at_s, refused=refused)
    _resend(params, partition, batch, at[loud].tolist(), platform[loud].tolist())


def _name(
    partition: Partition,
    codes: Codes,
    at: NDArray[np.int64],
    platform: NDArray[np.uint32],
    trust: NDArray[np.uint8],
) -> None:
    """Remembers the names of these platforms, and the trust that each first came with.

    Of names that share an id the first stays, and is marked: what a log leads to may not depend on
    which of them a batch holds.
    """
    tick = partition.next_offset // TICK_OFFSETS
    noted, noted_tick, noted_check = partition.noted, partition.noted_tick, partition.noted_check
    slot = platform * partition.noted_factor >> np.uint32(32 - NOTED_BITS)
    old = (noted.take(slot) != platform) | (noted_tick.take(slot) <= tick - NAME_TICKS)
    if codes.check is not None:
        old |= noted_check.take(slot) != codes.check[at]
    where = indices(old)
    if not len(where):
        return
    names = partition.book.names
    keys, places = platform[where].tolist(), at[where].tolist()
    first = dict(zip(keys[::-1], where[::-1].tolist(), strict=True))
    for key in sorted(first):
        place, held = first[key], names.get(key)
        if held is None or tick - held.tick >= NAME_TICKS:
            held = held or Name(codes.name(int(at[place])), Trust(int(trust[place])), tick)
            held = names[key] = held._replace(tick=tick)
        here = slot[place]
        noted[here], noted_tick[here] = key, held.tick
        if codes.check is not None:
            noted_check[here] = name_check(held.key.removesuffix(AMBIGUOUS))
    if codes.check is not None:
        told = dict.fromkeys(zip(keys, codes.check[places].tolist(), strict=True))
        for key, check in told:
            held = names[key]
            plain = held.key.removesuffix(AMBIGUOUS)
            if plain == held.key and name_check(plain) != check:
                names[key] = held._replace(key=plain + AMBIGUOUS)


def _resend(
    params: Params, partition: Partition, batch: Batch, where: list[int], platform: list[int]
) -> None:
    """Messages, at these positions of the batch, of recipients that are loud."""
    for i, recipient, key in zip(where, batch.recipient[where].tolist(), platform, strict=True):
        held = partition.resends.get(recipient)
        if held is None and len(partition.resends) >= RESEND_RECIPIENTS_MAX:
            continue
        cause = _cause(batch, i)
        if held is None:
            held = partition.resends[recipient] = Resend(_text(batch, recipient), cause.at_s)
        resend.observe(params.episode, partition.book, held, cause, platform=key)


def _text(batch: Batch, recipient: int) -> str:
    """A recipient of this batch, as the world writes it."""
    return batch.tokens[recipient] if recipient & TOKEN_BIT else str(recipient)


class _Judged(NamedTuple):
    """The events of suspects, in the order of the log."""

    where: NDArray[np.int64]  # in the batch,
    place: NDArray[np.int64]  # and among the codes of the pass
    row: NDArray[np.int64]
    platform: NDArray[np.uint32]
    trust: NDArray[np.uint8]
    loud: NDArray[np.bool_]


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
    used_later = partition.used_later
    if not refused and not used_later.entries:
        return 0
    here = used_later.among(recipient)
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
            first += note_refusal(used_later, whom, what, when_s)
        else:
            note_use(used_later, whom, what, when_s)
    return first


def _judge(
    params: Params, partition: Partition, batch: Batch, events: _Judged, log: LogTime
) -> set[int]:
    """The events of suspects, one by one; the positions of those that a lease refuses."""
    refused = set()
    book, suspects, stamps = partition.book, partition.suspects, partition.stamps
    where = events.where
    for i, place, offset, recipient, row, at_ms, platform, trust, loud in zip(
        where.tolist(),
        events.place.tolist(),
        batch.offset[where].tolist(),
        batch.recipient[where].tolist(),
        events.row.tolist(),
        batch.event_time_ms[where].tolist(),
        events.platform.tolist(),
        events.trust.tolist(),
        events.loud.tolist(),
        strict=True,
    ):
        at_s = seconds(at_ms)
        suspect = suspects.get(recipient)
        if suspect is None:
            suspect = _adopt(partition, batch, recipient, row, at_s)
        exact = ClockClass.EXACT
        stamp = stamps.get(batch.gateway[i], exact) if stamps else exact
        if newest_s(suspect) > at_s + SOON_S:
            now_s = max(at_s, int(log.at(np.array([place]))[0]))
            _put_right(params, partition, suspect, _cause(batch, i), now_s)
        if suspect.episode is not None and over(params.episode, suspect.episode, at_s):
            end(params.episode, params.judge, book, suspect, _cause(batch, i))
        seen = see(suspect, platform, at_s, stamp)
        if seen is Seen.LATE:
            continue
        episode = suspect.episode
        level = Level.CLEAR if episode is None else episode.level
        finding = CALM  # at THROTTLE nothing that the judge says could matter
        if seen is Seen.SIGHTING and level is not Level.THROTTLE:
            finding = judge(params.judge, suspect, at_s, stamp)
        flood = False
        if not suspect.knows(platform, at_s):
            flood = trust == Trust.NONE
            if flood and episode is not None and episode.issued_ms < at_ms < episode.expires_ms:
                refused.add(i)
            heard = hear(suspect, platform, at_ms, refused=i in refused, loud=loud)
            flood = flood and heard is not Heard.AGAIN
            # Of fewer platforms the mass is WATCH at most.
            if heard is Heard.COUNTED and (not level or many(suspect, at_s)):
                finding = max(finding, mass(suspect, at_ms), key=attrgetter("band"))
        if episode is None and finding is CALM:
            continue
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        of = platform if flood else None
        advance(params.episode, params.judge, book, suspect, cause, finding=finding, flood=of)
        if episode is None and suspect.episode is not None:
            suspect.due_s = min(
                ends_s(params.episode, suspect.episode), partition.watermark_s + DUE_MAX_S
            )
            heappush(partition.due, (suspect.due_s, recipient))
    return refused


def _put_right(
    params: Params, partition: Partition, suspect: Suspect, cause: Cause, now_s: int
) -> None:
    """Lets go of what a suspect has from a clock that was ahead of the log's time, `now_s`."""
    limit_s = now_s + ASTRAY_S
    episode = suspect.episode
    if episode is not None and ahead_of(episode, limit_s):
        end(params.episode, params.judge, partition.book, suspect, cause)
    elif episode is not None and seconds(episode.issued_ms) > now_s + SOON_S:
        episode.issued_ms = episode.expires_ms = 0  # no gateway obeys it: the flood gets another
    if newest_s(suspect) > limit_s:
        put_right(suspect, limit_s, cause.at_s)
        forget_after(suspect, limit_s)


def _cause(batch: Batch, i: int) -> Cause:
    """The event at position i of a batch."""
    return Cause(batch.topic, batch.partition, int(batch.offset[i]), int(batch.event_time_ms[i]))


def _adopt(partition: Partition, batch: Batch, recipient: int, row: int, at_s: int) -> Suspect:
    """Makes a suspect of a recipient that the sieve has just promoted, from its row."""
    sightings, memory, habits = unpack(partition.table.words[row], at_s)
    name = _text(batch, recipient)
    suspect = partition.suspects[recipient] = Suspect(recipient, name, row, sightings, memory)
    suspect.habits = habits
    suspect.due_s = partition.watermark_s + SUSPECT_IDLE_S
    heappush(partition.due, (suspect.due_s, recipient))
    return suspect


def _recycle(
    params: Params, partition: Partition, batch: Batch, i: int, decisions: Decisions
) -> None:
    recipient = int(batch.recipient[i])
    partition.resends.pop(recipient, None)
    partition.used_later.drop(recipient)
    suspect = partition.suspects.pop(recipient, None)
    if suspect is not None:
        recycle(params.episode, params.judge, partition.book, suspect, _cause(batch, i))
    decisions.recycled += partition.table.drop(np.array([recipient], np.uint64))
