"""Micro-benchmarks, for comparing two versions of one function: `make bench-micro`.

They run in ordinary tests too, once and untimed, so that they do not rot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors import chain
from detectors.recipients.sieve import SieveParams
from detectors.recipients.table import Table
from streams import wire
from streams.config import Settings
from tests.bench.stages import TOPIC, Records, records
from tests.detectors.recipients.sifting import sift

N = 10_000  # events of a batch, about what a fetch of 4 MB holds
Benchmark = Callable[..., Any]


@pytest.fixture(scope="module")
def log() -> Records:
    return records(2 * N, subscribers=100_000)


def decoded(log: Records, first: int) -> wire.Decoded:
    part = slice(first, first + N)
    return wire.decode(
        Settings().intake(), TOPIC, 0, log.values[part], log.keys[part],
        range(first, first + N), log.times_ms[part], first + N,
    )  # fmt: skip


def test_decode_a_batch(benchmark: Benchmark, log: Records) -> None:
    found = benchmark(decoded, log, 0)
    assert len(found.batch) == N


def test_recognise_a_batch_of_known_templates(benchmark: Benchmark, log: Records) -> None:
    recogniser = Settings().recogniser()
    batch = decoded(log, 0).batch
    recogniser.columns(batch)
    codes = benchmark(recogniser.columns, batch)
    assert 0.6 < codes.otp.mean() < 0.8


@pytest.mark.parametrize("recipients", [10_000, 1_000_000])
def test_sieve_a_batch(benchmark: Benchmark, recipients: int) -> None:
    rng = np.random.default_rng(1)
    params = SieveParams()
    table = Table(params.rows_max)
    everyone = np.arange(recipients, dtype=np.uint64) + np.uint64(8617000000000)
    table.find_or_add(everyone[: params.rows_max // 2])
    recipient = rng.choice(everyone[: params.rows_max // 2], N)
    platform = rng.integers(1, 2_000, N).astype(np.uint32)
    at_s = np.sort(rng.integers(200_000_000, 200_000_300, N))
    sifted = benchmark(sift, params, table, recipient, platform, at_s)
    assert len(sifted.window) <= N


def test_snapshot_a_partition(benchmark: Benchmark, log: Records) -> None:
    settings = Settings()
    params = settings.params()
    partition = chain.Partition(params)
    batch = decoded(log, 0).batch
    chain.process(params, partition, batch, settings.recogniser().columns(batch))
    held = benchmark(chain.snapshot, partition)
    assert chain.restore(params, held).recipients == partition.recipients
