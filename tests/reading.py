"""Reads all records of a topic for tests, including tombstones."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.waiting import wait_until


def written(clients: Mapping[str, Any], topic: str) -> list[Any]:
    """All records that are there now, by partition and offset."""
    with closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer:
        numbers = consumer.partitions_for_topic(topic)
        assert numbers, f"there is no {topic}"
        places = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for batch in consumer.poll(timeout_ms=200).values():
                found += batch
    return sorted(found, key=lambda record: (record.partition, record.offset))


def awaited(clients: Mapping[str, Any], topic: str, enough: int) -> list[Any]:
    """The records of a topic in the order in which they came, once there are so many."""
    found: list[Any] = []
    with closing(KafkaConsumer(topic, **clients, auto_offset_reset="earliest")) as consumer:

        def come() -> bool:
            for batch in consumer.poll(timeout_ms=200).values():
                found.extend(batch)
            return len(found) >= enough

        wait_until(come, f"{enough} records of {topic}", pause_s=0)
    return found
