"""Reads partitions of topics from places that the caller keeps, in no consumer group.

librdkafka carries the records: parsed in Python one costs 25 to 35 us, a third of an indexer's
time. How far the topics go is asked for by kafka-python, which asks of all partitions at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    Message,
)
from confluent_kafka import TopicPartition as Assigned
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, for_code

from streams.cluster.admin import client_arguments, no_topic
from streams.cluster.librdkafka import arguments
from streams.config import Kafka

log = logging.getLogger(__name__)

POLL_S: Final = 0.2

_ARGUMENTS: Final[Mapping[str, Any]] = {
    # A name without which there is no client; nothing is committed, and nobody joins.
    "group.id": "otpguard-desk",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",  # where retention overtook us
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": int(POLL_S * 1000),
    "queued.max.messages.kbytes": 16 << 10,
    "reconnect.backoff.max.ms": 2_000,
}


class Polled(NamedTuple):
    """One poll's records, and the partitions that it read to their ends."""

    records: dict[TopicPartition, list[Message]]
    """Records of each partition that has some, in the order of its log."""
    ends: dict[TopicPartition, int]
    """Positions at which nothing was left to read: past the marks that transactions leave."""


class LogReader:
    """Two clients of a cluster. Not safe to share between threads."""

    def __init__(self, kafka: Kafka) -> None:
        """Raise ConfigError or UnavailableError where no broker lets us in."""
        self._looker = KafkaConsumer(**client_arguments(kafka), allow_auto_create_topics=False,
                                     isolation_level="read_committed")  # fmt: skip
        try:
            self._reader = Consumer(
                {**arguments(kafka), **_ARGUMENTS}, logger=logging.getLogger("librdkafka")
            )
        except BaseException:
            self._looker.close()
            raise

    def close(self) -> None:
        """End both clients."""
        with closing(self._looker):
            self._reader.close()

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of the topics. Raise ConfigError for a topic that is not there."""
        found = []
        for topic in topics:
            numbers = self._looker.partitions_for_topic(topic)
            if not numbers:
                raise no_topic(topic)
            found += [TopicPartition(topic, each) for each in sorted(numbers)]
        return found

    def ends(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset after the last committed record of each. Raise KafkaError."""
        found: dict[TopicPartition, int] = self._looker.end_offsets(list(places))
        return found

    def start(self, places: Mapping[TopicPartition, int | None]) -> None:
        """Read each partition from an offset; None: from its beginning."""
        self._reader.assign(
            [
                Assigned(place.topic, place.partition, OFFSET_BEGINNING if at is None else at)
                for place, at in places.items()
            ]
        )

    def poll(self, records_max: int) -> Polled:
        """Return what has come, after `POLL_S` at the latest.

        Raise KafkaError where the brokers will not let us read, however often we ask. A broker that
        is away is tried again without a word: `ends` says so.
        """
        polled = Polled({}, {})
        if not (some := self._reader.consume(1, POLL_S)):
            return polled
        for each in (*some, *self._reader.consume(records_max - 1, 0)):
            place = TopicPartition(each.topic(), each.partition())
            if (error := each.error()) is None:
                polled.records.setdefault(place, []).append(each)
                polled.ends.pop(place, None)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                polled.ends[place] = each.offset()
            else:
                _refuse(error)
        return polled


def written_ms(record: Message) -> int:
    """Return a record's time on the log, -1 where it has none."""
    kind, ms = record.timestamp()
    return -1 if kind == TIMESTAMP_NOT_AVAILABLE else int(ms)


def _refuse(error: KafkaError) -> None:
    """Raise an error that lasts, as kafka-python names it; pass over what the client mends."""
    code = error.code()
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return  # librdkafka looks for the group that nobody joins
    if code > 0 and issubclass(lasting := for_code(code), AuthorizationError):
        raise lasting(error.str())
    log.warning("librdkafka: %s", error.name())
