"""A worker without Faust: aiokafka's own consumer feeds the same states and the same detector.

It shows that the class `PartitionStates` is all that the states need from a transport. It is not
made for speed: each record becomes a Python object, and each assignment reads the whole changelog.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final, cast

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.partitioner import murmur2

from streams.config import Settings
from streams.engine.state.checkpoint import PutRecord
from streams.engine.state.manager import StateManager
from streams.engine.state.outbox import Output
from streams.engine.transport.driver import Consumer
from streams.engine.transport.envelope import Envelope, Poll
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.agents import Detector
from streams.engine.worker.dead_letter_limit import Letters
from streams.engine.worker.observe import Observer
from streams.engine.worker.reader import Reader
from streams.telemetry.metrics import Metrics

POLL_MS: Final = 200
COMMIT_S: Final = 0.5
RECORDS_MAX: Final = 5_000


class PlainConsumer:
    """The part of the transport's consumer that the states and the detector call."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self.consumer = consumer
        self.topic = topic
        self.committed: dict[int, int | None] = {}
        self._at: dict[int, int] = {}  # partition -> first offset that was not handed over

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    async def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        places = [self._place(partition) for partition in partitions]
        found = await self.consumer.beginning_offsets(places) if places else {}
        return {place.partition: offset for place, offset in found.items()}

    def committed_offset(self, partition: int) -> int | None:
        return self.committed.get(partition) or None

    async def newest_commit(self, partition: int) -> int | None:
        offset: int | None = await self.consumer.committed(self._place(partition))
        return offset

    async def seek_to(self, positions: Mapping[int, int]) -> None:
        for partition, offset in positions.items():
            self.consumer.seek(self._place(partition), offset)
            self._at[partition] = offset

    async def read_commits(self, partitions: Iterable[int]) -> None:
        """Remember what the group has committed, before the states take their positions."""
        self.committed = {p: await self.newest_commit(p) for p in partitions}

    async def poll(self) -> Poll | None:
        """Return the records of one poll as the detector takes them; None if there are none."""
        polled = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
        made = [
            await self._envelope(place, records)
            for place, records in polled.items()
            if records and place.partition in self._at
        ]
        return Poll(made) if made else None

    async def _envelope(
        self, place: TopicPartition, records: Sequence[ConsumerRecord[Any, Any]]
    ) -> Envelope:
        start = self._at[place.partition]
        end = self._at[place.partition] = records[-1].offset + 1
        return Envelope(
            place.partition,
            start,
            end,
            max(self.consumer.highwater(place) or 0, end),
            [record.value for record in records],
            [record.key for record in records],
            [record.offset for record in records],
            [record.timestamp for record in records],
        )


class Rebalances(ConsumerRebalanceListener):
    """Tells the states what they own, in the order in which Faust tells them."""

    def __init__(self, worker: PlainWorker) -> None:
        self._worker = worker
        self._generation = 0

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        worker = self._worker
        if revoked:
            await worker.states.flush(fenced=False)
            await worker.commit()
        worker.states.revoke()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        states, source = self._worker.states, self._worker.source
        # Not consecutive: the states are restored each time, as another worker may have owned them.
        self._generation += 2
        mine = frozenset(place.partition for place in assigned)
        states.assign(mine, self._generation)
        await self._worker.read_changelog(mine)
        await states.load(self._generation)
        await source.read_commits(mine)
        await states.seek_to_states(cast("Consumer", source))


class PlainWorker:
    """One worker of a group, from its settings. `run` works until `is_done` returns true."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        kafka = {"bootstrap_servers": settings.kafka.bootstrap}
        self.producer = AIOKafkaProducer(**kafka, acks="all", partitioner=choose_partition)
        consumer = AIOKafkaConsumer(
            **kafka,
            group_id=settings.app_id,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        self.source = PlainConsumer(consumer, settings.topics.input)
        self.errors: list[BaseException] = []
        self.states = StateManager(
            topic=settings.topics.input,
            params=replace(settings.params(), figures=True),
            epoch=settings.epoch,
            cycle_s=settings.worker.checkpoint_cycle_s,
            bytes_per_s=settings.worker.checkpoint_bytes_per_s,
            deadline_s=settings.worker.revoke_deadline_s,
            send=self._send,
            append=self._append,
            metrics=self.metrics,
            fatal=self.errors.append,
        )
        recogniser = settings.recogniser()
        acknowledgements = Acknowledgements(
            self.metrics, settings.topics.input, settings.epoch, self.states
        )
        intake = replace(settings.intake(), partitions=settings.topics.partitions)
        self.detector = Detector(
            params=self.states.params,
            reader=Reader(intake, settings.topics.input, recogniser, self.metrics),
            topics=settings.topics,
            states=self.states,
            observer=Observer(self.metrics, recogniser, acknowledgements),
            letters=Letters(settings.input.dead_letters_per_s, self.metrics),
        )

    async def run(self, is_done: Callable[[], Awaitable[bool]]) -> None:
        """Read, decide, publish, and write checkpoints; at the end write the last ones."""
        consumer = self.source.consumer
        async with AsyncExitStack() as stack:
            for client in (self.producer, consumer):
                await client.start()
                stack.push_async_callback(client.stop)
            consumer.subscribe([self.settings.topics.input], listener=Rebalances(self))
            writing = asyncio.create_task(self.states.write_checkpoints())
            committed_at = time.monotonic()
            while not await is_done():
                poll = await self.source.poll()
                if poll is not None and self.states.positioned:
                    await self.detector.handle(poll, cast("Consumer", self.source))
                if time.monotonic() - committed_at > COMMIT_S:
                    await self.commit()
                    committed_at = time.monotonic()
                if self.errors:
                    raise self.errors[0]
            self.states.close()
            await writing
            await self.states.flush(fenced=False)
            await self.commit()

    async def commit(self) -> None:
        """Commit what complete checkpoints cover."""
        topic = self.settings.topics.input
        if covered := self.states.committable():
            await self.source.consumer.commit(
                {TopicPartition(topic, partition): offset for partition, offset in covered.items()}
            )

    async def read_changelog(self, partitions: Iterable[int]) -> None:
        """Hand every record of the changelog to the states, in log order."""
        async with AIOKafkaConsumer(bootstrap_servers=self.settings.kafka.bootstrap) as reader:
            places = [TopicPartition(self.settings.changelog, p) for p in partitions]
            reader.assign(places)
            await reader.seek_to_beginning(*places)
            ends = await reader.end_offsets(places)
            for place in places:
                while await reader.position(place) < ends[place]:
                    for records in (await reader.getmany(place, timeout_ms=POLL_MS)).values():
                        for record in records:
                            self.states.restore_record(
                                record.partition, record.key, record.value, record.offset
                            )

    async def _send(self, output: Output) -> asyncio.Future[object]:
        topic, key, value, headers, _ = output
        sent: asyncio.Future[object] = await self.producer.send(
            topic, value, key, headers=list(headers)
        )
        return sent

    async def _append(self, partition: int, write: PutRecord) -> int:
        sent = await self.producer.send_and_wait(
            self.settings.changelog, write.value, write.key, partition
        )
        return int(sent.offset)


def choose_partition(key: bytes, partitions: Sequence[int], _: Sequence[int]) -> int:
    """Return the partition of the recipient, which stands before a slash in keys of leases."""
    return partitions[(murmur2(key.partition(b"/")[0]) & 0x7FFF_FFFF) % len(partitions)]
