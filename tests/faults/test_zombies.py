"""A worker that was frozen for longer than its session comes back and writes: nothing changes.

It knows of nothing when it wakes up: another has taken its partition over, has read everything, and
has written its checkpoint. What it had in hand it goes on with until it hears of that: it applies
records, publishes what they make, and may write a checkpoint, all behind its successor's.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.common.errors import Exit
from streams.engine.state.checkpoint import Key
from tests.builders.streams.engine.worker.app import difference
from tests.faults.driver import HOUR_MS, Plan, Run, Slot
from tests.faults.traffic import traffic
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

EVENTS = 25_000
ROUNDS = 12  # it may hear of its successor before it goes on with what it had in hand
POLL_RECORDS = 1_000  # many polls: what it has in hand when it freezes is a part of them


class Topics:
    """What workers write, as it comes: the changelog, leases, episodes and dead letters."""

    def __init__(self, run: Run) -> None:
        self.manifests: list[str] = []  # their writers
        self.outputs = 0
        self._changelog = run.settings.changelog
        self._consumer = Consumer(
            {"bootstrap.servers": run.broker.bootstrap, "group.id": f"{run.name}-look"}
        )
        names = run.settings.topics
        self._consumer.assign(
            [TopicPartition(self._changelog, 0, 0)]
            + [
                TopicPartition(topic, 0, 0)
                for topic in (names.throttle, names.episode, names.incident, names.dead_letters)
            ]
        )

    @property
    def written(self) -> tuple[int, int]:
        """How many outputs and manifests there were."""
        return self.outputs, len(self.manifests)

    def close(self) -> None:
        self._consumer.close()

    def until(self, reached: Callable[[], bool]) -> None:
        """Read on until it is so."""
        deadline = time.monotonic() + END_S
        while not reached():
            assert time.monotonic() < deadline, "it did not come about in time"
            self._read()

    def read_all(self) -> None:
        """Return when everything has been read that is there by now."""
        places = self._consumer.assignment()
        ends = {
            place.topic: self._consumer.get_watermark_offsets(place, END_S, cached=False)[1]
            for place in places
        }

        def is_read() -> bool:
            position = {each.topic: each.offset for each in self._consumer.position(places)}
            return all(position[topic] >= end for topic, end in ends.items() if end)

        self.until(is_read)

    def _read(self) -> None:
        record = self._consumer.poll(0.1)
        if record is None or record.error():
            return
        if record.topic() != self._changelog:
            self.outputs += 1
        elif record.value() is not None and Key.decode(record.key()).name == "manifest":
            self.manifests.append(Key.decode(record.key()).writer)


@contextmanager
def looking(run: Run) -> Iterator[Topics]:
    """What workers write; at the end none of them is left."""
    topics = Topics(run)
    try:
        yield topics
    finally:
        topics.close()
        for slot in run.slots:
            slot.send(signal.SIGCONT)
            slot.send(signal.SIGKILL)
            if slot.process is not None:
                slot.process.wait()


def produce(run: Run, nth: int, events: int) -> None:
    """The `nth` hour's traffic, floods among it, faster than a worker reads it."""
    producer = Producer(
        {"bootstrap.servers": run.broker.bootstrap, "queue.buffering.max.messages": 2 * events}
    )
    start_ms = int(time.time() * 1000) - (8 - nth) * HOUR_MS
    for record in list(traffic(run.plan.seed + 100 * nth, events, 1, start_ms, HOUR_MS)):
        producer.produce(
            run.settings.topics.input,
            record.value,
            record.key,
            partition=0,
            timestamp=record.timestamp_ms,
        )
    assert producer.flush(END_S) == 0


def started(slot: Slot) -> bool:
    """Start it where that may be; tell if it runs."""
    slot.supervise()
    return slot.alive


def freeze(run: Run, slot: Slot) -> None:
    """Freeze it in the middle of its work, with records in hand.

    A worker that has read everything has nothing to write when it wakes up, and how far it gets
    before a signal reaches it is the machine's affair. One that got too far is given twice as much.
    """
    for nth in range(1, 6):
        events = 2 * EVENTS * 2**nth
        produce(run, nth, events)
        slot.send(signal.SIGSTOP)
        committed, end = asyncio.run(run.behind()).get(0, (0, 0))
        if end - (committed or 0) > events * 2 // 3:  # a checkpoint lags behind what is read
            return
        slot.send(signal.SIGCONT)
    pytest.fail("it has read whatever it was given before it could be frozen")


@pytest.mark.integration
@pytest.mark.kafka
@pytest.mark.faults
@pytest.mark.timeout(1_800)  # it may have a million records to read, and rounds to go
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_that_wakes_up_and_writes_behind_its_successor_changes_nothing(
    seed: int, kafka: Broker, unique: str, tmp_path: Path
) -> None:
    run = Run(
        Plan(seed, script=(), partitions=1, cycle_s=0.3, stall_s=600), kafka, unique, tmp_path
    )
    run.create_topics()
    produce(run, 0, EVENTS)
    frozen, successor = run.slots
    for slot in run.slots:
        slot.environment = {
            **slot.environment, "OTPGUARD_KAFKA_POLL_RECORDS_MAX": str(POLL_RECORDS)
        }  # fmt: skip
    with looking(run) as topics:
        frozen.wanted = True
        frozen.supervise()
        topics.until(lambda: topics.outputs > 0 and len(topics.manifests) > 0)
        for _ in range(ROUNDS):
            freeze(run, frozen)
            own = topics.manifests[-1]
            successor.wanted = True
            wait_until(lambda: started(successor), "its successor starts")
            topics.until(lambda: topics.manifests[-1] != own)  # noqa: B023
            wait_until(lambda: not asyncio.run(run.behind()), "all is read", 3 * END_S, pause_s=0.2)
            topics.read_all()
            before, joined = topics.written, _joined(frozen)
            frozen.send(signal.SIGCONT)
            topics.until(lambda: topics.written != before or _joined(frozen) > joined)  # noqa: B023
            if topics.written != before:
                break
            successor.wanted = False
            successor.send(signal.SIGTERM)
            assert successor.process is not None
            assert successor.process.wait(END_S) in (Exit.DONE, Exit.TRY_AGAIN)
        else:
            pytest.fail("each time it heard of its successor before it wrote anything")
        wait_until(lambda: _joined(frozen) > joined, "it is a member again")
        for slot in run.slots:
            slot.send(signal.SIGTERM)
        exits = [slot.process.wait(END_S) for slot in run.slots if slot.process is not None]
    # They may be stopped in the middle of the rebalance that the zombie brought about.
    assert set(exits) <= {Exit.DONE, Exit.TRY_AGAIN}, f"{exits}, logs in {tmp_path}"
    assert difference(run) == []


def _joined(slot: Slot) -> int:
    """How often its worker has become a member of the group."""
    return slot.log.read_bytes().count(b": generation ")
