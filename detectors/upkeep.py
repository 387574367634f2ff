"""Maintenance of a partition when its log passes a tick.

A tick is every `TICK_OFFSETS`-th offset. State of recipients without new messages changes only
here.

Maintenance ends episodes, releases suspects to the sieve (the fast check), evicts the recipients
that were idle longest, and closes windows. Each step is bounded, so no tick blocks the worker long.
"""

from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Final

from detectors.decisions import Decisions
from detectors.episodes import resend
from detectors.episodes.episode import active_relapse, ahead_of, end, end_limit, ends_s, over
from detectors.episodes.incident_log import tell_due
from detectors.episodes.used_later import confirm
from detectors.model.event import TICK_OFFSETS, Batch
from detectors.model.log_time import AHEAD_S, TICKS, latest, watermark
from detectors.model.records import Cause, seconds, utc_ms
from detectors.model.times import DAY_S
from detectors.partition import Params, Partition
from detectors.platforms.figures import PART_S, PlatformPart
from detectors.recipients.evict import make_room
from detectors.recipients.row import pack
from detectors.recipients.windows import close
from detectors.suspects.clocks import coarse, lagging, observe, observe_lags
from detectors.suspects.pages import drop_old
from detectors.suspects.suspect import (
    LATE_S,
    TAINT_S,
    Suspect,
    newest_s,
    put_right,
    settle_tainted,
)
from detectors.suspects.volume import LONGEST_S, forget_after, last_s
from detectors.thresholds import RELAPSE_REST_S, RELAPSES_MAX, RESEND_QUIET_S, SUSPECT_IDLE_S

DUE_MAX_S: Final = 3 * DAY_S
"""Maximum time until a suspect is checked again, whatever its own times are. Clocks that are not
ahead never give a longer time (the longest is `TAINT_S` plus `LATE_S`)."""

RELEASE_MAX: Final = TICK_OFFSETS
"""Maximum number of suspects checked in one tick; the others wait for the next tick. Between two
ticks there are not more new suspects, so the queue does not grow. A tick after a large campaign
does not block for long (40 us per check, measured)."""

END_LOOKS: Final = 3
"""Cost of ending an episode, in checks of `RELEASE_MAX` (140 us, measured). Most of the cost is the
last record. A new episode takes at least three novel platforms. So the queue grows only while
nearly all events of a partition belong to floods, and shrinks soon after."""

DUE_SPARE: Final = 1024
"""Number of stale heap entries allowed in `Partition.due`, beyond two per suspect, before the heap
is rebuilt. At most two entries per event are added between two ticks."""


def tick(params: Params, partition: Partition, batch: Batch, decisions: Decisions) -> None:
    """Run the maintenance of the tick that `partition.next_offset` has just reached."""
    before_s = partition.watermark_s
    if partition.samples:
        lags_ms = partition.lags_ms
        times = sorted([at_ms + lags_ms.get(name, 0) for at_ms, name in partition.samples])
        medians_s = [*partition.medians_s, seconds(times[len(times) // 2])][-TICKS:]
        partition.medians_s = medians_s
        partition.watermark_s = watermark(partition.watermark_s, medians_s)
    if params.judge.hot:
        partition.book.hot.tick(partition.watermark_s, partition.next_offset)
    if partition.figures is not None:
        _give_out(params, partition, batch, decisions)
    observe(params.stamps, partition.gateways, partition.samples)
    observe_lags(partition.gateways, partition.samples)
    partition.samples = []
    partition.stamps = coarse(params.stamps, partition.gateways)
    partition.lags_ms = lagging(partition.gateways)
    decisions.released += _let_go(params, partition, batch)
    _forget_floods(partition)
    if partition.book.incidents.due:
        tell_due(
            params.episode, partition.book.incidents, partition.suspects, _cause(partition, batch)
        )
    decisions.evicted += make_room(
        partition.table, newest_window=_limit_s(partition) // params.sieve.window_s
    )
    partition.pages = drop_old(partition.pages, before_s, partition.watermark_s)
    partition.table.repeats.drop_old(before_s, partition.watermark_s, _limit_s(partition))
    decisions.used_later += len(confirm(partition.used_later, partition.watermark_s))
    decisions.windows += close(partition.windows, params.sieve.window_s, partition.watermark_s)
    _forget_names(params, partition)
    partition.table.overflow.settle()


def _give_out(params: Params, partition: Partition, batch: Batch, decisions: Decisions) -> None:
    """Add the figures of platforms to the decisions, if a part of them is complete."""
    assert partition.figures is not None
    cause = Cause(batch.topic, batch.partition, partition.next_offset, partition.watermark_ms)
    names = partition.book.names

    def name_of(platform: int) -> str:
        return names[platform].key if platform in names else f"#{platform}"

    now_s, hot, epoch = partition.watermark_s, partition.book.hot, params.episode.epoch
    part = partition.figures.tick(now_s, cause, epoch, name_of)
    votes = hot.telling.due(now_s, hot.votes, hot.base) if partition.network else None
    strangers = partition.strangers
    sweep = None if strangers is None else strangers.tick(now_s, cause.offset)
    if votes is not None or sweep is not None:
        begun_ms = utc_ms(now_s // PART_S * PART_S)
        part = part or PlatformPart(cause.partition, cause.offset, epoch, begun_ms, ())
        part = replace(part, hot=votes, sweep=sweep)
    if part is not None:
        decisions.parts.append(part)


def _let_go(params: Params, partition: Partition, batch: Batch) -> int:
    """End episodes that are over, and release suspects whose recent sightings fit into their row.

    The sieve handles released recipients again. Returns the number of released suspects.
    """
    released = looked_at = 0
    now_s = partition.watermark_s
    cause = _cause(partition, batch)
    limit_s = _limit_s(partition)
    while partition.due and partition.due[0][0] <= now_s and looked_at < RELEASE_MAX:
        due_s, recipient = heappop(partition.due)
        suspect = partition.suspects.get(recipient)
        if suspect is None or suspect.due_s != due_s:
            continue  # stale entry: the suspect was released, or scheduled again
        open_before = suspect.episode
        drop_ahead(params, partition, suspect, cause, limit_s)
        if suspect.episode is not None and over(params.episode, suspect.episode, now_s):
            end(params.episode, params.judge, partition.book, suspect, cause)
        lease = suspect.platforms
        if lease is not None and seconds(lease.expires_ms) <= now_s:
            end_limit(params.episode, partition.book, suspect, cause)
        looked_at += 1 if suspect.episode is open_before else END_LOOKS
        due_s = _due(params, partition, suspect)
        if lease is not None and lease.opened is not None:
            due_s = min(due_s, seconds(lease.expires_ms))
        suspect.due_s = min(due_s, now_s + DUE_MAX_S + SUSPECT_IDLE_S)
        if suspect.due_s > now_s:
            heappush(partition.due, (suspect.due_s, recipient))
        else:
            _release(partition, suspect, now_s)
            released += 1
    quiet_s = now_s - RESEND_QUIET_S
    done = [k for k, held in partition.resends.items() if not quiet_s < held.last_s <= limit_s]
    for recipient in done:
        over_now = partition.resends.pop(recipient)
        resend.end(params.episode, partition.book, over_now, cause)
    spare = len(partition.suspects) - params.suspects_max
    if spare > 0:  # too many: release those in an episode last, because a release fails open
        held = partition.suspects.values()
        idle = sorted((s.episode is not None, s.last_s, s.recipient) for s in held)
        for in_episode, _, recipient in idle[:spare]:
            suspect = partition.suspects[recipient]
            if in_episode:
                end(params.episode, params.judge, partition.book, suspect, cause)
            end_limit(params.episode, partition.book, suspect, cause)
            _release(partition, suspect, now_s)
        released += spare
    if len(partition.due) > 2 * len(partition.suspects) + DUE_SPARE:
        partition.due = [(s.due_s, s.recipient) for s in partition.suspects.values()]
        heapify(partition.due)
    return released


def _cause(partition: Partition, batch: Batch) -> Cause:
    """Return a `Cause` that names this tick, for the records that the tick causes."""
    return Cause(batch.topic, batch.partition, partition.next_offset, partition.watermark_ms)


def _limit_s(partition: Partition) -> int:
    """Return a limit: each later time in the state is from a clock that was ahead."""
    now_s = latest(partition.watermark_s, partition.medians_s, partition.recent_s)
    return now_s + AHEAD_S if now_s else 1 << 31  # only memory records came, which have no time


def drop_ahead(
    params: Params, partition: Partition, suspect: Suspect, cause: Cause, limit_s: int
) -> None:
    """Drop or correct all state of a suspect that has a time after `limit_s`.

    Such a time is wrong, because a gateway's clock was ahead (see `_limit_s`). An episode with such
    a time is ended.
    """
    if newest_s(suspect) <= limit_s:
        return
    if suspect.episode is not None and ahead_of(suspect.episode, limit_s):
        end(params.episode, params.judge, partition.book, suspect, cause)
    put_right(suspect, limit_s, cause.at_s)
    forget_after(suspect, limit_s)
    if (relapse := partition.book.relapses.get(suspect.recipient)) is not None:
        relapse.forget_after(limit_s)


def _due(params: Params, partition: Partition, suspect: Suspect) -> int:
    """Return when a suspect can be released to the sieve, in seconds, if no more messages come.

    While an episode is open, return the time at which the episode ends. Otherwise return the latest
    of these times:

    - Fewer than `promote_distinct` sightings are left within a day. From this number on, the sieve
      makes a recipient a suspect.
    - The sightings of its tainted platforms (first seen in an episode) are older than `TAINT_S`.
    - Its newest message is too old for all rules that count messages (`LONGEST_S`).
    - The record of its last flood has ended, and its platform lease too.
    - The suspect has been idle for `SUSPECT_IDLE_S`.

    `LATE_S` is added to all but the last, because messages may come late.
    """
    if suspect.episode is not None:
        return ends_s(params.episode, suspect.episode)
    held = suspect.sightings
    fits = params.sieve.promote_distinct - 1
    day_s = DAY_S + LATE_S
    full = (held[-1 - fits] >> 33) + day_s if len(held) > fits else 0
    taint = max((suspect.seen[p] >> 33 for p in suspect.tainted), default=-TAINT_S) + TAINT_S
    taint += LATE_S
    counted = last_s(suspect) + LONGEST_S + LATE_S
    relapse = partition.book.relapses.get(suspect.recipient)
    flood = 0 if relapse is None else relapse.until_s + LATE_S
    lease = suspect.platforms
    alone = 0 if lease is None else seconds(lease.expires_ms) + LATE_S
    return max(full, taint, counted, flood, alone, suspect.last_s + SUSPECT_IDLE_S)


def _release(partition: Partition, suspect: Suspect, now_s: int) -> None:
    """Write a suspect back to its row. Tainted platforms leave only marks there."""
    active_relapse(partition.book, suspect, now_s)
    settle_tainted(suspect, now_s)
    table = partition.table
    pack(table.words[suspect.row], suspect.sightings, suspect.memory, table.overflow)
    del partition.suspects[suspect.recipient]


def _forget_floods(partition: Partition) -> None:
    """Drop the records of earlier floods that have no effect any more, if the limit is reached."""
    relapses, limit_s = partition.book.relapses, partition.watermark_s - RELAPSE_REST_S
    if len(relapses) >= RELAPSES_MAX:
        partition.book.relapses = {
            recipient: relapse
            for recipient, relapse in relapses.items()
            if relapse.until_s > limit_s
        }


def _forget_names(params: Params, partition: Partition) -> None:
    names = partition.book.names
    if len(names) > params.names_max:
        order = sorted((name.tick, key) for key, name in names.items())
        # Drop a quarter at once, so that this is not needed at every tick.
        for _, key in order[: len(names) - params.names_max * 3 // 4]:
            del names[key]
        partition.noted.clear()
