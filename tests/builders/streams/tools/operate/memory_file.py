"""Builders that test_memory_file.py shares with other tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from detectors.chain import Partition, process, snapshot
from detectors.memory_records import adopt_memory, list_memories
from detectors.model.event import TOKEN_BIT
from streams import wire
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import reading, records
from streams.config import Kafka, Settings
from streams.engine.state.checkpoint import CheckpointWriter, PutRecord
from streams.tools.operate import memory_file
from streams.wire import Intake, Numbers, Outcome
from tests.builders.detectors.memory_records import PARAMS, days_of
from tests.builders.streams.cluster.read import remade
from tests.detectors.stand_in import DAY_MS, START_MS, Event, batch_of, codes_of
from tests.nodes import Broker

KEY = PARAMS.memory_keys[-1]
FIRST = 8613900000000
TOKEN = TOKEN_BIT | 0x1234
NUMBERS = Numbers("CN")
INTAKE = Intake(NUMBERS, memory=True)


def states(partitions: int = 2, people: int = 1500) -> list[Partition]:
    """States of a worker that saw some days of codes."""
    made = []
    for number in range(partitions):
        state = Partition(PARAMS)
        events = [
            Event(START_MS + day * 3 * DAY_MS + i * 20, FIRST + number * people + i, f"p {i % 40}")
            for day in range(3)
            for i in range(people)
        ]
        events.append(Event(events[-1].at_ms, TOKEN + number, "p 1"))
        batch = batch_of(events, range(len(events)))
        process(PARAMS, state, batch, codes_of(batch))
        made.append(state)
    return made


def exported(found: Sequence[Partition]) -> list[memory_file.Exported]:
    return [(i, *each) for i, state in enumerate(found) for each in list_memories(state)]


class Site:
    """A cluster's topics, with clients."""

    def __init__(self, broker: Broker, name: str, partitions: int) -> None:
        self.kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients = client_arguments(self.kafka)
        self.settings = Settings(
            app_id=name, kafka=self.kafka, topics={"input": f"{name}-in", "partitions": partitions}
        )
        self.input, self.changelog = self.settings.topics.input, self.settings.changelog
        self.partitions = partitions
        with Cluster(self.kafka) as cluster:
            for topic in (self.input, self.changelog):
                cluster.create(topic, partitions, 1, {})

    def make_again(self) -> None:
        """Deletes both topics, and creates others with the same names and one partition."""
        for topic in (self.input, self.changelog):
            remade(self.clients, topic)

    def published(self) -> int:
        """The number of records in the input."""
        with reading(self.clients, self.input) as reader:
            return sum(end for _, end in reader.spans().values())

    def save(self, found: Sequence[Partition]) -> None:
        """Writes checkpoints as a worker does."""
        producer = KafkaProducer(**self.clients, acks="all")
        for number, state in enumerate(found):
            writer = CheckpointWriter(number, "w1", self.settings.epoch)
            for step in writer.checkpoint(snapshot(state), state.next_offset, 0):
                if isinstance(step, PutRecord):
                    producer.send(self.changelog, step.value, step.key, partition=number).get(10)
        producer.close()

    def bring(
        self, path: Path, stop: threading.Event, show: Any = lambda _: None
    ) -> tuple[int, int]:
        producer = KafkaProducer(**self.clients, acks="all")
        try:
            checked = memory_file.check(path, INTAKE)
            return memory_file.publish(
                path, checked, producer, self.input, KEY, INTAKE, 1e9, stop, show
            )
        finally:
            producer.close()

    def adopted(self) -> tuple[dict[int, Partition], int]:
        """States of a worker that saw only the input's memory records, and their number."""
        intake = Intake(NUMBERS, partitions=self.partitions, memory=True)
        found: dict[int, Partition] = {}
        number = 0
        for record in records(self.clients, self.input):
            decoded = wire.decode(
                intake, self.input, record.partition, [record.value], [record.key],
                [record.offset], [record.timestamp], record.offset + 1,
            )  # fmt: skip
            batch = decoded.batch
            assert decoded.outcomes[Outcome.MEMORY] == 1
            whole = not record.key.startswith(b"h0:")
            assert not (decoded.misplaced_keys and whole)
            assert not decoded.noncanonical_keys
            assert batch.memory is not None
            state = found.setdefault(record.partition, Partition(PARAMS))
            told = batch.memory(0)
            assert adopt_memory(state, (KEY,), int(batch.recipient[0]), told) == "adopted"
            number += 1
        return found, number


def everybody(found: Sequence[Partition]) -> dict[int, dict[int, int]]:
    return {r: days_of(told) for state in found for r, told in list_memories(state)}


def settings_of(there: Site, here: Site, folder: Path, bootstrap: str = "") -> Settings:
    (folder / "memory.key").write_bytes(KEY)
    return here.settings.model_copy(
        update={
            "primary": here.settings.primary.model_copy(
                update={
                    "bootstrap": bootstrap or there.kafka.bootstrap,
                    "app_id": there.settings.app_id,
                    "epoch": there.settings.epoch,
                }
            ),
            "detect": here.settings.detect.model_copy(
                update={"memory_key_file": folder / "memory.key"}
            ),
        }
    )
