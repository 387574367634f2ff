"""Producers that write in transactions, on a real broker: what is aborted never was.

Where a transaction stays open until a worker would be taken for stalled, a test is part of
`make integration`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from streams import wire
from tests.builders.streams.engine.worker.app import (
    difference,
    produce,
    running_worker,
    start_worker,
    traffic_values,
)
from tests.faults.driver import Plan, Run
from tests.faults.oracle import read_outcome
from tests.faults.traffic import PLATFORMS, TEXT
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.engine.worker.scraped import scraped
from tests.waiting import END_S, wait_until

pytestmark = pytest.mark.kafka

FLOOD = 60  # codes, each of another platform
STALL_S = 15.0


@pytest.fixture
def run(kafka: Broker, unique: str, tmp_path: Path) -> Run:
    made = Run(Plan(1, script=(), partitions=1, stall_s=END_S), kafka, unique, tmp_path)
    made.create_topics()
    return made


@contextmanager
def _transactional(run: Run) -> Iterator[Producer]:
    """A producer in a transaction, which whoever asks for it ends."""
    producer = Producer(
        {"bootstrap.servers": run.broker.bootstrap, "transactional.id": f"{run.name}-gateway"}
    )
    producer.init_transactions(END_S)
    yield producer


def _flood(producer: Producer, run: Run, recipient: str) -> None:
    """In a transaction of its own, which is left open; all of it is on the log."""
    producer.begin_transaction()
    start_ms = int(time.time() * 1000) - 60_000
    for number in range(FLOOD):
        value = {
            "schema_version": 1, "recipient": recipient, "sender": f"1069{number:04d}",
            "event_time_ms": start_ms + number * 500, "message_id": f"{recipient}-{number}",
            "text": TEXT.format(PLATFORMS[number], number),
        }  # fmt: skip
        producer.produce(
            run.settings.topics.input, json.dumps(value).encode(), recipient, partition=0
        )
    assert producer.flush(END_S) == 0


async def _undecided(run: Run) -> int:
    """Records of the log behind its last stable offset.

    A commit is acknowledged once the coordinator has written it down; the partition's marker comes
    later, and what others send meanwhile stands before it.
    """
    partition = TopicPartition(run.settings.topics.input, 0)
    ends = []
    for isolation in ("read_uncommitted", "read_committed"):
        async with AIOKafkaConsumer(
            bootstrap_servers=run.broker.bootstrap, isolation_level=isolation
        ) as consumer:
            ends.append((await consumer.end_offsets([partition]))[partition])
    return ends[0] - ends[1]


def test_an_aborted_flood_is_counted_by_no_worker_and_makes_no_lease(run: Run) -> None:
    with _transactional(run) as producer:
        _flood(producer, run, "8613800000001")
        producer.abort_transaction(END_S)
        _flood(producer, run, "8613800000002")
        producer.commit_transaction(END_S)
    wait_until(lambda: not asyncio.run(_undecided(run)))
    asyncio.run(
        produce(run, traffic_values(1))
    )  # behind the last marker, where the oracle's log ends
    with running_worker(run):
        pass
    ours = asyncio.run(read_outcome(run.settings))
    assert {
        wire.decode_action(value).recipient
        for identity, value in ours.published.items()
        if identity.count("/") == 0
    } == {"8613800000002"}
    ((_, state),) = ours.states.values()
    assert (state.rows[:, 0] != 0).sum() == 2
    assert difference(run) == []


@pytest.mark.integration
def test_an_open_transaction_is_told_and_neither_read_nor_taken_for_a_stall(run: Run) -> None:
    port = free_port()
    with _transactional(run) as producer:
        _flood(producer, run, "8613800000001")
        producer.commit_transaction(END_S)
        _flood(producer, run, "8613800000002")
        process = start_worker(
            run, OTPGUARD_HTTP_PORT=str(port), OTPGUARD_WORKER_STALL_S=str(STALL_S)
        )
        try:
            wait_until(lambda: scraped(port, "events_total", outcome="counted") == FLOOD)
            wait_until(lambda: (scraped(port, "transaction_open_seconds") or 0) > 1.2 * STALL_S)
            assert scraped(port, "records_undecided") == FLOOD
            assert scraped(port, "records_behind") == 0
            assert scraped(port, "events_total", outcome="counted") == FLOOD
            producer.commit_transaction(END_S)
            wait_until(lambda: scraped(port, "events_total", outcome="counted") == 2 * FLOOD)
            wait_until(lambda: scraped(port, "records_undecided") == 0)
            assert scraped(port, "transaction_open_seconds") == 0
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=END_S)
    assert process.returncode == 0
