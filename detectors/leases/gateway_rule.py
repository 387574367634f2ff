"""The rule by which a gateway passes or refuses one message of a recipient under a lease.

Every gateway that can see the platform of a message applies this rule. The result depends only on
the lease, the recogniser's result for the message, and the time. `deploy/gateways/vectors.json` has
test vectors for gateways in other languages.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, AgainWindow, Reason, Scope, refuses
from detectors.thresholds import LIMIT_24H, LIMIT_35MIN, RETURNS, VOLUME_6H, VOLUME_24H


class Ruling(StrEnum):
    """Decision about a message, and its reason. All but REFUSE pass.

    AGAIN passes only within the budget of retry windows (`detectors.leases.retry_budget`).
    """

    NO_LEASE = "no_lease"
    OVER = "over"  # the lease has expired
    NOT_A_CODE = "not_a_code"
    TRUSTED = "trusted"  # a trusted platform
    OTHER = "other"  # the lease refuses single platforms, and not this one
    KNOWN = "known"  # a platform known to this recipient, or allowed by the operator
    AGAIN = "again"  # in a retry window: passes if `detectors.leases.retry_budget` has room
    REFUSE = "refuse"


LOWERED: Final = MappingProxyType(
    {
        "volume_6h": VOLUME_6H.throttle,
        "volume_24h": VOLUME_24H.throttle,
        "returns": RETURNS.throttle,
        "limit_35min": LIMIT_35MIN,
        "limit_24h": LIMIT_24H,
    }
)
"""Thresholds that are lower while an earlier flood is remembered, by rule."""


def rests_on_relapse(reason: Reason) -> bool:
    """Return true if a lease was issued because the recipient had a flood in the last days.

    A release of the recipient covers such leases too: the flood may have been a mistake.
    """
    bar = LOWERED.get(reason.rule)
    return reason.rule == "relapse" or (bar is not None and reason.threshold < bar)


@dataclass(frozen=True, slots=True)
class Lease:
    """The part of an action that a gateway needs for one recipient."""

    action_id: str
    expires_at_ms: int  # UTC; the lease is over from this time on
    scope: Scope
    again: tuple[AgainWindow, ...] = ()  # retry windows
    refused_ids: frozenset[int] = frozenset()  # refused although the scope lets them pass
    narrow: bool = False  # True: a platform lease, which refuses `refused_ids` and nothing else
    also: str = ""  # action id of the platform lease that was merged into this full lease


def lease_of(action: Action, windows: Action | None = None) -> Lease:
    """Return an action's lease, with the retry windows of `windows` if that record is not older."""
    newer = windows is not None and windows.rank >= action.rank
    return Lease(
        action.action_id,
        action.expires_at_ms,
        action.scope,
        windows.again if windows is not None and newer else action.again,
        frozenset(action.refused_ids),
        action.verb == "throttle_platforms",
    )


def merge(full: Lease, narrow: Lease) -> Lease:
    """Return one lease that refuses what a full lease or a platform lease refuses.

    The merged lease ends when the first of the two ends. From then on the gateway passes
    everything, until the adapter has written the lease that is still in force.
    """
    return replace(
        full,
        expires_at_ms=min(full.expires_at_ms, narrow.expires_at_ms),
        again=full.again + narrow.again,
        refused_ids=full.refused_ids | narrow.refused_ids,
        also=narrow.action_id,
    )


def forbids(lease: Lease, platform: int, trust: Trust) -> bool:
    """Return true if a lease refuses the codes of a platform id outside retry windows.

    A lease that has expired is not considered.
    """
    if trust in lease.scope.trust:
        return False
    if platform in lease.refused_ids:
        return True
    return not lease.narrow and refuses(lease.scope, platform, trust)


def rule(lease: Lease | None, *, otp: bool, platform: str, trust: Trust, now_ms: int) -> Ruling:
    """Return the decision about one message. `platform` is the key from the recogniser.

    The order of the rules: trusted platforms pass; platforms in `refused_ids` are refused; known
    platforms pass; a retry window lets one refused code pass; all other codes are refused.

    >>> lease = Lease("a1", 600_000, Scope("otp", (Trust.BANK,), (), ()))
    >>> rule(lease, otp=True, platform="sig:淘宝", trust=Trust.NONE, now_ms=0)
    <Ruling.REFUSE: 'refuse'>
    >>> rule(lease, otp=True, platform="sig:招商银行", trust=Trust.BANK, now_ms=0)
    <Ruling.TRUSTED: 'trusted'>
    >>> rule(lease, otp=True, platform="sig:淘宝", trust=Trust.NONE, now_ms=600_000)
    <Ruling.OVER: 'over'>
    """
    if lease is None:
        return Ruling.NO_LEASE
    if now_ms >= lease.expires_at_ms:
        return Ruling.OVER
    if not otp:
        return Ruling.NOT_A_CODE
    if trust in lease.scope.trust:
        return Ruling.TRUSTED
    platform_ = platform_id(platform)
    if forbids(lease, platform_, trust):
        asked_again = any(
            window.platform_id == platform_ and window.from_ms <= now_ms < window.until_ms
            for window in lease.again
        )
        return Ruling.AGAIN if asked_again else Ruling.REFUSE
    return Ruling.OTHER if lease.narrow else Ruling.KNOWN
