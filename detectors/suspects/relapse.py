"""Relapse: the flood of the last days comes back.

Runs of a flooding tool are repeated for days. After an enforced THROTTLE each recipient has a
record of that flood's platforms for 72 hours. A few of these platforms at once reopen the throttle,
and they do not become known meanwhile.
"""

from dataclasses import dataclass, field
from typing import Final

from detectors.model.fields import PlatformId, Time, TimeMs
from detectors.model.records import seconds
from detectors.suspects.judge import Band, Finding
from detectors.thresholds import RELAPSE_PLATFORMS, RELAPSE_WINDOW_MS

RULE: Final = "relapse"


@dataclass(slots=True, eq=False)
class Relapse:
    """The record of one recipient's last enforced flood."""

    until_s: Time  # the record ends here; seconds since `EPOCH_S`
    platforms: frozenset[PlatformId]
    # Platform of the flood -> time of its newest message.
    recent_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)

    def forget_after(self, limit_s: int) -> None:
        """Drop messages with a time after `limit_s`, because a clock was ahead."""
        self.recent_ms = {p: ms for p, ms in self.recent_ms.items() if seconds(ms) <= limit_s}


def observe_relapse(relapse: Relapse | None, platform: int, at_ms: int, other: Finding) -> Finding:
    """Record one code of a novel, untrusted platform.

    Returns THROTTLE if enough platforms of the earlier flood came within ten minutes of this code,
    else `other`. Codes may come out of order.
    """
    if relapse is None or platform not in relapse.platforms:
        return other
    recent_ms = relapse.recent_ms
    recent_ms[platform] = max(at_ms, recent_ms.get(platform, at_ms))
    near = [ms for ms in recent_ms.values() if abs(at_ms - ms) < RELAPSE_WINDOW_MS]
    if other.band is Band.THROTTLE or len(near) < RELAPSE_PLATFORMS:
        return other
    return Finding(Band.THROTTLE, RULE, len(near), RELAPSE_PLATFORMS, seconds(min(near)))
