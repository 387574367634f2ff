"""Reads partitions from offsets that the caller stores, without a consumer group.

librdkafka reads the records. A client in Python needs 25 to 35 us per record, a third of the
indexer's time. kafka-python reads the end offsets, because it asks for all partitions at once.
"""

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
    TopicPartition as Assigned,
)
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, for_code

from streams.cases.store.index_writer import LogRecord, Source
from streams.cluster.admin import client_arguments
from streams.cluster.librdkafka import arguments
from streams.cluster.read import LOOKING, added_partitions, offsets_at, partitions_of, topic_id
from streams.config import Kafka

log = logging.getLogger(__name__)

POLL_S: Final = 0.2  # Longest wait for records in one poll, in seconds.

_ARGUMENTS: Final[Mapping[str, Any]] = {
    # librdkafka needs a group id. Nothing is committed, and the client never joins the group.
    "group.id": "otpguard-desk",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",  # if retention deleted our offset
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": int(POLL_S * 1000),
    "queued.max.messages.kbytes": 16 << 10,
    "reconnect.backoff.max.ms": 2_000,
}


class Polled(NamedTuple):
    """Result of one poll: records, and partitions that were read to the end."""

    records: dict[TopicPartition, list[Message]]
    """Records by partition, in log order. Partitions without records are absent."""
    ends: dict[TopicPartition, int]
    """Offset of each partition that was read to its end. The offset is past the transaction
    markers, which are not returned as records."""


class LogReader:
    """Reads records and end offsets with two Kafka clients. Threads must not share this object."""

    def __init__(self, kafka: Kafka, **more: Any) -> None:
        """Connect to Kafka. Raise ConfigError or UnavailableError if no broker accepts the client.

        `more`: settings of librdkafka, with `_` for each dot.
        """
        named = {name.replace("_", "."): value for name, value in more.items()}
        self._looker = KafkaConsumer(**client_arguments(kafka), isolation_level="read_committed",
                                     **LOOKING)  # fmt: skip
        try:
            self._reader = Consumer(
                {**arguments(kafka), **_ARGUMENTS, **named}, logger=logging.getLogger("librdkafka")
            )
        except BaseException:
            self._looker.close()
            raise

    def close(self) -> None:
        with closing(self._looker):
            self._reader.close()

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of the topics. Raise ConfigError if a topic does not exist."""
        return [each for topic in topics for each in partitions_of(self._looker, topic)]

    def ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the ids of those topics that are known. No broker is asked.

        Another id than before shows that the topic was deleted and created again.
        """
        return {each: str(found) for each in topics if (found := topic_id(self._looker, each))}

    def has_grown(self) -> bool:
        """Return true if a topic has partitions that are not read. No broker is asked."""
        return bool(added_partitions(self._looker))

    def ends(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offset of each partition, after the last committed record.

        Raise KafkaError if the brokers do not answer.
        """
        return self._looker.end_offsets(list(places))

    def first_since(
        self, places: Sequence[TopicPartition], since_ms: int
    ) -> dict[TopicPartition, int]:
        """Return the offset of each partition's first record since then, or its end without one."""
        return offsets_at(self._looker, since_ms, self.ends(places))

    def start(self, places: Mapping[TopicPartition, int | None]) -> None:
        """Begin to read each partition at an offset. The offset None means the beginning."""
        self._looker.assign(list(places))  # It asks for the ids of assigned topics only.
        self._reader.assign(
            [
                Assigned(place.topic, place.partition, OFFSET_BEGINNING if at is None else at)
                for place, at in places.items()
            ]
        )

    def poll(self, records_max: int) -> Polled:
        """Return at most `records_max` records. Wait for at most `POLL_S` seconds.

        Raise KafkaError if the client is not authorized to read. An unreachable broker raises
        nothing here: the client reconnects. `ends` raises an error in this case.
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


def log_record(source: Source, record: Message) -> LogRecord:
    """Return a record as `Writer.take` wants it."""
    return LogRecord(
        source, str(record.topic()), int(record.partition() or 0), int(record.offset() or 0),
        written_ms(record), record.key(), record.value(),
    )  # fmt: skip


def written_ms(record: Message) -> int:
    """Return the Kafka timestamp of a record (ms), or -1 if the record has none."""
    kind, ms = record.timestamp()
    return -1 if kind == TIMESTAMP_NOT_AVAILABLE else int(ms)


def _refuse(error: KafkaError) -> None:
    """Raise an authorization error as its kafka-python class. Log any other error.

    librdkafka retries after other errors by itself.
    """
    code = error.code()
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return  # librdkafka looks up the group although the client does not join it
    if code > 0 and issubclass(lasting := for_code(code), AuthorizationError):
        raise lasting(error.str())
    log.warning("librdkafka: %s", error.name())
