"""A stuck process ends, says why, and shows where it was stuck."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from streams.common.errors import Exit
from streams.engine.worker.watchdog import Heartbeats, Watchdog
from tests.waiting import END_S

STALL_S = 60.0
STOP_S = 20.0


@dataclass
class World:
    """A watchdog under a clock that a test moves."""

    now: float = 0.0

    def __post_init__(self) -> None:
        self.heartbeats = Heartbeats(loop_at=0, broker_at=0)
        self.dog = Watchdog(
            self.heartbeats, STALL_S, STOP_S, end=lambda _: None, now=lambda: self.now
        )

    def live(self, seconds: float, *but: str) -> str | None:
        """Let time pass with every sign of life but some; returns what the watchdog says."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            if "loop" not in but:
                self.heartbeats.loop_at = self.now
            if "broker" not in but:
                self.heartbeats.broker_at = self.now
            if "progress" not in but:
                self.heartbeats.progress += 1
            if "steps" not in but:
                self.heartbeats.checkpoint_steps += 1
            if why := self.dog.look():
                return why
        return None


def test_a_living_worker_is_left_alone() -> None:
    assert World().live(1000) is None


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("loop", "the event loop was silent for 60 s"),
        ("broker", "no broker answered for 60 s"),
        ("progress", "nothing was done although there is work for 60 s"),
    ],
)
def test_a_sign_that_is_missing_for_too_long_ends_it(missing: str, said: str) -> None:
    world = World()
    assert world.live(100) is None
    assert world.live(59, missing) is None
    assert world.live(2, missing) == said


def test_no_progress_is_no_fault_while_there_is_nothing_to_do() -> None:
    world = World()
    world.heartbeats.working = False
    assert world.live(1000, "progress") is None
    world.heartbeats.working = True
    assert world.live(59, "progress") is None
    assert world.live(2, "progress") is not None


def test_a_checkpoint_that_is_overdue_may_take_long_as_long_as_it_moves() -> None:
    world = World()
    world.heartbeats.overdue = True
    assert world.live(1000) is None
    assert world.live(61, "steps") == "no checkpoint could be written for 60 s"


def test_a_checkpoint_that_is_not_due_need_not_move() -> None:
    assert World().live(1000, "steps") is None


def test_a_stop_is_cut_short() -> None:
    world = World()
    world.live(10)
    world.heartbeats.stopping_at = world.now
    assert world.live(20) is None
    assert world.live(1) == "stopping took over 20 s"


HANGS = """
import logging, time
from streams.common.errors import Exit
from streams.engine.worker.watchdog import Heartbeats, Watchdog, end

logging.basicConfig()
heartbeats = Heartbeats()
Watchdog(heartbeats, 0.2, 20, end=lambda why: end(Exit.TRY_AGAIN, why, stacks=True)).start()
def where_it_hangs():
    time.sleep(600)
where_it_hangs()
"""


def test_a_hanging_process_shows_its_stacks_and_exits_75() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=END_S, check=False
    )
    assert done.returncode == Exit.TRY_AGAIN
    assert "where_it_hangs" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("for 0.2 s (exit 75)")
