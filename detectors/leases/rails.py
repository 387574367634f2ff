"""Rails: limits on what the machine may do by itself, whatever it believes.

A detector gone wrong, or fed by somebody who wants it to go wrong, must not be able to throttle a
network. Past a rail *new* leases are refused; those in force stay, and renewals of them pass. The
rail comes back by hysteresis. Time is that of the leases, so that an adapter that reads the log
again admits again what it admitted before.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000


class Refusal(StrEnum):
    """Why a rail refuses a lease."""

    RATE = "rail_rate"  # too many new leases in a minute
    SHARE = "rail_share"  # too many recipients under lease
    LEASE = "rail_lease"  # a lease longer than any that the detector makes
    EPISODE = "rail_episode"  # an episode longer than a day


@dataclass(frozen=True, slots=True)
class GuardParams:
    """Limits of one gateway. `sized` derives them from the number of subscribers.

    The floor holds a whole campaign, or the rail would disarm the throttle when it is needed: the
    largest in view (A6) reaches 5,000 recipients within 10 minutes, 500 a minute.
    """

    new_per_minute: int = 1_000
    recipients_max: int = 20_000
    close_ratio: float = 0.8  # chosen: an open rail shuts when the load is under this share
    alarm_ratio: float = 0.5  # chosen: tell somebody while there is still room
    lease_max_ms: int = HOUR_MS  # chosen: the default lease is 10 min
    episode_max_ms: int = 24 * HOUR_MS

    def __post_init__(self) -> None:
        if self.new_per_minute < 1 or self.recipients_max < 1:
            raise ValueError("a rail admits at least one lease")
        if not 0 < self.alarm_ratio < self.close_ratio < 1:
            raise ValueError("0 < alarm_ratio < close_ratio < 1")
        if self.lease_max_ms < 1 or self.episode_max_ms < self.lease_max_ms:
            raise ValueError("an episode lasts at least a lease")

    @classmethod
    def sized(cls, subscribers: int) -> GuardParams:
        """A new lease a minute for 10,000 subscribers, one of 500 under lease at a time.

        >>> GuardParams.sized(10_000_000) == GuardParams()
        True
        >>> GuardParams.sized(100_000).new_per_minute
        600
        """
        return cls(
            new_per_minute=max(600, subscribers // 10_000),
            recipients_max=max(6_000, subscribers // 500),
        )


@dataclass(slots=True)
class Guard:
    """Mutable: the leases admitted. Bounded by `recipients_max` and `new_per_minute` entries."""

    until_ms: dict[str, int] = field(default_factory=dict)  # recipient -> end of its lease
    ends: list[tuple[int, str]] = field(default_factory=list)  # heap over until_ms, may be stale
    offered: deque[int] = field(default_factory=deque)  # when new leases were asked for, a minute
    rate_open: bool = False
    share_open: bool = False

    @property
    def open(self) -> bool:
        """Whether a rail refuses new leases now."""
        return self.rate_open or self.share_open


def admit(
    params: GuardParams,
    guard: Guard,
    recipient: str,
    *,
    issued_at_ms: int,
    expires_at_ms: int,
    opened_ms: int,
) -> Refusal | None:
    """None if the lease may be enforced, else which rail refuses it.

    `opened_ms` is when its episode opened: its first sighting may lie a day before. Leases come
    roughly in the order of `issued_at_ms`; one out of order only counts as if it came with the
    newest.
    """
    if expires_at_ms - issued_at_ms > params.lease_max_ms:
        return Refusal.LEASE
    if issued_at_ms - opened_ms > params.episode_max_ms:
        return Refusal.EPISODE
    forget(guard, issued_at_ms)
    renewal = recipient in guard.until_ms
    if not renewal:
        guard.offered.append(issued_at_ms)
    _swing(params, guard)
    if not renewal and guard.rate_open:
        return Refusal.RATE
    if not renewal and guard.share_open:
        return Refusal.SHARE
    if expires_at_ms > guard.until_ms.get(recipient, 0):
        guard.until_ms[recipient] = expires_at_ms
        heapq.heappush(guard.ends, (expires_at_ms, recipient))
    return None


def withdraw(guard: Guard, recipient: str) -> None:
    """The lease of this recipient is over before its end: it holds no place any more."""
    guard.until_ms.pop(recipient, None)


def forget(guard: Guard, now_ms: int) -> None:
    """Drop what is over at `now_ms`."""
    while guard.ends and guard.ends[0][0] <= now_ms:
        end, recipient = heapq.heappop(guard.ends)
        if guard.until_ms.get(recipient) == end:
            del guard.until_ms[recipient]
    while guard.offered and guard.offered[0] <= now_ms - MINUTE_MS:
        guard.offered.popleft()


def load(params: GuardParams, guard: Guard) -> float:
    """How near the nearer rail is: 1 is at it. Over `alarm_ratio` somebody should look."""
    return max(
        len(guard.offered) / params.new_per_minute,
        len(guard.until_ms) / params.recipients_max,
    )


def _swing(params: GuardParams, guard: Guard) -> None:
    """Open past the limit, shut under `close_ratio` of it, else stay."""
    # A refused offer counts like any other, so a rail does not shut while the rush goes on; older
    # offers than the limit's number add nothing, which bounds the memory of a rush.
    while len(guard.offered) > params.new_per_minute + 1:
        guard.offered.popleft()
    offered, held = len(guard.offered), len(guard.until_ms)
    guard.rate_open = offered > params.new_per_minute or (
        guard.rate_open and offered > params.close_ratio * params.new_per_minute
    )
    guard.share_open = held >= params.recipients_max or (
        guard.share_open and held > params.close_ratio * params.recipients_max
    )
