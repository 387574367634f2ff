"""Measures the gate on one core, with broker and clients on the other: CPU and duration of an
answer.
"""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import psutil
from confluent_kafka import Producer

from streams.cluster.admin import client_arguments
from streams.cluster.topics import create
from streams.config import load
from streams.gateways.gate.bench import Load, Measured, run
from streams.tools.scenarios import generate
from streams.wire import encode_action
from tests.bench.harness import pin
from tests.enforce.loop import now_ms
from tests.enforce.records import action
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import wait_until

QUESTIONS: Final = 20_000  # different ones: a carrier's ordinary traffic, codes among it
WARM_S: Final = 5.0
READY_S: Final = 180.0
SAMPLES: Final = 100  # of the gate's memory in a run


def questions(count: int, held: int) -> tuple[bytes, ...]:
    """Ordinary messages as a gateway would ask about them; each tenth to somebody under lease."""
    made = []
    for n, event in enumerate(islice(generate("ordinary", 1, start_ms=now_ms()), count)):
        value = event.value
        body = {"recipient": value["recipient"], "sender": value["sender"], "message_id": f"q{n}"}
        body["text"] = value.get("text", "")
        if held and n % 10 == 0:
            body["recipient"] = recipient(n % held)
        made.append(json.dumps(body, ensure_ascii=False).encode())
    return tuple(made)


def recipient(n: int) -> str:
    """One of those under lease."""
    return f"86139{n:08d}"


def fill(broker: Broker, topic: str, leases: int) -> None:
    """Put so many leases on the throttle topic, an hour long."""
    at_ms = now_ms()
    failed: list[Any] = []
    out = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": leases + 1,
            "on_delivery": lambda error, _: failed.append(error) if error else None,
        }
    )
    for n in range(leases):
        one = action(recipient(n), n + 1, at_ms=at_ms, lease_ms=3_600_000)
        out.produce(topic, encode_action(one), key=one.recipient.encode())
        out.poll(0)
    out.flush()
    assert not failed, failed[0]


class Bench:
    """A gate with a broker and leases, on a core of its own if the machine has two."""

    def __init__(self, broker: Broker, folder: Path, leases: int) -> None:
        name = f"gate-bench-{time.time_ns():x}"
        self.folder = folder
        self._broker = broker
        self.port = free_port()
        config = folder / "gate.toml"
        topics = ("input", "throttle", "episode", "acks", "override", "everyone", "undeliverable",
                  "dead_letters")  # fmt: skip
        config.write_text(
            f'app_id = "{name}"\nkafka = {{bootstrap = "{broker.bootstrap}"}}\n'
            "[topics]\npartitions = 32\nreplication = 1\n"
            + "".join(f'{each} = "{name}.{each}"\n' for each in topics)
            + "[enforce]\nnew_leases_per_minute = 100_000_000\nrecipients_max = 1_000_000\n"
            + f'[gate]\nport = {self.port}\nspool_dir = "{folder}/spool-{name}"\n'
        )
        self.settings = load(config)
        create(self.settings)
        fill(broker, self.settings.topics.throttle, leases)
        self.gate = ours(config, folder, "gate", "gate", "serve")
        self.leases = leases

    def start(self) -> psutil.Process:
        """Start it and wait until it holds the leases."""
        self.gate.start()
        assert self.gate.process is not None
        process = psutil.Process(self.gate.process.pid)
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            pin([process.pid], cores[0])
            pin(self._broker.pids, cores[1])
            os.sched_setaffinity(0, cores[1:])
        wait_until(lambda: self.counted("leases_held") >= self.leases, "all are held")
        return process

    def counted(self, name: str) -> float:
        """A metric of the gate, added up."""
        import urllib.request

        url = f"http://127.0.0.1:{self.gate.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as got:
            lines = got.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"otpguard_{name} ", f"otpguard_{name}{{"))
        )


class MemoryWatch:
    """Samples a process's memory while the block runs."""

    def __init__(self, process: psutil.Process, every_s: float) -> None:
        self._process, self._every_s = process, every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.samples: list[tuple[float, float]] = []  # seconds, MB

    def _look(self) -> None:
        began = time.monotonic()
        while not self._done.wait(self._every_s):
            mb = self._process.memory_info().rss / 1e6
            self.samples.append((time.monotonic() - began, mb))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def slope_mb_per_minute(self) -> float:
        """Growth in the second half, by least squares."""
        half = self.samples[len(self.samples) // 2 :]
        return 60 * statistics.linear_regression(*zip(*half, strict=True)).slope


@contextmanager
def _before_the_broker() -> Iterator[bool]:
    """Let this thread have its core whenever it wants it; False where it may not (root may).

    The client is the clock. On the broker's core it waited for threads of Java's, which made one
    answer of a hundred 2 ms late: 2.9-3.6 ms where the gate took 1.1.
    """
    held, first = os.sched_getscheduler(0), True
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        first = False
    try:
        yield first
    finally:
        if first:
            os.sched_setscheduler(0, held, os.sched_param(0))


def measure(
    broker: Broker, *, rate: float, seconds: float, leases: int, folder: Path
) -> dict[str, Any]:
    """CPU, times and memory at a steady rate, with so many leases held."""
    bench = Bench(broker, folder, leases)
    client_arguments(bench.settings.kafka)
    asked = questions(QUESTIONS, leases)
    affinity = os.sched_getaffinity(0)
    try:
        process = bench.start()
        load_ = Load(rate, WARM_S, 8, "8617000990000", bodies=asked)
        with _before_the_broker():
            run(bench.settings.gate, load_)
        before, memory = process.cpu_times(), process.memory_info().rss
        with MemoryWatch(process, seconds / SAMPLES) as watch, _before_the_broker() as first:
            found: Measured = run(bench.settings.gate, replace(load_, seconds=seconds))
        after = process.cpu_times()
        cpu_s = after.user + after.system - before.user - before.system
        return {
            **found.document(),
            "cpu_us": round(cpu_s / max(1, len(found.times_s)) * 1e6, 1),
            "p95_ms": round(found.at(0.95), 3),
            "client_goes_first": first,
            "leases": leases,
            "rss_mb": round(process.memory_info().rss / 1e6, 1),
            "grown_mb": round((process.memory_info().rss - memory) / 1e6, 1),
            "second_half_mb_per_minute": round(watch.slope_mb_per_minute(), 3),
            "load": round(os.getloadavg()[0], 1),
        }
    finally:
        os.sched_setaffinity(0, affinity)
        bench.gate.stop()
