"""From an event's append to the input topic until the lease it caused can be read.

The append is timed by the broker (`LogAppendTime`), the reading by the clock of the same machine,
in a process that does nothing else. Events are offered at fixed rates with floods among them, and
checkpoints run. Worker and broker have a core each; the generator is on the broker's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import psutil
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench import worker
from tests.bench.harness import (
    BROKER_CPU,
    CLIENT_CPU,
    PeerError,
    broker_cpu_s,
    cpu_s,
    pin,
    started,
)
from tests.bench.traffic import Traffic
from tests.nodes import Broker

SETTLE_S: Final = 3.0
"""The start of each level, not measured: what was left of the level before is gone."""
WARM_S: Final = 30.0
"""Ahead of all levels, not measured: a broker that has just started compiles for so long, on the
core that it has, and answers late."""
WARM_PER_S: Final = 15_000
CHECKPOINT_CYCLE_S: Final = 10
"""A level of the short form takes 15 s: at an operator's 60 it has no checkpoint, or all."""
POLL_S: Final = 0.1

Seen = tuple[int, int, float]  # partition, offset of the causing event; when its lease was read


class Reader:
    """Reads the throttle topic as an adapter does, and notes when it got each lease."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.seen: list[Seen] = []
        self._over = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{topic}-reader",
                "fetch.wait.max.ms": 100,
                "enable.auto.commit": False,
            }
        )
        found = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, p, 0) for p in found])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        decode = msgspec.json.Decoder().decode
        while not self._over.is_set():
            message = self._consumer.poll(0.2)
            if message is None or message.value() is None:
                continue
            now = time.time()
            cause = decode(message.value())["cause"]
            self.seen.append((cause["partition"], cause["offset"], now))

    def close(self) -> None:
        """Stop reading."""
        self._over.set()
        self._thread.join()
        self._consumer.close()


def measure(
    broker: Broker,
    *,
    rates: Sequence[int],
    seconds: float,
    partitions: int,
    cycle_s: int,
    folder: Path,
) -> dict[str, Any]:
    """Offer each rate for so long, one after the other, to one worker."""
    pin(broker.pids, BROKER_CPU)
    name = f"latency-{time.time_ns() // 1_000_000_000}"
    topic = f"{name}.input"
    make_timed(broker, topic, partitions)
    traffic = Traffic(topic, partitions, 0, 0, 0, 0)
    with worker.configured(broker, traffic, name, checkpoint_cycle_s=cycle_s) as one:
        log = folder / f"{name}.log"
        with started(one.command, log, cpu=CLIENT_CPU, env=one.env) as process:
            one.await_assigned(partitions, process)
            reader = Reader(broker.bootstrap, f"{name}.throttle")
            try:
                levels = _levels(broker, topic, one, process, reader, rates, seconds, log)
            finally:
                reader.close()
    return {
        "partitions": partitions,
        "seconds": seconds,
        "settle_s": SETTLE_S,
        "checkpoint_cycle_s": cycle_s,
        "levels": levels,
    }


def _levels(
    broker: Broker,
    topic: str,
    one: worker.Worker,
    process: subprocess.Popen[bytes],
    reader: Reader,
    rates: Sequence[int],
    seconds: float,
    log: Path,
) -> list[dict[str, Any]]:
    watched = psutil.Process(process.pid)
    levels = []
    words = [f"{WARM_PER_S}:{WARM_S}", *(f"{rate}:{seconds + SETTLE_S}" for rate in rates)]
    with offering(broker, topic, words, log) as generator:
        begin(generator)
        ended(generator)
        one.await_drained(process)
        one.await_prepared(process, log)
        reader.seen = []
        for rate in rates:
            begin(generator)
            time.sleep(SETTLE_S)
            before = (one.progress(), cpu_s(watched), time.time())
            broker_s = broker_cpu_s(broker)
            checkpoints = one.series["otpguard_checkpoints_total"]
            time.sleep(seconds - 0.5)
            after = (one.progress(), cpu_s(watched), time.time())
            broker_s = broker_cpu_s(broker) - broker_s
            checkpoints = one.series["otpguard_checkpoints_total"] - checkpoints
            offered = ended(generator)
            behind = one.await_drained(process)
            window = (before[2], offered["ended"])
            delays = delays_of(broker.bootstrap, topic, reader, window)
            events = after[0] - before[0]
            levels.append(
                {
                    "offered_per_s": rate,
                    "sent_per_s": offered["sent"] / (offered["ended"] - offered["began"]),
                    "taken_per_s": events / (after[2] - before[2]),
                    "us_per_event": (after[1] - before[1]) / events * 1e6,
                    "core_used": (after[1] - before[1]) / (after[2] - before[2]),
                    "broker_core": broker_s / (after[2] - before[2]),
                    "checkpoints": checkpoints,
                    "drained_s": behind,
                    **percentiles(delays),
                    "delays_ms": np.round(np.sort(delays) * 1000, 1).tolist(),
                }
            )
    return levels


def make_timed(broker: Broker, topic: str, partitions: int) -> None:
    """Create a topic whose records bear the time at which the broker appended them."""
    append_time = {"message.timestamp.type": "LogAppendTime"}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1, config=append_time)])[topic].result(30)


@contextmanager
def offering(
    broker: Broker, topic: str, words: Sequence[str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The generator of these levels, on the broker's core; what it complains of is beside `log`."""
    command = [sys.executable, "-m", "tests.bench.offer", broker.bootstrap, topic, *words]
    with (
        log.with_suffix(".offer.log").open("wb") as errors,
        subprocess.Popen(
            ["taskset", "-c", str(BROKER_CPU), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as generator,
    ):  # fmt: skip
        yield generator


def begin(generator: subprocess.Popen[bytes]) -> None:
    """Let it begin its next level."""
    assert generator.stdin is not None
    generator.stdin.write(b"\n")
    generator.stdin.flush()


def ended(generator: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What it says at the end of a level."""
    assert generator.stdout is not None
    line = generator.stdout.readline()
    if not line:
        raise PeerError(f"the generator ended (exit code {generator.wait()})")
    offered: dict[str, Any] = json.loads(line)
    if offered["unsent"]:
        msg = (
            f"the broker did not take {offered['unsent']:,} of {offered['sent']:,} events at "
            f"{offered['rate']:,}/s: the machine is too busy to measure"
        )
        raise PeerError(msg)
    return offered


def percentiles(delays_s: np.ndarray) -> dict[str, float]:
    """In ms; of nothing, nothing."""
    if not len(delays_s):
        raise PeerError("no output was read: nothing to time")
    p50, p95, p99 = np.percentile(delays_s, [50, 95, 99]) * 1000
    return {
        "leases": len(delays_s),
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "max_ms": float(delays_s.max() * 1000),
    }


def delays_of(
    bootstrap: str, topic: str, reader: Reader, window: tuple[float, float]
) -> np.ndarray:
    """Seconds from append to reading, of the leases whose cause was appended in this time.

    The causing events are looked up in the input: their records bear the broker's time.
    """
    seen, reader.seen = reader.seen, []
    wanted: dict[int, dict[int, float]] = {}
    for partition, offset, at in seen:
        wanted.setdefault(partition, {})[offset] = at
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-times",
            "enable.auto.commit": False,
        }
    )
    delays: list[float] = []
    try:
        consumer.assign([TopicPartition(topic, p, min(times)) for p, times in wanted.items()])
        deadline = time.monotonic() + 60
        while any(wanted.values()):
            for message in consumer.consume(2_000, 0.1):
                read_at = wanted[message.partition()].pop(message.offset(), None)
                if read_at is not None:
                    appended = message.timestamp()[1] / 1000
                    if window[0] <= appended <= window[1]:
                        delays.append(read_at - appended)
            if time.monotonic() > deadline:
                raise PeerError(f"{sum(map(len, wanted.values()))} causes not found in the input")
    finally:
        consumer.close()
    return np.array(delays)
