"""Computes the burst score at every message for the picture, with the detector's own judge.

The worker publishes the score only when the level changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detectors.bars import LEAK_MILLI_S
from detectors.model.records import seconds
from detectors.recipients.row import Memory
from detectors.suspects.suspect import Suspect, see


def follow(codes: Iterable[tuple[int, int]]) -> Iterator[float]:
    """Yield the bucket level at each code of a recipient, including that code.

    `codes` are pairs of event time in ms and platform id, in time order, including the history. A
    platform counts as known when its first code is over a day old.

    >>> noon_ms = 1_772_424_000_000
    >>> list(follow((noon_ms + s * 1000, p) for s, p in ((0, 7), (20, 8), (40, 7), (300, 9))))
    [1.0, 1.5, 1.0, 1.0]
    """
    suspect = Suspect(recipient=0, name="", row=0, sightings=[], memory=Memory())
    for event_time_ms, platform in codes:
        at_s = seconds(event_time_ms)
        see(suspect, platform, at_s)
        leaked = LEAK_MILLI_S * (at_s - suspect.bucket_s)  # A repeated platform adds nothing.
        yield max(suspect.bucket_level_milli - leaked, 0) / 1000
