"""Workers and brokers die, freeze and come back; nothing differs from an undisturbed run.

The short form runs with `make integration`. The long one, `make soak`, runs seed after seed for
`OTPGUARD_SOAK_S` seconds, every fifth on a cluster of three; `OTPGUARD_FAULT_SEED` repeats one.
`make faults` runs them from the command line, and times how fast a worker is back.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from streams.common.errors import Exit
from tests.faults.driver import Plan, Run
from tests.nodes import Broker
from tests.waiting import END_S

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


@pytest.mark.integration
@pytest.mark.kafka
@pytest.mark.faults
@pytest.mark.parametrize(
    ("seed", "faults", "lists"), [(12, 6, False), (7, 3, True)], ids=["12", "7-lists"]
)
def test_nothing_is_lost_doubled_or_invented(
    seed: int, faults: int, lists: bool, own_kafka: Callable[..., Broker], tmp_path: Path,
    unique: str,
) -> None:  # fmt: skip
    plan = Plan(seed, events=40_000, faults=faults, lists=lists)
    run = Run(plan, own_kafka(), unique, tmp_path)
    wrong = run.execute()
    assert not wrong, f"{wrong}\n{plan}\nlogs in {tmp_path}"
    assert run.lists == (plan.partitions if lists else 0), "each partition holds a list"


@pytest.mark.kafka
def test_a_worker_that_its_group_refuses_exits_75(
    kafka: Broker, unique: str, tmp_path: Path
) -> None:
    run = Run(Plan(1, script=()), kafka, unique, tmp_path)
    run.create_topics()
    other = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": run.name, "client.id": "a stranger"}
    )
    try:
        other.subscribe([run.settings.topics.input])  # its protocol is none that workers speak
        while not other.assignment():
            other.poll(0.1)
        ended = subprocess.run(
            [sys.executable, "-m", "streams", "worker"],
            env=run.slots[0].environment,
            stderr=subprocess.PIPE,
            text=True,
            timeout=END_S,
            check=False,
        )
    finally:
        other.close()
    assert ended.returncode == Exit.TRY_AGAIN, ended.stderr
    assert "InconsistentGroupProtocol" in ended.stderr.splitlines()[-1]


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
