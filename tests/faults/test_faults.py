"""Workers and brokers die, freeze and come back; nothing differs from an undisturbed run.

The short form runs with every test. The long one, `make soak`, runs seed after seed for
`OTPGUARD_SOAK_S` seconds, every fifth on a cluster of three; `OTPGUARD_FAULT_SEED` repeats one.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.demo.brokers import Broker
from tests.faults.driver import Plan, Run

SEED_VARIABLE = "OTPGUARD_FAULT_SEED"
SECONDS_VARIABLE = "OTPGUARD_SOAK_S"
CLUSTER_EVERY = 5


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The clients of the test say much about brokers that are away on purpose."""
    level = logging.getLogger("aiokafka").level
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("aiokafka").setLevel(level)


@pytest.mark.kafka
@pytest.mark.faults
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [12])
def test_nothing_is_lost_doubled_or_invented(
    seed: int, own_kafka: Callable[..., Broker], tmp_path: Path, unique: str
) -> None:
    plan = Plan(seed, events=40_000, faults=6)
    wrong = Run(plan, own_kafka(), unique, tmp_path).execute()
    assert not wrong, f"{wrong}\n{plan}\nlogs in {tmp_path}"


@pytest.mark.soak
def test_seed_after_seed(
    own_kafka: Callable[..., Broker],
    tmp_path: Path,
    unique: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = int(os.environ.get(SEED_VARIABLE, "0"))
    seconds = float(os.environ.get(SECONDS_VARIABLE, "600"))
    brokers: dict[int, Broker] = {}
    deadline = time.monotonic() + seconds
    seed = first or random.randrange(1_000_000)
    while True:
        nodes = 3 if seed % CLUSTER_EVERY == 0 else 1
        broker = brokers.get(nodes) or brokers.setdefault(nodes, own_kafka(nodes))
        plan = Plan(seed, events=300_000, per_s=15_000, faults=10, nodes=nodes)
        with capsys.disabled():
            print(f"\n{plan}", flush=True)
        wrong = Run(plan, broker, f"{unique}-{seed}", tmp_path).execute()
        assert not wrong, (
            f"{wrong}\n{plan}\nrepeat it with {SEED_VARIABLE}={seed}; logs in {tmp_path}"
        )
        seed += 1
        if first or time.monotonic() > deadline:
            return
