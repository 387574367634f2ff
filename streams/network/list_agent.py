"""Publish the network's list of hot (abused) platforms into every partition of the input topic.

A partition adopts the list at its own offset. The list is published after a change, and again every
six hours, so that a partition with a new state finds it. Its version is the time at which the
writer was last confirmed as owner. A writer that was paused and continues has an older version,
which partitions ignore.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer

from detectors.hot.network import sign_list
from detectors.model.times import HOUR_MS, MINUTE_MS
from detectors.thresholds import HOT_VALID_MS
from streams.cluster.read import reading
from streams.network.compacted_topic import SENT_S
from streams.telemetry.metrics import Metrics
from streams.wire import encode_listed

log = logging.getLogger(__name__)

PACE_MS: Final = MINUTE_MS
"""Minimum time between two lists: with 32 partitions, at most 32 records of 4 kB a minute."""

REPEAT_MS: Final = 6 * HOUR_MS
"""An unchanged list is published again after this time: four times within its lifetime."""


@dataclass(slots=True, eq=False)
class ListPace:
    """Decides when a list is published. Remembers only the newest list."""

    _told: frozenset[int] | None = None  # None: this owner has published no list
    _told_ms: int = 0

    def due(self, wanted: frozenset[int], now_ms: int) -> bool:
        """Return true if the list of these platforms should be published now.

        An empty list is not published if no list was published before.
        """
        if wanted == (self._told or frozenset()):
            return self._told is not None and now_ms >= self._told_ms + REPEAT_MS
        return now_ms >= self._told_ms + PACE_MS

    def note(self, told: frozenset[int], now_ms: int) -> None:
        self._told, self._told_ms = told, now_ms


class ListWriter:
    """Publishes the list of hot platforms."""

    def __init__(
        self, clients: Mapping[str, Any], topic: str, key: bytes, metrics: Metrics
    ) -> None:
        """`topic`: the workers' input topic, to which the lists are published.

        Raise ConfigError if it does not exist.
        """
        with reading(clients, topic) as reader:  # only to get the partitions
            self._partitions = reader.partitions
        self._producer = KafkaProducer(**clients, client_id="otpguard-lists", acks="all")
        self._topic, self._key, self._metrics = topic, key, metrics
        self._pace = ListPace()

    def forget(self) -> None:
        """Reset the pace, because another process publishes the list now."""
        self._pace = ListPace()

    def tell(self, platforms: Sequence[int], now_ms: int) -> bool:
        """Publish the list of these platforms to all partitions, if `ListPace` says that it is due.

        Returns false if nothing was due. Raises KafkaError if a broker does not accept the list.
        """
        wanted = frozenset(platforms)
        if not self._pace.due(wanted, now_ms):
            return False
        value = encode_listed(sign_list(self._key, now_ms, now_ms + HOT_VALID_MS, wanted))
        sent = [
            self._producer.send(self._topic, value, partition=partition)
            for partition in self._partitions
        ]
        for future in sent:
            future.get(timeout=SENT_S)
        self._pace.note(wanted, now_ms)
        self._metrics.add("hot_lists_told_total")
        self._metrics.put("hot_list_platforms", len(wanted))
        log.info("a list of %d hot platforms went to %d partitions", len(wanted), len(sent))
        return True

    def close(self) -> None:
        self._producer.close(timeout=5)
