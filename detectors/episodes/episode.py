"""Turns findings into published actions and records: levels, leases, revisions, explanations.

An episode is one attack on one recipient. The table `NEXT` moves its level, with hysteresis. A
lease expires by itself. Only evidence that the flood goes on renews it: several platforms, or the
volume of their messages. Every id is the log position of the event that caused it, so a replay
creates the same ids.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from detectors.episodes import incident_log as incident
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import CHRONIC_SPAN_DAYS, EpisodeParams, lasts_ms, pace_ms, quiet_s
from detectors.episodes.platform_lease import limit_record, platform_action, renew_platforms
from detectors.episodes.voting import vote
from detectors.model.event import Trust, platform_print
from detectors.model.records import (
    ALWAYS_PASS,
    NOWHERE,
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
    Sighting,
    Step,
    Verb,
    refuses,
    seconds,
    utc_ms,
)
from detectors.model.times import DAY_S
from detectors.recipients.row import word
from detectors.suspects import relapse, returns
from detectors.suspects.hot_score import lead
from detectors.suspects.judge import (
    CALM,
    Band,
    Finding,
    JudgeParams,
    is_confirmed,
    is_settled,
    strongest,
)
from detectors.suspects.limit import PLATFORMS_MAX, WINDOWS as LIMITS, Limit, PlatformLease
from detectors.suspects.relapse import Relapse
from detectors.suspects.retry_windows import news, windows
from detectors.suspects.suspect import Episode, Suspect, forget_tainted, taint_since
from detectors.suspects.volume import (
    RULES,
    VOLUMES,
    WINDOWS,
    close_messages,
    has_few_platforms,
    heard_since,
    newest,
)
from detectors.thresholds import (
    AGAIN_TOLD_MS,
    BURST_NOVEL,
    CHRONIC_MAX,
    HOT_BURST,
    HOT_CHRONIC_DAYS,
    HOT_LEAD,
    RELAPSE_REST_S,
    RELAPSE_S,
    RELAPSES_MAX,
    RENEW_NOVEL,
    RENEW_NOVEL_LONG,
    RETURNS,
)

NEXT: Final[Mapping[tuple[Level, Band], Level]] = MappingProxyType(
    {
        (Level.CLEAR, Band.QUIET): Level.CLEAR,
        (Level.CLEAR, Band.HOLD): Level.CLEAR,
        (Level.CLEAR, Band.WATCH): Level.WATCH,
        (Level.CLEAR, Band.THROTTLE): Level.THROTTLE,
        (Level.WATCH, Band.QUIET): Level.CLEAR,
        (Level.WATCH, Band.HOLD): Level.WATCH,
        (Level.WATCH, Band.WATCH): Level.WATCH,
        (Level.WATCH, Band.THROTTLE): Level.THROTTLE,
        (Level.THROTTLE, Band.QUIET): Level.CLEAR,
        (Level.THROTTLE, Band.HOLD): Level.THROTTLE,
        (Level.THROTTLE, Band.WATCH): Level.THROTTLE,
        (Level.THROTTLE, Band.THROTTLE): Level.THROTTLE,
    }
)
"""(level, band) -> next level. HOLD and WATCH never lower a level: this is the hysteresis."""


RENEWING: Final = RULES | {name for name, _, _ in VOLUMES} | {returns.RULE, relapse.RULE}
"""Rules whose THROTTLE finding alone shows that a flood goes on, so it renews the lease."""


def advance(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    *,
    finding: Finding,
    flood: int | None,
) -> None:
    """Update one suspect's episode after one message; publish to `book` what changed.

    `finding`: the judge's result; `CALM` if the message is no new evidence. `flood`: the platform
    if the message is novel and untrusted, so that a throttle refuses it; else None. None also for
    a repeated delivery or a sender's retry.
    """
    episode = suspect.episode
    level = episode.level if episode else Level.CLEAR
    target = level if finding is CALM else NEXT[level, finding.band]
    change: Change | None = None
    if target > level or _is_surer(rules, episode, finding):
        since_s = _began(params, suspect, finding.since_s)
        change = "raised"
        if episode is None:
            change = "opened"
            episode = suspect.episode = Episode(cause.id(params.epoch), since_s, cause.at_s)
            novel = sum(w >> 32 & 1 for w in suspect.sightings if w >> 33 >= since_s)
            before = max(novel, heard_since(suspect, since_s))
            episode.messages = before - (flood is not None)  # this one is counted below
            if rules.hot:
                _take_back(book, suspect, since_s, cause.at_s)
        episode.since_s = min(episode.since_s, since_s)
        _raise(params, rules, book, suspect, episode, cause, finding, level=target)
    if episode is None:
        return
    if flood is not None:
        episode.messages += 1
        episode.last_flood_s = max(episode.last_flood_s, cause.at_s)
        _freshen(episode, flood, cause.at_ms)
    narrow = _issues_narrow(params, rules, suspect, cause, finding, flood=flood is not None)
    if narrow is not None:
        since_ms = episode.issued_ms
        action = _issue(params, book, suspect, episode, cause, narrow=narrow)
        if change is None and since_ms:
            book.records.append(_renewal(book, suspect, episode, action, since_ms))
            _vote(rules, book, suspect, episode, cause)
            return
        change = change or "renewed"
    else:
        _amend(params, book, suspect, episode, cause, flood)
    if change is not None:
        _tell(params, rules, book, suspect, episode, cause, change=change)


def _issues_narrow(
    params: EpisodeParams,
    rules: JudgeParams,
    suspect: Suspect,
    cause: Cause,
    finding: Finding,
    *,
    flood: bool,
) -> bool | None:
    """Return whether the lease that this message issues is narrow; None if it issues no lease.

    A full lease refuses all platforms that the recipient does not know; a narrow lease refuses only
    the platforms that it names. If a narrow lease is enough now, the full lease is not renewed, and
    a narrow one follows when it ends. If a narrow lease is no longer enough, a full lease replaces
    it at once.
    """
    episode = suspect.episode
    if episode is None or episode.level is not Level.THROTTLE:
        return None
    replaces = flood and episode.has_lease(cause.at_ms, full=False)
    renews = not episode.issued_ms or (flood and _renews(params, suspect, episode, cause, finding))
    if not (renews or replaces):  # most messages of a flood: the platforms need not be counted
        return None
    narrow = rules.mode("narrow") == "enforce" and has_few_platforms(suspect, cause.at_ms)
    waits = narrow and (not renews or episode.has_lease(cause.at_ms, full=True))
    return None if waits else narrow


def _issue(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    *,
    narrow: bool,
) -> Action:
    """Issue a lease that starts now, and return its action."""
    episode.issued_ms = cause.at_ms
    lasts = lasts_ms(suspect, episode, params.lease_ms, params.lease_most_ms)
    episode.expires_ms = cause.at_ms + lasts
    episode.fresh_ms.clear()
    if episode.incident is not None:
        episode.incident.lease = cause.offset
    if narrow:
        platforms = _flood_platforms(book, suspect, episode)
        return _name(params, book, suspect, episode, cause, platforms)
    suspect.requests.lease_offset = cause.offset
    episode.scope = _scope(suspect, episode, cause.at_s)
    again: tuple[AgainWindow, ...] = ()
    if params.again:
        again = windows(suspect.requests, book.hot_for(suspect), cause.at_ms)
    book.actions.append(_action(params, suspect, episode, cause, "throttle", again))
    return book.actions[-1]


def _amend(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    flood: int | None,
) -> None:
    """Publish what changed in the lease in force: a platform of the flood, or retry windows."""
    narrow = episode.has_lease(cause.at_ms, full=False)
    if narrow and flood is not None and flood not in episode.named:
        _name(params, book, suspect, episode, cause, {flood})
    elif params.again and (narrow or episode.has_lease(cause.at_ms, full=True)):
        publish_windows(params, book, suspect, cause)


def _flood_platforms(book: EpisodeLog, suspect: Suspect, episode: Episode) -> set[int]:
    """Return the platforms that a narrow lease names: the flood's, and hot ones (abused in others).

    Platforms of the earlier flood (`relapse`) are among them, and those that the recipient knows
    are not.
    """
    part = suspect.sightings[bisect_left(suspect.sightings, word(episode.since_s, 0, 0)) :]
    flood = {w & 0xFFFF_FFFF for w in part if w >> 32 & 1} | suspect.barred | episode.named
    room = max(PLATFORMS_MAX - len(flood), 0)
    at_s = suspect.last_s
    hot = [p for p in sorted(book.hot.platforms - flood) if not suspect.knows(p, at_s)]
    return flood.difference(book.names.trusted).union(hot[:room])


def _name(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    platforms: set[int],
) -> Action:
    """Publish a narrow lease that refuses these platforms too, and return its action.

    A narrow lease refuses only the platforms that it names; a full lease refuses all platforms that
    the recipient does not know. The platforms that the episode's narrow leases named before are
    named again. All of them are refused until `episode.expires_ms`.
    """
    episode.scope = None
    episode.named |= platforms
    lease = suspect.platforms = suspect.platforms or PlatformLease(episode.id)
    for platform in episode.named:
        lease.put(platform, episode.expires_ms, episode.mode)
    reason = _reason(episode, _evidence(suspect, episode))
    return renew_platforms(params, book, suspect, lease, cause, reason)


def publish_windows(
    params: EpisodeParams, book: EpisodeLog, suspect: Suspect, cause: Cause
) -> None:
    """Publish the current retry windows, if these have changed.

    The full lease carries them if there is one now, else the platform lease.
    """
    requests = suspect.requests
    if not news(requests, cause.at_ms):
        return
    told_ms, hot = requests.told_ms, book.hot_for(suspect)
    spent = bool(requests.passed) and requests.passed[-1][0] == cause.at_ms > told_ms
    again = windows(requests, hot, cause.at_ms)
    if not spent and max(requests.first_ms.values(), default=0) <= told_ms:
        return  # new windows cannot be used, because the budget is spent
    requests.paced_ms = max(requests.paced_ms, cause.at_ms) + AGAIN_TOLD_MS
    book.actions.append(_with_windows(params, suspect, cause, again))


def _with_windows(
    params: EpisodeParams, suspect: Suspect, cause: Cause, again: tuple[AgainWindow, ...]
) -> Action:
    """Return the lease in force again, with these retry windows."""
    episode, lease = suspect.episode, suspect.platforms
    verb: Verb = "retry_windows" if params.window_records else "throttle"
    if episode is not None and episode.has_lease(cause.at_ms, full=True):
        return _action(params, suspect, episode, cause, verb, again, told_again=True)
    assert lease is not None, "windows are those of a lease"
    reason = limit_reason(lease.limit)
    if episode is not None and episode.has_lease(cause.at_ms, full=False):
        reason = _reason(episode, _evidence(suspect, episode))
    action = platform_action(params, suspect, lease, cause, reason, again)
    return replace(action, verb="retry_windows") if params.window_records else action


def _take_back(book: EpisodeLog, suspect: Suspect, since_s: int, at_s: int) -> None:
    """Remove a flood's first sightings from the counts of what people meet outside of floods.

    The base counts say which platforms people meet, so a flood must not count there. The sightings
    at `at_s` were not counted yet.
    """
    for sighting in reversed(suspect.sightings):
        if sighting >> 33 < since_s:
            break
        if sighting >> 32 & 1 and sighting >> 33 != at_s:
            book.hot.base.back.append(sighting & 0xFFFF_FFFF)


def _freshen(episode: Episode, platform: int, at_ms: int) -> None:
    """Record a platform of the flood since the lease began. Only the newest few are retained."""
    fresh_ms = episode.fresh_ms
    fresh_ms[platform] = max(at_ms, fresh_ms.get(platform, at_ms))
    if len(fresh_ms) > RENEW_NOVEL:
        del fresh_ms[min(zip(fresh_ms.values(), fresh_ms, strict=True))[1]]


def _renews(
    params: EpisodeParams, suspect: Suspect, episode: Episode, cause: Cause, finding: Finding
) -> bool:
    """Return true if this message of the flood renews the lease.

    Half of `lease_ms` must be over, and there must be evidence that the flood goes on. A slow flood
    may bring too few platforms within half a lease, so a single platform is then enough.
    """
    if cause.at_ms < episode.issued_ms + params.lease_ms // 2:
        return False
    if finding.band is Band.THROTTLE and finding.rule in RENEWING:
        return True
    since_ms = cause.at_ms - params.quiet_s * 1000
    slow = pace_ms(suspect, episode) > params.lease_ms // 2
    wanted = RENEW_NOVEL_LONG if slow else RENEW_NOVEL
    return sum(at_ms > since_ms for at_ms in episode.fresh_ms.values()) >= wanted


def _began(params: EpisodeParams, suspect: Suspect, since_s: int) -> int:
    """Return the beginning of the flood whose evidence begins at `since_s`.

    The first sightings of a flood come before the bucket detects anything. So the search goes back
    over novel sightings until a gap of `quiet_s`, which would have ended the flood.
    """
    for sighting in reversed(suspect.sightings):
        if sighting >> 32 & 1 and sighting >> 33 < since_s:
            if since_s - (sighting >> 33) >= params.quiet_s:
                break
            since_s = sighting >> 33
    return since_s


def over(params: EpisodeParams, episode: Episode, now_s: int) -> bool:
    """Return true if the flood was quiet for long enough, or the episode is as long as allowed."""
    if now_s < min(episode.last_flood_s + params.quiet_s, episode.opened_s + params.episode_most_s):
        return False  # fast path with the minimum duration: called for each message of a campaign
    return now_s >= ends_s(params, episode)


def ends_s(params: EpisodeParams, episode: Episode) -> int:
    """Return the time at which the episode ends if no further message of the flood comes."""
    over_s = episode.last_flood_s + quiet_s(episode, params.quiet_s)
    return min(over_s, episode.opened_s + params.episode_most_s)


def ahead_of(episode: Episode, limit_s: int) -> bool:
    """Return true if a time of the episode is after `limit_s`, because a clock was ahead."""
    return max(episode.opened_s, episode.last_flood_s) > limit_s


def end(
    params: EpisodeParams, rules: JudgeParams, book: EpisodeLog, suspect: Suspect, cause: Cause
) -> None:
    """End the suspect's episode and publish its last records. Its lease expires by itself.

    Platforms first seen in the episode become tainted. If the episode reached a confirmed THROTTLE,
    these platforms are forgotten and count as new, so tomorrow's flood is found as fast as today's.
    Otherwise their sightings stay as evidence of a slower flood, and the platforms become known if
    they come on further days.
    """
    episode = suspect.episode
    assert episode is not None, "only an open episode ends"
    active_relapse(book, suspect, cause.at_s)
    episode.level = NEXT[episode.level, Band.QUIET]
    last = episode.path[-1]
    episode.path.append(
        Step(episode.level, cause.at_ms, cause.offset, "quiet", last.score, last.threshold)
    )
    _tell(params, rules, book, suspect, episode, cause, change="ended")
    incident.tell(params, book.incidents, suspect, episode, cause)
    taint_since(suspect, episode.since_s)
    rules_of = [step.rule for step in episode.path if step.level is Level.THROTTLE]
    by_mass = any(rule in RULES for rule in rules_of)
    if rules_of and episode.mode == "enforce" and rules.mode("relapse") != "off":
        _remember_flood(params, rules, book, suspect, episode)
    if by_mass or (rules_of and is_confirmed(rules, suspect, episode.since_s)):
        forget_tainted(suspect, ends_s(params, episode))
    close_messages(suspect)
    suspect.episode = None


def end_limit(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    *,
    change: Change = "ended",
) -> None:
    """End the suspect's episode of kind `limit`, if there is an open one."""
    lease = suspect.platforms
    if lease is None or lease.opened is None:
        return
    score, threshold = lease.opened.score, lease.opened.threshold
    reason = Reason("quiet", score, threshold, REASONS["quiet"])
    action = platform_action(params, suspect, lease, cause, reason)
    record = limit_record(book, suspect, lease, lease.opened, action, change)
    last = Step(Level.CLEAR, cause.at_ms, cause.offset, "quiet", score, threshold)
    book.records.append(
        replace(
            record, episode_id=lease.id, level=Level.CLEAR, at_ms=cause.at_ms,
            path=(*record.path, last),
        )
    )  # fmt: skip
    lease.opened = None


def is_settling(book: EpisodeLog, recipient: int, at_s: int) -> bool:
    """Return true if codes that a lease refuses count as days on which their platforms came.

    This holds while an earlier flood is remembered, and until `RELAPSE_REST_S` after its record
    ends. Otherwise the platforms of a number that many people share would never become known,
    because most of their codes are refused.
    """
    held = book.relapses.get(recipient)
    return held is not None and at_s < held.until_s + RELAPSE_REST_S


def _remember_flood(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
) -> None:
    """Create a record of an enforced flood's platforms for the relapse rule.

    Skipped while an earlier record is active, and for `RELAPSE_REST_S` after it. Also skipped if
    the recipient's memory is too new or `RELAPSES_MAX` is reached.
    """
    recipient = suspect.recipient
    end_s = ends_s(params, episode)
    held = book.relapses.pop(recipient, None)
    if held is not None and end_s < held.until_s + RELAPSE_REST_S:
        book.relapses[recipient] = held
        return
    if len(book.relapses) >= RELAPSES_MAX or not is_settled(rules, suspect, end_s):
        return
    part = suspect.sightings[bisect_left(suspect.sightings, word(episode.since_s, 0, 0)) :]
    platforms = [w & 0xFFFF_FFFF for w in part if w >> 32 & 1]
    book.relapses[recipient] = Relapse(end_s + RELAPSE_S, frozenset(platforms))


def active_relapse(book: EpisodeLog, suspect: Suspect, at_s: int) -> Relapse | None:
    """Return the active record of the recipient's earlier flood, or None.

    Also updates `suspect.barred`: the flood's platforms do not become known while the record is
    active.
    """
    held = book.relapses.get(suspect.recipient)
    if held is not None and at_s >= held.until_s:
        held = None
    suspect.barred = frozenset() if held is None else held.platforms
    return held


def recycle(
    params: EpisodeParams, rules: JudgeParams, book: EpisodeLog, suspect: Suspect, cause: Cause
) -> None:
    """End the episode and release its lease at once, because the number has a new owner."""
    book.relapses.pop(suspect.recipient, None)
    lease, episode = suspect.platforms, suspect.episode
    end_limit(params, book, suspect, cause, change="recycled")
    if lease is not None and lease.expires_ms > cause.at_ms:
        lease.clear()
        renew_platforms(params, book, suspect, lease, cause, limit_reason(lease.limit))
    if episode is None:
        return
    if episode.scope is not None and episode.expires_ms > cause.at_ms:
        book.actions.append(_action(params, suspect, episode, cause, "release"))
    episode.level = Level.CLEAR
    book.records.append(_record(params, rules, book, suspect, episode, cause, change="recycled"))
    incident.tell(params, book.incidents, suspect, episode, cause)
    suspect.episode = None


def _is_surer(rules: JudgeParams, episode: Episode | None, finding: Finding) -> bool:
    """Return true if a rule that enforces confirms a THROTTLE by a rule in shadow."""
    if episode is None or finding.band is not Band.THROTTLE:
        return False
    return rules.is_shadowed(episode.path[-1].rule) and not rules.is_shadowed(finding.rule)


def _raise(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    finding: Finding,
    *,
    level: Level,
) -> None:
    episode.level = level
    episode.path.append(
        Step(level, cause.at_ms, cause.offset, finding.rule, finding.score, finding.threshold)
    )
    if level is Level.THROTTLE:
        warm = params.is_warm(suspect, cause.at_s) and not rules.is_shadowed(finding.rule)
        episode.mode = params.mode if warm else "shadow"
        episode.issued_ms = episode.expires_ms = 0  # a lease in shadow may have been issued
        episode.chronic = _chronic(params, book, suspect.recipient, cause.at_s // DAY_S)


def _chronic(params: EpisodeParams, book: EpisodeLog, recipient: int, day: int) -> bool:
    """Record a day under THROTTLE. Return true if there were too many in `CHRONIC_SPAN_DAYS`."""
    last, days = book.chronic.pop(recipient, (day, 0))
    if day >= last:
        days = (days << min(day - last, CHRONIC_SPAN_DAYS) | 1) & ((1 << CHRONIC_SPAN_DAYS) - 1)
        last = day
    elif last - day < CHRONIC_SPAN_DAYS:
        days |= 1 << (last - day)
    else:  # messages this late are never judged: so `last` came from a clock that was ahead
        last, days = day, 1
    if len(book.chronic) >= CHRONIC_MAX:
        del book.chronic[next(iter(book.chronic))]  # drop the recipient with the oldest THROTTLE
    book.chronic[recipient] = (last, days)
    return days.bit_count() >= params.chronic_days


def _scope(suspect: Suspect, episode: Episode, at_s: int) -> Scope:
    """Return the scope of a lease that starts now: all platforms known by its end pass.

    A platform passes by its id if the id is known, because an attacker can forge a name that has a
    given print (16-bit hash). A platform passes by it if only the print is known. The print of a
    known id is left out, unless the id came during the episode, or in the days of an earlier flood:
    another platform of this print may be the one that the recipient knows, and it must pass.

    A platform becomes known a day after its first code. This day may end while the lease runs. So
    the scope uses the end of the lease, not the present time.
    """
    known = suspect.list_known(max(at_s, seconds(episode.expires_ms)))
    since_s = min(episode.since_s, at_s - RELAPSE_S) if suspect.barred else episode.since_s
    before = {platform_print(p) for p in known if suspect.seen[p] >> 33 < since_s}
    # The memory may lack the print of such an id, as a row has an id in place of its print.
    prints = {*suspect.memory.prints, *map(platform_print, known)} - before - {0}
    return Scope("otp", ALWAYS_PASS, tuple(known), tuple(sorted(prints)))


def lease_refuses(suspect: Suspect, platform: int, trust: Trust, at_ms: int) -> bool:
    """Return true if the suspect's lease, as it was issued, refuses a code at this time.

    Gateways apply the same rule (`detectors.leases.gateway_rule`). The worker does not know whether
    a gateway follows the lease. So mode, overrides, limits on leases and retry windows are ignored
    here.

    A refused code may renew the lease, which then begins after this code. If such a code is
    delivered twice, it was refused before, so it is refused again.
    """
    episode, lease = suspect.episode, suspect.platforms
    if episode is None or trust:
        return False
    if suspect.refused_ms.get(platform) == at_ms:
        return True
    if episode.scope is None:
        named = platform in episode.named
        return named and lease is not None and lease.refuses(platform, at_ms)
    return episode.has_lease(at_ms, full=True) and refuses(episode.scope, platform, trust)


def _evidence(suspect: Suspect, episode: Episode) -> Evidence:
    sightings, novel_s = suspect.sightings, suspect.novel_s
    first = bisect_left(sightings, word(episode.since_s, 0, 0))
    number = len(sightings) - first
    first_s = sightings[first] >> 33 if number else episode.since_s
    last_s = max(episode.last_flood_s, sightings[-1] >> 33 if number else 0)
    novel = len(novel_s) - bisect_left(novel_s, episode.since_s)
    return Evidence(episode.messages, number, novel, utc_ms(first_s), utc_ms(last_s))


REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "burst": "verification codes of {novel} platforms that this recipient did not know came"
        " faster than people log in",
        "raw_35min": "verification codes of {score:.0f} platforms that this recipient did not know"
        " came within 35 minutes",
        "raw_24h": "verification codes of {score:.0f} platforms that this recipient did not know"
        " came within 24 hours",
        "spaced_5min_3h": "verification codes of platforms that this recipient did not know came"
        " at {score:.0f} moments, 5 minutes apart or more, within 3 hours",
        "spaced_10min_24h": "verification codes of platforms that this recipient did not know came"
        " at {score:.0f} moments, 10 minutes apart or more, within 24 hours",
        "spaced_2min_3h": "verification codes of platforms that this recipient did not know came"
        " at {score:.0f} moments, 2 minutes apart or more, within 3 hours",
        "spaced_50s_3h": "verification codes of platforms that this recipient did not know came"
        " at {score:.0f} moments, 50 seconds apart or more, within 3 hours",
        "mass_10min": "{score:.0f} verification codes, repeats and all, of platforms that this"
        " recipient did not know came within 10 minutes",
        "mass_35min": "{score:.0f} verification codes, repeats and all, of platforms that this"
        " recipient did not know came within 35 minutes",
        "mass_1h": "{score:.0f} verification codes, repeats and all, of platforms that this"
        " recipient did not know came within an hour",
        "volume_6h": "{score:.0f} verification codes, repeats and all, of platforms that this"
        " recipient did not know came within 6 hours",
        "volume_24h": "{score:.0f} verification codes, repeats and all, of platforms that this"
        " recipient did not know came within 24 hours",
        "returns": "{score:.0f} platforms that this recipient did not know sent a code again"
        " within 3 hours, each 10 minutes or more after its last one",
        "relapse": "this recipient's flood of the last 3 days began again: {score:.0f} of its"
        " platforms sent codes within 10 minutes",
        "limit_35min": "one platform that this recipient did not know sent {score:.0f} verification"
        " codes after its first one within 35 minutes",
        "limit_24h": "one platform that this recipient did not know sent {score:.0f} verification"
        " codes after its first one within 24 hours",
        "limit_total_1h": "all platforms together sent this recipient {score:.0f} verification"
        " codes within an hour, after each platform's first one of the day",
        "limit_total_24h": "all platforms together sent this recipient {score:.0f} verification"
        " codes within 24 hours, after each platform's first one of the day",
        "known_10min": "during the flood a platform that this recipient knows sent {score:.0f}"
        " verification codes within 10 minutes",
        "known_1h": "during the flood a platform that this recipient knows sent {score:.0f}"
        " verification codes within an hour",
        "known_24h": "during the flood a platform that this recipient knows sent {score:.0f}"
        " verification codes within 24 hours",
        "hot": "of the platforms new to this recipient within a day, those that were abused in"
        " other floods this week outnumber the others by {score:.0f}",
        "hot_burst": "of the platforms new to this recipient within a day, those that were abused"
        " in other floods this week outnumber the others by {score:.0f}, and they came in a rush",
        "quiet": "no further message of the flood came, or the episode reached its longest",
    }
)
"""Rule -> sentence with the reason that a record gives; placeholders are `novel` and `score`."""


def limit_reason(limit: Limit) -> Reason:
    """Return the reason of a platform lease past a limit, with its sentence."""
    return Reason(*limit, REASONS[limit.rule].format(score=limit.score))


def _reason(episode: Episode, evidence: Evidence) -> Reason:
    """Return the reason of the last step. Its text has no phone number and no message content."""
    step = episode.path[-1]
    text = REASONS[step.rule].format(novel=evidence.novel, score=step.score)
    return Reason(step.rule, step.score, step.threshold, text)


def _tell(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    *,
    change: Change,
) -> None:
    """Publish a change of the suspect's episode. The suspect may then vote for hot platforms."""
    book.records.append(_record(params, rules, book, suspect, episode, cause, change=change))
    _vote(rules, book, suspect, episode, cause)


def _vote(
    rules: JudgeParams, book: EpisodeLog, suspect: Suspect, episode: Episode, cause: Cause
) -> None:
    _, days = book.chronic.get(suspect.recipient, (0, 0))
    if rules.hot and days.bit_count() < HOT_CHRONIC_DAYS:
        vote(rules, book.hot, book.names, suspect, episode, cause)


def _action(
    params: EpisodeParams,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    verb: Verb,
    again: tuple[AgainWindow, ...] = (),
    *,
    told_again: bool = False,
) -> Action:
    """Return an action for gateways, caused by this event.

    `told_again`: the current lease is published again, so the action keeps its id and its times.
    """
    evidence = _evidence(suspect, episode)
    topic, partition, offset, at_ms = cause
    origin = Cause(topic, partition, suspect.requests.lease_offset if told_again else offset, at_ms)
    return Action(
        action_id=origin.id(params.epoch),
        episode_id=episode.id,
        epoch=params.epoch,
        revision=cause.offset,
        recipient=suspect.name,
        verb=verb,
        mode=episode.mode,
        scope=episode.scope or _scope(suspect, episode, cause.at_s),
        issued_at_ms=episode.issued_ms if told_again else cause.at_ms,
        expires_at_ms=cause.at_ms if verb == "release" else episode.expires_ms,
        opened_ms=episode.path[0].at_ms,
        level=Level.CLEAR if verb == "release" else episode.level,
        reason=_reason(episode, evidence),
        evidence=evidence,
        cause=cause,
        version=params.version,
        config=params.config,
        again=again,
    )


def _record(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    *,
    change: Change,
) -> EpisodeRecord:
    evidence = _evidence(suspect, episode)
    found, bars = strongest(rules, suspect, cause.at_s)
    returned = len(returns.returned_platforms(suspect, cause.at_ms))
    scope = episode.scope or _scope(suspect, episode, cause.at_s)
    return EpisodeRecord(
        episode_id=episode.id,
        kind="flood",
        change=change,
        epoch=params.epoch,
        revision=cause.offset,
        recipient=suspect.name,
        level=episode.level,
        mode=episode.mode,
        at_ms=cause.at_ms,
        reason=_reason(episode, evidence),
        evidence=evidence,
        path=tuple(episode.path),
        sightings=_sightings(book, suspect, episode.since_s),
        rungs=(
            Rung("burst", found.level, *bars.level),
            Rung("burst_novel", found.burst_novel, *BURST_NOVEL),
            Rung("raw_35min", found.raw_35min, *bars.raw_35min),
            Rung("raw_24h", found.raw_24h, *bars.raw_24h),
            Rung("spaced_5min_3h", found.spaced_5min_3h, *bars.spaced_5min_3h),
            Rung("spaced_10min_24h", found.spaced_10min_24h, *bars.spaced_10min_24h),
            Rung("spaced_2min_3h", found.spaced_2min_3h, *bars.spaced_2min_3h),
            Rung("spaced_50s_3h", found.spaced_50s_3h, *bars.spaced_50s_3h),
            *_leads(rules, book, suspect, burst=found.level >= bars.level.watch),
            *_masses(suspect),
            Rung(returns.RULE, returned, RETURNS.throttle, RETURNS.throttle),
            *_limits(suspect),
        ),
        scope=scope,
        known=len({*scope.pass_prints, *map(platform_print, scope.pass_ids)}),
        memory_days=max(0, cause.at_s // DAY_S - suspect.memory.born_day),
        chronic=episode.chronic,
        cause=cause,
        version=params.version,
        config=params.config,
    )


def _renewal(
    book: EpisodeLog, suspect: Suspect, episode: Episode, action: Action, since_ms: int
) -> EpisodeRecord:
    """Return the short record of a renewed lease: changes since the previous lease (`since_ms`)."""
    return EpisodeRecord(
        episode_id=episode.id,
        kind="flood",
        change="renewed",
        epoch=action.epoch,
        revision=action.revision,
        recipient=suspect.name,
        level=episode.level,
        mode=episode.mode,
        at_ms=action.issued_at_ms,
        reason=action.reason,
        evidence=action.evidence,
        path=(),
        sightings=_sightings(book, suspect, max(seconds(since_ms), episode.since_s)),
        rungs=(),
        scope=NOWHERE,
        known=0,
        memory_days=0,
        chronic=False,
        cause=action.cause,
        version=action.version,
        config=action.config,
        since_ms=since_ms,
    )


def _sightings(book: EpisodeLog, suspect: Suspect, since_s: int) -> tuple[Sighting, ...]:
    held = suspect.sightings
    return tuple(
        book.sighting(w & 0xFFFF_FFFF, w >> 33, novel=bool(w >> 32 & 1))
        for w in held[bisect_left(held, word(since_s, 0, 0)) :]
    )


def _leads(rules: JudgeParams, book: EpisodeLog, suspect: Suspect, *, burst: bool) -> list[Rung]:
    """Return the score and thresholds of hot platforms for a record; nothing if there is no list.

    `burst`: the bucket's level is at WATCH, so the THROTTLE threshold is lower.
    """
    if not book.hot.platforms:
        return []
    found = lead(suspect, book.hot.platforms, suspect.bucket_s, cold_half=rules.cold_half)
    throttle = HOT_BURST if burst else rules.hot_lead
    return [Rung("hot", found.score, HOT_LEAD.watch, throttle)]


def _limits(suspect: Suspect) -> list[Rung]:
    """Return the highest counts of one platform's codes, and their limits, for a record."""
    repeats, high = suspect.repeats, suspect.recipient << 32
    keys = [high | p for p in suspect.seen if high | p in repeats.codes]
    return [
        Rung(rule, max((repeats.count(key, window_s) for key in keys), default=0), most, most)
        for rule, window_s, most, _ in LIMITS
    ]


def _masses(suspect: Suspect) -> list[Rung]:
    """Return the message counts and thresholds for a record.

    The count is of all messages, or of the messages that count for THROTTLE if that threshold is
    reached. A rule without a WATCH threshold shows its THROTTLE threshold instead.
    """
    found, rungs = newest(suspect), []
    for rule, _, bar in WINDOWS + VOLUMES:
        count, capped = found[rule]
        watch = min(bar)
        if capped >= bar.throttle:
            rungs.append(Rung(rule, capped, watch, bar.throttle))
        else:  # too few platforms: no number of messages reaches THROTTLE
            throttle = bar.throttle if count < bar.throttle else math.inf
            rungs.append(Rung(rule, count, watch, throttle))
    return rungs
