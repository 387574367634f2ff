"""The network's list of hot platforms, appended to every partition of the input.

A partition adopts it at its own offset, so it is told where it changed, and again every six hours,
so that a state that begins anew finds one. Its version is the time at which its writer last knew
to be the owner: one that was paused and goes on writes an older version, which nobody adopts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kafka import KafkaProducer

from detectors.bars import HOT_VALID_MS
from detectors.hot.network import signed
from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.agents.kept import SENT_S
from streams.cluster.read import reading
from streams.telemetry.metrics import Metrics
from streams.wire import encode_listed

log = logging.getLogger(__name__)

PACE_MS: Final = MINUTE_MS
"""Two lists are so far apart at least: 32 records of 4 kB a minute at most."""

REPEAT_MS: Final = 6 * HOUR_MS
"""A list that holds is told again: four times within its life."""


class ListPace:
    """The moments at which a list is told. Holds the newest alone."""

    __slots__ = ("_told", "_told_ms")

    def __init__(self) -> None:
        self._told: frozenset[int] | None = None  # None: nothing, or by another owner
        self._told_ms = 0

    def due(self, wanted: frozenset[int], now_ms: int) -> bool:
        """Tell if the list of these platforms is to be told now.

        Where nothing was told yet an empty one is not told either.
        """
        if wanted == (self._told or frozenset()):
            return self._told is not None and now_ms >= self._told_ms + REPEAT_MS
        return now_ms >= self._told_ms + PACE_MS

    def note(self, told: frozenset[int], now_ms: int) -> None:
        """Note that it was told."""
        self._told, self._told_ms = told, now_ms


class ListWriter:
    """Tells the list."""

    def __init__(
        self, clients: Mapping[str, Any], topic: str, key: bytes, metrics: Metrics
    ) -> None:
        """`topic` is the input. Raise ConfigError if there is none."""
        with reading(clients, topic) as reader:  # which asks for the partitions alone
            self._partitions = reader.partitions
        self._producer = KafkaProducer(**clients, client_id="otpguard-lists", acks="all")
        self._topic, self._key, self._metrics = topic, key, metrics
        self._pace = ListPace()

    def forget(self) -> None:
        """Another owner tells now."""
        self._pace = ListPace()

    def tell(self, platforms: Sequence[int], now_ms: int) -> bool:
        """Append the list of these platforms, if it is time to (`ListPace`); False if not.

        Raise KafkaError if a broker does not take it.
        """
        wanted = frozenset(platforms)
        if not self._pace.due(wanted, now_ms):
            return False
        value = encode_listed(signed(self._key, now_ms, now_ms + HOT_VALID_MS, wanted))
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
        """Let go of the connections."""
        self._producer.close(timeout=5)
