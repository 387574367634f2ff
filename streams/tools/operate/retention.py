"""Computes until when topics retain a number that was erased elsewhere, by retention alone."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from detectors.model.times import DAY_MS
from streams.cluster.admin import Cluster, Shape
from streams.cluster.topics import Topic, topics
from streams.common import ConfigError, UnavailableError, moment, tr
from streams.config import Settings

ALWAYS: Final = MappingProxyType(
    {
        "input": "{days} days after the number's last message",
        "dead_letters": "{days} days after its last refused message, texts and all",
        "undeliverable": "{days} days after a lease of it that a gateway would not take",
    }
)
"""Topics for which the store does not know the records of a single number."""


def still_held(settings: Settings, newest_ms: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return pairs of topic and text.

    The text says until when, at the latest, the topic retains the number.

    `newest_ms` is the broker's time of the newest record of the number, by topic role. If a role is
    missing, the store knew no such record. Retentions are those that the brokers report. If they
    cannot be read, the retentions of `topics create` are used.
    """
    wanted = topics(settings)
    found = _shapes(settings, wanted)
    said = []
    for topic in wanted:
        keeps_ms = _keeps_ms(topic, found.get(topic.name))
        if topic.role == "changelog":
            until = tr("until its row is the longest idle of its partition, or the number recycled")
        elif topic.role in ("override", "everyone"):
            if "override" not in newest_ms or topic.name != settings.topics.override:
                continue
            until = tr("until the override ends and `otpguard cases tidy` has run")
        elif topic.role in ALWAYS:
            until = tr(ALWAYS[topic.role]).format(days=_days(keeps_ms))
        elif topic.role in newest_ms:
            if keeps_ms is None:
                until = tr("for ever: it has no retention")
            else:
                until = tr("until {at} at the latest").format(
                    at=moment(newest_ms[topic.role] + keeps_ms)
                )
        else:
            continue
        said.append((topic.name, until))
    return said


def _shapes(settings: Settings, wanted: tuple[Topic, ...]) -> Mapping[str, Shape]:
    try:
        with Cluster(settings.kafka) as cluster:
            return cluster.shapes(topic.name for topic in wanted)
    except (ConfigError, UnavailableError):
        return {}


def _keeps_ms(topic: Topic, shape: Shape | None) -> int | None:
    """Return the longest life of a record: the retention plus one segment; None: for ever."""
    configs = dict(topic.configs)
    if shape is not None:
        configs |= {key: value for key, value in shape.configs.items() if value}
    keeps_ms = int(configs.get("retention.ms", "-1"))
    return None if keeps_ms < 0 else keeps_ms + int(configs.get("segment.ms", "0"))


def _days(keeps_ms: int | None) -> str:
    return tr("any number of") if keeps_ms is None else f"{keeps_ms / DAY_MS:.1f}"
