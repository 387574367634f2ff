"""The memory agent: what another site learns comes here, once, and its age is known."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path

import pytest

from detectors.chain import Partition
from detectors.memory_records import list_memories, time_of
from detectors.model.event import TOKEN_BIT
from detectors.model.records import utc_ms
from streams.common.errors import UnavailableError, UsageError
from streams.config import Settings
from streams.telemetry.metrics import Metrics
from streams.tools.operate.memory_agent import LOOK_S, MemoryAgent
from streams.tools.operate.memory_file import TOGETHER
from tests.builders.detectors.memory_records import PARAMS, prints
from tests.builders.streams.tools.operate.memory_file import (
    FIRST,
    KEY,
    TOKEN,
    Site,
    everybody,
    settings_of,
    states,
)
from tests.detectors.stand_in import DAY_MS, START_MS, Event, run
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
NOW_MS = START_MS + 9 * DAY_MS


def age_s(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("otpguard_memory_age_seconds")


def agent_of(settings: Settings) -> tuple[MemoryAgent, Metrics]:
    metrics = Metrics("memory")
    return MemoryAgent(settings, metrics, lambda: NOW_MS, 1e9), metrics


@pytest.mark.broker
def test_changes_of_another_site_come_here_and_nothing_else(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    there, here = Site(broker, f"{unique}-a", 2), Site(broker, f"{unique}-b", 2)
    saved = states(people=1200)
    there.save(saved)
    agent, metrics = agent_of(settings_of(there, here, tmp_path))
    agent.show_age()
    assert age_s(metrics) == 0, "counted from the start, until something is here"
    agent.turn(threading.Event())
    found, number = here.adopted()
    assert everybody([*found.values()]) == everybody(saved)
    assert number == len(everybody(saved)) == 2402
    agent.show_age()
    oldest_ms = min(utc_ms(time_of(each)) for each in saved)
    assert START_MS < oldest_ms < NOW_MS
    assert age_s(metrics) == (NOW_MS - oldest_ms) / 1000

    agent.turn(threading.Event())
    there.save(saved)  # as when nothing came but time
    agent.turn(threading.Event())
    assert here.adopted()[1] == number, "nothing new, nothing published"

    new = [Event(START_MS + 7 * DAY_MS + i * 20, FIRST + i, "new") for i in range(3)]
    later = [Event(START_MS + 8 * DAY_MS + i * 10, FIRST + 9, "p 9") for i in range(4096)]
    run(PARAMS, [*new, *later], saved[0])
    there.save(saved)
    agent.turn(threading.Event())
    found, number_ = here.adopted()
    assert number_ == number + 4, "three, and a token whose platform came a day ago"
    everywhere = everybody([*found.values()])
    assert all(prints(["new"]) <= everywhere[FIRST + i].keys() for i in range(3))
    assert everywhere == everybody(saved)
    assert metrics.registry.get_sample_value("otpguard_memory_published_total") == number_


@pytest.mark.broker
def test_a_partition_that_has_no_checkpoint_of_the_epoch_is_named_and_the_age_stays_unknown(
    broker: Broker, unique: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The partition was passed over, and the age was that of the others."""
    there, here = Site(broker, f"{unique}-a", 2), Site(broker, f"{unique}-b", 2)
    saved = states(people=9)
    there.save(saved[:1])
    metrics, clock = Metrics("memory"), chain([START_MS], repeat(NOW_MS))
    agent = MemoryAgent(settings_of(there, here, tmp_path), metrics, lambda: next(clock), 1e9)

    def measured() -> list[float | None]:
        value, name = metrics.registry.get_sample_value, "otpguard_memory_partitions"
        states = [value(name, {"state": state}) for state in ("read", "missing")]
        return [*states, value("otpguard_memory_recipients")]

    assert measured() == [0, 0, 0]
    for _ in range(2):
        agent.turn(threading.Event())
        agent.show_age()
        assert measured() == [1, 1, 10]
        assert age_s(metrics) == (NOW_MS - START_MS) / 1000, "counted from the agent's start"
    assert caplog.text.count("no checkpoint of epoch 1 in partition 1") == 2
    there.save(saved)
    agent.turn(threading.Event())
    agent.show_age()
    assert measured() == [2, 0, 20]
    oldest_ms = min(utc_ms(time_of(each)) for each in saved)
    assert age_s(metrics) == (NOW_MS - oldest_ms) / 1000 < (NOW_MS - START_MS) / 1000


@pytest.mark.broker
def test_an_agent_that_stops_in_the_middle_publishes_the_rest_later(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    there, here = Site(broker, f"{unique}-a", 1), Site(broker, f"{unique}-b", 3)
    people = [state_without_tokens(1500)]
    there.save(people)
    agent, _ = agent_of(settings_of(there, here, tmp_path))
    stop = threading.Event()
    stop.set()
    agent.turn(stop)
    assert 0 < here.adopted()[1] < 1500
    agent.turn(threading.Event())
    assert everybody([*here.adopted()[0].values()]) == everybody(people)


def state_without_tokens(people: int) -> Partition:
    state = Partition(PARAMS)
    days = [
        Event(START_MS + day * 3 * DAY_MS + i * 20, FIRST + i, "p")
        for day in range(3)
        for i in range(people)
    ]
    run(PARAMS, days, state)
    return state


@pytest.mark.broker
def test_tokens_of_a_checkpoint_do_not_go_to_other_partitions(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    there, here = Site(broker, f"{unique}-a", 1), Site(broker, f"{unique}-b", 3)
    saved = states(partitions=1, people=9)
    assert TOKEN in dict(list_memories(saved[0]))
    assert TOKEN & TOKEN_BIT
    there.save(saved)
    agent, _ = agent_of(settings_of(there, here, tmp_path))
    with pytest.raises(UsageError, match="only go to a topic of 1 partitions"):
        agent.turn(threading.Event())


@pytest.mark.broker
def test_the_age_grows_while_the_other_site_is_dead(
    broker: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Site(broker, unique, 1)
    dead = f"127.0.0.1:{free_port()}"
    settings = settings_of(here, here, tmp_path, dead)
    clock = iter(range(NOW_MS, NOW_MS + 10**9, 60_000))
    metrics = Metrics("memory")
    agent = MemoryAgent(settings, metrics, lambda: next(clock), 1e9)
    with pytest.raises(UnavailableError):
        agent.turn(threading.Event())
    monkeypatch.setattr("streams.tools.operate.memory_agent.LOOK_S", LOOK_S / 100)
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop, 60.0))
    thread.start()
    try:
        wait_until(lambda: (age_s(metrics) or 0) >= 300, "the age grows")
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def agent_process(there: Site, here: Site, folder: Path, rate: str) -> subprocess.Popen[bytes]:
    """`otpguard agent memory`, which remembers in the folder `state`."""
    (folder / "memory.key").write_bytes(KEY)
    (folder / "state").mkdir(exist_ok=True)
    config = folder / "otpguard.toml"
    config.write_text(
        f'app_id = "{here.settings.app_id}"\nhttp.port = {free_port()}\n'
        f'[kafka]\nbootstrap = "{here.kafka.bootstrap}"\n'
        f'[topics]\ninput = "{here.input}"\npartitions = {here.partitions}\n'
        f'[detect]\nmemory_key_file = "{folder}/memory.key"\n[input]\ncountry = "CN"\n'
        f'[primary]\nbootstrap = "{there.kafka.bootstrap}"\napp_id = "{there.settings.app_id}"\n'
    )
    command = [sys.executable, "-m", "streams", "agent", "memory", "--config", str(config)]
    return subprocess.Popen(
        [*command, "--every", "1s", "--rate", rate, "--folder", folder / "state"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def killed_when(process: subprocess.Popen[bytes], ready: Callable[[], bool], why: str) -> None:
    try:
        wait_until(lambda: ready() or process.poll() is not None, why)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.broker
def test_an_agent_that_is_killed_goes_on_where_it_was(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    there, here = Site(broker, f"{unique}-a", 2), Site(broker, f"{unique}-b", 2)
    saved = states(people=6000)
    everyone = everybody(saved)
    there.save(saved)
    kept = tmp_path / "state"
    # Killed in the middle of the second partition: the first is not published again.
    killed_when(
        agent_process(there, here, tmp_path, "1000"),
        lambda: len([*kept.glob("*.npz")]) == 1 and here.published() > 7000,
        "the second partition is begun",
    )
    first = here.published()
    assert 7000 < first < len(everyone)
    killed_when(
        agent_process(there, here, tmp_path, "100000"),
        lambda: len([*kept.glob("*.npz")]) == 2,
        "both are published",
    )
    assert everybody([*here.adopted()[0].values()]) == everyone
    again = here.published() - first
    assert 6001 <= again <= 6001 + TOGETHER, (
        "of the first partition nothing; some were on their way"
    )
    new = [Event(START_MS + 7 * DAY_MS + i * 20, FIRST + i, "new") for i in range(3)]
    later = [Event(START_MS + 8 * DAY_MS + i * 10, FIRST + 9, "p 9") for i in range(4096)]
    run(PARAMS, [*new, *later], saved[0])
    there.save(saved)
    before = here.published()
    killed_when(
        agent_process(there, here, tmp_path, "100000"),
        lambda: here.published() > before,
        "what changed meanwhile is published",
    )
    assert here.published() == before + 4, "and nothing else"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept.iterdir())


@pytest.mark.broker
def test_what_was_published_to_another_topic_is_not_remembered(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    there, here = Site(broker, f"{unique}-a", 1), Site(broker, f"{unique}-b", 1)
    saved = [state_without_tokens(50)]
    there.save(saved)
    (tmp_path / f"memory-{0:016x}-0.npz").write_bytes(b"no array")
    settings = settings_of(there, here, tmp_path)

    def turn() -> None:
        MemoryAgent(settings, Metrics("memory"), lambda: NOW_MS, 1e9, tmp_path).turn(
            threading.Event()
        )

    turn()
    turn()
    assert here.published() == 50, "remembered"
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:99])
    turn()
    assert here.published() == 100, "a damaged file is none"
    here.make_again()
    turn()
    assert here.published() == 50
    assert len([*tmp_path.glob("*.npz")]) == 1, "of topics that are gone nothing is kept"
    there.make_again()
    there.save(saved)
    turn()
    assert here.published() == 100
