"""What live traffic costs: small envelopes of many partitions, taken in by the worker's own agent.

In this process, without Kafka: all but the transport. At a live rate a poll brings a few events of
every partition, and what is paid once for each of them, whatever it holds, is most of the cost.
"""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import accumulate
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from streams.common.heap import collect_rarely, keep_freed_memory
from streams.config import Settings
from streams.engine.state.manager import StateManager
from streams.engine.state.outbox import Output
from streams.engine.transport.envelope import Envelope, Poll
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.agents import Detector
from streams.engine.worker.dead_letter_limit import Letters
from streams.engine.worker.observe import Observer
from streams.engine.worker.reader import Reader
from streams.telemetry.metrics import Metrics
from streams.wire.partitioner import partition_of
from streams.wire.record_batch import BytesColumn
from tests.bench.stages import TOPIC, Records, Stopwatch, records

PARTITIONS: Final = 32
EACH: Final = (2, 16, 78)
"""Events of each partition that a poll brings: 1,000, 10,000 and 50,000 a second at about 17 polls
a second."""

POLLS: Final = {2: 150, 16: 50, 78: 20}
WARM: Final = 100_000  # events before what is measured,
WARM_EACH: Final = 500  # so many of each partition in a poll

PARTS: Final = {
    "decode": ("streams.wire", "decode_together"),
    "recognise": ("detectors.recognise.recogniser", "Recogniser.columns"),
    "process": ("detectors.chain", "process_together"),
    "sift: find rows": ("detectors.recipients.tables", "Tables.find_or_add"),
    "sift: count": ("detectors.recipients.sieve", "_count"),
    "sift: sightings": ("detectors.recipients.sieve", "_sight"),
    "sift: rest": ("detectors.chain", "sift_together"),
    "tally": ("detectors.chain", "tally"),
    "names": ("detectors.chain", "_find_unrecorded"),
    "judge": ("detectors.chain", "judge_events"),
    "used later": ("detectors.chain", "_look_back"),
    "ticks": ("detectors.chain", "tick"),
    "read": ("streams.engine.worker.reader", "Reader.read_together"),
    "observe": ("streams.engine.worker.observe", "Observer.count_batch"),
}
"""Functions by whose names the time is told; what none of them takes is the agent's."""


class Worker:
    """An agent with the states of its partitions, and a log of each to read."""

    def __init__(self, settings: Settings, log: Records, partitions: int = PARTITIONS) -> None:
        metrics, recogniser = Metrics(), settings.recogniser()
        self.states = StateManager(
            TOPIC, settings.params(), 0, 60.0, 1e9, 5.0, _sent, _appended, metrics, _fatal
        )
        acks = Acknowledgements(metrics, TOPIC, 0, self.states)
        self.detector = Detector(
            self.states.params,
            Reader(replace(settings.intake(), partitions=partitions), TOPIC, recogniser, metrics),
            settings.topics,
            self.states,
            Observer(metrics, recogniser, acks),
            Letters(100, metrics),
        )
        self.logs: defaultdict[int, list[int]] = defaultdict(list)
        for at, key in enumerate(log.keys):
            self.logs[partition_of(key, partitions)].append(at)
        self.log = log
        self.places = dict.fromkeys(range(partitions), 0)

    async def assign(self) -> None:
        """Make the worker the owner of all partitions, which begin at their logs' start."""
        self.states.revoke()
        self.states.assign(frozenset(self.places), 0)
        await self.states.load(0)
        for assigned in self.states.partitions.values():
            assigned.next = 0
        self.states.positioned = True

    def poll(self, each: int) -> list[Envelope]:
        """Up to so many records of each partition, as the transport brings them."""
        envelopes = []
        for partition, place in self.places.items():
            taken = self.logs[partition][place : place + each]
            if not taken:
                continue
            following = place + len(taken)
            envelope = Envelope(
                partition,
                place,
                following,
                following,
                *_columns(
                    [self.log.keys[at] for at in taken], [self.log.values[at] for at in taken]
                ),
                np.arange(place, following),
                np.array([self.log.times_ms[at] for at in taken]),
            )
            self.places[partition] = following
            envelopes.append(envelope)
        return envelopes

    async def take(self, envelopes: list[Envelope]) -> None:
        """Have the agent handle what a poll brought."""
        await self.detector.handle(Poll(envelopes), None)  # type: ignore[arg-type]


def _columns(keys: list[bytes], values: list[bytes]) -> tuple[BytesColumn, BytesColumn]:
    """Values and keys as they lie in a batch of Kafka's."""
    pieces = [piece for pair in zip(keys, values, strict=True) for piece in pair]
    framed = b"".join(bytes(5) + piece for piece in pieces)
    stops = np.array(list(accumulate(5 + len(piece) for piece in pieces)))
    starts = np.append(0, stops[:-1]) + 5
    return BytesColumn(framed, starts[1::2], stops[1::2]), BytesColumn(
        framed, starts[::2], stops[::2]
    )


async def _sent(_output: Output) -> asyncio.Future[object]:
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


async def _appended(*_: object) -> int:
    raise AssertionError("no checkpoint is written here")


def _fatal(error: BaseException) -> None:
    raise error


@contextmanager
def timed_parts(watch: Stopwatch) -> Iterator[None]:
    """Times the functions of `PARTS`, those that there are."""
    with ExitStack() as patches:
        for stage, (module, path) in PARTS.items():
            owner: Any = import_module(module)
            *above, name = path.split(".")
            for each in above:
                owner = getattr(owner, each)
            timed = watch.over(stage, getattr(owner, name))
            patches.enter_context(patch.object(owner, name, timed))
        yield


async def _measure(worker: Worker, each: int, polls: int) -> dict[str, Any]:
    waiting = [worker.poll(each) for _ in range(2 * polls)]
    events = [sum(len(one.values) for one in poll) for poll in waiting]
    whole, split = Stopwatch(), Stopwatch()
    for number, poll in enumerate(waiting):  # in turn, for a stopwatch takes time itself
        if number % 2:
            with whole.time("all"):
                await worker.take(poll)
        else:
            with timed_parts(split), split.time("agent"):
                await worker.take(poll)
    apart = sum(events[::2])
    parts = {stage: s / apart * 1e6 for stage, s in split.spent_s.items()}
    return {
        "partitions": len(worker.places),
        "each": each,
        "us_per_event": whole.spent_s["all"] / sum(events[1::2]) * 1e6,
        "us_per_poll": whole.spent_s["all"] / polls * 1e6,
        "parts_us_per_event": dict(sorted(parts.items(), key=lambda one: -one[1])),
    }


def live(settings: Settings | None = None, *, warm: int = WARM) -> list[dict[str, Any]]:
    """CPU us per event and poll, and per event by part, of small envelopes of many partitions."""
    number = warm + sum(2 * PARTITIONS * each * POLLS[each] for each in EACH)
    worker = Worker(settings or Settings(), records(number + number // 4))

    async def play() -> list[dict[str, Any]]:
        await worker.assign()
        for _ in range(warm // (PARTITIONS * WARM_EACH)):
            await worker.take(worker.poll(WARM_EACH))
        return [await _measure(worker, each, POLLS[each]) for each in EACH]

    thresholds = gc.get_threshold()
    collect_rarely()
    keep_freed_memory()
    try:
        return asyncio.run(play())
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
