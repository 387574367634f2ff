"""From findings to what the world is told: levels with hysteresis, leases, revisions, explanation.

An episode is one attack on one recipient. The level table decides; a lease ends by itself, and
only what is evidence of a flood renews it: several platforms, or the mass of their messages. Every
id is the position of the event that caused it, so that a replay repeats it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from detectors.bars import (
    AGAIN_TOLD_MS,
    BURST_NOVEL,
    CHRONIC_MAX,
    EPISODE_MAX_MS,
    HOT_BURST,
    HOT_CHRONIC_DAYS,
    HOT_LEAD,
    LEASE_MAX_MS,
    RELAPSE_REST_S,
    RELAPSE_S,
    RELAPSE_SETTLE_S,
    RELAPSES_MAX,
    RENEW_NOVEL,
    RENEW_NOVEL_LONG,
    RETURNS,
)
from detectors.defaults import (
    CHRONIC_DAYS,
    COLD_KNOWN,
    EPISODE_MOST_S,
    EPOCH,
    LEASE_MOST_MS,
    LEASE_MS,
    QUIET_S,
)
from detectors.episodes import incident
from detectors.episodes.incident import IncidentLog
from detectors.episodes.lease import lasts_ms, pace_ms, quiet_s
from detectors.episodes.names import Name, Names
from detectors.episodes.voting import vote
from detectors.hot.listed import Hot
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
    Mode,
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
from detectors.suspects.again import news, windows
from detectors.suspects.judge import (
    CALM,
    Band,
    Finding,
    JudgeParams,
    confirmed,
    is_settled,
    strongest,
)
from detectors.suspects.lead import lead
from detectors.suspects.mass import RULES, VOLUMES, WINDOWS, close_messages, heard_since, newest
from detectors.suspects.relapse import Relapse
from detectors.suspects.suspect import Episode, Suspect, forget_tainted, taint_since

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
"""The next level. The middle bands keep the level they find: that is the hysteresis."""


RENEWING: Final = RULES | {name for name, _, _ in VOLUMES} | {returns.RULE, relapse.RULE}
"""Rules whose finding shows by itself that a flood goes on."""


@dataclass(frozen=True, slots=True)
class EpisodeParams:
    """Leases, what holds back after a cold start, and what every action is signed with."""

    mode: Mode = "shadow"
    epoch: int = EPOCH
    version: str = "0"  # of the detector
    config: str = ""  # a hash of the settings
    lease_ms: int = LEASE_MS
    lease_most_ms: int = LEASE_MOST_MS  # of a slow flood: `detectors.episodes.lease`
    episode_most_s: int = EPISODE_MOST_S
    quiet_s: int = QUIET_S
    cold_known: int = COLD_KNOWN
    enforce_cold: bool = False  # a cold one too: its habitual codes are refused with the flood
    chronic_days: int = CHRONIC_DAYS
    again: bool = True  # what is asked for again passes: `detectors.suspects.again`
    incidents: bool = True  # are recorded; nothing else depends on it

    def __post_init__(self) -> None:
        if self.mode not in ("shadow", "enforce"):
            raise ValueError(f"mode must be shadow or enforce: {self.mode}")
        if not 0 < self.lease_ms < self.quiet_s * 1000:
            raise ValueError("a lease must end before its episode does: lease_ms < quiet_s")
        if not self.lease_ms <= self.lease_most_ms <= LEASE_MAX_MS:
            raise ValueError(f"lease_most_ms must be lease_ms to {LEASE_MAX_MS}")
        if self.epoch < 0:
            raise ValueError("epoch must not be negative")
        if not self.quiet_s <= self.episode_most_s <= EPISODE_MAX_MS // 1000:
            most_s = EPISODE_MAX_MS // 1000  # of an older one gateways take no lease
            raise ValueError(f"episode_most_s must be quiet_s to {most_s}, or no lease is taken")
        if not 1 <= self.chronic_days <= CHRONIC_SPAN_DAYS:
            raise ValueError(f"chronic_days must be 1 to {CHRONIC_SPAN_DAYS}")


CHRONIC_SPAN_DAYS: Final = 14


class EpisodeLog:
    """The state that all episodes of a partition share, and the place of their announcements."""

    __slots__ = ("actions", "chronic", "hot", "incidents", "names", "records", "relapses")

    def __init__(self) -> None:
        self.hot = Hot()
        self.names = Names()
        self.relapses: dict[int, Relapse] = {}  # by recipient; at most `RELAPSES_MAX`
        self.chronic: dict[int, tuple[int, int]] = {}  # recipient -> day, bit i: i days before
        self.actions: list[Action] = []
        self.records: list[EpisodeRecord] = []
        self.incidents = IncidentLog()


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
    """Moves one suspect on by one message.

    `finding` is `CALM` where the message is evidence of nothing new. `flood` is the platform of a
    message that a throttle refuses, being novel and untrusted; None of any other, and of one that
    was only delivered or sent again.
    """
    episode = suspect.episode
    level = episode.level if episode else Level.CLEAR
    target = level if finding is CALM else NEXT[level, finding.band]
    change: Change | None = None
    if target > level:
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
        _raise(params, book, suspect, cause, finding, level=target)
    if episode is None:
        return
    if flood is not None:
        episode.messages += 1
        episode.last_flood_s = max(episode.last_flood_s, cause.at_s)
        _freshen(episode, flood, cause.at_ms)
    if episode.level is Level.THROTTLE and (
        episode.issued_ms == 0 or _renews(params, suspect, cause, finding, flood=flood is not None)
    ):
        since_ms, episode.issued_ms = episode.issued_ms, cause.at_ms
        lasts = lasts_ms(suspect, episode, params.lease_ms, params.lease_most_ms)
        episode.expires_ms = cause.at_ms + lasts
        episode.fresh_ms.clear()
        episode.requests.lease_offset = cause.offset
        episode.scope = _scope(suspect, cause.at_s)
        action = _lease(params, book, suspect, cause)
        book.actions.append(action)
        if episode.incident is not None:
            episode.incident.lease = cause.offset
        if change is None and since_ms:
            book.records.append(_renewal(book, suspect, action, since_ms))
            _vote(rules, book, suspect, cause)
            return
        change = change or "renewed"
    elif params.again and episode.issued_ms < cause.at_ms < episode.expires_ms:
        _update(params, book, suspect, cause)
    if change is not None:
        _tell(params, rules, book, suspect, cause, change=change)


def _lease(params: EpisodeParams, book: EpisodeLog, suspect: Suspect, cause: Cause) -> Action:
    """The lease that is given now, or told again."""
    episode = suspect.episode
    assert episode is not None
    again: tuple[AgainWindow, ...] = ()
    if params.again:
        again = windows(episode.requests, book.hot.platforms, cause.at_ms)
    return _action(params, suspect, episode, cause, "throttle", again)


def _update(params: EpisodeParams, book: EpisodeLog, suspect: Suspect, cause: Cause) -> None:
    """Tells the lease again, with the windows of now, where there are others than were told."""
    episode = suspect.episode
    assert episode is not None
    requests = episode.requests
    if requests.lease_offset < 0 or not news(requests, cause.at_ms):
        return
    told_ms, hot = requests.told_ms, book.hot.platforms
    spent = bool(requests.passed) and requests.passed[-1][0] == cause.at_ms > told_ms
    again = windows(requests, hot, cause.at_ms)
    if not spent and max(requests.first_ms.values(), default=0) <= told_ms:
        return  # what is new cannot be used: the budget is spent
    requests.paced_ms = max(requests.paced_ms, cause.at_ms) + AGAIN_TOLD_MS
    book.actions.append(
        _action(params, suspect, episode, cause, "throttle", again, told_again=True)
    )


def _take_back(book: EpisodeLog, suspect: Suspect, since_s: int, at_s: int) -> None:
    """Uncount what a flood began with: it does not say what people meet. All but `at_s` counted."""
    for sighting in reversed(suspect.sightings):
        if sighting >> 33 < since_s:
            break
        if sighting >> 32 & 1 and sighting >> 33 != at_s:
            book.hot.base.back.append(sighting & 0xFFFF_FFFF)


def _freshen(episode: Episode, platform: int, at_ms: int) -> None:
    """Notes a platform of the flood since the lease; those that came last are enough."""
    fresh_ms = episode.fresh_ms
    fresh_ms[platform] = max(at_ms, fresh_ms.get(platform, at_ms))
    if len(fresh_ms) > RENEW_NOVEL:
        _, oldest = min(zip(fresh_ms.values(), fresh_ms, strict=True))
        del fresh_ms[oldest]


def _renews(
    params: EpisodeParams, suspect: Suspect, cause: Cause, finding: Finding, *, flood: bool
) -> bool:
    """Tell if the lease has run for long enough and this message shows that the flood goes on.

    Of a flood so slow that half a lease may bring fewer platforms, each has to do.
    """
    episode = suspect.episode
    assert episode is not None
    if not flood or cause.at_ms < episode.issued_ms + params.lease_ms // 2:
        return False
    if finding.band is Band.THROTTLE and finding.rule in RENEWING:
        return True
    since_ms = cause.at_ms - params.quiet_s * 1000
    slow = pace_ms(suspect, episode) > params.lease_ms // 2
    wanted = RENEW_NOVEL_LONG if slow else RENEW_NOVEL
    return sum(at_ms > since_ms for at_ms in episode.fresh_ms.values()) >= wanted


def _began(params: EpisodeParams, suspect: Suspect, since_s: int) -> int:
    """Find the beginning of the flood whose evidence begins at `since_s`.

    Back over novel sightings, as long as no gap would have ended it: the first of a flood come
    before the bucket tells them apart.
    """
    for sighting in reversed(suspect.sightings):
        if sighting >> 32 & 1 and sighting >> 33 < since_s:
            if since_s - (sighting >> 33) >= params.quiet_s:
                break
            since_s = sighting >> 33
    return since_s


def over(params: EpisodeParams, episode: Episode, now_s: int) -> bool:
    """Tell if the flood has been quiet, or the episode has lasted, for as long as it may."""
    if now_s < min(episode.last_flood_s + params.quiet_s, episode.opened_s + params.episode_most_s):
        return False  # it lasts for so long at least, and each message of a campaign asks
    return now_s >= ends_s(params, episode)


def ends_s(params: EpisodeParams, episode: Episode) -> int:
    """The time at which the episode ends if no further message of the flood comes."""
    over_s = episode.last_flood_s + quiet_s(episode, params.quiet_s)
    return min(over_s, episode.opened_s + params.episode_most_s)


def ahead_of(episode: Episode, limit_s: int) -> bool:
    """Tell if it has a time after this one: it is of a clock that was ahead."""
    return max(episode.opened_s, episode.last_flood_s) > limit_s


def end(
    params: EpisodeParams, rules: JudgeParams, book: EpisodeLog, suspect: Suspect, cause: Cause
) -> None:
    """Ends the suspect's episode; its lease is over by itself.

    What was first seen in it is tainted. After a THROTTLE that all of its messages confirm it
    counts afresh, so that tomorrow's flood is found as fast as today's; else it goes on being
    evidence of a slower one, and becomes known if it comes on further days.
    """
    episode = suspect.episode
    assert episode is not None, "only an open episode ends"
    active_relapse(book, suspect, cause.at_s)
    episode.level = NEXT[episode.level, Band.QUIET]
    last = episode.path[-1]
    episode.path.append(
        Step(episode.level, cause.at_ms, cause.offset, "quiet", last.score, last.threshold)
    )
    _tell(params, rules, book, suspect, cause, change="ended")
    incident.tell(params, book.incidents, suspect, cause)
    taint_since(suspect, episode.since_s)
    rules_of = [step.rule for step in episode.path if step.level is Level.THROTTLE]
    by_mass = any(rule in RULES for rule in rules_of)
    if rules_of and episode.mode == "enforce":
        _remember_flood(params, rules, book, suspect)
    if by_mass or (rules_of and confirmed(rules, suspect, episode.since_s)):
        forget_tainted(suspect, ends_s(params, episode))
    close_messages(suspect)
    suspect.episode = None


def is_settling(book: EpisodeLog, recipient: int, at_s: int) -> bool:
    """Tell if codes that a lease refuses count as days on which their platforms came.

    That is so from two days before the record of an earlier flood ends. Else the platforms of a
    number that many people share would never become known, because most of their codes are refused.
    """
    held = book.relapses.get(recipient)
    if held is None:
        return False
    return -RELAPSE_SETTLE_S <= at_s - held.until_s < RELAPSE_REST_S


def _remember_flood(
    params: EpisodeParams, rules: JudgeParams, book: EpisodeLog, suspect: Suspect
) -> None:
    """Note the platforms of an enforced flood, unless an earlier one is noted or was lately."""
    episode, recipient = suspect.episode, suspect.recipient
    assert episode is not None
    end_s = ends_s(params, episode)
    held = book.relapses.pop(recipient, None)
    if held is not None and end_s < held.until_s + RELAPSE_REST_S:
        book.relapses[recipient] = held
        return
    if len(book.relapses) >= RELAPSES_MAX or not is_settled(rules, suspect, end_s):
        return
    part = suspect.sightings[bisect_left(suspect.sightings, word(episode.since_s, 0, 0)) :]
    platforms = [w & 0xFFFF_FFFF for w in part if w >> 32 & 1]
    book.relapses[recipient] = Relapse(end_s + RELAPSE_S, platforms)


def active_relapse(book: EpisodeLog, suspect: Suspect, at_s: int) -> Relapse | None:
    """Return the record of the recipient's earlier flood; None if there is none, or it is over.

    The flood's platforms do not become known while there is one.
    """
    if not book.relapses:
        return None
    held = book.relapses.get(suspect.recipient)
    if held is not None and at_s >= held.until_s:
        held = None
    suspect.barred = frozenset() if held is None else held.platforms
    return held


def recycle(
    params: EpisodeParams, rules: JudgeParams, book: EpisodeLog, suspect: Suspect, cause: Cause
) -> None:
    """The number has a new owner: the episode is over, and so is a lease that still runs."""
    book.relapses.pop(suspect.recipient, None)
    episode = suspect.episode
    if episode is None:
        return
    if episode.expires_ms > cause.at_ms:
        book.actions.append(_action(params, suspect, episode, cause, "release"))
    episode.level = Level.CLEAR
    book.records.append(_record(params, rules, book, suspect, cause, change="recycled"))
    incident.tell(params, book.incidents, suspect, cause)
    suspect.episode = None


def _raise(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    finding: Finding,
    *,
    level: Level,
) -> None:
    episode = suspect.episode
    assert episode is not None
    episode.level = level
    episode.path.append(
        Step(level, cause.at_ms, cause.offset, finding.rule, finding.score, finding.threshold)
    )
    if level is Level.THROTTLE:
        warm = params.enforce_cold or suspect.memory_size(cause.at_s) >= params.cold_known
        episode.mode = params.mode if warm else "shadow"
        episode.chronic = _chronic(params, book, suspect.recipient, cause.at_s // DAY_S)


def _chronic(params: EpisodeParams, book: EpisodeLog, recipient: int, day: int) -> bool:
    """Notes a day with a THROTTLE; whether there were too many within the last 14."""
    last, days = book.chronic.pop(recipient, (day, 0))
    if day >= last:
        days = (days << min(day - last, CHRONIC_SPAN_DAYS) | 1) & ((1 << CHRONIC_SPAN_DAYS) - 1)
        last = day
    elif last - day < CHRONIC_SPAN_DAYS:
        days |= 1 << (last - day)
    else:  # nothing so late is judged: the last one was from a clock that was ahead
        last, days = day, 1
    if len(book.chronic) >= CHRONIC_MAX:
        del book.chronic[next(iter(book.chronic))]  # the one whose last THROTTLE is longest ago
    book.chronic[recipient] = (last, days)
    return days.bit_count() >= params.chronic_days


def _scope(suspect: Suspect, at_s: int) -> Scope:
    """Return the scope of a lease that is given now: all that is known by its end passes.

    A platform passes by its id where that is known, and by its print where only the print is: names
    can be forged onto a print. An id that came during the episode leaves its print in: it may be
    forged itself, and the platform that the print stands for has to pass.
    A platform becomes known a day after its first code. Where that day ends while the lease runs,
    a gateway that was told of now alone would refuse what the recipient knows.
    """
    episode = suspect.episode
    assert episode is not None
    known = suspect.known(max(at_s, seconds(episode.expires_ms)))
    before = {platform_print(p) for p in known if suspect.seen[p] >> 33 < episode.since_s}
    prints = {*suspect.memory.prints} - before - {0}
    return Scope("otp", ALWAYS_PASS, tuple(known), tuple(sorted(prints)))


def lease_refuses(suspect: Suspect, platform: int, trust: Trust, at_ms: int) -> bool:
    """Tell if the suspect's lease, as it was issued, refuses a code at this time.

    The rule is that of gateways (`detectors.leases.gate`). The worker does not know whether a
    gateway obeys: mode, overrides and rails play no part here, nor do second requests.
    """
    episode = suspect.episode
    if episode is None or not episode.issued_ms < at_ms < episode.expires_ms:
        return False
    return episode.scope is not None and refuses(episode.scope, platform, trust)


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
        "relapse": "{score:.0f} platforms of this recipient's flood of the last 3 days sent codes"
        " again within 10 minutes",
        "hot": "of the platforms new to this recipient within a day, those that were abused in"
        " other floods this week outnumber the others by {score:.0f}",
        "hot_burst": "of the platforms new to this recipient within a day, those that were abused"
        " in other floods this week outnumber the others by {score:.0f}, and they came in a rush",
        "quiet": "no further message of the flood came, or the episode reached its longest",
    }
)
"""The reason that a record gives, by rule: sentences with the places of `novel` and `score`."""


def _reason(episode: Episode, evidence: Evidence) -> Reason:
    """The last step's; its text holds no number of a recipient and no content."""
    step = episode.path[-1]
    text = REASONS[step.rule].format(novel=evidence.novel, score=step.score)
    return Reason(step.rule, step.score, step.threshold, text)


def _tell(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    *,
    change: Change,
) -> None:
    """Announces a change of the suspect's episode, with which it may vote for platforms."""
    book.records.append(_record(params, rules, book, suspect, cause, change=change))
    _vote(rules, book, suspect, cause)


def _vote(rules: JudgeParams, book: EpisodeLog, suspect: Suspect, cause: Cause) -> None:
    _, days = book.chronic.get(suspect.recipient, (0, 0))
    if rules.hot and days.bit_count() < HOT_CHRONIC_DAYS:
        vote(rules, book.hot, book.names, suspect, cause)


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
    """Ask gateways for a verb from this event on; a lease told again keeps its id and its time."""
    evidence = _evidence(suspect, episode)
    topic, partition, offset, at_ms = cause
    origin = Cause(topic, partition, episode.requests.lease_offset if told_again else offset, at_ms)
    return Action(
        action_id=origin.id(params.epoch),
        episode_id=episode.id,
        epoch=params.epoch,
        revision=cause.offset,
        recipient=suspect.name,
        verb=verb,
        mode=episode.mode,
        scope=episode.scope or _scope(suspect, cause.at_s),
        issued_at_ms=episode.issued_ms if told_again else cause.at_ms,
        expires_at_ms=episode.expires_ms if verb == "throttle" else cause.at_ms,
        opened_ms=episode.path[0].at_ms,
        level=episode.level if verb == "throttle" else Level.CLEAR,
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
    cause: Cause,
    *,
    change: Change,
) -> EpisodeRecord:
    episode = suspect.episode
    assert episode is not None
    evidence = _evidence(suspect, episode)
    found, bars = strongest(rules, suspect, cause.at_s)
    returned = len(returns.returned_platforms(suspect, cause.at_ms))
    scope = episode.scope or _scope(suspect, cause.at_s)
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
        ),
        scope=scope,
        known=len({*scope.pass_prints, *map(platform_print, scope.pass_ids)}),
        memory_days=max(0, cause.at_s // DAY_S - suspect.memory.born_day),
        chronic=episode.chronic,
        cause=cause,
        version=params.version,
        config=params.config,
    )


def _renewal(book: EpisodeLog, suspect: Suspect, action: Action, since_ms: int) -> EpisodeRecord:
    """Tell what changed since the lease before, which came with the record before."""
    episode = suspect.episode
    assert episode is not None
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
        sighting_of(book, w & 0xFFFF_FFFF, w >> 33, novel=bool(w >> 32 & 1))
        for w in held[bisect_left(held, word(since_s, 0, 0)) :]
    )


def _leads(rules: JudgeParams, book: EpisodeLog, suspect: Suspect, *, burst: bool) -> list[Rung]:
    """The rung of the lead, if there is a list; its bars are lower where the bucket is at WATCH."""
    if not book.hot.platforms:
        return []
    found = lead(suspect, book.hot.platforms, suspect.bucket_s, cold_half=rules.cold_half)
    throttle = HOT_BURST if burst else rules.hot_lead
    return [Rung("hot", found.score, HOT_LEAD.watch, throttle)]


def _masses(suspect: Suspect) -> list[Rung]:
    """The rungs of the mass: all messages, or what counts for THROTTLE where that is reached.

    A rule without a WATCH threshold has that of THROTTLE in its place.
    """
    found, rungs = newest(suspect), []
    for rule, _, bar in WINDOWS + VOLUMES:
        count, capped = found[rule]
        watch = min(bar)
        if capped >= bar.throttle:
            rungs.append(Rung(rule, capped, watch, bar.throttle))
        else:  # of too few platforms no number is enough
            throttle = bar.throttle if count < bar.throttle else math.inf
            rungs.append(Rung(rule, count, watch, throttle))
    return rungs


def sighting_of(book: EpisodeLog, platform: int, at_s: int, *, novel: bool) -> Sighting:
    """With the platform's name, or `#<id>` where it was forgotten."""
    name = book.names.get(platform) or Name(f"#{platform}", Trust.NONE, 0)
    hot = novel and platform in book.hot.platforms
    return Sighting(name.key, platform, utc_ms(at_s), novel, name.trust, hot)
