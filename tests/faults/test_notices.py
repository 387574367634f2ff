"""Kill -9 of a notifier, again and again, while victims are to be told: recounted at the phones.

`tests/streams/people/notices/test_notifier.py` has a death at each step; here the moment is
chance's. `make integration` runs this, because each death costs a start.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.builders.streams.people.notices.notifier import World, victims
from tests.enforce.loop import ready
from tests.enforce.services import Server
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.faults, pytest.mark.integration]

VICTIMS = 120
DEATHS = 6


def test_whenever_it_is_killed_each_is_told_and_a_death_doubles_one_at_most(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    world = World(broker, unique)
    phones = tmp_path / "phones.jsonl"
    names = world.topics.model_dump()
    lines = [f'kafka.bootstrap = "{broker.bootstrap}"', "[topics]",
             *(f"{name} = {json.dumps(value)}" for name, value in names.items()),
             f'[notify]\noperator = "中国移动"\nsender = "10086"\nfile = "{phones}"']  # fmt: skip
    config = tmp_path / "otpguard.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    port = free_port()
    notifier = Server(
        "notifier", [sys.executable, "-m", "streams", "notify", "run", "--config", config],
        tmp_path, port, {"OTPGUARD_HTTP_PORT": str(port), "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    chance = random.Random(unique)
    for nth in range(DEATHS):
        world.flood(*range(nth * VICTIMS // DEATHS, (nth + 1) * VICTIMS // DEATHS))
        notifier.start()
        wait_until(lambda: ready(port), "everything is read", pause_s=0.01)
        time.sleep(chance.uniform(0, 0.3))
        notifier.kill()
    with notifier:
        wait_until(lambda: settled(world), "every notice has its end")
    told = Counter(json.loads(line)["recipient"] for line in phones.read_text().splitlines())
    print(f"{told.total()} notices for {VICTIMS} victims, {DEATHS} deaths")
    unknown = {to for to, (state, _) in world.last().items() if state == "failed"}
    assert set(told) | unknown == victims(*range(VICTIMS))
    assert max(told.values()) <= 2
    assert told.total() <= VICTIMS + DEATHS
    world.producer.close()


def settled(world: World) -> bool:
    last = world.last()
    return len(last) == VICTIMS and all(state != "sending" for state, _ in last.values())
