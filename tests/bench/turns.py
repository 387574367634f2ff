"""Measures the cost of evidence across recipients: the chain with and without it, by turns.

By CPU time. The ways of setting take turns at every batch of one log, each with a state of its own,
because a shared machine's clock changes from second to second by more than they differ. Leases and
records are encoded as a worker does; Kafka is not there.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

from detectors.chain import Params, Partition
from streams.common.heap import collect_rarely, keep_freed_memory
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
    thresholds = gc.get_threshold()
    collect_rarely()  # as a worker does; else one way pays for collections of all ways' states
    keep_freed_memory()
    found = []
    for case in (case for case in CASES if case.name in PLAYED):
        log = columns(case.made(events, time.time_ns() // 1_000_000))
        runs: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way, took_us in _together(log, batch, turn).items():
                runs[way].append(took_us)
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
    gc.set_threshold(*thresholds)
    gc.unfreeze()
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


def _together(log: Records, batch: int, turn: int) -> dict[str, float]:
    """CPU us per event over the second half of a log, by way; batch by batch, all ways in turn."""
    gc.collect()
    passes = {way: _pass(change) for way, change in WAYS.items()}
    half = len(log) // batch // 2 * batch
    for number, start in enumerate(range(0, len(log), batch)):
        if start == half:
            for run in passes.values():
                run.watch.spent_s.clear()
        for way in _turned([*WAYS], turn + number):
            passes[way].run(log, batch, start, min(start + batch, len(log)))
    events = len(log) - half
    return {way: sum(p.watch.spent_s.values()) / events * 1e6 for way, p in passes.items()}


def _pass(way: Callable[[Params], Params]) -> Pass:
    run = Pass(Settings())
    run.params = way(run.params)
    run.partition = Partition(run.params)
    return run
