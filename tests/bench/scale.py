"""Measures several workers and partitions, and estimates the needs of a country and a continent.

The topic is filled first and the generator rests. Workers and broker share the cores of this
machine, so with as many workers as cores the broker's share is taken from theirs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import psutil

from tests.bench import worker
from tests.bench.compare import drop_topics, make_topics
from tests.bench.harness import PeerError, broker_cpu_s, cpu_s, started
from tests.bench.traffic import Traffic, records, send
from tests.nodes import Broker

POLL_S: Final = 0.1
READY_S: Final = 60


def measure(
    broker: Broker,
    *,
    events: int,
    runs: Sequence[tuple[int, int]],
    folder: Path,
) -> list[dict[str, Any]]:
    """Events a second for each (workers, partitions)."""
    name = f"scale-{time.time_ns() // 1_000_000_000}"
    found = []
    made = list(records(events, time.time_ns() // 1_000_000))
    for partitions in sorted({p for _, p in runs}):
        topic = f"{name}.p{partitions}"
        make_topics(broker, partitions, topic)
        traffic = send(broker.bootstrap, topic, partitions, made)
        for workers in sorted(w for w, p in runs if p == partitions):
            called = f"{name}.p{partitions}.w{workers}"
            found.append(_together(broker, traffic, workers, called, folder))
            drop_topics(broker, called)
        drop_topics(broker, topic)
    return found


def _together(
    broker: Broker, traffic: Traffic, workers: int, name: str, folder: Path
) -> dict[str, Any]:
    """So many workers of one group over the whole topic, from when all of them are at work."""
    with ExitStack() as stack:
        each: list[worker.Worker] = []
        processes = []
        for _ in range(workers):
            configured = worker.configured(broker, traffic, name, checkpoint_cycle_s=10)
            each.append(stack.enter_context(configured))
        for i, one in enumerate(each):
            log = folder / f"{name}.{i}.log"
            processes.append(stack.enter_context(started(one.command, log, cpu=None, env=one.env)))
        watched = [psutil.Process(process.pid) for process in processes]
        samples: list[tuple[float, list[int], float, float]] = []
        deadline = time.monotonic() + READY_S
        generation: list[float] = []
        while True:
            counts = [one.progress() for one in each]
            if any(process.poll() is not None for process in processes):
                raise PeerError(f"{name}: a worker ended")
            shares = [one.series.get("otpguard_partitions_assigned", 0) for one in each]
            rounds = [one.series.get("otpguard_rebalances_total", 0) for one in each]
            if rounds != generation:  # shares moved: what was measured so far is another group's
                generation, samples = rounds, []
            at_work = all(counts) and sum(shares) == traffic.partitions and all(shares)
            if at_work:
                spent = sum(cpu_s(one) for one in watched)
                samples.append((time.monotonic(), counts, spent, broker_cpu_s(broker)))
                deadline = time.monotonic() + READY_S
            # Nobody is asked what is left: a worker says none until its first fetch has told it.
            if len(samples) > 5 and (sum(counts) >= traffic.events or counts == samples[-6][1]):
                break
            if time.monotonic() > deadline:
                raise PeerError(f"{name}: the workers do not get to work together")
            time.sleep(POLL_S)
    return {
        "workers": workers,
        "partitions": traffic.partitions,
        "shares": shares,
        **_rate(samples),
    }


def _rate(samples: Sequence[tuple[float, list[int], float, float]]) -> dict[str, Any]:
    """Over the stretch in which every worker was moving; the first quarter of a second left out."""
    moving = [
        i
        for i in range(3, len(samples))
        if all(b > a for a, b in zip(samples[i - 3][1], samples[i][1], strict=True))
    ]
    if len(moving) < 5:
        raise PeerError("too short to measure: more events, please")
    first, last = samples[moving[0]], samples[moving[-1]]
    events = sum(last[1]) - sum(first[1])
    return {
        "events": events,
        "events_per_s": events / (last[0] - first[0]),
        "client_us": (last[2] - first[2]) / events * 1e6,
        "broker_us": (last[3] - first[3]) / events * 1e6,
    }


# --- a model --------------------------------------------------------------------------------------


def model(
    *,
    subscribers: float,
    peak_per_s: float,
    us_per_event: float,
    row_bytes: float,
    event_bytes: float,
    replication: int = 3,
    core_share: float = 0.5,
    memory_gb: float = 16,
    cycle_s: float = 60,
    tracked_share: float = 0.5,
    retention_h: float = 24,
    mean_share: float = 0.4,
) -> dict[str, float]:
    """What a deployment takes, from measured costs.

    `core_share` of a core is used at the peak, so that one of two workers can take over and a
    backlog shrinks as fast as it grew. `tracked_share` of the subscribers have a row (one message
    within the table's memory). `mean_share` is the day's mean over its peak. Workers are what CPU
    or memory asks for, whichever is more; partitions are the next power of two with four a worker.
    """
    rows = subscribers * tracked_share
    state_bytes = rows * row_bytes
    by_cpu = peak_per_s * us_per_event / 1e6 / core_share
    by_memory = state_bytes / (memory_gb * 1e9 / 2)
    workers = max(2, math.ceil(by_cpu), math.ceil(by_memory))
    partitions = max(32, 2 ** math.ceil(math.log2(4 * workers)))
    stored = peak_per_s * mean_share * 3600 * retention_h * event_bytes
    return {
        "subscribers": subscribers,
        "peak_per_s": peak_per_s,
        "cores_busy": peak_per_s * us_per_event / 1e6,
        "state_gb": state_bytes / 1e9,
        "workers": workers,
        "workers_by_cpu": by_cpu,
        "workers_by_memory": by_memory,
        "partitions": partitions,
        "state_per_partition_mb": state_bytes / partitions / 1e6,
        "input_mb_per_s": peak_per_s * event_bytes / 1e6,
        "checkpoints_mb_per_s": state_bytes / max(cycle_s, state_bytes / workers / 20e6) / 1e6,
        "broker_disk_gb": (stored + 2 * state_bytes) * replication / 1e9,
    }


NATION: Final = (100e6, 15_000.0)
"""Subscribers, and events a second at the peak."""
CONTINENT: Final = (1.4e9, 200_000.0)
"""China's whole volume is about 59,000 a second on average; a peak 3.4 times that."""
ROW_BYTES: Final = 125.0
EVENT_BYTES: Final = 366.0 + 70.0  # the value; and key, offsets, time and the batch's share


def models(*, us_per_event: float) -> dict[str, dict[str, float]]:
    """The nation and the continent."""
    return {
        name: model(
            subscribers=subscribers,
            peak_per_s=peak_per_s,
            us_per_event=us_per_event,
            row_bytes=ROW_BYTES,
            event_bytes=EVENT_BYTES,
        )
        for name, (subscribers, peak_per_s) in (("nation", NATION), ("continent", CONTINENT))
    }
