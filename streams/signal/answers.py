"""Meaning of `flooded`, and of whether one's own codes come through. Pure.

A flood is a fact about messages that came, so it is told whatever is done about it: in shadow, at a
number with little memory (cold start), for one that the operator exempted or released, too. It is
told from THROTTLE on, for one in ten thousand numbers is at WATCH each day and nearly all are
innocent. Afterwards it is told for as long as the asker wants, by the time of its last message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, refuses
from detectors.model.times import HOUR_MS

MAX_AGE_H: Final = 24
"""Default of `maxAge`, as CAMARA's SIM Swap has it."""

OwnCodes = Literal["PASSED", "HELD"]


@dataclass(frozen=True, slots=True)
class FloodSpan:
    """One flood of a number: from its first message to its last; `ended` if it is over."""

    first_ms: int
    last_ms: int
    ended_ms: int | None


def flooded(floods: Iterable[FloodSpan], now_ms: int, max_age_h: int) -> bool:
    """Tell if a flood goes on, or its last message is no older than so many hours."""
    oldest_ms = now_ms - max_age_h * HOUR_MS
    return any(
        each.ended_ms is None or (max_age_h > 0 and each.last_ms >= oldest_ms) for each in floods
    )


def latest(floods: Sequence[FloodSpan]) -> FloodSpan | None:
    """Return the flood that began last; None without one."""
    return max(floods, key=lambda each: each.first_ms, default=None)


def own_codes(
    leases: Sequence[Action], platforms: Iterable[str], trust: Trust, now_ms: int
) -> OwnCodes:
    """Say if codes of these platforms pass, by the leases in force; without one they do.

    `leases` are those that gateways enforce, the newest of each form of a number: one that refuses
    is enough. The platforms are keys such as `sig:示例银行`.
    """
    own = [platform_id(key) for key in platforms]
    held = any(
        refuses(each.scope, platform, trust)
        for each in leases
        if each.verb != "release" and each.expires_at_ms > now_ms
        for platform in own
    )
    return "HELD" if held else "PASSED"
