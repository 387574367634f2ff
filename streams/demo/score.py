"""The burst score at every message, for the picture: by the detector's own judge.

The worker publishes it only where the level changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detectors.episode import seconds
from detectors.judge import Suspect, see
from detectors.memory import Memory


def follow(codes: Iterable[tuple[int, int]]) -> Iterator[tuple[float, int]]:
    """The bucket right after each of a recipient's codes: its level, and its novel platforms.

    `codes` are (event time in ms, platform id) in the order of time, history included: a platform
    is known once its first code is over a day old.
    """
    suspect = Suspect(0, "", [], Memory(), 0)
    for event_time_ms, platform in codes:
        see(suspect, platform, seconds(event_time_ms))
        yield suspect.bucket_level_milli / 1000, suspect.bucket_novel
