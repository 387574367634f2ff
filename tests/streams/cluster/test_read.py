"""Reading topics for people: to their end or on and on, and what is none of its contract."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    KafkaError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)

from streams.cluster import read as module
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import LOGGED_MAX, Places, TopicReader, readable, reading, records
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Kafka
from streams.wire import UnreadableError
from tests.builders.streams.cluster.read import remade
from tests.nodes import Broker
from tests.waiting import wait_until

START_MS = 1_790_000_000_000


class Found(NamedTuple):
    topic: str
    partition: int
    offset: int
    value: bytes


def decode(value: bytes) -> str:
    if value.startswith(b"bad"):
        raise UnreadableError("DecodeError")
    return value.decode()


def test_a_record_that_is_none_costs_a_line_with_its_position_and_nothing_it_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = [Found("t", 3, i, b"bad secret" if i % 2 else b"v%d" % i) for i in range(6)]
    assert list(readable(found, decode)) == ["v0", "v2", "v4"]
    said = [each.getMessage() for each in caplog.records]
    assert said[0] == "passed over a record at t[3]@1: DecodeError"
    assert not any("secret" in line for line in said)
    assert len(said) == 3


def test_past_the_tenth_they_are_a_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    found = [Found("t", 0, i, b"bad") for i in range(LOGGED_MAX + 25)]
    assert list(readable(found, decode)) == []
    assert len(caplog.records) == LOGGED_MAX + 1
    assert caplog.records[-1].getMessage() == f"passed over {LOGGED_MAX + 25} records in all"


@pytest.fixture
def filled(broker: Broker, unique: str) -> dict[str, Any]:
    """Clients of a broker with a topic of ten records a minute apart, in two partitions."""
    kafka = Kafka(bootstrap=broker.bootstrap)
    clients = client_arguments(kafka)
    with Cluster(kafka) as cluster:
        cluster.create(unique, 2, 1, {})
    producer = KafkaProducer(**clients, acks="all")
    for i in range(10):
        value = None if i == 4 else b"%d" % i
        at_ms = START_MS + i * 60_000
        producer.send(unique, value, b"k", partition=i % 2, timestamp_ms=at_ms)
    producer.flush()
    producer.close()
    return clients


def values(found: Any) -> list[int]:
    return sorted(int(record.value) for record in found)


@pytest.mark.broker
def test_all_records_with_a_value_are_read_to_the_end(filled: dict[str, Any], unique: str) -> None:
    assert values(records(filled, unique)) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert values(records(filled, unique, starts={1: 2})) == [5, 7, 9]
    assert values(records(filled, unique, starts={7: 0})) == []


@pytest.mark.kafka
def test_records_from_a_time_on_are_read(kafka: Broker, unique: str) -> None:
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
    producer = KafkaProducer(**clients, acks="all")
    for i in range(6):
        producer.send(unique, b"%d" % i, timestamp_ms=START_MS + i * 60_000)
    producer.flush()
    producer.close()
    assert values(records(clients, unique, since_ms=START_MS + 150_000)) == [3, 4, 5]
    assert values(records(clients, unique, since_ms=START_MS + 10**9)) == []


@pytest.mark.broker
def test_who_follows_hears_of_what_comes_until_told_to_stop(
    filled: dict[str, Any], unique: str
) -> None:
    stop, heard = threading.Event(), []
    for record in records(filled, unique, stop=stop):
        heard.append(int(record.value))
        if heard.count(9) == 1 and len(heard) == 9:
            producer = KafkaProducer(**filled, acks="all")
            producer.send(unique, b"10", partition=0)
            producer.flush()
            producer.close()
        if heard[-1] == 10:
            stop.set()
    assert sorted(heard) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


@pytest.mark.kafka
@pytest.mark.parametrize("more", [2, 20])  # fewer, or more than before: no offset shows it
def test_a_reader_tells_that_its_topic_was_made_anew(kafka: Broker, unique: str, more: int) -> None:
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for i in range(6):
            producer.send(unique, b"%d" % i, key=b"k")
        producer.flush()
    with reading(clients, unique) as reader:
        spans = reader.spans()
        reader.stand(spans)

        def past() -> bool:
            for _ in reader.take():
                pass
            return reader.past(spans)

        wait_until(past, "read")
        remade(clients, unique, *(b"%d" % n for n in range(more)))
        with pytest.raises(UnavailableError, match="created again"):
            wait_until(lambda: past() and False, "told")
        spans = reader.spans()
        reader.stand(spans)
        wait_until(past, "read again")


@pytest.mark.kafka
def test_who_follows_a_topic_is_told_that_it_was_recreated(kafka: Broker, unique: str) -> None:
    """Records of the new topic that stand before the old position would be lost."""
    clients = client_arguments(Kafka(bootstrap=kafka.bootstrap))
    with Cluster(Kafka(bootstrap=kafka.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        producer.send(unique, b"0")
        producer.flush()
    following = records(clients, unique, stop=threading.Event())
    assert next(following).value == b"0"
    remade(clients, unique, *(b"%d" % n for n in range(20)))
    with pytest.raises(UnavailableError, match="created again"):
        list(following)


class Lost:
    """A client that has lost its place."""

    _cluster = SimpleNamespace(topic_id=lambda _: None)  # knows no ids, as of an older broker

    def position(self, place: TopicPartition) -> None:
        """None: it was out of range, and no offset is known yet."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}


def test_a_reader_that_lost_its_place_has_to_begin_again() -> None:
    reader = TopicReader(Lost(), "t")
    with pytest.raises(UnavailableError, match="created again"):
        reader.past({0: (0, 5)})


class Failing:
    """A client whose polls fail as they are told, and else bring one record each."""

    _cluster = SimpleNamespace(topic_id=lambda _: None)

    def __init__(self, *errors: type[KafkaError]) -> None:
        self.errors = list(errors)
        self.offset = 0

    def assignment(self) -> set[TopicPartition]:
        return set()

    def poll(self, **_: object) -> dict[TopicPartition, list[Found]]:
        if self.errors:
            raise self.errors.pop()
        self.offset += 1
        return {TopicPartition("t", 0): [Found("t", 0, self.offset, b"v")]}


def test_who_follows_goes_on_after_errors_that_pass_says_so_once_and_pauses_longer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notifier ended at each of them, and its successor read all topics anew."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "PAUSES_S", (0.01, 0.05, 0.2))
    places = Places(Failing(*[NotLeaderForPartitionError] * 4))
    began, empty = time.monotonic(), 0
    while not (polled := places.follow(5)):
        empty += 1
    assert time.monotonic() - began >= 0.01 + 0.05 + 0.2 + 0.2
    assert empty > 4, "it comes back to who has more to do"
    assert [each.offset for batch in polled.values() for each in batch] == [1]
    assert [each.getMessage() for each in caplog.records] == [
        "Kafka cannot be read, and is tried again: NotLeaderForPartitionError",
        "Kafka is read again",
    ]


def test_who_follows_ends_at_errors_that_stay() -> None:
    places = Places(Failing(TopicAuthorizationFailedError))
    with pytest.raises(TopicAuthorizationFailedError):
        places.follow(5)


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_one_sentence(broker: Broker, unique: str) -> None:
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    with pytest.raises(ConfigError, match=f"{unique}-absent"):
        list(records(clients, f"{unique}-absent"))
