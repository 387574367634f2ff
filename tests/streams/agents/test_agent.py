"""The loop of agents, on a broker: reads again when it begins, passes over what it cannot read."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaProducer

from streams.agents.agent import Agent
from streams.agents.kept import KeptTopic
from streams.cluster.admin import Cluster, client_arguments
from streams.config.sections.kafka import Kafka
from streams.demo.brokers import Broker
from streams.telemetry.metrics import Metrics
from streams.wire import UnreadableError
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka


class Listing(Agent):
    """Lists the values of its topic."""

    heard: list[bytes]
    told: tuple[bytes, ...] = ()

    def _begin(self) -> int:
        self.heard = []
        return 0

    def _let_go(self) -> None:
        self.heard = []

    def _take(self, record: Any) -> None:
        if record.value == b"bad":
            raise UnreadableError("no value")
        self.heard.append(record.value)

    def _due(self) -> bool:
        return len(self.heard) > len(self.told)

    def _tell(self) -> None:
        self.told = tuple(self.heard)


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
