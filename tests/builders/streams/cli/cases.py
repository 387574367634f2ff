"""Builders that test_cases.py shares with other tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams.__main__ import app
from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from tests.enforce.records import RECIPIENT
from tests.nodes import Broker
from tests.waiting import END_S

ROOT = Path(__file__).parents[4]


ROLES = ("input", "episode", "throttle", "acks", "counts", "override", "everyone", "audit")


class Desk:
    """An operator's settings, and topics on which something happened."""

    def __init__(self, broker: Broker, folder: Path, name: str) -> None:
        self.folder = folder
        self.kafka = kafka = Kafka(bootstrap=broker.bootstrap)
        self.topics = {role: f"{name}.{role}" for role in ROLES}
        with Cluster(kafka) as cluster:
            for topic in self.topics.values():
                cluster.create(topic, 2, 1, {})
        lines = [f'kafka.bootstrap = "{broker.bootstrap}"']
        lines += [f'topics.{role} = "{topic}"' for role, topic in self.topics.items()]
        (folder / "otpguard.toml").write_text("\n".join(lines))
        self.producer = KafkaProducer(**client_arguments(kafka), acks="all")

    def put(self, role: str, value: bytes, key: bytes = RECIPIENT.encode()) -> None:
        self.producer.send(self.topics[role], value, key=key).get(timeout=END_S)

    def ask(self, *words: str) -> str:
        """What the command says; in this process, because a start takes a second each."""
        config = str(self.folder / "otpguard.toml")
        done = CliRunner().invoke(app, [*words, "--config", config], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def desk(broker: Broker, tmp_path: Path, unique: str) -> Iterator[Desk]:
    made = Desk(broker, tmp_path, unique)
    with closing(made.producer):
        yield made
