"""Decide whether a number counts as flooded, and whether a bank's own codes reach it. Pure.

A flood is a fact about messages that arrived. So the answer does not depend on the reaction: it is
the same in shadow mode, during a cold start, and for an exempted or released number. An episode
counts from the level THROTTLE on. WATCH is too early: each day 1 in 10,000 numbers reaches WATCH,
and nearly all of these numbers are innocent. After a flood, the answer stays true until its last
message is older than the client's `maxAge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from detectors.leases.gate import forbids, lease_of
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action
from detectors.model.times import HOUR_MS

MAX_AGE_H: Final = 24
"""Default of `maxAge` in hours, as in CAMARA's SIM Swap API."""

OwnCodes = Literal["PASSED", "HELD"]


@dataclass(frozen=True, slots=True)
class FloodSpan:
    """Times of one flood, in ms: first message, last message, and end. `ended_ms` None: ongoing."""

    first_ms: int
    last_ms: int
    ended_ms: int | None


def flooded(floods: Iterable[FloodSpan], now_ms: int, max_age_h: int) -> bool:
    """Return true if a flood is ongoing, or its last message is at most `max_age_h` hours old."""
    oldest_ms = now_ms - max_age_h * HOUR_MS
    return any(
        each.ended_ms is None or (max_age_h > 0 and each.last_ms >= oldest_ms) for each in floods
    )


def latest(floods: Sequence[FloodSpan]) -> FloodSpan | None:
    """Return the flood that began last, or None."""
    return max(floods, key=lambda each: each.first_ms, default=None)


def own_codes(
    leases: Sequence[Action], platforms: Iterable[str], trust: Trust, now_ms: int
) -> OwnCodes:
    """Return "HELD" if a lease in force refuses codes of one of these platforms, else "PASSED".

    `leases`: leases that gateways enforce, the newest for each form of the number. `platforms`:
    keys such as `sig:示例银行`.
    """
    own = [platform_id(key) for key in platforms]
    held = any(
        forbids(lease_of(each), platform, trust)
        for each in leases
        if each.is_lease and each.expires_at_ms > now_ms
        for platform in own
    )
    return "HELD" if held else "PASSED"
