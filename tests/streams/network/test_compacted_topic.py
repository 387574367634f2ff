"""The topic that one process keeps: who owns it, what is written, and how owners change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Kafka
from streams.network.compacted_topic import KeptTopic, Records
from tests.builders.streams.cluster.read import remade
from tests.nodes import Broker
from tests.reading import written
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

Opened = Callable[[], KeptTopic]


class Place:
    def __init__(self, broker: Broker, name: str) -> None:
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients: dict[str, Any] = client_arguments(kafka)
        self.name = name
        with Cluster(kafka) as cluster:
            cluster.create(name, 1, 1, {"cleanup.policy": "compact"})

    def ledger(self) -> KeptTopic:
        return KeptTopic(self.clients, self.name, f"{self.name}-agents")

    def standing(self) -> dict[bytes, bytes]:
        newest = {record.key: record.value for record in written(self.clients, self.name)}
        return {key: value for key, value in newest.items() if value is not None}


@pytest.fixture
def place(kafka: Broker, unique: str) -> Place:
    return Place(kafka, unique)


@pytest.fixture
def opened(place: Place) -> Iterator[Opened]:
    with ExitStack() as stack:

        def open_() -> KeptTopic:
            ledger = place.ledger()
            stack.callback(ledger.close)
            return ledger

        yield open_


def whole(ledger: KeptTopic) -> bool:
    ledger.poll()
    return ledger.whole


def read(ledger: KeptTopic) -> dict[bytes, bytes]:
    ledger.poll()
    return ledger.held


def test_an_owner_writes_what_differs_and_nothing_twice(place: Place, opened: Opened) -> None:
    ledger = opened()
    wait_until(lambda: whole(ledger), "owner")
    wanted = {b"a": (b"1", (("h", b"x"),)), b"b": (b"2", ())}
    assert ledger.keep(wanted) == 2
    assert ledger.keep(wanted) == 0, "before it is read again, too"
    wait_until(lambda: read(ledger) == {b"a": b"1", b"b": b"2"}, "read again")
    assert ledger.keep(wanted | {b"b": (b"3", ())}) == 1
    assert ledger.keep({b"a": (None, ())}) == 1
    assert place.standing() == {b"b": b"3"}
    (first, *_) = written(place.clients, place.name)
    assert first.headers == [("h", b"x")]


def test_a_new_owner_knows_what_is_there_and_writes_none_of_it_again(
    place: Place, opened: Opened
) -> None:
    first = opened()
    wait_until(lambda: whole(first), "owner")
    wanted = {str(n).encode(): (b"v", ()) for n in range(50)}
    first.keep(wanted)
    second = opened()
    for _ in range(5):
        first.poll()
        second.poll()
    assert [first.is_owner, second.is_owner].count(True) <= 1
    first.close()
    wait_until(lambda: whole(second), "took over")
    assert second.keep(wanted) == 0
    assert len(second.held) == 50


def test_what_another_wrote_meanwhile_is_put_right(place: Place, opened: Opened) -> None:
    ledger = opened()
    wait_until(lambda: whole(ledger), "owner")
    ledger.keep({b"a": (b"right", ())})
    producer = KafkaProducer(**place.clients, acks="all")
    producer.send(place.name, b"of a paused owner", key=b"a", partition=0).get(timeout=60)
    producer.close()
    wait_until(lambda: read(ledger) == {b"a": b"of a paused owner"}, "read it")
    assert ledger.keep({b"a": (b"right", ())}) == 1
    assert place.standing() == {b"a": b"right"}


def test_a_record_without_a_value_or_a_key_ends_no_owner(place: Place, opened: Opened) -> None:
    """A null key comes by a topic that is not compacted; an empty value by any."""
    with Cluster(Kafka(bootstrap=",".join(place.clients["bootstrap_servers"]))) as cluster:
        cluster.create(f"{place.name}-plain", 1, 1, {})
    place.name += "-plain"
    with closing(KafkaProducer(**place.clients, acks="all")) as producer:
        for key, value in ((b"a", b""), (None, b"1"), (b"b", b"2")):
            producer.send(place.name, value, key=key, partition=0)
        producer.flush()
    ledger = opened()
    wait_until(lambda: whole(ledger), "owner")
    assert ledger.held == {b"a": b"", b"b": b"2"}
    assert ledger.keep({b"a": (None, ()), b"b": (b"", ())}) == 2
    wait_until(lambda: read(ledger) == {b"b": b""}, "read again")


def test_a_topic_that_is_made_anew_ends_its_owner_and_the_next_begins_anew(
    place: Place, opened: Opened
) -> None:
    ledger = opened()
    wait_until(lambda: whole(ledger), "owner")
    wanted: Records = {str(n).encode(): (b"v", ()) for n in range(20)}
    ledger.keep(wanted)
    wait_until(lambda: len(read(ledger)) == 20, "read again")
    remade(place.clients, place.name)
    with pytest.raises(UnavailableError, match=f"{place.name} was created again"):
        wait_until(lambda: whole(ledger) and False, "told")
    ledger.close()
    ledger = opened()
    wait_until(lambda: whole(ledger), "owner of the new one")
    assert not ledger.held
    assert ledger.keep(wanted) == 20
    assert len(place.standing()) == 20


def test_a_missing_topic_is_said_at_once(place: Place) -> None:
    with pytest.raises(ConfigError, match="topics create"):
        KeptTopic(place.clients, f"{place.name}-not", "group")
