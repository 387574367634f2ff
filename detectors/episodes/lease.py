"""The duration of a lease, chosen by the pace of the flood.

A fast flood soon shows that it goes on, so its lease is short. At four codes an hour, the same
lease would expire before the next code comes.
"""

from itertools import pairwise
from typing import Final

from detectors.suspects.suspect import Episode, Suspect

SIGHTINGS: Final = 8
"""Number of newest novel sightings of the episode from which the pace is computed."""

GAPS: Final = 3.5
"""Duration of a lease in median gaps between the flood's sightings.

Measured on the whole chain with a flood of 96 codes in 24 h: 3, 3.5 and 4 gaps refuse 34, 37 and
39 %, and 75, 78 and 80 % if .9 of its platforms are hot. A longer lease also stays longer after the
flood, so the smallest value that refuses 78 % was chosen.
"""


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
