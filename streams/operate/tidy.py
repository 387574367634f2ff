"""Deleting the operator's words that are long over, so that the topic forgets whom they name.

Adapters only heed: who may enforce may not edit what the operator said. Kafka knows no "delete if
still the same", so a word said meanwhile under the same key is found behind the deletion and said
again, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.cluster.admin import no_topic, unusable
from streams.errors import UnavailableError
from streams.wire import UnreadableError, decode_override

KEPT_MS: Final = 86_400_000
"""After its end: leases that it released may still be on their topic, but none holds so long."""

POLL_MS: Final = 200
SILENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Tidied:
    """Counts of one topic's words."""

    words: int  # that stand
    deleted: int
    said_again: int


@dataclass(frozen=True, slots=True)
class _Found:
    place: TopicPartition
    offset: int
    value: bytes | None


def tidy(clients: Mapping[str, Any], topic: str, now_ms: int, *, dry_run: bool = False) -> Tidied:
    """Delete the words of a topic that ended over a day before `now_ms`; count them alone if dry.

    Raises ConfigError or UnavailableError if the topic cannot be read or written.
    """
    try:
        with (
            closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer,
            closing(KafkaProducer(**clients, acks="all")) as producer,
        ):
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise no_topic(topic)
            consumer.assign([TopicPartition(topic, number) for number in sorted(numbers)])
            consumer.seek_to_beginning()
            newest = _read(consumer, {})
            words = {key: found for key, found in newest.items() if found.value is not None}
            over = {key: found for key, found in words.items() if _is_over(found.value, now_ms)}
            if dry_run or not over:
                return Tidied(len(words) - len(over), len(over), 0)
            deleted = _delete(producer, over)
            again = {
                key: found
                for key, found in _read(consumer, deleted).items()
                if found.value is not None and found.offset < deleted.get(key, 0)
            }
            for key, found in again.items():
                producer.send(topic, found.value, key=key, partition=found.place.partition).get(10)
            return Tidied(len(words) - len(over) + len(again), len(over), len(again))
    except KafkaError as error:
        raise unusable(f"cannot tidy {topic}", error) from None


def _read(consumer: KafkaConsumer, ours: Mapping[bytes, int]) -> dict[bytes, _Found]:
    """The newest record of each key, from where the consumer stands to the end as it is now.

    `ours` are offsets of deletions by key, which are passed over.
    """
    found: dict[bytes, _Found] = {}
    ends = consumer.end_offsets(list(consumer.assignment()))
    heard = time.monotonic()
    while any(consumer.position(place) < end for place, end in ends.items()):
        polled = consumer.poll(timeout_ms=POLL_MS)
        for place, batch in polled.items():
            for record in batch:
                if record.key is not None and ours.get(record.key) != record.offset:
                    found[record.key] = _Found(place, record.offset, record.value)
        if polled:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_S:
            raise UnavailableError("the broker sends no more of the operator's words")
    return found


def _delete(producer: KafkaProducer, over: Mapping[bytes, _Found]) -> dict[bytes, int]:
    """The offsets of the deletions, each in the partition of its word."""
    sent = {
        key: producer.send(found.place.topic, None, key=key, partition=found.place.partition)
        for key, found in over.items()
    }
    producer.flush(timeout=60)
    return {key: future.get(10).offset for key, future in sent.items()}


def _is_over(value: bytes | None, now_ms: int) -> bool:
    """Tell if a word ended long ago. What cannot be read is somebody else's to judge."""
    try:
        word = decode_override(value or b"")
    except UnreadableError:
        return False
    return word.expires_at_ms is not None and word.expires_at_ms + KEPT_MS <= now_ms
