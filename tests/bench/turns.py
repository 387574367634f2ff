"""What evidence across recipients costs: the chain with and without it, by turns, in this process.

By CPU time, each way of setting once a round, so that what else the machine does is spread over
all. Leases and records are encoded as a worker does; Kafka is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

from detectors.chain import Params, Partition
from streams.config import Settings
from tests.bench.stages import Pass, Records
from tests.bench.traffic import Record
from tests.bench.worst import CASES

WAYS: Final[dict[str, Callable[[Params], Params]]] = {
    "hot off, no figures": lambda p: replace(
        p, judge=replace(p.judge, hot=False), figures=False, list_keys=()
    ),
    "hot platforms of the partition": lambda p: replace(p, figures=False, list_keys=()),
    "the same, figures and sweeps": lambda p: replace(p, list_keys=()),
    "the same, lists of the network": lambda p: replace(p, list_keys=(b"a key of sixteen",)),
}
"""Each has what the one before has."""

PLAYED: Final = ("ordinary", "campaign")


def measure(*, events: int, rounds: int, batch: int) -> list[dict[str, Any]]:
    """CPU us per event over the second half of each case, of every way: one figure a round."""
    found = []
    for case in (case for case in CASES if case.name in PLAYED):
        log = columns(case.made(events, time.time_ns() // 1_000_000))
        runs: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in _turned([*WAYS], turn):
                runs[way].append(_once(WAYS[way], log, batch))
        first = next(iter(WAYS))
        found += [
            {
                "case": case.name,
                "way": way,
                "us_per_event": took,
                "median_us": median(took),
                "relative": median(a / b for a, b in zip(took, runs[first], strict=True)),
            }
            for way, took in runs.items()
        ]
    return found


def columns(made: Iterator[Record]) -> Records:
    """Records of a case as one partition's log."""
    some = list(made)
    return Records(
        [one.value for one in some],
        [one.recipient for one in some],
        [one.event_time_ms for one in some],
    )


def table(figures: dict[str, Any]) -> str:
    """Each way beside the first."""
    lines = [
        "| case | chain | CPU us/event, median (least-most) | times the first |",
        "|---|---|---|---|",
    ]
    for one in figures["turns"]:
        took = one["us_per_event"]
        lines.append(
            f"| {one['case']} | {one['way']} | {one['median_us']:.2f} "
            f"({min(took):.2f}-{max(took):.2f}) | {one['relative']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _turned(ways: Sequence[str], turn: int) -> list[str]:
    """Return the same, begun with another one: who comes first is not always the same."""
    at = turn % len(ways)
    return [*ways[at:], *ways[:at]]


def _once(way: Callable[[Params], Params], log: Records, batch: int) -> float:
    run = Pass(Settings())
    run.params = way(run.params)
    run.partition = Partition(run.params)
    half = len(log) // 2
    run.run(log, batch, 0, half)
    run.watch.spent_s.clear()
    run.run(log, batch, half, len(log))
    return sum(run.watch.spent_s.values()) / (len(log) - half) * 1e6
