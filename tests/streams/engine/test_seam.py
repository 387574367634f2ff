"""The way out of Faust: states, decisions and checkpoints are the same with another transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.builders.streams.engine.worker.app import difference, running_worker
from tests.faults.driver import Plan, Run
from tests.faults.oracle import compute_outcome, read_outcome
from tests.faults.traffic import Record, traffic
from tests.nodes import Broker
from tests.streams.engine.plain_worker import PlainWorker
from tests.waiting import END_S

pytestmark = pytest.mark.kafka

EVENTS = 6_000
SPAN_MS = 120_000  # fifty codes a second: the recipients that come again are flooded


@pytest.fixture
def run(kafka: Broker, unique: str, tmp_path: Path) -> Run:
    return Run(Plan(1, script=(), stall_s=END_S, partitions=2), kafka, unique, tmp_path)


def recorded(run: Run) -> list[Record]:
    begin_ms = int(time.time() * 1000) - SPAN_MS
    return list(traffic(7, EVENTS, run.plan.partitions, begin_ms, SPAN_MS))


async def produce(run: Run, records: Sequence[Record]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=run.broker.bootstrap) as producer:
        for record in records:
            await producer.send(
                run.settings.topics.input,
                record.value,
                record.key,
                record.partition,
                timestamp_ms=record.timestamp_ms,
            )
        await producer.flush()


async def read_without_faust(run: Run) -> None:
    """Read to the end of the log with a worker on aiokafka alone, and leave its checkpoints."""
    worker = PlainWorker(run.settings)

    async def is_done() -> bool:
        return not await run.behind()

    async with asyncio.timeout(END_S):
        await worker.run(is_done)


def test_a_worker_without_faust_makes_the_same_decisions(run: Run) -> None:
    run.create_topics()
    asyncio.run(produce(run, recorded(run)))
    asyncio.run(read_without_faust(run))
    ours, oracle = (
        asyncio.run(read_outcome(run.settings)),
        asyncio.run(compute_outcome(run.settings)),
    )
    assert ours.differences(oracle) == []
    assert ours.repeated == 0
    assert len(oracle.states) == run.plan.partitions
    assert len([name for name in oracle.published if "@" in name]) > 10  # leases


def test_each_transport_continues_from_the_checkpoints_of_the_other(run: Run) -> None:
    run.create_topics()
    records = recorded(run)
    third = EVENTS // 3
    asyncio.run(produce(run, records[:third]))
    with running_worker(run):
        pass
    asyncio.run(produce(run, records[third : 2 * third]))
    asyncio.run(read_without_faust(run))
    asyncio.run(produce(run, records[2 * third :]))
    with running_worker(run):
        pass
    assert difference(run) == []
