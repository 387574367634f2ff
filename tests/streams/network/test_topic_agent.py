"""The loop of agents, on a broker: reads again when it begins, passes over what it cannot read."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest
from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import ConfigError, UnavailableError
from streams.config.sections.kafka import Kafka
from streams.network import compacted_topic as kept_module
from streams.network.compacted_topic import KeptTopic
from streams.network.topic_agent import Agent
from streams.telemetry.metrics import Metrics
from streams.wire import UnreadableError
from tests.builders.streams.cluster.read import remade
from tests.nodes import Broker
from tests.threads import meanwhile
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka


class Listing(Agent):
    """Lists the values of its topic."""

    heard: list[bytes]
    told: tuple[bytes, ...] = ()

    def _begin(self) -> int:
        self.heard, self.told = [], ()
        return 0

    def _let_go(self) -> None:
        self.heard = []

    def _take(self, record: Any) -> None:
        if record.value == b"bad":
            raise UnreadableError("no value")
        self.heard.append(record.value)

    def _tell(self) -> None:
        self.told = tuple(self.heard)


@pytest.mark.parametrize("records", [1, 9])  # fewer, or more than before: no offset shows it
@pytest.mark.parametrize("remade_topic", ["", ".kept"])
def test_an_agent_whose_topic_is_made_anew_ends_and_the_next_reads_and_tells_anew(
    kafka: Broker, unique: str, remade_topic: str, records: int
) -> None:
    """It stood still until as many records had come, and held what was not there any more."""
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
        cluster.create(f"{unique}.kept", 1, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for value in (b"1", b"2", b"3", b"4"):
            producer.send(unique, value, key=b"k")
            producer.send(f"{unique}.kept", value, key=b"k")
        producer.flush()

    def made() -> Listing:
        kept = KeptTopic(clients, f"{unique}.kept", f"{unique}-agents")
        return Listing(clients, unique, kept, Metrics("campaigns"), lambda: 0)

    old = (b"1", b"2", b"3", b"4")
    new = tuple(b"new %d" % n for n in range(records))
    agent = made()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(agent.run, threading.Event())
        wait_until(lambda: agent.told == old, "all is told")
        remade(clients, unique + remade_topic, *new)
        with pytest.raises(UnavailableError, match="created again"):
            running.result(END_S)
    agent = made()
    with meanwhile(agent.run):
        wait_until(lambda: agent.told == (old if remade_topic else new), "told anew")


def test_who_kept_a_topic_keeps_it_again_though_its_client_passed_over_what_the_group_said(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still for ever, one time in six: the group answered while no poll was under way."""
    monkeypatch.setattr(kept_module, "JOIN_S", 5.0)
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
    values: set[bytes | None] = set()  # of the key, by each owner

    def keep(stop: threading.Event) -> None:
        """Keep the topic, and begin again when it was made anew, as a supervisor does."""
        while not stop.is_set():
            with (
                suppress(UnavailableError, ConfigError),  # made anew, or not there yet
                closing(KeptTopic(clients, unique, f"{unique}-agents")) as kept,
            ):
                while not stop.is_set():
                    kept.poll(timeout_ms=1)  # so short that answers come between two of them
                    if kept.whole:
                        values.add(kept.held.get(b"k"))

    with meanwhile(keep):
        wait_until(lambda: None in values, "owner")
        for value in (b"1", b"2", b"3"):
            remade(clients, unique, value)
            wait_until(lambda: value in values, "owner again")  # noqa: B023


def test_all_is_read_before_a_word_is_said_and_what_is_unreadable_is_counted(
    kafka: Broker, unique: str
) -> None:
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
        cluster.create(f"{unique}.kept", 1, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for value in (b"1", b"bad", None, b"2"):
            producer.send(unique, value, key=b"k")
        producer.flush()
    metrics = Metrics("campaigns")
    kept = KeptTopic(clients, f"{unique}.kept", f"{unique}-agents")
    agent = Listing(clients, unique, kept, metrics, lambda: time.time_ns() // 1_000_000)
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: agent.told, "something is told")
    finally:
        stop.set()
        thread.join()
    assert agent.told == (b"1", b"2")
    bad = metrics.registry.get_sample_value("otpguard_records_refused_total", {"kind": "bad"})
    assert bad == 1
