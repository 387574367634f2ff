"""Brokers start, answer, survive what the fault tests do to them, and leave nothing behind.

A cluster of three takes as much as the other brokers together: `make integration` has it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from tests import clusters
from tests.nodes import Broker, BrokerError, answers
from tests.waiting import END_S

SILENCE_S = 0.3  # is no answer, where none will come


def _host_port(broker: Broker) -> tuple[str, int]:
    host, _, port = broker.bootstrap.partition(",")[0].rpartition(":")
    return host, int(port)


def _create(broker: Broker, topic: str, replicas: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    new = [NewTopic(topic, num_partitions=1, replication_factor=replicas)]
    admin.create_topics(new, wait_for_metadata=True)
    admin.close()


def _send(broker: Broker, topic: str, values: list[bytes]) -> None:
    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
            for value in values:
                await producer.send_and_wait(topic, value)

    asyncio.run(send())


def _read(broker: Broker, topic: str, count: int) -> list[bytes]:
    async def read() -> list[bytes]:
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            return [(await anext(consumer)).value for _ in range(count)]

    return asyncio.run(read())


@pytest.mark.broker
def test_the_shared_broker_keeps_what_is_sent(broker: Broker, unique: str) -> None:
    _create(broker, unique)
    _send(broker, unique, [b"one", b"two"])
    assert _read(broker, unique, 2) == [b"one", b"two"]


@pytest.mark.kafka
def test_a_killed_kafka_comes_back_on_its_address_with_its_data(
    own_kafka: Callable[..., Broker], unique: str
) -> None:
    kafka = own_kafka()
    _create(kafka, unique)
    _send(kafka, unique, [b"before"])
    kafka.kill()
    assert not answers(*_host_port(kafka))
    kafka.restart()
    _send(kafka, unique, [b"after"])
    assert _read(kafka, unique, 2) == [b"before", b"after"]


@pytest.mark.kafka
def test_a_paused_kafka_is_silent_and_goes_on_when_resumed(
    own_kafka: Callable[..., Broker],
) -> None:
    kafka = own_kafka()
    kafka.pause()
    assert not answers(*_host_port(kafka), timeout_s=SILENCE_S)
    kafka.resume()
    assert answers(*_host_port(kafka), timeout_s=END_S)


@pytest.mark.integration
@pytest.mark.kafka
def test_a_cluster_survives_the_loss_of_one_node(
    own_kafka: Callable[..., Broker], unique: str
) -> None:
    kafka = own_kafka(nodes=3)
    _create(kafka, unique, replicas=3)
    _send(kafka, unique, [b"three"])
    kafka.nodes[1].kill()
    _send(kafka, unique, [b"two"])
    assert _read(kafka, unique, 2) == [b"three", b"two"]
    kafka.start()
    assert len(kafka.pids) == 3


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":9092", "kafka:port"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(clusters.ADDRESS_VARIABLE, address)
    with (
        pytest.raises(BrokerError, match="must be host:port"),
        clusters.broker() as never,
    ):
        raise AssertionError(never)


def test_a_given_broker_is_used_and_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with clusters.broker("tansu") as tansu:
        monkeypatch.setenv(clusters.ADDRESS_VARIABLE, tansu.bootstrap)
        with clusters.broker() as given:
            assert (given.kind, given.bootstrap) == ("given", tansu.bootstrap)
            with pytest.raises(BrokerError, match="not ours"):
                given.stop()
        assert answers(*_host_port(tansu))


def test_without_java_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(clusters.ADDRESS_VARIABLE, raising=False)
    assert "no `java`" in clusters.why_no_kafka()
    assert clusters.choose() == "tansu"
    with pytest.raises(BrokerError, match="Java 17"), clusters.broker("kafka"):
        pass


def test_an_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "`java` is 8" in clusters.why_no_kafka()


def test_what_several_processes_need_is_made_by_one_of_them(tmp_path: Path) -> None:
    target, meeting, made = tmp_path / "cache" / "jars", threading.Barrier(2), list[Path]()

    def make(new: Path) -> None:
        made.append(new)
        with pytest.raises(threading.BrokenBarrierError):  # nobody else makes meanwhile
            meeting.wait(SILENCE_S)
        new.mkdir()
        (new / "a.jar").touch()

    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: clusters.made_once(target, make), range(2)))
    assert places == [target, target]
    assert len(made) == 1
    assert [each.name for each in target.iterdir()] == ["a.jar"]


def test_what_could_not_be_made_is_made_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "jars"

    def half(new: Path) -> None:
        new.mkdir()
        raise BrokerError("no network")

    with pytest.raises(BrokerError):
        clusters.made_once(target, half)
    assert clusters.made_once(target, Path.mkdir).is_dir()


def test_a_folder_that_somebody_made_without_the_lock_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "jars"

    def make(new: Path) -> None:
        for each in (new, target):
            each.mkdir()
            (each / f"of {each.name}").touch()

    assert clusters.made_once(target, make) == target
    assert [each.name for each in target.iterdir()] == ["of jars"]
    assert {each.name for each in tmp_path.iterdir()} == {"jars", "making.lock"}
