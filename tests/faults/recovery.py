"""Measures the time until events are processed again after a worker was killed.

Settings are the defaults, 32 partitions and a session timeout of 6 s among them; a million
recipients are on the changelog before anything is killed, and events come all the time.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import AdminClient, NewTopic

from streams.config import Settings
from tests.bench import worker
from tests.bench.harness import PeerError, scraped
from tests.bench.traffic import FIRST_RECIPIENT, Traffic, plain, producer_to, send
from tests.faults.driver import Slot
from tests.nodes import Broker
from tests.threads import meanwhile
from tests.waiting import END_S

RECIPIENTS: Final = 1_000_000
TRICKLE_PER_S: Final = 1_000
"""Enough for every partition to have something to read at once."""
LOOK_S: Final = 0.05
WAIT_S: Final = 240.0
MARKS: Final = {"started": "metrics and health", "joined": "generation", "restored": "reading from"}
"""What a worker's log says when a part of its way back is over."""


def restarts(
    broker: Broker, *, tries: int, instance: str, folder: Path, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Kill the only worker, start it again after a supervisor's pause: seconds from the kill.

    The parts add up: its start (imports and checks), the group's consent, state, first event.
    """
    found = []
    with _filled(broker, folder, 1, instance, tell) as (slots, pages):
        for _ in range(tries):
            time.sleep(3)
            before = slots[0].log.stat().st_size
            killed = time.time()
            _kill(slots[0])
            _until(lambda: _events(pages[0]) > 0, slots)
            ended = time.time()
            marks = _marks(slots[0].log, before)
            at = [killed, *(marks[name] for name in MARKS), ended]
            names = ("start_s", "join_s", "restore_s", "first_event_s")
            parts = {n: round(b - a, 2) for n, a, b in zip(names, at[:-1], at[1:], strict=True)}
            found.append({"total_s": round(ended - killed, 2), **parts, "load": os.getloadavg()[0]})
            tell(str(found[-1]))
    return found


def takeovers(
    broker: Broker, *, tries: int, folder: Path, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Kill one of two workers: seconds until the other reads all partitions, as its log says.

    The other one then comes back, and they take turns.
    """
    partitions = Settings().topics.partitions
    found = []
    with _filled(broker, folder, 2, "", tell) as (slots, pages):
        for turn in range(tries):
            dies, stays, page = slots[turn % 2], slots[1 - turn % 2], pages[1 - turn % 2]
            _until(lambda: all(0 < _owned(page) < partitions for page in pages), slots)
            time.sleep(3)
            before = stays.log.stat().st_size
            dies.wanted = False
            killed = time.time()
            dies.send(signal.SIGKILL)
            _until(lambda page=page: _owned(page) == partitions, slots)  # type: ignore[misc]
            marks = _marks(stays.log, before)
            parts = {
                "join_s": round(marks["joined"] - killed, 2),
                "restore_s": round(marks["restored"] - marks["joined"], 2),
            }
            total_s = round(marks["restored"] - killed, 2)
            found.append({"total_s": total_s, **parts, "load": os.getloadavg()[0]})
            tell(str(found[-1]))
            dies.wanted = True
    return found


@contextmanager
def _filled(
    broker: Broker, folder: Path, workers: int, instance: str, tell: Callable[[str], None]
) -> Iterator[tuple[list[Slot], list[str]]]:
    """Supervised workers that know a million recipients and have checkpoints of them, and a trickle
    of events."""
    name = f"recovery-{time.time_ns() // 1_000_000_000}"
    topic, partitions = f"{name}.input", Settings().topics.partitions
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(END_S)
    now_ms = time.time_ns() // 1_000_000
    made = (plain(FIRST_RECIPIENT + i, i % 600, now_ms, i) for i in range(RECIPIENTS))
    traffic = send(broker.bootstrap, topic, partitions, made)
    with ExitStack() as stack:
        slots, pages = [], []
        for i in range(workers):
            named = {"instance": f"{instance}-{i}"} if instance else {}
            one = stack.enter_context(worker.configured(broker, traffic, name, **named))
            environment = {**os.environ, **one.env, "PYTHONUNBUFFERED": "1"}
            slots.append(Slot(f"worker {i}", environment, folder / f"{name}-{i}.log", wanted=True))
            pages.append(one.page)
        stack.enter_context(_supervised(slots))
        stack.enter_context(_trickle(broker, traffic))
        _until(lambda: sum(_tracked(page) for page in pages) >= RECIPIENTS, slots)
        tell("a million recipients are known; checkpoints follow")
        _until(lambda: all(_checkpoints(page) >= partitions / workers for page in pages), slots)
        yield slots, pages


@contextmanager
def _supervised(slots: list[Slot]) -> Iterator[None]:
    def supervise(over: threading.Event) -> None:
        while not over.wait(LOOK_S):
            for slot in slots:
                slot.supervise()

    try:
        with meanwhile(supervise):
            yield
    finally:
        for slot in slots:
            slot.send(signal.SIGKILL)
            if slot.process is not None:
                slot.process.wait()


@contextmanager
def _trickle(broker: Broker, traffic: Traffic) -> Iterator[None]:
    producer = producer_to(broker.bootstrap, linger_ms=5)

    def feed(over: threading.Event) -> None:
        sent = 0
        while not over.wait(0.05):
            for _ in range(TRICKLE_PER_S // 20):
                record = plain(
                    FIRST_RECIPIENT + sent * 7919 % RECIPIENTS, 1, time.time_ns() // 1_000_000, sent
                )
                producer.produce(traffic.topic, record.value, record.recipient)
                sent += 1
            producer.poll(0)

    with meanwhile(feed):
        yield
    producer.flush(END_S)


def _kill(slot: Slot) -> None:
    """Kill it; return when a new one was started, so that no answer is the old one's."""
    old = slot.process
    slot.send(signal.SIGKILL)
    while slot.process is None or slot.process is old:
        time.sleep(LOOK_S / 5)


def _marks(log: Path, since: int) -> dict[str, float]:
    """When the log said for the last time that each part was over."""
    with log.open("rb") as file:
        file.seek(since)
        lines = file.read().decode(errors="replace").splitlines()
    marks = {}
    for line in lines:
        for name, words in MARKS.items():
            if words in line and (at := re.match(r"[\d-]+ [\d:]+,\d+", line)):
                marks[name] = datetime.strptime(at[0], "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007 - local, as the log is
    return marks


def _until(reached: Callable[[], bool], slots: list[Slot]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not reached():
        if time.monotonic() > deadline:
            raise PeerError(f"not in {WAIT_S:g} s; exits {[slot.exits for slot in slots]}")
        time.sleep(LOOK_S)


def _owned(page: str) -> float:
    """Partitions whose state is loaded."""
    series = scraped(page)
    return series.get("otpguard_partitions_assigned", 0) * (
        series.get("otpguard_recovery_progress_ratio", 0) == 1
    )


def _events(page: str) -> float:
    return sum(n for name, n in scraped(page).items() if name.startswith("otpguard_events_total"))


def _tracked(page: str) -> float:
    return scraped(page).get("otpguard_recipients_tracked", 0)


def _checkpoints(page: str) -> float:
    return scraped(page).get("otpguard_checkpoints_total", 0)
