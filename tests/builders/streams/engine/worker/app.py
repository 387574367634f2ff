"""Builders that test_app.py shares with other tests."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaProducer

from streams.engine.state.checkpoint import CheckpointError
from tests.faults.driver import Run
from tests.faults.oracle import compute_outcome, read_outcome
from tests.faults.traffic import POISON, traffic
from tests.waiting import END_S, wait_until

HOUR_MS = 3_600_000


def start_worker(run: Run, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "worker", *options],
        env={**run.slots[0].environment, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def await_exit(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    _, said = process.communicate(timeout=END_S)
    assert "Traceback" not in said, said
    return process.returncode, said.splitlines()


@contextmanager
def running_worker(run: Run, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that has read everything; afterwards it is stopped if it still runs."""
    process = start_worker(run, *options)
    try:
        wait_until_read(run, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            _, said = process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        print(said)  # shown where the test fails


def wait_until_read(run: Run, process: subprocess.Popen[str] | None = None) -> None:
    """Return when the group has committed the end of its log; fail if its worker ends before."""

    def is_read() -> bool:
        ended = process is not None and process.poll() is not None
        behind = asyncio.run(run.behind())
        assert not (behind and ended), "the worker has ended"
        return not behind

    wait_until(is_read, "all is read", pause_s=0.2)


async def produce(
    run: Run, values: list[bytes | None], partition: int = 0, codec: str | None = None
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=run.broker.bootstrap, compression_type=codec)
    await producer.start()
    try:
        for value in values:
            await producer.send(run.settings.topics.input, value, b"key", partition)
        await producer.flush()
    finally:
        await producer.stop()


def traffic_values(events: int) -> list[bytes | None]:
    now_ms = int(time.time() * 1000)
    records = traffic(7, events, 1, now_ms - HOUR_MS, HOUR_MS)
    return [record.value for record in records if record.value not in (*POISON, None)]


def difference(run: Run) -> list[str]:
    ours = asyncio.run(read_outcome(run.settings))
    return ours.differences(asyncio.run(compute_outcome(run.settings)))


def is_rebuilt(run: Run) -> bool:
    """Whether every partition is: those that were not damaged have states all the time."""
    try:
        return not difference(run)
    except CheckpointError:
        return False
