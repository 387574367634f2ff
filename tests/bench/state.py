"""Measures the cost of a recipient: time, memory, checkpoints, and evictions.

`grow` is a process of its own for each number of recipients: the worker's chain over partitions
that hold them, without Kafka.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import psutil
from numpy.typing import NDArray

from detectors import chain
from detectors.model.codes import Codes
from detectors.model.event import TICK_OFFSETS, Batch, EventKind
from detectors.model.strings import StringList
from detectors.model.times import EPOCH_S
from detectors.recipients.sieve import sift_together
from streams.config import Settings
from streams.engine.state.checkpoint import CheckpointWriter, PutRecord
from tests.bench.stages import Pass, Records
from tests.bench.traffic import FIRST_RECIPIENT, PLATFORMS, Record, plain
from tests.detectors.recipients.sifting import sift

PARTITIONS: Final = 8
"""A poll's batch belongs to one of them, and the next to another. As many as let each have two
batches of 20,000 in a run of a third of a million events."""
CODES_PER_DAY: Final = 2.0
BATCHES: Final = (1_000, 5_000, 20_000)
FILL_BATCH: Final = 20_000
SEED: Final = 5


# --- time and memory by the number of recipients ------------------------------------------------


BUSY: Final = 1_000
"""In `zipf` a thousandth of the recipients are about equally busy, with a hundred times the mean:
shared numbers of enterprises, with some hundred codes a day. Zipf's law itself would send one of
a nation's fourteen codes to one number."""


def chosen(kind: str, recipients: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices (n,) of recipients; `zipf` gives the k-th a share of 1 / (k + recipients / BUSY)."""
    if kind == "uniform":
        return rng.integers(0, recipients, n)
    rank = (recipients / BUSY * ((BUSY + 1) ** rng.random(n) - 1)).astype(np.int64)
    return rank * 7_919 % recipients  # neighbours in rank are no neighbours in the table


def grow(recipients: int, events: int) -> dict[str, Any]:
    """Fill the partitions, then take `events` in for each distribution and batch size."""
    settings = Settings()
    run_ = Pass(settings)
    rows_max = max(1 << 20, 2 * recipients // PARTITIONS)
    run_.params = replace(run_.params, sieve=replace(run_.params.sieve, rows_max=rows_max))
    parts = [chain.Partition(run_.params) for _ in range(PARTITIONS)]
    rng = np.random.default_rng(SEED)
    now_ms = time.time_ns() // 1_000_000
    began_ms = now_ms - 86_400_000
    _fill(run_.params, parts, recipients, rng, began_ms // 1000 - EPOCH_S)
    process = psutil.Process()
    copies = _checkpoint(parts[0])
    rss = process.memory_info().rss
    tables = [part.table for part in parts]
    held = sum(t.words[: t.used].nbytes + t.index.cells.nbytes for t in tables)
    costs = []
    span_ms = round(events / (CODES_PER_DAY * recipients) * 86_400_000)
    for turn, (kind, batch) in enumerate((k, b) for k in ("uniform", "zipf") for b in BATCHES):
        log = _log(kind, recipients, events, rng, began_ms + (turn + 1) * span_ms, span_ms)
        costs.append({"spread": kind, "batch": batch, **_cost(run_, parts, log, batch)})
    return {
        "recipients": recipients,
        "tracked": sum(part.recipients for part in parts),
        "sieve_bytes_per_recipient": held / recipients,
        "process_bytes_per_recipient": rss / recipients,
        "rss_mb": rss / 1e6,
        "checkpoint": copies,
        "costs": costs,
    }


def _fill(
    params: chain.Params,
    parts: Sequence[chain.Partition],
    recipients: int,
    rng: np.random.Generator,
    at_s: int,
) -> None:
    """A row for every recipient, each with one sighting of the day before."""
    everyone = rng.permutation(recipients).astype(np.uint64) + np.uint64(FIRST_RECIPIENT)
    for start in range(0, recipients, FILL_BATCH):
        keys = everyone[start : start + FILL_BATCH]
        of = keys % np.uint64(PARTITIONS)
        platform = rng.integers(1, 1 << 31, len(keys)).astype(np.uint32)
        for i, part in enumerate(parts):
            mine = of == i
            seconds = np.full(int(mine.sum()), at_s)
            sift(params.sieve, part.table, keys[mine], platform[mine], seconds)


def _log(
    kind: str, recipients: int, events: int, rng: np.random.Generator, start_ms: int, span_ms: int
) -> list[Records]:
    """Events in order of time, apart by partition."""
    who = chosen(kind, recipients, events, rng) + FIRST_RECIPIENT
    platform = (rng.random(events) ** 2 * PLATFORMS).astype(np.int64)
    at_ms = start_ms + np.arange(events) * span_ms // events
    made: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for number, (recipient, p, ms) in enumerate(
        zip(who.tolist(), platform.tolist(), at_ms.tolist(), strict=True)
    ):
        made[recipient % PARTITIONS].append(plain(recipient, p, ms, number))
    return [
        Records(
            [one.value for one in mine],
            [one.recipient for one in mine],
            [one.event_time_ms for one in mine],
        )
        for mine in made
    ]


def _cost(
    run_: Pass, parts: Sequence[chain.Partition], logs: Sequence[Records], batch: int
) -> dict[str, float]:
    """CPU us per event of the sieve and of everything, over the second half of the logs."""
    taken = 0
    with patch.object(chain, "sift_together", run_.watch.over("sift", sift_together)):
        for half in (0, 1):
            run_.watch.spent_s.clear()
            taken = 0
            for part, log in zip(parts, logs, strict=True):
                middle = len(log) // 2
                first, last = (0, middle) if half == 0 else (middle, len(log))
                run_.partition = part
                run_.run(log, batch, first, last, part.next_offset - first)
                taken += last - first
    spent_s = run_.watch.spent_s
    return {
        "sieve_us": spent_s["sift"] / taken * 1e6,
        "all_us": sum(spent_s.values()) / taken * 1e6,
    }


def _checkpoint(part: chain.Partition) -> dict[str, float]:
    """Seconds and bytes of the checkpoint of one partition, up to the producer."""
    began = time.process_time()
    copy = chain.snapshot(part)
    copied_s = time.process_time() - began
    steps = CheckpointWriter(0, "bench", 0).checkpoint(copy, part.next_offset, 0)
    written = sum(len(step.value or b"") for step in steps if isinstance(step, PutRecord))
    return {
        "rows": part.recipients,
        "copy_s": copied_s,
        "cut_s": time.process_time() - began - copied_s,
        "bytes": written,
    }


def sizes(recipients: Sequence[int], events: int) -> list[dict[str, Any]]:
    """`grow` for each size, each in a fresh process, so that memory is its own."""
    fresh = multiprocessing.get_context("spawn")
    found = []
    for n in recipients:
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            found.append(pool.submit(grow, n, events).result())
    return found


# --- pauses ------------------------------------------------------------------------------------


def pauses(rows: int, crowd_size: int = 1 << 15) -> dict[str, float]:
    """Longest time between two events that maintenance takes, in ms.

    *Eviction*: a full table of `rows`, and every event a new recipient: a tick's worth goes at each
    tick. *Expiry*: ticks after the episodes of all suspects have ended, by default as many suspects
    as a partition may have.
    """
    params = chain.Params()
    params = replace(params, sieve=replace(params.sieve, rows_max=rows))
    rng = np.random.default_rng(SEED)
    at_s = time.time_ns() // 1_000_000_000 - EPOCH_S
    part = chain.Partition(params)
    keys = np.arange(rows - TICK_OFFSETS, dtype=np.uint64) + np.uint64(FIRST_RECIPIENT)
    for start in range(0, len(keys), FILL_BATCH):
        some = keys[start : start + FILL_BATCH]
        platform = rng.integers(1, 1 << 31, len(some)).astype(np.uint32)
        sift(params.sieve, part.table, some, platform, np.full(len(some), at_s - 90_000))
    evicting = [
        _tick_ms(params, part, keys[-1] + np.uint64(1 + turn * TICK_OFFSETS), at_s + turn, 1)
        for turn in range(24)
    ]
    crowd = chain.Partition(params)
    many = crowd_size // TICK_OFFSETS
    for turn in range(many * 8):  # eight platforms make a suspect
        first = np.uint64(FIRST_RECIPIENT + turn // 8 * TICK_OFFSETS)
        _tick_ms(params, crowd, first, at_s + turn, 1 + turn % 8)
    suspects = len(crowd.suspects)
    later_s = at_s + 3 * 86_400
    others = np.uint64(2 * FIRST_RECIPIENT)
    expiring = [
        _tick_ms(params, crowd, others, later_s + i, 9) for i in range(6)
    ]  # ticks bear the time out
    return {
        "rows": rows,
        "eviction_ms": max(evicting),
        "suspects": suspects,
        "let_go": suspects - len(crowd.suspects),
        "expiry_ms": max(expiring),
    }


def _one_platform(n: int, platform: int) -> Codes:
    """Verdicts that make every one of n events a code of one platform."""
    return Codes(
        np.ones(n, np.bool_),
        np.full(n, platform, np.uint32),
        np.zeros(n, np.uint8),
        np.ones(n, np.float32),
        {platform: f"sig:{platform}"},
    )


def _tick_ms(
    params: chain.Params, part: chain.Partition, first: np.uint64, at_s: int, platform: int
) -> float:
    """Take in a tick's worth of events, of as many recipients from `first` on: ms that it took."""
    n = TICK_OFFSETS
    start = part.next_offset
    absent = StringList([""] * n)
    batch = Batch(
        topic="t",
        partition=0,
        next_offset=start + n,
        offset=np.arange(start, start + n),
        event_time_ms=np.full(n, (at_s + EPOCH_S) * 1000),
        recipient=np.arange(n, dtype=np.uint64) + first,
        kind=np.full(n, EventKind.MESSAGE, np.uint8),
        sender=absent, text=absent, signature=absent, category=absent,
        platform=absent, template=absent, gateway=StringList(["g"] * n), tokens={},
    )  # fmt: skip
    began = time.perf_counter()
    chain.process(params, part, batch, _one_platform(n, platform))
    return (time.perf_counter() - began) * 1000
