"""Compares the workers' output with that of one undisturbed process over the same log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from detectors import chain
from streams import wire
from streams.config import Settings
from streams.engine.state.checkpoint import ChangelogReader
from tests.detectors.stand_in import plain_rows

BATCH = 20_000
POLL_MS = 2000


@dataclass
class Outcome:
    """Everything that is compared: by partition the state, by identity the published bytes."""

    # The next offset of each partition, and its state.
    states: dict[int, tuple[int, chain.Snapshot]] = field(default_factory=dict)
    published: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)  # identities that came with two values
    repeated: int = 0  # outputs whose identity had come before
    records: int = 0  # of the input
    lists: int = 0  # partitions that hold a list of the network

    def add(self, identity: str, value: bytes) -> None:
        """A record of an output topic."""
        before = self.published.get(identity)
        if before is None:
            self.published[identity] = value
            return
        self.repeated += 1
        if before != value:
            self.changed.append(identity)

    def differences(self, oracle: Outcome) -> list[str]:
        """Sentences about every way in which this is not what the oracle says."""
        said = [f"{identity} was published with different bytes" for identity in self.changed[:5]]
        missing = oracle.published.keys() - self.published.keys()
        invented = self.published.keys() - oracle.published.keys()
        if missing:
            said.append(f"{len(missing)} outputs are missing, such as {sorted(missing)[:3]}")
        if invented:
            said.append(f"{len(invented)} outputs were invented, such as {sorted(invented)[:3]}")
        both = oracle.published.keys() & self.published.keys()
        other = [
            identity for identity in both if oracle.published[identity] != self.published[identity]
        ]
        if other:
            said.append(f"{len(other)} outputs have other bytes, such as {sorted(other)[:3]}")
        for partition, (next_offset, state) in oracle.states.items():
            if partition not in self.states:
                said.append(f"partition {partition} has no checkpoint")
                continue
            ours_next, ours = self.states[partition]
            if ours_next != next_offset:
                said.append(f"partition {partition} ends at {ours_next}, its log at {next_offset}")
            elif ours.header != state.header:
                said.append(
                    f"partition {partition}: header {ours.header}, should be {state.header}"
                )
            elif plain_rows(ours) != plain_rows(state):
                said.append(f"partition {partition}: rows differ")
            said += [
                f"partition {partition}: {name} {where}"
                for name in state.rest
                if (where := _apart(_plain(ours.rest, name), _plain(state.rest, name)))
            ]
        return said


def _plain(rest: dict[str, Any], name: str) -> Any:
    """What a state holds under a name, as MessagePack has it, without what batches may change.

    That is the row in which a suspect stands, and the order in which names were first met.
    """
    value = msgspec.msgpack.decode(msgspec.msgpack.encode(rest[name]))
    if name == "names":
        return sorted(value)
    return [suspect[:2] + suspect[3:] for suspect in value] if name == "suspects" else value


def _apart(ours: Any, theirs: Any) -> str:
    """Where two values differ; empty if they don't."""
    if ours == theirs:
        return ""
    if not isinstance(ours, list):
        return f"{ours}, should be {theirs}"
    pairs = enumerate(zip(ours, theirs, strict=False))
    first = next((i for i, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    return f"item {first}: {ours[first : first + 1]}, should be {theirs[first : first + 1]}"


async def read_outcome(settings: Settings) -> Outcome:
    """What the workers left on Kafka."""
    outcome = Outcome()
    readers: dict[int, ChangelogReader] = {}
    async for record in records(settings, settings.changelog):
        readers.setdefault(record.partition, ChangelogReader()).put(record.key, record.value)
    for partition, reader in readers.items():
        if (restored := reader.restore(partition, settings.epoch)) is not None:
            outcome.states[partition] = restored.next_offset, restored.snapshot
    async for record in records(settings, settings.topics.throttle):
        outcome.add(_action_identity(wire.decode_action(record.value)), record.value)
    async for record in records(settings, settings.topics.episode):
        outcome.add(_episode_identity(wire.decode_episode(record.value)), record.value)
    async for record in records(settings, settings.topics.incident):
        outcome.add(_incident_identity(wire.decode_incident(record.value)), record.value)
    async for record in records(settings, settings.topics.dead_letters):
        outcome.add(f"dead letter {record.key.decode()}", record.value)
    async for record in records(settings, settings.topics.platform_parts):
        outcome.add(_part_identity(settings, wire.decode_part(record.value)), record.value)
    return outcome


async def compute_outcome(settings: Settings) -> Outcome:
    """What the chain makes of the whole log in one go."""
    outcome = Outcome()
    intake, params, recogniser = settings.intake(), settings.params(), settings.recogniser()
    states: dict[int, chain.Partition] = {}
    held: dict[int, list[Any]] = {}

    def take(partition: int) -> None:
        if not (records := held.pop(partition, [])):
            return
        state = states.setdefault(partition, chain.Partition(params))
        whole = wire.Records(
            partition,
            records[-1].offset + 1,
            [r.value for r in records],
            [r.key for r in records],
            np.array([r.offset for r in records], np.int64),
            np.array([r.timestamp for r in records], np.int64),
        )
        decoded = wire.decode(
            intake, settings.topics.input, partition, *whole[2:], next_offset=whole.next_offset
        )
        decisions = chain.process(params, state, decoded.batch, recogniser.columns(decoded.batch))
        decoded = wire.refuse(decoded, wire.RejectReason.AHEAD_OF_LOG, decisions.ahead, whole)
        for action in decisions.actions:
            outcome.add(_action_identity(action), wire.encode_action(action))
        for episode in decisions.episodes:
            outcome.add(_episode_identity(episode), wire.encode_episode(episode))
        for incident in decisions.incidents:
            outcome.add(_incident_identity(incident), wire.encode_incident(incident))
        for part in decisions.parts:
            outcome.add(_part_identity(settings, part), wire.encode_part(part))
        for reject in decoded.rejects:
            key, value, _ = wire.dead_letter(reject, settings.topics.input, partition)
            outcome.add(f"dead letter {key.decode()}", value)

    async for record in records(settings, settings.topics.input):
        outcome.records += 1
        held.setdefault(record.partition, []).append(record)
        if len(held[record.partition]) >= BATCH:
            take(record.partition)
    for partition in list(held):
        take(partition)
    outcome.states = {p: (s.next_offset, chain.snapshot(s)) for p, s in states.items()}
    outcome.lists = sum(state.book.hot.network is not None for state in states.values())
    return outcome


def _action_identity(action: Any) -> str:
    """An update of a lease's windows keeps its id, and has a revision of its own."""
    return f"{action.action_id}@{action.revision}"


def _episode_identity(record: Any) -> str:
    return f"{record.episode_id}/{record.revision}/{record.change}"


def _incident_identity(record: Any) -> str:
    return f"incident {record.episode_id}/{record.revision}/{record.first}"


def _part_identity(settings: Settings, part: Any) -> str:
    return "part " + dict(wire.part_headers(part, settings.topics.input))["ce_id"].decode()


async def records(settings: Settings, topic: str) -> Any:
    """Yield every record of a topic, partition by partition in the order of its log."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                got = await consumer.getmany(partition, timeout_ms=POLL_MS)
                for records in got.values():
                    for record in records:
                        yield record
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    metadata = await consumer._client._wait_on_metadata(topic)
    return [TopicPartition(topic, partition) for partition in sorted(metadata)]
