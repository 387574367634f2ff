"""The limit on one platform: a platform that sends again and again is refused alone.

A flood of one to four platforms reaches no other threshold, because these ask for five platforms.
So each platform that the recipient does not know, or that is young, has a limit of its own. The
lease that follows refuses this platform and no other.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from detectors.bars import LIMIT_24H, LIMIT_35MIN
from detectors.model.records import Mode
from detectors.model.times import DAY_S
from detectors.recipients.repeats import Repeats

WINDOWS: Final = (
    ("limit_35min", 35 * 60, LIMIT_35MIN, 2),
    ("limit_24h", DAY_S, LIMIT_24H, 3),
)
"""Rule, window in seconds, threshold, and its divisor while an earlier flood is remembered."""


class Limit(NamedTuple):
    """A limit that is reached."""

    rule: str
    score: float
    threshold: float


def judge_limit(repeats: Repeats, key: int, *, relapse: bool) -> Limit | None:
    """Return the limit that the newest codes of a platform reach, or None. `key`: see `Repeats`."""
    for rule, window_s, threshold, divisor in WINDOWS:
        lower = threshold / divisor if relapse else threshold
        count = repeats.count(key, window_s)
        if count >= lower:
            return Limit(rule, count, lower)
    return None


class PlatformLease:
    """The newest platform lease of a suspect: it refuses single platforms."""

    __slots__ = (
        "again_ms", "expires_ms", "id", "issued_ms", "limit", "limited_ms", "mode", "named_ms",
        "offset", "refused",
    )  # fmt: skip

    def __init__(self, lease_id: str) -> None:
        self.id = lease_id  # id of the episode that this lease stands for
        self.limited_ms: dict[int, int] = {}  # platform past its limit -> end of its refusal
        self.named_ms: dict[int, int] = {}  # platform of a slow flood -> end of its refusal
        self.again_ms: dict[int, list[int]] = {}  # platform past its limit -> codes since the lease
        self.refused: tuple[int, ...] = ()  # platforms that the newest lease refuses, ascending
        self.issued_ms = self.expires_ms = 0
        self.offset = -1  # offset of the event that caused the newest lease
        self.mode: Mode = "shadow"
        self.limit = Limit("limit_35min", 0, 0)  # the last limit that was reached

    def refuses(self, platform: int, at_ms: int) -> bool:
        """Return true if this lease refuses an untrusted code at this time."""
        return self.issued_ms < at_ms < self.expires_ms and platform in self.refused

    def forget_from(self, from_ms: int) -> None:
        """Drop all state at or after `from_ms`: a clock was ahead."""
        if self.issued_ms >= from_ms:
            self.issued_ms = self.expires_ms = 0
            self.limited_ms, self.named_ms, self.again_ms = {}, {}, {}

    def state(self) -> list[Any]:
        """Return the state for a checkpoint."""
        again_ms = [(platform, list(times)) for platform, times in self.again_ms.items()]
        named = [list(self.limited_ms.items()), list(self.named_ms.items()), again_ms]
        times = [self.issued_ms, self.expires_ms, self.offset]
        return [self.id, *named, list(self.refused), *times, self.mode, list(self.limit)]


def platform_lease_of(state: list[Any]) -> PlatformLease:
    """Restore what `PlatformLease.state` returned."""
    lease = PlatformLease(state[0])
    limited_ms, named_ms, again_ms, refused = state[1:5]
    lease.limited_ms, lease.named_ms = dict(limited_ms), dict(named_ms)
    lease.again_ms = {platform: list(times) for platform, times in again_ms}
    lease.refused = tuple(refused)
    lease.issued_ms, lease.expires_ms, lease.offset, lease.mode, limit = state[5:]
    lease.limit = Limit(*limit)
    return lease
