"""Applies the limit on one platform: counts its codes, and refuses it alone past the limit."""

from __future__ import annotations

from detectors.bars import LIMIT_MORE, LIMIT_MS
from detectors.episodes.episode import EpisodeLog, EpisodeParams, limit_reason
from detectors.episodes.platform_lease import renew_platforms
from detectors.model.records import Cause
from detectors.suspects.judge import JudgeParams, is_settled
from detectors.suspects.limit import Limit, PlatformLease, judge_limit
from detectors.suspects.suspect import Suspect


def observe_limit(
    params: EpisodeParams,
    rules: JudgeParams,
    book: EpisodeLog,
    suspect: Suspect,
    cause: Cause,
    *,
    platform: int,
    trusted: bool,
    relapse: bool,
    at_s: int,
) -> None:
    """Count one more code of a platform that has a limit, and issue a platform lease past it.

    `at_s`: the time under which the code is counted. A code that the lease refuses prolongs the
    refusal if enough of them came.
    """
    repeats, key = suspect.repeats, suspect.recipient << 32 | platform
    repeats.add(key, at_s)
    lease, at_ms = suspect.platforms, cause.at_ms
    if lease is not None and lease.refuses(platform, at_ms) and platform in lease.limited_ms:
        times = lease.again_ms.setdefault(platform, [])
        if at_ms not in times and len(times) < LIMIT_MORE:
            times.append(at_ms)
        if len(times) < LIMIT_MORE or at_ms < lease.issued_ms + LIMIT_MS // 2:
            return
        limit: Limit | None = lease.limit
    else:
        limit = judge_limit(repeats, key, relapse=relapse)
    if limit is None or trusted or not is_settled(rules, suspect, cause.at_s):
        return
    if lease is None:
        lease = suspect.platforms = PlatformLease(f"{cause.id(params.epoch)}:limit")
    lease.limit = limit
    lease.limited_ms[platform] = at_ms + LIMIT_MS
    warm = params.enforce_cold or suspect.memory_size(cause.at_s) >= params.cold_known
    mode = params.mode if warm and rules.mode("limit") == "enforce" else "shadow"
    reason, hot = limit_reason(limit), book.hot.platforms
    book.actions.append(renew_platforms(params, suspect, cause, reason, mode, hot))
