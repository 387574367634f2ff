"""Judges the codes of suspects one by one: the judge, the leases in force, and the episodes.

A code that counts may open, raise or renew an episode. Whether a lease refuses a code is decided
before that, by the leases that were in force when the code came.
"""

from collections.abc import Sequence
from heapq import heappush
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from detectors.episodes.episode import (
    active_relapse,
    end,
    ends_s,
    is_settling,
    lease_refuses,
    over,
    publish_windows,
)
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.limit import observe_known, observe_limit
from detectors.episodes.recorder import Recorder
from detectors.model.event import (
    TOKEN_BIT,
    Batch,
    Trust,
)
from detectors.model.log_time import ASTRAY_S, SOON_S, LogTimes
from detectors.model.records import Cause, Level, seconds
from detectors.partition import (
    Params,
    Partition,
)
from detectors.platforms.figures import FLOODED, SIGHTED, STRANGE
from detectors.recipients.row import unpack
from detectors.suspects.clocks import ClockClass
from detectors.suspects.hot_score import add_hot_score
from detectors.suspects.judge import CALM, Finding, is_settled, judge
from detectors.suspects.relapse import Relapse, observe_relapse
from detectors.suspects.retry_windows import take_request
from detectors.suspects.returns import judge_returns
from detectors.suspects.suspect import Episode, Seen, Suspect, newest_s, see
from detectors.suspects.volume import (
    Heard,
    has_heard,
    hear,
    is_varied,
    many,
    mass,
)
from detectors.thresholds import (
    RELAPSE_DIVISOR,
    RETURNS,
    SUSPECT_IDLE_S,
)
from detectors.upkeep import DUE_MAX_S, drop_ahead

_TRUSTS: Final = tuple(Trust)
_EXACT: Final = ClockClass.EXACT


JudgedEvent: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, bool, bool]
"""A suspect's event: position in the batch, position among the codes of the pass, the suspect's
row, offset, recipient, event time in ms, event time in s, the time under which it counts as a
repeat, the platform that the event counts as, its own platform, its trust, whether it is loud, and
whether it is a later attempt or part. It is a plain tuple for speed: a campaign creates one per
event."""


def judge_events(
    params: Params,
    partition: Partition,
    batch: Batch,
    events: Sequence[JudgedEvent],
    log: LogTimes,
) -> set[int]:
    """Judge the events of suspects, one by one; return the positions that are refused.

    A lease refuses them. A retry window can let a code pass, but not a later attempt or part of it.
    """
    refused = set()
    book, stamps = partition.book, partition.stamps
    counted = _Counted([], [], [], [])
    recorder = Recorder(params.episode, params.judge, book, batch)
    for event in events:
        i, _, _, offset, recipient, at_ms, at_s, moment_s, platform, own, trust, loud, later = event
        suspect = _bring_up(params, partition, batch, event, log)
        stamp = stamps.get(batch.gateway[i], _EXACT) if stamps else _EXACT
        relapse = active_relapse(book, suspect, at_s)
        held = lease_refuses(suspect, own, _TRUSTS[trust], at_ms)
        counts = not held or is_settling(book, recipient, at_s)
        seen = see(suspect, platform, at_s, stamp, offset, refused=held, counts_day=counts)
        if seen is Seen.LATE:
            continue
        if later and seen is Seen.REPEAT:  # its first attempt or part counted
            refused.update([i] * (held or _is_refused_alone(suspect, own, trust, at_ms)))
            continue
        strange = seen is not Seen.REPEAT and counted.sight(platform, seen)
        if seen is not Seen.REPEAT and moment_s != at_s:
            suspect.repeats.first[recipient << 32 | platform] = moment_s
        if seen is Seen.YOUNG:
            suspect.repeats.young[recipient << 32 | platform] = at_s
        episode = suspect.episode
        level = Level.CLEAR if episode is None else episode.level
        finding = CALM  # at THROTTLE the judge's finding has no effect, so it is not computed
        if seen is not Seen.REPEAT and not _is_final(params, episode):
            finding = judge(params.judge, suspect, at_s, stamp)
            finding = add_hot_score(params.judge, suspect, book.hot.platforms, at_s, finding)
        novel = held or _is_novel(suspect, seen, platform, own, at_s)
        cause = Cause(batch.topic, batch.partition, offset, at_ms)
        code = seen, platform, own, trust, novel, held, loud, relapse is not None, moment_s
        if _is_refused(params, book, suspect, cause, code):
            refused.add(i)
        if (lease := suspect.platforms) is not None and lease.offset == offset and lease.opened:
            _look_at(partition, suspect, min(suspect.due_s, seconds(lease.expires_ms)))
        # A code that passes through a retry window counts like a refused one.
        heard = _hear(params, suspect, cause, code)
        flood = novel and trust == Trust.NONE and heard is not Heard.AGAIN
        # Fewer platforms reach WATCH at most, which is no change if the level is WATCH.
        if heard is Heard.COUNTED and (not level or is_varied(suspect)):
            finding = _by_messages(params, suspect, relapse, cause, moment_s, finding)
        finding = observe_relapse(relapse if flood else None, platform, at_ms, finding)
        if episode is None and finding is CALM:
            counted.met.extend([platform] * strange)
            continue
        of, said = platform if flood else None, (i, own, trust, novel, i in refused, stamp)
        recorder.advance(suspect, cause, said, finding, of)
        counted.flood(suspect, of)
        if episode is None and suspect.episode is not None:
            over_s = ends_s(params.episode, suspect.episode)
            _look_at(partition, suspect, min(over_s, partition.watermark_s + DUE_MAX_S))
    counted.add_to(params, partition)
    return refused


_Code: TypeAlias = tuple[Seen, int, int, int, bool, bool, bool, bool, int]
"""Facts about one judged code: how it is seen, the platform that it counts as, its own platform,
its trust, whether it is novel, whether the full lease refuses it, whether it is loud, whether an
earlier flood is remembered, and the time under which it counts as a repeat."""


def _is_final(params: Params, episode: Episode | None) -> bool:
    """Return true if no finding can change an episode: THROTTLE by a rule that enforces."""
    if episode is None or episode.level is not Level.THROTTLE:
        return False
    return not params.judge.is_shadowed(episode.path[-1].rule)


def _is_young(params: Params, suspect: Suspect, platform: int, at_s: int) -> bool:
    """Return true if the platform had come on one day only before its sighting of this day."""
    if params.judge.mode("young") != "enforce":
        return False
    return suspect.repeats.is_young(suspect.recipient << 32 | platform, at_s)


def _hear(params: Params, suspect: Suspect, cause: Cause, code: _Code) -> Heard:
    """Record a code of a novel or young platform, and return how it counts."""
    _, platform, own, _, novel, held, loud, _, moment_s = code
    at_ms, counted_ms = cause.at_ms, _counted_ms(cause, moment_s)
    if novel:
        page = own != platform
        return hear(suspect, own, at_ms, counted_ms, refused=held, loud=loud, page=page)
    if _is_young(params, suspect, platform, cause.at_s) and many(suspect, cause.at_s):
        return hear(suspect, own, at_ms, counted_ms, refused=False, loud=False)
    return Heard.AGAIN


def _counted_ms(cause: Cause, moment_s: int) -> int:
    """Return the time under which a message counts: its own, or one within its whole minute."""
    return cause.at_ms + (moment_s - cause.at_s) * 1000


def _is_refused(
    params: Params, book: EpisodeLog, suspect: Suspect, cause: Cause, code: _Code
) -> bool:
    """Return true if a lease refuses a code, and no retry window lets it pass.

    Codes that the full lease (on all unknown platforms) lets pass count towards the limit on
    their own platform.
    """
    seen, platform, own, trust, novel, held, _, relapse, moment_s = code
    if held:
        return not _asked_again(params, book, suspect, own, cause.at_ms)
    forgotten = seen is not Seen.REPEAT and has_heard(suspect, own, _counted_ms(cause, moment_s))
    repeats = forgotten or seen is Seen.REPEAT
    if not repeats and suspect.episode is None and suspect.platforms is None:
        return False  # no lease, and only repeats reach a limit
    refused = _is_refused_alone(suspect, own, trust, cause.at_ms)
    passes = refused and _asked_again(params, book, suspect, own, cause.at_ms)
    lease = suspect.platforms
    live = lease is not None and cause.at_ms < lease.expires_ms
    first = live and not (refused or repeats)
    if (refused or repeats or first) and params.judge.mode("limit") != "off":
        unknown = novel if own == platform else not suspect.knows(platform, cause.at_s)
        limited = unknown or _is_young(params, suspect, platform, cause.at_s)
        first_s = suspect.repeats.first.get(suspect.recipient << 32 | platform)
        delivered = suspect.seen.get(platform, 0) >> 33, first_s
        if first or forgotten or moment_s not in delivered:  # else delivered twice
            observe_limit(params.episode, params.judge, book, suspect, cause, platform=platform,
                          limited=limited and not first, trusted=bool(trust), relapse=relapse,
                          first=first, at_s=moment_s)  # fmt: skip
    episode = suspect.episode
    throttled = episode if episode is not None and episode.level is Level.THROTTLE else None
    if throttled and not (refused or novel or trust) and params.judge.mode("known") != "off":
        observe_known(params.episode, params.judge, book, suspect, throttled, cause, platform=own,
                      at_s=moment_s)  # fmt: skip
    if refused and params.episode.again:
        publish_windows(params.episode, book, suspect, cause)
    return refused and not passes


def _by_messages(
    params: Params,
    suspect: Suspect,
    relapse: Relapse | None,
    cause: Cause,
    moment_s: int,
    other: Finding,
) -> Finding:
    """Return the strongest of `other` and the findings of `mass`, `volume` and `returns`.

    The last two need fewer messages after an earlier flood, and while a lease of the limit on all
    platforms together lasts.
    """
    lease, at_s = suspect.platforms, cause.at_s
    passed = lease is not None and lease.is_total and cause.at_ms < lease.expires_ms
    passed = passed and params.judge.mode("limit") == "enforce"
    factor = RELAPSE_DIVISOR if relapse is not None or passed else 1
    if len(suspect.heard) < RETURNS.throttle / factor:  # no other rule of messages needs fewer
        return other
    at_ms, volume, again = _counted_ms(cause, moment_s), 0, 0
    counts = (relapse is not None and suspect.episode is None) or many(suspect, at_s)
    if counts and is_settled(params.judge, suspect, at_s):
        volume, again = (factor * (params.judge.mode(r) != "off") for r in ("volume", "returns"))
    return judge_returns(suspect, at_ms, mass(suspect, at_ms, other, volume), again)


def _is_novel(suspect: Suspect, seen: Seen, platform: int, own: int, at_s: int) -> bool:
    """Return true if the recipient does not know the message's platform.

    The recipient must know neither the platform that the message counts as, nor its own platform.
    """
    if seen is not Seen.NOVEL and (seen is not Seen.REPEAT or suspect.knows(platform, at_s)):
        return False
    return own == platform or not suspect.knows(own, at_s)


class _Counted(NamedTuple):
    """Platforms of judged events, one per event: for the figures and for `detectors.hot.base`."""

    sighted: list[int]  # platforms of all sightings
    strange: list[int]  # platforms of novel sightings
    met: list[int]  # platforms of novel sightings that are no evidence of a flood
    flooded: list[int]  # platforms of novel, untrusted codes whose recipient is in an episode

    def sight(self, platform: int, seen: Seen) -> bool:
        """Count a sighting; return true if it counts as novel."""
        self.sighted.append(platform)
        if strange := seen not in (Seen.KNOWN, Seen.YOUNG):
            self.strange.append(platform)
        return strange

    def flood(self, suspect: Suspect, platform: int | None) -> None:
        """Count a code for its platform, if its recipient is in an episode.

        `platform` is None if the code is no evidence of a flood; nothing is counted then.
        """
        if platform is not None and suspect.episode is not None:
            self.flooded.append(platform)

    def add_to(self, params: Params, partition: Partition) -> None:
        """Add the counts to the partition. `detectors.chain` adds those of the other recipients.

        The other recipients are those that are no suspects.
        """
        if params.judge.hot:
            partition.book.hot.base.one += self.met
        if (figures := partition.figures) is not None:
            figures.waiting[SIGHTED] += self.sighted
            figures.waiting[STRANGE] += self.strange
            figures.waiting[FLOODED] += self.flooded


def _asked_again(
    params: Params, book: EpisodeLog, suspect: Suspect, platform: int, at_ms: int
) -> bool:
    """Return true if a message that a lease refuses passes through a retry window."""
    if not params.episode.again:
        return False
    hot = platform in book.hot_for(suspect)
    return take_request(suspect.requests, platform, at_ms, hot=hot)


def _put_right(
    params: Params, partition: Partition, suspect: Suspect, cause: Cause, now_s: int
) -> None:
    """Drop what a suspect has from a clock that was ahead of the log's time `now_s`."""
    drop_ahead(params, partition, suspect, cause, now_s + ASTRAY_S)
    episode = suspect.episode
    if episode is not None and seconds(episode.issued_ms) > now_s + SOON_S:
        # No gateway enforces a lease from the future. Reset it, so that the flood gets a new lease.
        episode.issued_ms = episode.expires_ms = 0


def cause_at(batch: Batch, i: int) -> Cause:
    """Return the event at position i of a batch as the cause of records."""
    return Cause(batch.topic, batch.partition, int(batch.offset[i]), int(batch.event_time_ms[i]))


def _adopt(partition: Partition, batch: Batch, recipient: int, row: int) -> Suspect:
    """Create a suspect from the row (memory) of a recipient that the sieve just promoted."""
    table = partition.table
    sightings, memory = unpack(table.words[row], table.overflow)
    name = external_form(batch, recipient)
    suspect = partition.suspects[recipient] = Suspect(recipient, name, row, sightings, memory)
    suspect.repeats = table.repeats
    _look_at(partition, suspect, partition.watermark_s + SUSPECT_IDLE_S)
    return suspect


def _look_at(partition: Partition, suspect: Suspect, due_s: int) -> None:
    """Schedule the next check of the suspect: at the first tick at or after `due_s`."""
    suspect.due_s = due_s
    heappush(partition.due, (due_s, suspect.recipient))


def external_form(batch: Batch, recipient: int) -> str:
    """Return the external form of a recipient of this batch: E.164 digits or the token."""
    return batch.tokens[recipient] if recipient & TOKEN_BIT else str(recipient)


def _bring_up(
    params: Params, partition: Partition, batch: Batch, event: JudgedEvent, log: LogTimes
) -> Suspect:
    """Return the suspect of an event, after updating its state to the time of the event.

    Sightings of clocks that were ahead are dropped, and an episode that is over ends.
    """
    i, place, row, _, recipient, _, at_s = event[:7]
    suspect = partition.suspects.get(recipient) or _adopt(partition, batch, recipient, row)
    if newest_s(suspect) > at_s + SOON_S:
        now_s = max(at_s, int(log.at(np.array([place]))[0]))
        _put_right(params, partition, suspect, cause_at(batch, i), now_s)
    if suspect.episode is not None and over(params.episode, suspect.episode, at_s):
        end(params.episode, params.judge, partition.book, suspect, cause_at(batch, i))
    return suspect


def _is_refused_alone(suspect: Suspect, platform: int, trust: int, at_ms: int) -> bool:
    """Return true if a platform lease refuses a code of this platform."""
    lease = suspect.platforms
    return lease is not None and not trust and lease.refuses(platform, at_ms)
