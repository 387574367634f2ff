"""Faults of topics, for every service that uses them: what must happen, and that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from streams.cluster import read
from streams.network import platform_agent
from tests import clusters
from tests.brokers import need_kafka
from tests.builders.streams.bad_records import (
    INDEXED,
    READS,
    SERVICES as ALL,
    Good,
    Service,
    run_desk,
)
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


@contextmanager
def without_right(world: World, topic: str, operation: ACLOperation) -> Iterator[None]:
    """Take a right on a topic away from everybody, for the length of the block."""
    pattern = ResourcePattern(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
    entries = [
        ACL("User:*", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, pattern),
        ACL("User:*", "*", operation, ACLPermissionType.DENY, pattern),
    ]
    with closing(KafkaAdminClient(**world.clients)) as admin:
        assert not admin.create_acls(entries)["failed"]
        try:
            yield
        finally:
            admin.delete_acls(
                [ACLFilter("User:*", "*", operation, ACLPermissionType.DENY, pattern)]
            )


READING = {"adapter": "throttle", "gate": "throttle", "notifier": "acks"}
"""Service -> setting of a topic whose records it may not read for a while."""


@pytest.mark.parametrize("service", READING)
def test_a_right_to_read_that_comes_back_costs_no_restart(
    service: str, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SERVICES[service](world, tmp_path) as running:
        await_reading(service, world, running)
        caplog.clear()
        with without_right(world, getattr(world.topics, READING[service]), ACLOperation.READ):
            wait_until(lambda: "TopicAuthorizationFailed" in caplog.text, "it is refused", SEEN_S)
        for good in running.goods:
            world.say(getattr(world.topics, good.topic), good.key, good.value)
            wait_until(good.obeyed, f"{service} obeys {good.topic}", SEEN_S)


WRITING = {"adapter": "acks", "gate": "acks"}
"""Service -> setting of a topic to which it may not write for a while."""


@pytest.mark.parametrize("service", WRITING)
def test_a_right_to_write_that_comes_back_costs_no_restart(
    service: str, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    topic = getattr(world.topics, WRITING[service])

    def written() -> int:
        return len(list(read.records(world.clients, topic)))

    def obey(good: Good) -> None:
        world.say(getattr(world.topics, good.topic), good.key, good.value)
        wait_until(good.obeyed, f"{service} obeys {good.topic}", SEEN_S)

    with SERVICES[service](world, tmp_path) as running:
        obey(running.goods[0])
        wait_until(lambda: written() == 1, "it is written", SEEN_S)
        with without_right(world, topic, ACLOperation.WRITE):
            obey(running.goods[1])
            wait_until(lambda: "TopicAuthorizationFailed" in caplog.text, "it is refused", SEEN_S)
            obey(running.goods[2])
        wait_until(lambda: written() >= 3, "what waited is written", SEEN_S)
        obey(running.goods[3])
        wait_until(lambda: written() >= 4, "the next is written", SEEN_S)


def test_a_notifier_writes_again_when_its_right_to_write_is_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with world.running():
        world.flood(1)
        wait_until(lambda: len(world.phones.got) == 1, "the first is notified", SEEN_S)
        wait_until(lambda: len(world.notices()) == 2, "its result is written", SEEN_S)
        with without_right(world, world.topics.notice, ACLOperation.WRITE):
            world.flood(2)
            wait_until(lambda: "cannot publish" in caplog.text, "it is refused", SEEN_S)
        wait_until(lambda: len(world.phones.got) == 2, "the second is notified once", SEEN_S)
        world.flood(3)
        wait_until(lambda: len(world.phones.got) == 3, "the third is notified", SEEN_S)
