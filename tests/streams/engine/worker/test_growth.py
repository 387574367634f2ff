"""From 4 partitions to 8 as the README says, with a real worker on a real broker.

`make integration` runs this, because workers start one after the other and restore every state.
"""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.cluster import topics
from streams.common.errors import Exit
from streams.config import Settings
from tests.builders.streams.engine.worker.app import (
    HOUR_MS,
    await_exit,
    running_worker,
    start_worker,
)
from tests.faults.driver import Plan, Run
from tests.faults.oracle import Outcome, compute_outcome, read_outcome
from tests.faults.traffic import traffic
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.integration]

EVENTS = 6_000


async def produce(run: Run, seed: int) -> None:
    """Events whose keys decide on their partitions, as producers' keys do."""
    now_ms = int(time.time() * 1000)
    producer = AIOKafkaProducer(bootstrap_servers=run.broker.bootstrap)
    await producer.start()
    try:
        for record in traffic(seed, EVENTS, 4, now_ms - HOUR_MS, HOUR_MS):
            await producer.send(run.settings.topics.input, record.value, record.key)
        await producer.flush()
    finally:
        await producer.stop()


async def grow(run: Run, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=run.broker.bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(8)})
        async with asyncio.timeout(END_S):  # the broker that answers hears of it from another
            while len((await admin.describe_topics([topic]))[0]["partitions"]) != 8:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


def grown(settings: Settings) -> Settings:
    shape = settings.topics.model_copy(update={"partitions": 8})
    return settings.model_copy(update={"epoch": 2, "topics": shape})


def of_epoch(outcome: Outcome, epoch: int) -> dict[str, bytes]:
    """What was published in this epoch: identities begin with it."""
    return {i: value for i, value in outcome.published.items() if i.startswith(f"{epoch}:")}


def test_partitions_grow_from_4_to_8_and_every_state_is_its_log_again(
    kafka: Broker, unique: str, tmp_path: Path
) -> None:
    run = Run(Plan(1, script=(), partitions=4, stall_s=END_S), kafka, unique, tmp_path)
    run.create_topics()
    asyncio.run(produce(run, 11))
    with running_worker(run):  # producers have stopped; the worker drains
        pass
    settings = grown(run.settings)
    environment = {"OTPGUARD_EPOCH": "2", "OTPGUARD_TOPICS_PARTITIONS": "8"}

    asyncio.run(grow(run, settings.changelog))
    (said,), _ = topics.review(settings)
    assert said == (
        f"topics {settings.topics.input} and {settings.changelog} have 4 and 8 partitions; "
        "these must be equal"
    )
    code, lines = await_exit(start_worker(run, **environment))
    assert (code, len(lines)) == (Exit.CONFIG, 1)
    asyncio.run(grow(run, settings.topics.input))
    assert topics.review(settings)[0] == []

    code, lines = await_exit(start_worker(run, **environment))
    assert code == Exit.CONFIG
    assert "--rebuild" in lines[-1]

    asyncio.run(produce(run, 12))
    oracle = asyncio.run(compute_outcome(settings))
    assert len(oracle.states) == 8
    process = start_worker(run, "--rebuild", **environment)

    def whole() -> bool:
        ours = asyncio.run(read_outcome(settings)).states
        return {p: o for p, (o, _) in ours.items()} == {p: o for p, (o, _) in oracle.states.items()}

    wait_until(whole, "every state is whole", pause_s=0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=END_S)
    ours = asyncio.run(read_outcome(settings))
    assert of_epoch(ours, 2) == of_epoch(oracle, 2)
    assert of_epoch(oracle, 2)
    states = Outcome(states=ours.states)
    assert states.differences(Outcome(states=oracle.states)) == []
