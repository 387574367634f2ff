"""Faults of topics, for every service that uses them: what must happen, and that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from streams.cluster import read
from streams.network import platform_agent
from tests import clusters
from tests.brokers import need_kafka
from tests.builders.streams.bad_records import INDEXED, READS, SERVICES as ALL, Service, run_desk
from tests.builders.streams.people.notices.notifier import World
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

Run = Callable[[World, Path], AbstractContextManager[Service]]

PARTITIONS = 8
SEEN_S = 30.0
SERVICES: Mapping[str, Run] = {
    **ALL,
    "desk": partial(run_desk, wanted=lambda number: len(INDEXED) + number),
}


@pytest.fixture(scope="module")
def authorising() -> Iterator[Broker]:
    """A broker that checks rights. Everybody has all rights that are not denied."""
    need_kafka()
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:nobody",
    }
    with clusters.broker("kafka", heap="512m", properties=properties) as running:
        yield running


@pytest.fixture
def world(authorising: Broker, unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(read, "PLACE_S", 0.2)
    monkeypatch.setitem(read.LOOKING, "metadata_max_age_ms", 500)
    monkeypatch.setattr(platform_agent, "TELL_S", 0.2)
    made = World(authorising, unique)
    with closing(made.producer):
        yield made


def grow(world: World, topics: list[str]) -> None:
    with closing(KafkaAdminClient(**world.clients)) as admin:
        admin.create_partitions(dict.fromkeys(topics, PARTITIONS))
        wait_until(
            lambda: all(
                len(each["partitions"]) == PARTITIONS for each in admin.describe_topics(topics)
            ),
            "the topics have grown",
        )


def await_reading(service: str, world: World, running: Service) -> None:
    """Return when the service reads all its topics: it has counted a bad record on each."""
    keys = {good.topic: good.key for good in running.goods}  # the canary reads one key only
    for each in READS[service]:
        world.say(getattr(world.topics, each), keys[each], b"nonsense")
    wait_until(
        lambda: not running.counted() or sum(running.counted()) == len(READS[service]),
        f"{service} reads all its topics",
        end_s=SEEN_S,
    )


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"worker"}))
def test_records_of_added_partitions_are_obeyed(service: str, world: World, tmp_path: Path) -> None:
    with SERVICES[service](world, tmp_path) as running:
        await_reading(service, world, running)
        grow(world, [getattr(world.topics, each) for each in READS[service]])
        with closing(KafkaProducer(**world.clients)) as producer:
            for number, good in enumerate(running.goods):
                topic = getattr(world.topics, good.topic)
                added = PARTITIONS - 1 - number % (PARTITIONS // 2)
                producer.send(topic, good.value, key=good.key, partition=added).get()
                wait_until(good.obeyed, f"{service} obeys {good.topic}[{added}]", end_s=SEEN_S)
