"""Measures each stage of the worker alone, in this process, without Kafka.

The transport's share is what the whole worker takes beyond these.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final
from unittest.mock import patch

from detectors import chain
from streams import wire
from streams.common.heap import collect_rarely, keep_freed_memory
from streams.config import Settings
from tests.bench.traffic import SUBSCRIBERS, events, value

INSIDE: Final = (
    "sift_together", "tally", "_find_unrecorded", "_note", "_figure",
    "judge_events", "_resend", "_look_back", "tick",
)  # fmt: skip
"""Functions that `chain.process` is made of."""

TOPIC: Final = "sms.delivery.v1"


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one partition, as columns."""

    values: Sequence[bytes]
    keys: Sequence[bytes]
    times_ms: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)


def records(number: int, *, category: bool = False, subscribers: int = SUBSCRIBERS) -> Records:
    """`number` events of ordinary and extraordinary traffic, in one partition."""
    values, keys, times_ms = [], [], []
    for i, event in enumerate(events(number, time.time_ns() // 1_000_000, subscribers=subscribers)):
        values.append(value(event, i, category=category))
        keys.append(event.value["recipient"].encode())
        times_ms.append(event.value["event_time_ms"])
    return Records(values, keys, times_ms)


@dataclass(slots=True)
class Stopwatch:
    """CPU time by stage; a stage inside another is not counted twice."""

    spent_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inner_s: list[float] = field(default_factory=lambda: [0.0])

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        self._inner_s.append(0.0)
        began = time.process_time()
        yield
        took = time.process_time() - began
        self.spent_s[stage] += took - self._inner_s.pop()
        self._inner_s[-1] += took

    def over(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.time(stage):
                return function(*args, **kwargs)

        return timed


class Pass:
    """The chain over a log, a batch at a time, its stages on a stopwatch."""

    def __init__(self, settings: Settings) -> None:
        self.params = settings.params()
        self.intake = settings.intake()
        self.recogniser = settings.recogniser()
        self.partition = chain.Partition(self.params)
        self.watch = Stopwatch()
        self.decisions: defaultdict[str, int] = defaultdict(int)
        self.told: set[str] = set()

    def run(self, log: Records, batch: int, first: int, last: int, ahead: int = 0) -> None:
        """Take the records from `first` up to `last` in, as the worker would.

        Their offsets in the partition are `ahead` of their places in the log.
        """
        for start in range(first, last, batch):
            part = slice(start, min(start + batch, last))
            offsets = range(part.start + ahead, part.stop + ahead)
            with self.watch.time("decode"):
                decoded = wire.decode(
                    self.intake, TOPIC, 0, log.values[part], log.keys[part],
                    offsets, log.times_ms[part], offsets.stop,
                )  # fmt: skip
            with self.watch.time("recognise"):
                codes = self.recogniser.columns(decoded.batch)
            with self.watch.time("chain"):
                done = chain.process(self.params, self.partition, decoded.batch, codes)
            with self.watch.time("publish"):
                for action in done.actions:
                    wire.encode_action(action)
                    wire.action_headers(action)
                for record in done.episodes:
                    wire.encode_episode(record)
                    wire.episode_headers(record)
            for name in ("codes", "judged", "promoted", "released", "evicted"):
                self.decisions[name] += getattr(done, name)
            told = {action.action_id for action in done.actions} - self.told
            self.told |= told  # a lease that is told again, for its windows, is the same action
            self.decisions["actions"] += len(told)
            self.decisions["episodes"] += len(done.episodes)


def profile(number: int, batch: int, settings: Settings | None = None) -> dict[str, Any]:
    """CPU us per event by stage over the second half of a log, the first half being warm-up."""
    log = records(number)
    run = Pass(settings or Settings())
    thresholds = gc.get_threshold()
    collect_rarely()  # the collector and the allocator as the worker has them
    keep_freed_memory()
    half = number // 2
    with ExitStack() as patches:
        for name in INSIDE:
            timed = run.watch.over(name.strip("_"), getattr(chain, name))
            patches.enter_context(patch.object(chain, name, timed))
        run.run(log, batch, 0, half)
        run.watch.spent_s.clear()
        run.decisions.clear()
        run.run(log, batch, half, number)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    stages = {stage: s / (number - half) * 1e6 for stage, s in run.watch.spent_s.items()}
    return {
        "events": number - half,
        "batch": batch,
        "us_per_event": dict(sorted(stages.items(), key=lambda one: -one[1])),
        "total_us": sum(stages.values()),
        "counts": dict(run.decisions),
    }
