"""Limits how many codes one platform may send to one recipient.

Codes are counted for each recipient and platform. Past the limit, a platform lease refuses this
platform at this recipient; other platforms are not affected.
"""

from collections.abc import Mapping

from detectors.episodes.episode import limit_reason
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.platform_lease import renew_platforms
from detectors.model.records import Cause, Mode, utc_ms
from detectors.model.times import MINUTE_MS
from detectors.suspects.judge import JudgeParams, is_settled
from detectors.suspects.limit import Limit, PlatformLease, Total, judge_limit, judge_total
from detectors.suspects.suspect import Episode, Suspect
from detectors.suspects.volume import counted_platforms
from detectors.thresholds import KNOWN_LIMITS, LIMIT_MS, TOTAL_LEAST_MS


def observe_limit(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    *,
    platform: int,
    trusted: bool,
    limited: bool,
    relapse: bool,
    first: bool,
    at_s: int,
) -> None:
    """Count one more code of a platform, and issue a platform lease past a limit.

    `first`: it is the first code of a day of the platform, while a lease lasts. Such a code is
    counted only if the lease rests on the limit on all platforms together. This limit may refuse
    the platform from now on. `limited`: the recipient does not know the platform, or it is young,
    so it has a limit of its own. `at_s`: the time under which the code is counted. Codes that the
    lease refuses are not counted. Such codes prolong the refusal if the platform goes on sending. A
    sender's retries do not prolong it, and one that passes after a lease is not counted, unless the
    platform is known and the lease rests on the limit on all platforms together. That limit is
    judged at such a retry too.
    """
    repeats, key = suspect.repeats, suspect.recipient << 32 | platform
    lease, at_ms = suspect.platforms, cause.at_ms
    if lease is not None and lease.is_caused_by(platform, at_ms):
        return
    limit: Limit | None
    total: Total | None = None
    if lease is not None and lease.refuses(platform, at_ms):
        end_ms = max(ends_ms.get(platform, 0) for ends_ms in lease.ends_ms.values())
        goes_on = lease.observe_refused(platform, at_ms, limited=limited)
        if not goes_on or at_ms < end_ms - LIMIT_MS // 2:
            return
        limit = lease.limit
    else:
        retry = lease is not None and lease.is_retry(platform, at_ms, utc_ms(at_s))
        if lease is not None and retry:
            lease.end_row(platform, at_ms, utc_ms(at_s))
        in_total = lease is not None and lease.is_total
        counted = (in_total and not limited) if retry else (in_total or not first)
        if counted:
            repeats.add(key, at_s)
        limit = judge_limit(repeats, key, relapse=relapse) if limited and not retry else None
        if platform not in book.names.trusted:
            total = judge_total(
                repeats,
                suspect.recipient << 32,
                dict.fromkeys(counted_platforms(suspect), 0)
                | {p: word >> 33 for p, word in suspect.seen.items()},
                lambda p: not _is_limited(rules, suspect, p, cause.at_s),
                cause.at_s if first or retry else repeats.codes[key][-1],
            )
    if not trusted and is_settled(rules, suspect, cause.at_s):
        _refuse_past_limit(params, rules, book, suspect, cause, platform, limit, total)


def _refuse_past_limit(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    platform: int,
    limit: Limit | None,
    total: Total | None,
) -> None:
    """Issue a platform lease for a platform that reached its own limit, and for those in `total`.

    `limit`: the limit that `platform` reached alone. `total`: the limit on all platforms together,
    and the platforms that it refuses. Unknown and young platforms are refused for `LIMIT_MS`, known
    ones until fewer codes lie in the window of `total`, but at least for `TOTAL_LEAST_MS`.
    """
    at_ms = cause.at_ms
    ends_ms, prolonged = dict[int, int](), set[int]()
    if total is not None:
        ends_ms = {
            p: min(_minute_end(max(utc_ms(end_s), at_ms + TOTAL_LEAST_MS)), at_ms + LIMIT_MS)
            for p, end_s in total.ends_s.items()
            if p not in book.names.trusted
        }
        prolonged = {p for p in ends_ms if _is_limited(rules, suspect, p, cause.at_s)}
    if limit is not None:
        prolonged.add(platform)
    if total is not None:
        limit = total.limit
    elif limit is None:
        return
    ends_ms |= dict.fromkeys(prolonged, at_ms + LIMIT_MS)
    warm = params.is_warm(suspect, cause.at_s) and rules.mode("limit") == "enforce"
    mode = params.mode if warm else "shadow"
    lease = _refuse(params, book, suspect, cause, limit, ends_ms, mode)
    lease.again_ms |= dict.fromkeys(prolonged, (at_ms, at_ms, 0))


def _minute_end(at_ms: int) -> int:
    """Return a time in milliseconds, rounded up to a whole minute. Refusals end at this time.

    A gateway with whole minutes writes the same time for all codes of a minute. If a refusal ended
    within a minute, the rest of its codes would pass, but count as refused.
    """
    return -(-at_ms // MINUTE_MS) * MINUTE_MS


def _is_limited(rules: JudgeParams, suspect: Suspect, platform: int, at_s: int) -> bool:
    """Return true if a platform was novel at its sighting of the day around `at_s`, or is young.

    Young: the platform came on one earlier day only, within a week. A platform whose sighting was
    forgotten after a flood counts as novel.
    """
    key, young = suspect.recipient << 32 | platform, rules.mode("young") == "enforce"
    novel = platform not in suspect.seen or suspect.seen[platform] >> 32 & 1 == 1
    return novel or (young and suspect.repeats.is_young(key, at_s))


def observe_known(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    episode: Episode,
    cause: Cause,
    *,
    platform: int,
    at_s: int,
) -> None:
    """Count a delivered code of an untrusted, known platform during a THROTTLE.

    Past a limit the platform is refused until fewer codes lie in the limit's window, up to the end
    of that minute. `at_s`: the time under which the code is counted.
    """
    key = suspect.recipient << 32 | platform
    suspect.repeats.add(key, at_s)
    if suspect.platforms is not None and suspect.platforms.is_caused_by(platform, cause.at_ms):
        return
    over = {
        _minute_end(utc_ms(suspect.repeats.codes[key][-most] + window_s)): Limit(rule, most, most)
        for rule, window_s, most in KNOWN_LIMITS
        if suspect.repeats.count(key, window_s) >= most
    }
    if over:
        mode = episode.mode if rules.mode("known") == "enforce" else "shadow"
        end_ms = max(over)
        _refuse(params, book, suspect, cause, over[end_ms], {platform: end_ms}, mode)


def _refuse(
    params: EpisodeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    limit: Limit,
    ends_ms: Mapping[int, int],
    mode: Mode,
) -> PlatformLease:
    """Issue a platform lease that also refuses these platforms, each up to its own end."""
    lease = suspect.platforms
    if lease is None:
        lease = suspect.platforms = PlatformLease(f"{cause.id(params.epoch)}:limit")
    lease.limit = limit
    for platform, end_ms in ends_ms.items():
        lease.put(platform, end_ms, mode)
    renew_platforms(params, book, suspect, lease, cause, limit_reason(limit))
    return lease
