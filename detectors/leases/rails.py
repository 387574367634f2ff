"""Rails: limits on what the machine may do by itself, whatever it believes.

A detector gone wrong, or fed by somebody who wants it to go wrong, must not be able to throttle a
network. Past a rail *new* leases are refused; those in force stay, and renewals of them pass. The
rail comes back by hysteresis. Time is that of the leases, so that an adapter that reads the log
again admits again what it admitted before.

Leases come in the order of their times or nearly so, but after an outage partitions are read in
runs, each from its oldest record. No order of reading makes the rate rail refuse a lease that was
in no crowded minute: it counts offers by when they were made, not by when they were read.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from detectors.bars import EPISODE_MAX_MS, LEASE_MAX_MS, RAILS_CLOSE_RATIO
from detectors.model.times import MINUTE_S

SECOND_MS: Final = 1_000
OFFERS_S: Final = 7_200
"""Offers are counted by the second for so long: the longest lease, and an hour for late ones."""


class Refusal(StrEnum):
    """Reasons of a rail for refusing a lease."""

    RATE = "rail_rate"  # too many new leases in a minute
    SHARE = "rail_share"  # too many recipients under lease
    LEASE = "rail_lease"  # a lease longer than any that the detector makes
    EPISODE = "rail_episode"  # an episode longer than a day


@dataclass(frozen=True, slots=True)
class RailParams:
    """Limits of one gateway. `sized` derives them from the number of subscribers.

    The floor holds a whole campaign, or the rail would disarm the throttle when it is needed: the
    largest in view (A6) reaches 5,000 recipients within 10 minutes, 500 a minute.
    """

    new_per_minute: int = 1_000
    recipients_max: int = 20_000

    def __post_init__(self) -> None:
        if self.new_per_minute < 1 or self.recipients_max < 1:
            raise ValueError("a rail admits at least one lease")

    @classmethod
    def sized(cls, subscribers: int) -> RailParams:
        """A new lease a minute for 10,000 subscribers, one of 500 under lease at a time.

        >>> RailParams.sized(10_000_000) == RailParams()
        True
        >>> RailParams.sized(100_000).new_per_minute
        600
        """
        return cls(
            new_per_minute=max(600, subscribers // 10_000),
            recipients_max=max(6_000, subscribers // 500),
        )

    def raised(self, times: int) -> RailParams:
        """Return limits so many times as high, both.

        >>> RailParams().raised(3).new_per_minute
        3000
        """
        return RailParams(self.new_per_minute * times, self.recipients_max * times)


@dataclass(slots=True)
class Rails:
    """Mutable: the leases admitted. Bounded: `recipients_max` entries, 2 * `OFFERS_S` counts."""

    until_ms: dict[str, int] = field(default_factory=dict)  # recipient -> end of its lease
    ends: list[tuple[int, str]] = field(default_factory=list)  # heap over until_ms, may be stale
    offered: dict[int, int] = field(default_factory=dict)  # second -> new leases asked for in it
    second: int = 0  # the newest that a lease was offered in
    minute: int = 0  # new leases asked for in the minute that ends with it
    newest_ms: int = 0  # of the leases offered
    rate_open: bool = False
    share_open: bool = False
    judged_by: RailParams | None = None  # the limits that opened or shut them last

    @property
    def open(self) -> bool:
        """True while a rail refuses new leases."""
        return self.rate_open or self.share_open


def admit(
    params: RailParams,
    rails: Rails,
    recipient: str,
    *,
    issued_at_ms: int,
    expires_at_ms: int,
    opened_ms: int,
    now_ms: int,
    renewal: bool = False,
    rated: bool = True,
) -> Refusal | None:
    """None if the lease may be enforced, else which rail refuses it.

    `opened_ms` is when its episode opened: its first sighting may lie a day before. `renewal`: it
    was issued under an admitted lease of the recipient; where that is still held it is noticed
    here. `rated`: without it the lease neither counts for the rate rail nor is refused by it, for
    one of which nobody knows any more whether it was a renewal. `now_ms` is when the lease is seen:
    one that is issued later makes no rail forget what others still have, and holds its place no
    longer than the longest lease from then on.
    """
    if expires_at_ms - issued_at_ms > LEASE_MAX_MS:
        return Refusal.LEASE
    if issued_at_ms - opened_ms > EPISODE_MAX_MS:
        return Refusal.EPISODE
    expires_at_ms = min(expires_at_ms, now_ms + LEASE_MAX_MS)
    if params != rails.judged_by:  # a rail that lower limits opened is shut by higher ones
        rails.judged_by, rails.rate_open, rails.share_open = params, False, False
    rails.newest_ms = max(rails.newest_ms, min(issued_at_ms, now_ms))
    forget(rails, rails.newest_ms)
    held = recipient in rails.until_ms
    new = rated and not (held or renewal)
    rushed, crowded = _rushed(params, rails, issued_at_ms, int(new)), _crowded(params, rails)
    if new and rushed:
        return Refusal.RATE
    if not held and crowded:
        return Refusal.SHARE
    if expires_at_ms > max(rails.newest_ms, rails.until_ms.get(recipient, 0)):
        rails.until_ms[recipient] = expires_at_ms
        heapq.heappush(rails.ends, (expires_at_ms, recipient))
    return None


def readmit(
    params: RailParams, rails: Rails, recipient: str, *, issued_at_ms: int, expires_at_ms: int
) -> Refusal | None:
    """None if a lease that a lower rail refused may be enforced under these, else which refuses it.

    It was counted when it was offered: a minute that is too crowded for these, too, stays refused.
    """
    if _fullest(rails.offered, issued_at_ms // SECOND_MS) > params.new_per_minute:
        return Refusal.RATE
    if recipient not in rails.until_ms and _crowded(params, rails):
        return Refusal.SHARE
    if expires_at_ms > max(rails.newest_ms, rails.until_ms.get(recipient, 0)):
        rails.until_ms[recipient] = expires_at_ms
        heapq.heappush(rails.ends, (expires_at_ms, recipient))
    return None


def withdraw(rails: Rails, recipient: str) -> None:
    """The lease of this recipient is over before its end: it holds no place any more."""
    rails.until_ms.pop(recipient, None)


def forget(rails: Rails, now_ms: int) -> None:
    """Drop what is over at `now_ms`."""
    while rails.ends and rails.ends[0][0] <= now_ms:
        end, recipient = heapq.heappop(rails.ends)
        if rails.until_ms.get(recipient) == end:
            del rails.until_ms[recipient]


def utilisation(params: RailParams, rails: Rails, now_ms: int) -> float:
    """The used share of the nearer rail: 1 is at it. Past RAILS_ALARM_RATIO people should look."""
    second = now_ms // SECOND_MS
    lately = sum(rails.offered.get(at, 0) for at in range(second - MINUTE_S + 1, second + 1))
    return max(lately / params.new_per_minute, len(rails.until_ms) / params.recipients_max)


def _rushed(params: RailParams, rails: Rails, issued_at_ms: int, offers: int) -> bool:
    """Count `offers` and swing the rate rail; True if it refuses what is new at that time.

    Judged by the fullest minute that holds the offer, as far as it was read: earlier offers and
    later ones. A refused offer counts like any other, so a rail does not shut while the rush goes
    on; only the newest lease can shut it.
    """
    second = issued_at_ms // SECOND_MS
    if second < rails.second and not offers:
        return False
    _go_on(rails, second)
    rails.offered[second] = rails.offered.get(second, 0) + offers
    if second > rails.second - MINUTE_S:
        rails.minute += offers
    fullest = rails.minute if second == rails.second else _fullest(rails.offered, second)
    few = fullest <= RAILS_CLOSE_RATIO * params.new_per_minute
    if fullest > params.new_per_minute:
        rails.rate_open = True
    elif few and issued_at_ms >= rails.newest_ms:
        rails.rate_open = False
    return rails.rate_open and not few


def _go_on(rails: Rails, second: int) -> None:
    """Let the last minute end at `second`, if it is newer, and forget what counts no more."""
    if len(rails.offered) > 2 * OFFERS_S:  # seldom, so that an offer costs no walk over them all
        kept = max(second, rails.second) - OFFERS_S
        rails.offered = {at: n for at, n in rails.offered.items() if at > kept}
    if second <= rails.second:
        return
    oldest = rails.second - MINUTE_S + 1
    leaving = range(oldest, min(second - MINUTE_S, rails.second) + 1)
    rails.minute -= sum(rails.offered.get(at, 0) for at in leaving)
    rails.second = second


def _fullest(offered: Mapping[int, int], second: int) -> int:
    """Offers in the fullest minute of those that hold `second`."""
    around = [offered.get(at, 0) for at in range(second - MINUTE_S + 1, second + MINUTE_S)]
    fullest = minute = sum(around[:MINUTE_S])
    for leaves, comes in zip(around, around[MINUTE_S:], strict=False):
        minute += comes - leaves
        fullest = max(fullest, minute)
    return fullest


def _crowded(params: RailParams, rails: Rails) -> bool:
    """Swing the share rail; True if it refuses one more recipient."""
    held = len(rails.until_ms)
    rails.share_open = held >= params.recipients_max or (
        rails.share_open and held > RAILS_CLOSE_RATIO * params.recipients_max
    )
    return rails.share_open
