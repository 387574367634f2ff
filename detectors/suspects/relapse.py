"""Relapse: the flood of the last days comes back.

Runs of a flooding tool are repeated for days. After an enforced THROTTLE each recipient has a
record of that flood's platforms for 72 hours. A few of these platforms at once reopen the throttle,
and they do not become known meanwhile. Once nearly all of these platforms came back together, a
single one of them is enough.
"""

from dataclasses import dataclass, field
from typing import Final

from detectors.model.fields import PlatformId, Time, TimeMs
from detectors.model.records import seconds
from detectors.suspects.judge import Band, Finding
from detectors.thresholds import (
    BURST_NOVEL,
    RELAPSE_PLATFORMS,
    RELAPSE_SHARE,
    RELAPSE_WINDOW_MS,
)

RULE: Final = "relapse"


@dataclass(slots=True, eq=False)
class Relapse:
    """The record of one recipient's last enforced flood."""

    until_s: Time  # the record ends here; seconds since `EPOCH_S`
    platforms: frozenset[PlatformId]
    # Platform of the flood -> time of its newest message.
    recent_ms: dict[PlatformId, TimeMs] = field(default_factory=dict)
    # True: nearly the whole flood came again, so each of its platforms reopens the throttle.
    repeated: bool = False

    def forget_after(self, limit_s: int) -> None:
        """Drop messages with a time after `limit_s`, because a clock was ahead."""
        self.recent_ms = {p: ms for p, ms in self.recent_ms.items() if seconds(ms) <= limit_s}


def observe_relapse(relapse: Relapse | None, platform: int, at_ms: int, other: Finding) -> Finding:
    """Record one code of a novel, untrusted platform.

    Returns THROTTLE if enough platforms of the earlier flood came within ten minutes of this code,
    else `other`. One platform is enough after `RELAPSE_SHARE` of them came together. Codes may come
    out of order.
    """
    if relapse is None or platform not in relapse.platforms:
        return other
    recent_ms = relapse.recent_ms
    recent_ms[platform] = max(at_ms, recent_ms.get(platform, at_ms))
    near = [ms for ms in recent_ms.values() if abs(at_ms - ms) < RELAPSE_WINDOW_MS]
    least = 1 if relapse.repeated else RELAPSE_PLATFORMS
    several = len(near) >= BURST_NOVEL.throttle
    relapse.repeated |= several and len(near) >= RELAPSE_SHARE * len(relapse.platforms)
    if other.band is Band.THROTTLE or len(near) < least:
        return other
    return Finding(Band.THROTTLE, RULE, len(near), least, seconds(min(near)))
