"""Runs one program against the broker and says what it cost: CPU of client and broker, and time.

A program reports on its standard output, a JSON object a line: `{"events": n}` as it goes, and at
its end what it found, with `"done": true`. One that has to wind up before it ends says
`"all": true` when it has taken everything in. CPU is read from the operating system when such a
line arrives, so a program's start, its warm-up and its end can be left out: a figure is a
difference between two lines.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from tests.nodes import Broker

POLL_S: Final = 0.25
"""How often a program that does not report by itself is asked. A tenth of the shortest run."""

CLIENT_CPU: Final = 0
BROKER_CPU: Final = 1
"""One core for the program, the other for the broker, so that neither takes the other's time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a program was, and what had been spent until then."""

    events: int
    at_s: float
    client_s: float  # CPU of the program and its children
    broker_s: float  # CPU of the broker
    rss: int  # bytes of the program


@dataclass(frozen=True, slots=True)
class Cost:
    """What a measured stretch of a run cost."""

    events: int
    wall_s: float
    client_us: float  # CPU per event
    broker_us: float
    rss: int  # bytes, the most seen

    @property
    def events_per_s(self) -> float:
        return self.events / self.wall_s


@dataclass(frozen=True, slots=True)
class Finished:
    """One whole run."""

    cost: Cost
    said: dict[str, Any]  # the program's last line


class PeerError(Exception):
    """A program failed, stalled, or gave a wrong result."""


def pin(pids: Sequence[int], cpu: int) -> None:
    """Keep processes on one core, where there are several."""
    if (cores := os.cpu_count() or 1) > 1:
        for pid in pids:
            for thread in psutil.Process(pid).threads():
                os.sched_setaffinity(thread.id, {cpu % cores})


def run(
    command: Sequence[str],
    broker: Broker,
    *,
    warm: int,
    log: Path,
    progress: Callable[[], int] | None = None,
    total: int = 0,
    env: dict[str, str] | None = None,
    stall_s: float = 60,
) -> Finished:
    """Run a program to its end and return the cost of its events after the first `warm`.

    Without `progress` the program reports by itself and ends by itself. With it, it is asked, and
    stopped when it has done `total`.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            ["taskset", "-c", str(CLIENT_CPU), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if progress is None else errors,
            stderr=errors,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
        )
        try:
            watched = psutil.Process(process.pid)
            if progress is None:
                samples, said = _listen(process, watched, broker, stall_s)
            else:
                samples, said = _ask(process, watched, broker, progress, total, stall_s)
        except PeerError as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            raise PeerError(f"{error}\n{tail}") from None
        finally:
            stop(process)
    return Finished(cost_between(samples, warm), said)


@contextmanager
def started(
    command: Sequence[str], log: Path, *, cpu: int | None, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its output in `log`, on one core or on all, gone when the block ends."""
    on = [] if cpu is None else ["taskset", "-c", str(cpu)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*on, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | (env or {}),
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program, gently first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cost_between(samples: Sequence[Sample], warm: int) -> Cost:
    """The cost of what came after the first sample with at least `warm` events."""
    later = [sample for sample in samples if sample.events >= warm]
    if len(later) < 2 or later[-1].events <= later[0].events:
        raise PeerError(f"too few reports after the first {warm} events to measure anything")
    # events stop at the total while the program winds up: that is not the events' cost
    first, last = later[0], next(s for s in later if s.events == later[-1].events)
    events = last.events - first.events
    return Cost(
        events,
        last.at_s - first.at_s,
        (last.client_s - first.client_s) / events * 1e6,
        (last.broker_s - first.broker_s) / events * 1e6,
        max(sample.rss for sample in samples),
    )


def cpu_s(process: psutil.Process) -> float:
    """CPU that a process and those it started have used."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def broker_cpu_s(broker: Broker) -> float:
    """CPU that the broker has used since its start; 0 for one that was given by address."""
    return sum(cpu_s(psutil.Process(pid)) for pid in broker.pids)


def _sample(events: int, watched: psutil.Process, broker: Broker) -> Sample:
    return Sample(
        events, time.monotonic(), cpu_s(watched), broker_cpu_s(broker), watched.memory_info().rss
    )


def _listen(
    process: subprocess.Popen[bytes], watched: psutil.Process, broker: Broker, stall_s: float
) -> tuple[list[Sample], dict[str, Any]]:
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    samples: list[Sample] = []
    last_s = 0.0
    while True:
        try:
            line = lines.get(timeout=stall_s)
        except queue.Empty:
            raise PeerError(f"said nothing for {stall_s:.0f} s") from None
        if line is None:
            raise PeerError(f"ended without a result (exit code {process.wait()})")
        if not line.startswith(b"{"):
            continue
        said = json.loads(line)
        done = bool(said.get("done"))
        wanted = done or said.get("all", False)
        if not wanted and time.monotonic() - last_s < POLL_S / 5:
            continue  # reading the CPU clocks so often would itself cost something
        try:
            samples.append(_sample(said["events"], watched, broker))
        except psutil.NoSuchProcess:
            if not done:
                raise PeerError("ended without a result") from None
        last_s = time.monotonic()
        if done:
            return samples, said


def _ask(
    process: subprocess.Popen[bytes],
    watched: psutil.Process,
    broker: Broker,
    progress: Callable[[], int],
    total: int,
    stall_s: float,
) -> tuple[list[Sample], dict[str, Any]]:
    samples: list[Sample] = []
    moved_s = time.monotonic()
    while True:
        if process.poll() is not None:
            raise PeerError(f"ended early (exit code {process.returncode})")
        events = progress()
        if events > (samples[-1].events if samples else 0):
            moved_s = time.monotonic()
        if events:
            samples.append(_sample(events, watched, broker))
        if events >= total:
            return samples, {"events": events}
        if time.monotonic() - moved_s > stall_s:
            raise PeerError(f"stands still at {events} of {total} events")
        time.sleep(POLL_S)


def scraped(url: str) -> dict[str, float]:
    """Every series of a metrics page by its name with labels; empty while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as page:
            lines = page.read().decode().splitlines()
    except OSError:
        return {}
    series = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(number) for name, _, number in series}
