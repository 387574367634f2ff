"""Builders that test_adapter.py shares with other tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import copy
from pathlib import Path

import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from detectors.leases.rails import RailParams
from detectors.recognise.platform.registry import Registry
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.at_work import ALIVE, write_sign
from streams.config import Kafka, Redis, Topics
from streams.gateways.enforce.adapter import Adapter
from streams.gateways.enforce.gateway import Gateway
from streams.gateways.enforce.reconcile import Reconciler
from streams.gateways.enforce.redis import RedisGateway, connect
from streams.telemetry.metrics import Metrics
from streams.wire import (
    EVERYONE,
    Ack,
    action_key,
    decode_ack,
    encode_action,
    encode_override,
    override_key,
)
from streams.wire.desired_state import DesiredState
from tests.enforce.services import Server, redis_client, redis_server
from tests.nodes import Broker
from tests.reading import awaited
from tests.threads import meanwhile


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class World:
    """Topics of this test alone, a Redis, and adapters that come and go."""

    def __init__(self, broker: Broker, server: Server, name: str, partitions: int = 4) -> None:
        self.kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients = client_arguments(self.kafka)
        self.topics = Topics(
            throttle=f"{name}.throttle",
            acks=f"{name}.acks",
            override=f"{name}.override",
            everyone=f"{name}.everyone",
            undeliverable=f"{name}.dlq",
            counts=f"{name}.counts",
            audit=f"{name}.audit",
        )
        self.name = name
        self.server = server
        with Cluster(self.kafka) as cluster:
            cluster.create(self.topics.throttle, partitions, 1, {})
            cluster.create(self.topics.acks, 1, 1, {})
            cluster.create(self.topics.override, 1, 1, {})
            cluster.create(self.topics.everyone, 1, 1, {})
            cluster.create(self.topics.undeliverable, 1, 1, {})
            cluster.create(self.topics.counts, 1, 1, {})
            cluster.create(self.topics.audit, 1, 1, {})
        self.producer = KafkaProducer(**self.clients, acks="all")

    def beside(self, server: Server) -> World:
        """The same topics, with adapters of another Redis."""
        other = copy(self)
        other.server = server
        return other

    def say(self, *records: object) -> None:
        for record in records:
            if hasattr(record, "action_id"):
                key, value = action_key(record), encode_action(record)  # type: ignore[arg-type]
                self.producer.send(self.topics.throttle, value, key=key)
            else:
                everyone = record.recipient == EVERYONE  # type: ignore[attr-defined]
                self.producer.send(
                    self.topics.everyone if everyone else self.topics.override,
                    encode_override(record),  # type: ignore[arg-type]
                    key=override_key(record),  # type: ignore[arg-type]
                )
        self.producer.flush()

    @contextmanager
    def adapter(
        self,
        group: str = "redis-1",
        params: RailParams | None = None,
        gateway: Gateway | None = None,
    ) -> Iterator[Metrics]:
        metrics = Metrics("adapter")
        adapter = self.made(metrics, group, params, gateway)
        with meanwhile(adapter.run, adapter.ready):
            yield metrics

    def made(
        self,
        metrics: Metrics,
        group: str = "redis-1",
        params: RailParams | None = None,
        gateway: Gateway | None = None,
    ) -> Adapter:
        """An adapter that nobody runs yet."""
        if gateway is None:
            url = f"redis://127.0.0.1:{self.server.port}"
            gateway = RedisGateway(connect(Redis(url=url)), Registry())
        return Adapter(
            Reconciler(gateway, DesiredState(params or RailParams()), group),
            self.clients,
            self.topics,
            f"{self.name}-enforce-{group}",
            metrics,
            now_ms,
        )

    def group(self, group: str = "redis-1") -> KafkaConsumer:
        """A client that knows what this adapter committed."""
        return KafkaConsumer(
            group_id=f"{self.name}-enforce-{group}", **self.clients, enable_auto_commit=False
        )

    def sign(self, gateway: str, state: str = ALIVE) -> None:
        """Leave a sign of life as an adapter of this gateway does."""
        with closing(self.group(gateway)) as consumer:
            sign = OffsetAndMetadata(0, write_sign(state, now_ms()), -1)
            consumer.commit({TopicPartition(self.topics.throttle, 0): sign})

    def committed(self, group: str = "redis-1") -> int:
        """How many actions a restart of this adapter need not tell again."""
        with closing(self.group(group)) as consumer:
            numbers = consumer.partitions_for_topic(self.topics.throttle) or set()
            places = [TopicPartition(self.topics.throttle, number) for number in numbers]
            return sum(consumer.committed(place) or 0 for place in places)

    def acks(self, enough: int) -> list[Ack]:
        """All acknowledgements, once there are so many."""
        found = awaited(self.clients, self.topics.acks, enough)
        return [decode_ack(record.value) for record in found]


@pytest.fixture
def world(broker: Broker, tmp_path: Path, unique: str) -> Iterator[World]:
    with redis_server(tmp_path / "redis") as server:
        made = World(broker, server, unique)
        yield made
        made.producer.close()


@pytest.fixture
def keys(world: World) -> Iterator[redis.Redis]:
    with closing(redis_client(world.server)) as client:
        yield client


def throttled(keys: redis.Redis) -> set[str]:
    return {key.decode().rsplit(":", 1)[-1] for key in keys.scan_iter("otpguard:throttle:*")}
