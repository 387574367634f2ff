"""Measures a worker with many recipients: the cost of checkpoints, and the time of a restart.

The changelog is filled without a worker, by the code that a worker writes it with: a table for each
partition, its snapshot, the records of a checkpoint. So five million recipients take a minute.
"""

from __future__ import annotations

import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from confluent_kafka import Producer
from numpy.typing import NDArray

from detectors import chain
from detectors.model.times import EPOCH_S
from streams import wire
from streams.config import Settings
from streams.engine.state.checkpoint import CheckpointWriter, PutRecord
from tests.bench import worker
from tests.bench.compare import drop_topics, make_topics
from tests.bench.harness import BROKER_CPU, CLIENT_CPU, PeerError, pin, run, started
from tests.bench.traffic import (
    FIRST_RECIPIENT,
    HABITS,
    PLATFORMS,
    Record,
    Traffic,
    habitual,
    plain,
    producer_to,
)
from tests.detectors.recipients.sifting import sift
from tests.nodes import Broker
from tests.threads import meanwhile

DAY_S: Final = 86_400
NATION_PER_S: Final = 15_000  # events of all its subscribers, by which the events' times are spread
SEED: Final = 5
APART_S: Final = 600  # from a seeded platform to the next, so that they were no flood
A_DAY: Final = 3  # seeded platforms of one day: five new ones in a day make a suspect
SIFTED: Final = 20_000  # rows made at once
NEVER_S: Final = 1_000_000  # a checkpoint cycle that no run lives to see
OFFERED_PER_S: Final = 500
RETURN_S: Final = 300


def platform_ids() -> NDArray[np.uint32]:
    """The ids (PLATFORMS,) under which the recogniser knows the platforms of plain codes."""
    made = [plain(FIRST_RECIPIENT, p, time.time_ns() // 1_000_000, p) for p in range(PLATFORMS)]
    settings = Settings()
    decoded = wire.decode(
        settings.intake(), "platforms", 0, [one.value for one in made],
        [one.recipient for one in made], range(PLATFORMS), None, PLATFORMS,
    )  # fmt: skip
    return np.asarray(settings.recogniser().columns(decoded.batch).platform, np.uint32)


def seed(broker: Broker, settings: Settings, recipients: int, habits: int = HABITS) -> int:
    """Write a checkpoint of each partition at offset 0; return their bytes.

    A recipient lies in the partition that is its number modulo their number, and knows its
    platforms, so many, for ten days: those that came on one day within the last week are young, and
    a partition keeps each of their next sightings beside the rows for a day.
    """
    partitions = settings.topics.partitions
    ids, params = platform_ids(), settings.params()
    producer = producer_to(broker.bootstrap)
    then_s = time.time_ns() // 1_000_000_000 - EPOCH_S - 10 * DAY_S
    written = 0
    for partition in range(partitions):
        part = chain.Partition(params)
        first = (partition - FIRST_RECIPIENT) % partitions
        subscribers = np.arange(first, recipients, partitions)
        for start in range(0, len(subscribers), SIFTED):
            some = subscribers[start : start + SIFTED]
            keys = some.astype(np.uint64) + np.uint64(FIRST_RECIPIENT)
            for habit in range(habits):
                platform = ids[(some * 31 + habit * 101) % PLATFORMS]
                days = (habits - 1 - habit) // A_DAY
                at = then_s - days * DAY_S + habit % A_DAY * APART_S
                at_s = np.full(len(some), at)
                sift(params.sieve, part.table, keys, platform, at_s)
        writer = CheckpointWriter(partition, "seed", settings.epoch)
        for step in writer.checkpoint(chain.snapshot(part), 0, 0):
            if isinstance(step, PutRecord):
                producer.produce(settings.changelog, step.value, step.key, partition=partition)
        if producer.flush(120):
            raise PeerError("the broker did not take the changelog")
        written += writer.size
    return written


def habits(recipients: int, events: int) -> Iterator[Record]:
    """Codes of the subscribers' own platforms, each subscriber as often as the next."""
    chosen = np.random.default_rng(SEED).integers(0, recipients, events).tolist()
    began_ms = time.time_ns() // 1_000_000 - events * 1000 // NATION_PER_S
    for number, subscriber in enumerate(chosen):
        yield habitual(subscriber, began_ms + number * 1000 // NATION_PER_S, number)


def send_in_place(producer: Producer, topic: str, partitions: int, record: Record) -> None:
    """Hand a record over for the partition where `seed` has put its recipient."""
    partition = int(record.recipient) % partitions
    while True:
        try:
            producer.produce(
                topic, record.value, record.recipient,
                partition=partition, timestamp=record.event_time_ms,
            )  # fmt: skip
            break
        except BufferError:
            producer.poll(0.01)


def checkpoints(
    broker: Broker,
    *,
    recipients: int,
    events: int,
    runs: int,
    cycle_s: int,
    partitions: int,
    folder: Path,
) -> dict[str, Any]:
    """The same topic read without checkpoints and with one of all partitions every `cycle_s`.

    CPU is that of the last two thirds of the events; checkpoints are those written meanwhile.
    """
    pin(broker.pids, BROKER_CPU)
    name = f"held-{time.time_ns() // 1_000_000_000}"
    topic = f"{name}.input"
    make_topics(broker, partitions, topic)
    producer = producer_to(broker.bootstrap)
    for record in habits(recipients, events):
        send_in_place(producer, topic, partitions, record)
    if producer.flush(120):
        raise PeerError("the broker did not take every event")
    traffic = Traffic(topic, partitions, events, events, 0, 0)
    measured: dict[int, list[dict[str, float]]] = {NEVER_S: [], cycle_s: []}
    for lap in range(runs):
        for cycle, found in measured.items():
            run_name = f"{name}.{cycle}.{lap}"
            found.append(_read(broker, traffic, run_name, recipients, cycle, folder))
            drop_topics(broker, run_name)
    drop_topics(broker, name)
    without = statistics.median(one["us_per_event"] for one in measured[NEVER_S])
    with_ = statistics.median(one["us_per_event"] for one in measured[cycle_s])
    rounds = statistics.median(one["rounds"] for one in measured[cycle_s])
    counted = measured[cycle_s][0]["events"]
    return {
        "recipients": recipients,
        "partitions": partitions,
        "cycle_s": cycle_s,
        "without": measured[NEVER_S],
        "with": measured[cycle_s],
        "share": with_ / without - 1,
        "round_cpu_s": (with_ - without) * counted / 1e6 / rounds if rounds else None,
        "default_cycle_s": Settings().worker.checkpoint_cycle_s,
    }


def _read(
    broker: Broker, traffic: Traffic, name: str, recipients: int, cycle_s: int, folder: Path
) -> dict[str, float]:
    """One worker over the whole topic, with its recipients in the changelog before."""
    warm = traffic.events // 3
    before: list[float] = []
    with worker.configured(broker, traffic, name, checkpoint_cycle_s=cycle_s) as one:
        seed(broker, worker.settings_of(one.env), recipients)

        def progress() -> int:
            events = one.progress()
            if events >= warm and not before:
                before.append(one.series["otpguard_checkpoints_total"])
            return events

        finished = run(
            one.command, broker, warm=warm, log=folder / f"{name}.log",
            progress=progress, total=traffic.events, env=one.env, stall_s=RETURN_S,
        )  # fmt: skip
        written = one.series["otpguard_checkpoints_total"] - before[0]
    cost = finished.cost
    return {
        "us_per_event": cost.client_us,
        "events_per_s": cost.events_per_s,
        "events": cost.events,
        "seconds": cost.wall_s,
        "rounds": written / traffic.partitions,  # checkpoints of all partitions
        "rss_mb": cost.rss / 1e6,
    }


def come_back(
    broker: Broker, *, recipients: int, partitions: int, folder: Path, instance: str = ""
) -> dict[str, Any]:
    """A worker with all of them at work, killed, and started again: seconds until it is back.

    Events come at `OFFERED_PER_S` all the time, so the first one that it takes in is at once there.
    With `instance` it is a static member, for whom the group keeps its partitions.
    """
    pin(broker.pids, BROKER_CPU)
    name = f"back-{time.time_ns() // 1_000_000_000}"
    topic = f"{name}.input"
    make_topics(broker, partitions, topic)
    traffic = Traffic(topic, partitions, 0, 0, 0, 0)
    with worker.configured(broker, traffic, f"{name}.worker", instance=instance) as one:
        began = time.monotonic()
        size = seed(broker, worker.settings_of(one.env), recipients)
        seeded_s = time.monotonic() - began
        with _offered(broker, topic, partitions, recipients):
            log = folder / f"{name}.log"
            with started(one.command, log, cpu=CLIENT_CPU, env=one.env) as first:
                new = _until_at_work(one, first)
                first.send_signal(signal.SIGKILL)
                first.wait()
            log = folder / f"{name}.again.log"
            with started(one.command, log, cpu=CLIENT_CPU, env=one.env) as again:
                back = _until_at_work(one, again)
                one.await_assigned(partitions, again)
                tracked = one.series["otpguard_recipients_tracked"]
                rss = psutil.Process(again.pid).memory_info().rss
                peak = max_rss(again.pid)
    drop_topics(broker, name)
    if tracked != recipients:
        raise PeerError(f"{tracked} of {recipients} recipients have a row")
    return {
        "recipients": recipients,
        "partitions": partitions,
        "instance": instance,
        "seeded_s": seeded_s,
        "checkpoint_bytes": size,
        "session_timeout_s": Settings().kafka.session_timeout_s,
        "new": new,
        "back": back,
        "rss_mb": rss / 1e6,
        "peak_rss_mb": peak / 1e6,
    }


def _until_at_work(one: worker.Worker, process: Any) -> dict[str, float]:
    """Seconds from now until its state is restored, and until it has taken an event in."""
    began = time.monotonic()
    restored_s = 0.0
    one.series = {}
    while not restored_s or not one.progress():
        if not restored_s and one.ready():
            restored_s = time.monotonic() - began
        if process.poll() is not None:
            raise PeerError(f"the worker ended (exit code {process.returncode})")
        if time.monotonic() - began > RETURN_S:
            raise PeerError("the worker does not get to work")
        time.sleep(0.05)
    cpu = psutil.Process(process.pid).cpu_times()
    return {
        "restored_s": restored_s,
        "at_work_s": time.monotonic() - began,
        "cpu_s": cpu.user + cpu.system,
    }


@contextmanager
def _offered(broker: Broker, topic: str, partitions: int, recipients: int) -> Iterator[None]:
    """A steady stream of codes to the recipients while the block lasts."""
    producer = producer_to(broker.bootstrap)

    def offer(over: threading.Event) -> None:
        rng = np.random.default_rng(SEED)
        number = 0
        while not over.wait(0.1):
            now_ms = time.time_ns() // 1_000_000
            for subscriber in rng.integers(0, recipients, OFFERED_PER_S // 10).tolist():
                number += 1
                send_in_place(producer, topic, partitions, habitual(subscriber, now_ms, number))
            producer.poll(0)

    with meanwhile(offer):
        yield
    producer.flush(30)


def max_rss(pid: int) -> int:
    """The most memory that a living process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
