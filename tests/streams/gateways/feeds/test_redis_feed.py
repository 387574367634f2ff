"""The feed from a Redis stream to a real broker: nothing lost, whoever dies."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.librdkafka import arguments
from streams.common.errors import UnavailableError
from streams.config import Kafka, Redis
from streams.gateways.enforce.redis import connect
from streams.gateways.feeds import redis_feed as feeds
from streams.gateways.feeds.redis_feed import GROUP, SOCKET_S, RedisFeed
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers
from tests.enforce.services import Server, redis_client, redis_server
from tests.nodes import Broker
from tests.reading import awaited
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.broker

STREAM = "otpguard:submissions"


class World:
    """A stream, a topic, and feeds between them."""

    def __init__(self, broker: Broker, server: Server, topic: str) -> None:
        self.kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients = client_arguments(self.kafka)
        self.server = server
        self.topic = topic
        with Cluster(self.kafka) as cluster:
            cluster.create(topic, 4, 1, {"max.message.bytes": "200000"})

    @contextmanager
    def feed(self, consumer: str = "feed-1") -> Iterator[Metrics]:
        metrics, stop = Metrics("feed"), threading.Event()

        def supervised() -> None:
            while not stop.is_set():
                with suppress(UnavailableError):
                    self.run(consumer, metrics, stop)

        thread = threading.Thread(target=supervised)
        thread.start()
        try:
            yield metrics
        finally:
            stop.set()
            thread.join(END_S)

    def run(self, consumer: str, metrics: Metrics, stop: threading.Event) -> None:
        """One process of a feed, to its end."""
        client = connect(Redis(url=f"redis://127.0.0.1:{self.server.port}"), SOCKET_S)
        with closing(client):
            RedisFeed(
                client,
                arguments(self.kafka),
                self.topic,
                Numbers("CN"),
                metrics,
                stream=STREAM,
                consumer=consumer,
            ).run(stop)

    def published(self, enough: int) -> list[Any]:
        return awaited(self.clients, self.topic, enough)


@pytest.fixture
def world(broker: Broker, tmp_path: Path, unique: str) -> Iterator[World]:
    with redis_server(tmp_path / "redis") as server:
        yield World(broker, server, unique)


@pytest.fixture
def stream(world: World) -> Iterator[redis.Redis]:
    with closing(redis_client(world.server)) as client:
        yield client


def report(stream: redis.Redis, first: int, count: int) -> None:
    with stream.pipeline() as pipe:
        for number in range(first, first + count):
            value = {"recipient": f"+86139{number % 50:08}", "message_id": str(number)}
            pipe.xadd(STREAM, {"value": json.dumps(value)})
        pipe.execute()


def ids(records: list[Any]) -> Counter[str]:
    return Counter(json.loads(record.value)["message_id"] for record in records)


def test_every_report_is_published_under_its_canonical_key_and_leaves_the_stream(
    world: World, stream: redis.Redis
) -> None:
    report(stream, 0, 300)
    with world.feed() as metrics:
        report(stream, 300, 2_700)
        wait_until(lambda: stream.xlen(STREAM) == 0, "the stream is empty")
        records = world.published(3_000)
    assert ids(records) == {str(number): 1 for number in range(3_000)}
    assert {record.key for record in records} == {f"86139{n:08}".encode() for n in range(50)}
    assert len({record.partition for record in records}) == 4
    labels = {"outcome": "published"}
    assert metrics.registry.get_sample_value("otpguard_feed_events_total", labels) == 3_000


def test_what_nobody_can_read_is_handed_over_as_it_is(world: World, stream: redis.Redis) -> None:
    listed = b'{"recipient": "13900000001", "event_type": "hot"}'  # the platform agent's own
    deep = b'{"x":' + b"[" * 100_000
    for value in (b"nonsense", b"", b"\xff", b'{"recipient": 7}', listed, deep):
        stream.xadd(STREAM, {"value": value})
    stream.xadd(STREAM, {"other": "x"})
    with world.feed():
        records = world.published(7)
    assert sorted(record.value for record in records) == sorted(
        [b"nonsense", b"", b"\xff", b'{"recipient": 7}', b"", b"", deep]
    )


def test_work_that_a_dead_feed_took_is_finished_by_its_successor_or_by_another(
    world: World, stream: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    report(stream, 0, 20)
    stream.xreadgroup(GROUP, "feed-1", {STREAM: ">"}, count=10)  # and then it was killed
    stream.xreadgroup(GROUP, "feed-2", {STREAM: ">"}, count=10)  # and this one never came back
    monkeypatch.setattr(feeds, "CLAIM_MS", 200)
    with world.feed("feed-1"):
        wait_until(lambda: stream.xlen(STREAM) == 0, "the stream is empty")
        records = world.published(20)
    assert ids(records) == {str(number): 1 for number in range(20)}


def test_an_absent_redis_is_waited_for(world: World, stream: redis.Redis) -> None:
    with world.feed():
        report(stream, 0, 10)
        world.published(10)
        world.server.kill()
        time.sleep(1)
        world.server.start()
        report(stream, 10, 10)
        records = world.published(20)
    assert ids(records) == {str(number): 1 for number in range(20)}


@pytest.mark.parametrize("size", [1_100_000, 300_000])  # for the client, and for the topic
def test_an_entry_that_is_too_large_for_kafka_is_counted_named_and_passed_over(
    world: World, stream: redis.Redis, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """Whether anybody could read it or not; nothing that was sent with it is lost."""
    report(stream, 0, 5)
    event = json.dumps({"recipient": "13900000001", "text": "x" * size})
    large: list[Any] = [
        stream.xadd(STREAM, {"value": value}) for value in (event, "x" * (size - 1))
    ]
    report(stream, 5, 5)
    with world.feed() as metrics:
        wait_until(lambda: stream.xlen(STREAM) == 0, "the stream is empty")
        records = world.published(10)
    assert ids(records).keys() == {str(number) for number in range(10)}
    labels = {"outcome": "unreadable"}
    assert metrics.registry.get_sample_value("otpguard_feed_events_total", labels) == 2
    said = [each.getMessage() for each in caplog.records if each.name == feeds.__name__]
    assert said == [
        f"the entry {identity.decode()} of {STREAM} is too large for {world.topic}: passed over"
        for identity in large
    ]


def test_a_producer_that_a_large_entry_ended_costs_no_other_entry_while_redis_is_away(
    world: World, stream: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.xadd(STREAM, {"value": "x" * 300_000})
    report(stream, 0, 5)
    real, failed = RedisFeed._acknowledge, threading.Event()

    def fails_once(self: RedisFeed, ids: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise redis.ConnectionError
        real(self, ids)

    monkeypatch.setattr(RedisFeed, "_acknowledge", fails_once)
    with world.feed():
        wait_until(lambda: stream.xlen(STREAM) == 0, "the stream is empty")
        records = world.published(5)
    assert ids(records).keys() == {str(number) for number in range(5)}
