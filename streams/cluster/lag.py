"""Measures how far the workers are behind the input. All figures that people see have this age."""

from typing import Final

from streams.cluster.admin import Cluster
from streams.common import ConfigError, UnavailableError
from streams.config import Settings

BEHIND_S: Final = 300.0
"""Seconds. Commits follow checkpoints, one a minute, so a smaller distance is not a lag."""


def events_behind(settings: Settings, now_ms: int) -> int | None:
    """Return the number of late events that are in no checkpoint; None if this cannot be read.

    An event is late if it is older than the last checkpoint of a healthy worker (`BEHIND_S`).
    `now_ms` is UTC.
    """
    before_ms = now_ms - int(BEHIND_S * 1000)
    try:
        with Cluster(settings.kafka) as cluster:
            return cluster.behind(settings.app_id, settings.topics.input, before_ms)
    except (ConfigError, UnavailableError):
        return None
