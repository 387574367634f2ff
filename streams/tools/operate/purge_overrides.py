"""Deletes operators' overrides that ended long ago, so that the topic forgets the numbers.

Adapters only read overrides: a process that enforces must not edit the operator's decisions. Kafka
has no conditional delete. An override published under the same key in the meantime is therefore
found after the deletion, and published again, byte for byte.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaProducer

from detectors.thresholds import RELAPSE_S
from streams.cluster.admin import working
from streams.cluster.read import reading
from streams.common import tr
from streams.wire import UnreadableError, decode_override

KEPT_MS: Final = RELAPSE_S * 1000
"""Time that an override is kept after its end. A release covers leases for as long as the detector
remembers the flood."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """Counts of the overrides in one topic."""

    words: int  # Overrides that remain.
    deleted: int
    said_again: int


def tidy(clients: Mapping[str, Any], topic: str, now_ms: int, *, dry_run: bool = False) -> Tidied:
    """Delete overrides that ended over three days before `now_ms` (UTC); only count if `dry_run`.

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
    """Return the newest record of each key, without the deletions at the offsets in `ours`."""
    return {
        record.key: record
        for record in records
        if record.key is not None and ours.get(record.key) != record.offset
    }


def _delete(producer: KafkaProducer, over: Mapping[bytes, Any]) -> dict[bytes, int]:
    """Write the deletions, each to the partition of its override; return their offsets by key."""
    sent = {
        key: producer.send(found.topic, None, key=key, partition=found.partition)
        for key, found in over.items()
    }
    producer.flush(timeout=60)
    return {key: future.get(10).offset for key, future in sent.items()}


def _is_over(value: bytes | None, now_ms: int) -> bool:
    """Return true if an override ended long ago; an unreadable one is never deleted."""
    try:
        word = decode_override(value or b"")
    except UnreadableError:
        return False
    return word.expires_at_ms is not None and word.expires_at_ms + KEPT_MS <= now_ms
