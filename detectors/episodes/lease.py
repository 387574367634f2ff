"""The length of a lease, by the flood's own pace.

A fast flood shows at once that it goes on, so its lease is short. At four codes an hour the same
lease would be over before the next code comes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from detectors.suspects.suspect import Episode, Suspect

SIGHTINGS: Final = 8
"""The newest novel sightings of the episode, whose gaps tell its pace."""

GAPS: Final = 3.5
"""Median gaps that a lease lasts. On the whole chain 3, 3.5 and 4 refuse 34, 37 and 39 % of 96
codes in 24 h, and 75, 78 and 80 % where .9 of its platforms are hot. The lease that is left after
a flood grows alike, so it is the least that refuses 78 %."""


def pace_ms(suspect: Suspect, episode: Episode) -> int:
    """`GAPS` median gaps of the episode's newest platforms, in milliseconds; 0 of one alone.

    Of the episode's own sightings: with what came days before it, a few platforms at once would get
    the longest lease.
    """
    times_s = [t for t in suspect.novel_s[-SIGHTINGS:] if t >= episode.since_s]
    gaps_s = sorted(b - a for a, b in pairwise(times_s))
    if not gaps_s:
        return 0
    middle = len(gaps_s) // 2
    return round(GAPS * 500) * (gaps_s[middle] + gaps_s[~middle])


def lasts_ms(suspect: Suspect, episode: Episode, least_ms: int, most_ms: int) -> int:
    """The length of a lease that is given now: the flood's pace, within bounds."""
    return min(max(pace_ms(suspect, episode), least_ms), most_ms)


def quiet_s(episode: Episode, least_s: int) -> int:
    """Seconds without the flood after which it is over: one and a half leases, where that is more.

    Else a flood at the pace that made the lease long would end between two of its codes.
    """
    return max(least_s, (episode.expires_ms - episode.issued_ms) * 3 // 2000)
