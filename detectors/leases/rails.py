"""Rails: limits on the number of leases, which hold whatever the detector decides.

A faulty detector, or an attacker who feeds it, must not be able to throttle a whole network. When a
limit is exceeded, *new* leases are refused. Leases in force stay, and can be renewed. The rail
admits new leases again with hysteresis. If too many recipients are under lease, a new burst still
gets a place: the lease of a slow flood ends in its favour. Otherwise an attacker who sends each
victim a code now and then could fill all places. Time is taken from the leases, so an adapter that
reads the log again admits the same leases as before.

Leases usually come in the order of their times. After an outage, however, partitions are read one
after the other, each from its oldest record. The rate rail counts a lease at its issue time, not at
the time of reading. So the order of reading never makes it refuse a lease that was issued in a
minute below the limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from detectors.model.times import MINUTE_S
from detectors.thresholds import EPISODE_MAX_MS, LEASE_MAX_MS, RAILS_CLOSE_RATIO

SECOND_MS: Final = 1_000
OFFERS_S: Final = 7_200
"""Seconds for which offered leases are counted per second: the longest lease plus an hour for late
leases."""


class Refusal(StrEnum):
    """Reasons for which the rails refuse a lease."""

    RATE = "rail_rate"  # too many new leases in a minute
    SHARE = "rail_share"  # too many recipients under lease
    LEASE = "rail_lease"  # a lease longer than any that the detector makes
    EPISODE = "rail_episode"  # an episode longer than a day


@dataclass(frozen=True, slots=True)
class RailParams:
    """Limits on the leases of one gateway.

    `for_network` derives the limits from the number of subscribers.

    The minimum limits must allow a whole campaign, or the rails would disable throttling when it is
    needed. The largest campaign in the scenarios (A6) reaches 5,000 recipients within 10 minutes,
    500 a minute.
    """

    new_per_minute: int = 1_000  # maximum number of new leases in a minute
    recipients_max: int = 20_000  # maximum number of recipients under lease at a time

    def __post_init__(self) -> None:
        if self.new_per_minute < 1 or self.recipients_max < 1:
            raise ValueError("a rail admits at least one lease")

    @classmethod
    def for_network(cls, subscribers: int) -> RailParams:
        """Return limits for a network: one new lease a minute per 10,000 subscribers.

        One in 500 subscribers may be under lease at a time. There are minimum values for both.

        >>> RailParams.for_network(10_000_000) == RailParams()
        True
        >>> RailParams.for_network(100_000).new_per_minute
        600
        """
        return cls(
            new_per_minute=max(600, subscribers // 10_000),
            recipients_max=max(6_000, subscribers // 500),
        )

    def multiply(self, times: int) -> RailParams:
        """Return a copy with both limits (leases a minute, and recipients) multiplied by `times`.

        >>> RailParams().multiply(3).new_per_minute
        3000
        """
        return RailParams(self.new_per_minute * times, self.recipients_max * times)


@dataclass(slots=True)
class Rails:
    """The state of the rails: admitted leases, and counts of leases that were offered.

    Mutable. Bounded by `recipients_max` leases and 2 * `OFFERS_S` counts. A rail is "open" while it
    refuses new leases, like an open circuit breaker.
    """

    until_ms: dict[str, int] = field(default_factory=dict)  # recipient -> end of its lease
    # Heap of (end, recipient) over `until_ms`; may have stale entries.
    ends: list[tuple[int, str]] = field(default_factory=list)
    # Recipients under the lease of a slow flood; the one renewed longest ago comes first.
    slow: dict[str, None] = field(default_factory=dict)
    yielded: list[str] = field(default_factory=list)  # lost their places since the caller looked
    offered: dict[int, int] = field(default_factory=dict)  # second -> new leases issued in it
    second: int = 0  # newest second in which a lease was issued
    minute: int = 0  # number of new leases in the minute that ends with `second`
    newest_ms: int = 0  # newest issue time of all offered leases
    rate_open: bool = False
    share_open: bool = False
    judged_by: RailParams | None = None  # limits that were applied last

    @property
    def open(self) -> bool:
        """Return true while a rail (a limit on the number of leases) refuses new leases."""
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
    slow: bool = False,
) -> Refusal | None:
    """Return None if the lease may be enforced, else the rail that refuses it.

    `opened_ms`: time at which the lease's episode opened (its first sighting may be a day earlier).
    `renewal`: the lease was issued while an admitted lease of the recipient was in force; if that
    lease is still known here, the argument is not needed. `rated`: if false, the rate rail neither
    counts nor refuses the lease; use this if it is unknown whether the lease is a renewal.
    `slow`: single codes keep the lease alive, so it may lose its place to a lease that is not slow;
    its recipient is then in `Rails.yielded`, which the caller clears.
    `now_ms`: time at which the lease is received. A lease that was issued after `now_ms` does not
    expire other leases early, and occupies its place at most for `LEASE_MAX_MS` from `now_ms`.
    """
    if expires_at_ms - issued_at_ms > LEASE_MAX_MS:
        return Refusal.LEASE
    if issued_at_ms - opened_ms > EPISODE_MAX_MS:
        return Refusal.EPISODE
    expires_at_ms = min(expires_at_ms, now_ms + LEASE_MAX_MS)
    if params != rails.judged_by:  # the limits have changed: start with both rails closed
        rails.judged_by, rails.rate_open, rails.share_open = params, False, False
    rails.newest_ms = max(rails.newest_ms, min(issued_at_ms, now_ms))
    forget(rails, rails.newest_ms)
    held = recipient in rails.until_ms
    new = rated and not (held or renewal)
    rushed, crowded = (
        _is_rate_open(params, rails, issued_at_ms, int(new)),
        _is_share_open(params, rails),
    )
    if new and rushed:
        return Refusal.RATE
    if not held and crowded:
        if slow or not rails.slow:
            return Refusal.SHARE
        rails.yielded.append(next(iter(rails.slow)))
        withdraw(rails, rails.yielded[-1])
    rails.slow.pop(recipient, None)
    if expires_at_ms > max(rails.newest_ms, rails.until_ms.get(recipient, 0)):
        rails.until_ms[recipient] = expires_at_ms
        heapq.heappush(rails.ends, (expires_at_ms, recipient))
    if slow and recipient in rails.until_ms:
        rails.slow[recipient] = None
    return None


def readmit(
    params: RailParams, rails: Rails, recipient: str, *, issued_at_ms: int, expires_at_ms: int
) -> Refusal | None:
    """Check a refused lease again after the limits were raised.

    Returns None if the lease may be enforced now, else the rail that refuses it. The lease was
    counted when it was offered, so it stays refused if its minute exceeds the new limit too.
    """
    if _fullest(rails.offered, issued_at_ms // SECOND_MS) > params.new_per_minute:
        return Refusal.RATE
    if recipient not in rails.until_ms and _is_share_open(params, rails):
        return Refusal.SHARE
    if expires_at_ms > max(rails.newest_ms, rails.until_ms.get(recipient, 0)):
        rails.until_ms[recipient] = expires_at_ms
        heapq.heappush(rails.ends, (expires_at_ms, recipient))
    return None


def withdraw(rails: Rails, recipient: str) -> None:
    """Free the place of this recipient's lease, which is withdrawn before its end."""
    rails.until_ms.pop(recipient, None)
    rails.slow.pop(recipient, None)


def forget(rails: Rails, now_ms: int) -> None:
    """Drop all leases that have expired at `now_ms`."""
    while rails.ends and rails.ends[0][0] <= now_ms:
        end, recipient = heapq.heappop(rails.ends)
        if rails.until_ms.get(recipient) == end:
            withdraw(rails, recipient)


def utilisation(params: RailParams, rails: Rails, now_ms: int) -> float:
    """Return the used share of the fuller of the two limits; 1 means that this limit is reached.

    Above `RAILS_ALARM_RATIO`, an operator should investigate.
    """
    second = now_ms // SECOND_MS
    lately = sum(rails.offered.get(at, 0) for at in range(second - MINUTE_S + 1, second + 1))
    return max(lately / params.new_per_minute, len(rails.until_ms) / params.recipients_max)


def _is_rate_open(params: RailParams, rails: Rails, issued_at_ms: int, offers: int) -> bool:
    """Count `offers` and update the rate rail; return true if it refuses new leases at that time.

    The decision uses the fullest minute that contains the offer, with all offers read so far, from
    before and after it. Refused offers count too, so the rail keeps refusing while too many leases
    come. Only the newest lease can make the rail admit new leases again.
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
    """Let the minute that `rails.minute` counts end at `second`, if this is later.

    From time to time, also drop the counts of leases that were offered over `OFFERS_S` ago.
    """
    if len(rails.offered) > 2 * OFFERS_S:  # rarely true, so that most offers skip this scan
        kept = max(second, rails.second) - OFFERS_S
        rails.offered = {at: n for at, n in rails.offered.items() if at > kept}
    if second <= rails.second:
        return
    oldest = rails.second - MINUTE_S + 1
    leaving = range(oldest, min(second - MINUTE_S, rails.second) + 1)
    rails.minute -= sum(rails.offered.get(at, 0) for at in leaving)
    rails.second = second


def _fullest(offered: Mapping[int, int], second: int) -> int:
    """Return the number of leases offered in the fullest 60 seconds that contain `second`."""
    around = [offered.get(at, 0) for at in range(second - MINUTE_S + 1, second + MINUTE_S)]
    fullest = minute = sum(around[:MINUTE_S])
    for leaves, comes in zip(around, around[MINUTE_S:], strict=False):
        minute += comes - leaves
        fullest = max(fullest, minute)
    return fullest


def _is_share_open(params: RailParams, rails: Rails) -> bool:
    """Update the share rail; return true if it refuses one more recipient."""
    held = len(rails.until_ms)
    rails.share_open = held >= params.recipients_max or (
        rails.share_open and held > RAILS_CLOSE_RATIO * params.recipients_max
    )
    return rails.share_open
