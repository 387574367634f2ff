"""Measures how far the workers are behind the input. All figures that people see have this age."""

from dataclasses import dataclass
from typing import Any, Final

from detectors.model.times import HOUR_MS
from streams.cluster.admin import Cluster
from streams.cluster.at_work import Sign, read_signs
from streams.common import ConfigError, OtpguardError, UnavailableError
from streams.config import Settings

BEHIND_S: Final = 300.0
"""Seconds. Commits follow checkpoints, one a minute, so a smaller distance is not a lag."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Facts that brokers report without reading a record. None: this user may not see the fact."""

    lag: dict[int, int] | None = None  # Records that are in no checkpoint, by partition.
    workers: dict[str, int] | None = None  # Number of partitions, by host and member.
    signs: dict[str, Sign] | None = None
    dead_letters: int | None = None  # In the last hour.


def cluster_facts(cluster: Cluster, settings: Settings, now_ms: int) -> ClusterFacts:
    """Return what the brokers tell. `now_ms` is UTC."""
    group, topics = settings.app_id, settings.topics
    answers: list[Any] = []
    for ask in (
        lambda: cluster.lag(group, topics.input),
        lambda: cluster.members(group, topics.input),
        lambda: read_signs(cluster, group),
        lambda: cluster.count_since(topics.dead_letters, now_ms - HOUR_MS),
    ):
        try:
            answers.append(ask())
        except OtpguardError:  # This user has no right to see it.
            answers.append(None)
    return ClusterFacts(*answers)


def events_behind(settings: Settings, now_ms: int) -> int | None:
    """Return the number of late events in no checkpoint; None if unreadable or nothing committed.

    An event is late if it is older than the last checkpoint of a healthy worker (`BEHIND_S`).
    `now_ms` is UTC.
    """
    before_ms = now_ms - int(BEHIND_S * 1000)
    try:
        with Cluster(settings.kafka) as cluster:
            lag = cluster.lag(settings.app_id, settings.topics.input, before_ms)
    except (ConfigError, UnavailableError):
        return None
    return sum(lag.values()) if lag else None
