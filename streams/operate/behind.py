"""The workers' distance to what was sent: whatever is told of a number is as old as that."""

from __future__ import annotations

from streams.cluster.admin import Cluster
from streams.config import Settings
from streams.errors import ConfigError, UnavailableError
from streams.operate.doctor import BEHIND_S


def events_behind(settings: Settings, now_ms: int) -> int | None:
    """Events older than a healthy worker's last checkpoint that none has; None: not to be seen."""
    before_ms = now_ms - int(BEHIND_S * 1000)
    try:
        with Cluster(settings.kafka) as cluster:
            return cluster.behind(settings.app_id, settings.topics.input, before_ms)
    except (ConfigError, UnavailableError):
        return None
