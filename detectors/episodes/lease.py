"""The settings of leases and episodes, and the duration of a lease by the pace of the flood.

A fast flood soon shows that it goes on, so its lease is short. At four codes an hour, the same
lease would expire before the next code comes.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from detectors.defaults import (
    CHRONIC_DAYS,
    COLD_DAYS,
    COLD_KNOWN,
    EPISODE_MOST_S,
    EPOCH,
    LEASE_MOST_MS,
    LEASE_MS,
    QUIET_S,
)
from detectors.model.records import Mode
from detectors.model.times import DAY_S
from detectors.suspects.suspect import Episode, Suspect
from detectors.thresholds import EPISODE_MAX_MS, LEASE_MAX_MS

SIGHTINGS: Final = 8
"""Number of newest novel sightings of the episode from which the pace is computed."""

GAPS: Final = 3.5
"""Duration of a lease in median gaps between the flood's sightings.

Measured on the whole chain with a flood of 96 codes in 24 h: 3, 3.5 and 4 gaps refuse 34, 37 and
39 %, and 75, 78 and 80 % if .9 of its platforms are hot (abused by other floods). A longer lease
also stays longer after the flood, so the smallest value that refuses 78 % was chosen.
"""

CHRONIC_SPAN_DAYS: Final = 14
"""Number of days over which days under THROTTLE are counted."""


@dataclass(frozen=True, slots=True)
class EpisodeParams:
    """Settings of leases and of a cold start, and the versions that every action carries."""

    mode: Mode = "shadow"
    epoch: int = EPOCH
    version: str = "0"  # of the detector
    config: str = ""  # hash of the settings
    lease_ms: int = LEASE_MS  # minimum duration of a lease
    lease_most_ms: int = LEASE_MOST_MS  # maximum, for slow floods: `lasts_ms`
    episode_most_s: int = EPISODE_MOST_S  # maximum duration of an episode
    quiet_s: int = QUIET_S  # time without a message of the flood after which the episode ends
    # A recipient that knows fewer than `cold_known` platforms, and whose first code came less than
    # `cold_days` days ago, is cold: its leases have the mode shadow.
    cold_known: int = COLD_KNOWN
    cold_days: int = COLD_DAYS
    # True: enforce for cold recipients too. Their usual codes are then refused with the flood.
    enforce_cold: bool = False
    chronic_days: int = CHRONIC_DAYS  # days of the last 14 under THROTTLE that mark it as chronic
    again: bool = True  # open retry windows: `detectors.suspects.retry_windows`
    # True: publish new windows as records of their own. False: tell the whole lease again.
    window_records: bool = False
    incidents: bool = True  # record incidents; decisions do not depend on this

    def __post_init__(self) -> None:
        if self.mode not in ("shadow", "enforce"):
            raise ValueError(f"mode must be shadow or enforce: {self.mode}")
        if not 0 < self.lease_ms < self.quiet_s * 1000:
            raise ValueError("a lease must end before its episode does: lease_ms < quiet_s")
        if not self.lease_ms <= self.lease_most_ms <= LEASE_MAX_MS:
            raise ValueError(f"lease_most_ms must be lease_ms to {LEASE_MAX_MS}")
        if self.epoch < 0:
            raise ValueError("epoch must not be negative")
        if not self.quiet_s <= self.episode_most_s <= EPISODE_MAX_MS // 1000:
            most_s = EPISODE_MAX_MS // 1000  # of an older one gateways take no lease
            raise ValueError(f"episode_most_s must be quiet_s to {most_s}, or no lease is taken")
        if not 1 <= self.chronic_days <= CHRONIC_SPAN_DAYS:
            raise ValueError(f"chronic_days must be 1 to {CHRONIC_SPAN_DAYS}")

    def is_warm(self, suspect: Suspect, at_s: int) -> bool:
        """Return true if enough is known of a recipient to enforce its leases."""
        return self.is_enough(suspect.memory_size(at_s), at_s // DAY_S - suspect.memory.born_day)

    def is_enough(self, known: int, days: int) -> bool:
        """Return true if so many known platforms, or so many days, are enough to enforce leases."""
        return self.enforce_cold or known >= self.cold_known or days >= self.cold_days


def pace_ms(suspect: Suspect, episode: Episode) -> int:
    """Return `GAPS` times the median gap of the newest sightings, in milliseconds.

    The result is 0 if there is only one sighting.

    Only sightings of the episode count. With older sightings, a few platforms at once would get the
    longest lease.
    """
    times_s = [t for t in suspect.novel_s[-SIGHTINGS:] if t >= episode.since_s]
    gaps_s = sorted(b - a for a, b in pairwise(times_s))
    if not gaps_s:
        return 0
    middle = len(gaps_s) // 2
    return round(GAPS * 500) * (gaps_s[middle] + gaps_s[~middle])


def lasts_ms(suspect: Suspect, episode: Episode, least_ms: int, most_ms: int) -> int:
    """Return the duration of a lease that starts now, by the flood's pace (`pace_ms`), in ms.

    The settings give its minimum and maximum.
    """
    return min(max(pace_ms(suspect, episode), least_ms), most_ms)


def quiet_s(episode: Episode, least_s: int) -> int:
    """Return how many seconds without a flood message end the episode.

    This is one and a half leases, at least `least_s`. Otherwise the episode of a slow flood, with
    its long lease, would end between two of its codes.
    """
    return max(least_s, (episode.expires_ms - episode.issued_ms) * 3 // 2000)
