"""A client in several topics: from a time, from the beginning, and what comes later."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.follow import Followed, following
from streams.common.errors import ConfigError
from streams.config import Kafka, Settings
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.broker


def settings(broker: Broker, name: str) -> Settings:
    topics = {role: f"{name}.{role}" for role in ("episode", "override", "acks")}
    return Settings(kafka={"bootstrap": broker.bootstrap}, topics=topics)


def taken(followed: Followed, least: int) -> list[tuple[str, bytes]]:
    """What came, at least so many records, by the names of their settings."""
    found: list[tuple[str, bytes]] = []

    def there() -> bool:
        for place, batch in followed.places.follow(100).items():
            found.extend((followed.names[place.topic], record.value) for record in batch)
        return len(found) >= least and not followed.is_behind()

    wait_until(there)
    return found


def test_topics_are_followed_from_a_time_and_overrides_from_their_beginning(
    broker: Broker, unique: str
) -> None:
    ours = settings(broker, unique)
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(ours.topics.episode, 2, 1, {})
        cluster.create(ours.topics.override, 1, 1, {})  # and no acks: a topic may be missing
    now_ms = int(time.time() * 1000)
    with closing(KafkaProducer(**client_arguments(ours.kafka))) as producer:
        for topic in (ours.topics.episode, ours.topics.override):
            for value, at_ms in ((b"old", now_ms - 3_600_000), (b"new", now_ms)):
                producer.send(topic, value, partition=0, timestamp_ms=at_ms).get(timeout=END_S)
        names = ("episode", "override", "acks")
        with following(ours, names, now_ms - 60_000, whole=("override",)) as followed:
            found = taken(followed, 3)
            assert sorted(found) == [
                ("episode", b"new"),
                ("override", b"new"),
                ("override", b"old"),
            ]
            producer.send(ours.topics.episode, b"later", partition=1).get(timeout=END_S)
            assert taken(followed, 1) == [("episode", b"later")]


def test_no_topic_at_all_is_said(broker: Broker, unique: str) -> None:
    with (
        pytest.raises(ConfigError, match="no topic"),
        following(settings(broker, unique), ("episode", "acks"), 0, whole=()),
    ):
        pass
