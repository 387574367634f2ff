"""The burst score at every message, for the picture: by the detector's own judge.

The worker publishes it only where the level changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detectors.bars import LEAK_MILLI_S
from detectors.model.records import seconds
from detectors.recipients.row import Memory
from detectors.suspects.suspect import Suspect, see


def follow(codes: Iterable[tuple[int, int]]) -> Iterator[float]:
    """The bucket's level at each of a recipient's codes, the code itself included.

    `codes` are (event time in ms, platform id) in the order of time, history included: a platform
    is known once its first code is over a day old.

    >>> noon_ms = 1_772_424_000_000
    >>> list(follow((noon_ms + s * 1000, p) for s, p in ((0, 7), (20, 8), (40, 7), (300, 9))))
    [1.0, 1.5, 1.0, 1.0]
    """
    suspect = Suspect(recipient=0, name="", row=0, sightings=[], memory=Memory())
    for event_time_ms, platform in codes:
        at_s = seconds(event_time_ms)
        see(suspect, platform, at_s)
        leaked = LEAK_MILLI_S * (at_s - suspect.bucket_s)  # a repeat adds nothing
        yield max(suspect.bucket_level_milli - leaked, 0) / 1000
