"""Platform leases: actions that refuse single platforms of a recipient and no others.

A recipient has one platform lease at a time. This lease refuses the platforms that passed their
limit (`episodes.limit`) and those of a slow flood (`episodes.narrow`). Each change is a new lease.

A platform lease without a flood gets an episode of kind `limit`, so that people see the lease. Its
records say what is refused and why; it ends when no platform is refused any more.
"""

from typing import Final

from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.model.records import (
    ALWAYS_PASS,
    Action,
    AgainWindow,
    Cause,
    Change,
    EpisodeRecord,
    Evidence,
    Level,
    Reason,
    Rung,
    Scope,
    Step,
    utc_ms,
)
from detectors.model.times import DAY_S
from detectors.suspects.limit import PLATFORMS_MAX, PlatformLease
from detectors.suspects.retry_windows import windows
from detectors.suspects.suspect import SIGHTINGS_MAX, Suspect

SCOPE: Final = Scope("otp", ALWAYS_PASS, (), ())
"""The scope of each platform lease. Trusted platforms pass, also if they are named."""


def renew_platforms(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    lease: PlatformLease,
    cause: Cause,
    reason: Reason,
) -> Action:
    """Publish a platform lease at this event, with all platforms that are refused alone now.

    The lease has the mode enforce if a rule refuses any of its platforms in that mode. The lease
    carries the retry windows if no full lease is in force. It replaces an earlier platform lease of
    the same event.
    """
    episode, at_ms = suspect.episode, cause.at_ms
    if lease.offset == cause.offset:
        book.actions = [a for a in book.actions if a.revision != cause.offset or not a.refused_ids]
    for mode, all_ms in lease.ends_ms.items():
        lease.ends_ms[mode] = {p: end_ms for p, end_ms in all_ms.items() if end_ms > at_ms}
    if any(lease.ends_ms.values()):
        lease.mode = "enforce" if lease.ends_ms["enforce"] else "shadow"
    ends_ms = lease.ends_ms[lease.mode]
    lease.refused = tuple(sorted(sorted(ends_ms, key=lambda p: (-ends_ms[p], p))[:PLATFORMS_MAX]))
    lease.again_ms = {
        p: rows
        for p, rows in lease.again_ms.items()
        if p in lease.refused or lease.follows_refused(p, at_ms)
    }
    lease.issued_ms, lease.offset = at_ms, cause.offset
    lease.expires_ms = max(ends_ms.values(), default=at_ms)
    again: tuple[AgainWindow, ...] = ()
    if params.again and not (episode and episode.has_lease(at_ms, full=True)):
        again = windows(suspect.requests, book.hot_for(suspect), at_ms)
    change: Change = "renewed"
    if episode is None and lease.refused and lease.opened is None:
        change, lease.id = "opened", f"{cause.id(params.epoch)}:limit"
        score, threshold = reason.score, reason.threshold
        lease.opened = Step(Level.WATCH, at_ms, cause.offset, reason.rule, score, threshold)
    action = platform_action(params, suspect, lease, cause, reason, again)
    book.actions.append(action)
    if episode is None and lease.opened is not None:
        book.records.append(limit_record(book, suspect, lease, lease.opened, action, change))
    return action


def limit_record(
    book: EpisodeLog,
    suspect: Suspect,
    lease: PlatformLease,
    opened: Step,
    action: Action,
    change: Change,
) -> EpisodeRecord:
    """Return a record of an episode of kind `limit`, with the platforms of its newest lease."""
    cause, reason = action.cause, action.reason
    seen = sorted((suspect.seen[p], p) for p in lease.refused if p in suspect.seen)
    return EpisodeRecord(
        episode_id=action.episode_id,
        kind="limit",
        change=change,
        epoch=action.epoch,
        revision=action.revision,
        recipient=action.recipient,
        level=Level.WATCH,
        mode=action.mode,
        at_ms=action.issued_at_ms,
        reason=reason,
        evidence=action.evidence,
        path=(opened,),
        sightings=tuple(
            book.sighting(p, word >> 33, novel=bool(word >> 32 & 1))
            for word, p in seen[-SIGHTINGS_MAX:]
        ),
        rungs=(Rung(reason.rule, reason.score, reason.threshold, reason.threshold),),
        scope=SCOPE,
        known=suspect.memory_size(cause.at_s),
        memory_days=max(0, cause.at_s // DAY_S - suspect.memory.born_day),
        chronic=False,
        cause=cause,
        version=action.version,
        config=action.config,
    )


def platform_action(
    params: EpisodeParams,
    suspect: Suspect,
    lease: PlatformLease,
    cause: Cause,
    reason: Reason,
    again: tuple[AgainWindow, ...] = (),
) -> Action:
    """Return an action for the suspect's newest platform lease, with these retry windows.

    This function publishes nothing. The action id depends on the lease only. So a gateway that
    already has the lease replaces its retry windows when the action comes again.
    """
    episode = suspect.episode
    topic, partition, _, at_ms = cause
    held = [suspect.seen[p] >> 33 for p in lease.refused if p in suspect.seen]
    first_ms = utc_ms(min(held, default=cause.at_s))
    messages = sum(lease.again_ms[p][2] for p in lease.refused if p in lease.again_ms)
    if episode is None:
        keys = [suspect.recipient << 32 | p for p in lease.refused]
        messages += sum(len(suspect.repeats.codes.get(key, ())) for key in keys)
    return Action(
        # One event may cause a full lease too, so the id differs from that of a full lease.
        action_id=f"{Cause(topic, partition, lease.offset, at_ms).id(params.epoch)}/platforms",
        episode_id=lease.id if episode is None else episode.id,
        epoch=params.epoch,
        revision=cause.offset,
        recipient=suspect.name,
        verb="throttle_platforms",
        mode=lease.mode,
        scope=SCOPE,
        issued_at_ms=lease.issued_ms,
        expires_at_ms=lease.expires_ms,
        opened_ms=first_ms if episode is None else episode.path[0].at_ms,
        level=Level.WATCH if episode is None else episode.level,
        reason=reason,
        evidence=Evidence(messages, len(lease.refused), len(lease.refused), first_ms, at_ms),
        cause=cause,
        version=params.version,
        config=params.config,
        again=again,
        refused_ids=lease.refused,
    )
