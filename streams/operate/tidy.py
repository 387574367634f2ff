"""Deleting the operator's words that are long over, so that the topic forgets whom they name.

Adapters only heed: who may enforce may not edit what the operator said. Kafka knows no "delete if
still the same", so a word said meanwhile under the same key is found behind the deletion and said
again, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer

from detectors.model.times import DAY_MS
from streams.cluster.admin import working
from streams.cluster.read import reading
from streams.language import tr
from streams.wire import UnreadableError, decode_override

KEPT_MS: Final = DAY_MS
"""After its end: leases that it released may still be on their topic, but none holds so long."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """Counts of one topic's words."""

    words: int  # that stand
    deleted: int
    said_again: int


def tidy(clients: Mapping[str, Any], topic: str, now_ms: int, *, dry_run: bool = False) -> Tidied:
    """Delete the words of a topic that ended over a day before `now_ms`; count them alone if dry.

    Raise ConfigError or UnavailableError if the topic cannot be read or written.
    """
    with (
        reading(clients, topic) as reader,
        working(tr("cannot tidy {topic}").format(topic=topic)),
        closing(KafkaProducer(**clients, acks="all")) as producer,
    ):
        spans = reader.spans()
        newest = _newest(reader.records(spans), {})
        words = {key: found for key, found in newest.items() if found.value is not None}
        over = {key: found for key, found in words.items() if _is_over(found.value, now_ms)}
        if dry_run or not over:
            return Tidied(len(words) - len(over), len(over), 0)
        deleted = _delete(producer, over)
        since = {p: (spans[p][1], end) for p, (_, end) in reader.spans().items()}
        again = {
            key: found
            for key, found in _newest(reader.records(since), deleted).items()
            if found.value is not None and found.offset < deleted.get(key, 0)
        }
        for key, found in again.items():
            producer.send(topic, found.value, key=key, partition=found.partition).get(10)
        return Tidied(len(words) - len(over) + len(again), len(over), len(again))


def _newest(records: Iterable[Any], ours: Mapping[bytes, int]) -> dict[bytes, Any]:
    """The newest record of each key. `ours` are offsets of deletions by key, passed over."""
    return {
        record.key: record
        for record in records
        if record.key is not None and ours.get(record.key) != record.offset
    }


def _delete(producer: KafkaProducer, over: Mapping[bytes, Any]) -> dict[bytes, int]:
    """The offsets of the deletions, each in the partition of its word."""
    sent = {
        key: producer.send(found.topic, None, key=key, partition=found.partition)
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
