"""Publishes records that a person waits for: at once, or never.

If we report to a person that a record was not published, it must not be published two minutes
later.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaError, RetriableError

from streams.cluster.admin import unusable
from streams.common import UncertainError, tr

AGREED_S: Final = 0.3
"""Longest wait in seconds for further gateways, after all recently active gateways have confirmed.
Chosen: six times what a running adapter needs."""

LATELY: Final = 200
"""Number of newest acknowledgements that are read of each partition at the start."""

LATELY_MS: Final = 86_400_000
"""A gateway is known for this time after it was last heard of (milliseconds, a day)."""

SENT_S: Final = 10.0
PROMPT: Final[Mapping[str, Any]] = {
    "linger_ms": 0,
    "request_timeout_ms": 4_000,
    "delivery_timeout_ms": 8_000,
    "max_block_ms": 8_000,
    "bootstrap_timeout_ms": 8_000,
    "metadata_max_age_ms": 5_000,
}
"""Settings of a producer that gives a record up before `SENT_S` is over. With Kafka's defaults, the
producer would retry for two minutes after the person was told that it failed. A request that the
broker has already received cannot be taken back. Partitions that were added to a topic are used
after five seconds, as by the readers, instead of five minutes."""


class PromptProducer:
    """A thread-safe producer for records that a person waits for.

    After each failure it makes a new Kafka producer. The reason: when an idempotent Python producer
    gives up a request, its partition may stay blocked for ever. Every later record then failed
    until the desk was restarted.
    """

    def __init__(self, clients: Mapping[str, Any]) -> None:
        """Make the first Kafka producer. Raise KafkaError if no broker answers."""
        self._clients = clients
        self._lock = threading.Lock()
        # Producers that still hold records; even `close` does not end these.
        self._given_up: list[Any] = []
        self._producer: Any = self._make()

    def _make(self) -> Any:
        return KafkaProducer(**self._clients, **PROMPT, acks="all")

    def send(self, topic: str, value: bytes, key: bytes) -> Any:
        """Send a record, and return the future of its metadata (partition and offset)."""
        with self._lock:
            if self._producer is None:
                self._producer = self._make()
            producer = self._producer
        return producer.send(topic, value, key=key)

    def drop(self) -> None:
        """Discard the producer and all records in it; the next `send` makes a new producer."""
        self._end(0)

    def close(self) -> None:
        """Close the producer; wait up to `SENT_S` for records that are being sent."""
        self._end(SENT_S)

    def _end(self, timeout_s: float) -> None:
        with self._lock:
            if self._producer is not None:
                self._given_up.append(self._producer)
                self._producer = None
            self._given_up = [each for each in self._given_up if not _close(each, timeout_s)]


def _close(producer: Any, timeout_s: float) -> bool:
    """Close a producer. Returns false if it still holds records; it gives these up by itself."""
    try:
        producer.close(timeout=timeout_s)
    except KafkaError:
        return False
    return True


def say(producer: PromptProducer, topic: str, value: bytes, key: bytes) -> int:
    """Publish one record, and return its offset.

    Raise UncertainError if no broker confirmed the record: it was given up, but a broker may have
    received it, and readers may then obey it. Raise UnavailableError or ConfigError if the record
    was not accepted.
    """
    sent: Any = None
    try:
        sent = producer.send(topic, value, key)
        return int(sent.get(timeout=SENT_S).offset)
    except KafkaError as error:
        producer.drop()
        # IllegalStateError: another record's failure ended the producer.
        if sent is not None and isinstance(error, (RetriableError, IllegalStateError)):
            what = tr("it is not known whether {topic} has the override").format(topic=topic)
            raise UncertainError(f"{what}: {type(error).__name__}") from None
        raise unusable(tr("cannot publish to {topic}").format(topic=topic), error) from None
