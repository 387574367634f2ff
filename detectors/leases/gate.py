"""The rule by which a gateway passes or refuses one message of a recipient under a lease.

The rule of every gateway that can look at the platform of a message. It is a function of the lease,
of what the recogniser says about the message, and of the time; `deploy/gateways/vectors.json`
states it for gateways in other languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from detectors.bars import RETURNS, VOLUME_6H, VOLUME_24H
from detectors.model.event import Trust, platform_id
from detectors.model.records import AgainWindow, Reason, Scope, refuses


class Ruling(StrEnum):
    """The answer and its reason. REFUSE holds a message back, and AGAIN where no room is left."""

    NO_LEASE = "no_lease"
    OVER = "over"  # the lease ended by itself
    NOT_A_CODE = "not_a_code"
    TRUSTED = "trusted"
    KNOWN = "known"  # to this recipient, or allowed by the operator
    AGAIN = "again"  # asked for once more: passes if `detectors.leases.again` has room
    REFUSE = "refuse"


LOWERED: Final = MappingProxyType(
    {"volume_6h": VOLUME_6H, "volume_24h": VOLUME_24H, "returns": RETURNS}
)
"""Rules whose thresholds are lower while an earlier flood is remembered."""


def rests_on_relapse(reason: Reason) -> bool:
    """Tell if a lease was given because of a flood of the last days.

    A release of the recipient covers such leases too: the flood may have been a mistake.
    """
    bar = LOWERED.get(reason.rule)
    return reason.rule == "relapse" or (bar is not None and reason.threshold < bar.throttle)


@dataclass(frozen=True, slots=True)
class Lease:
    """The facts that a gateway needs about one recipient."""

    action_id: str
    expires_at_ms: int  # UTC; at this time the lease is over
    scope: Scope
    again: tuple[AgainWindow, ...] = ()


def rule(lease: Lease | None, *, otp: bool, platform: str, trust: Trust, now_ms: int) -> Ruling:
    """Rule on one message. `platform` is the key that the recogniser gave.

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
    platform_ = platform_id(platform)
    if refuses(lease.scope, platform_, trust):
        asked_again = any(
            window.platform_id == platform_ and window.from_ms <= now_ms < window.until_ms
            for window in lease.again
        )
        return Ruling.AGAIN if asked_again else Ruling.REFUSE
    return Ruling.TRUSTED if trust in lease.scope.trust else Ruling.KNOWN
