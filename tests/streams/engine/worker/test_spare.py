"""Long work beside events: how much of the loop's time it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from streams.engine.worker import spare

STEP_S = 0.001


class Clock:
    """A loop's time: whoever sleeps wakes up late, since events are seen to first."""

    def __init__(self, late_s: float) -> None:
        self.now_s = 0.0
        self.late_s = late_s

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds + self.late_s

    def steps(self, number: int) -> Iterator[None]:
        for _ in range(number):
            self.now_s += STEP_S
            yield


def share(monkeypatch: pytest.MonkeyPatch, late_s: float) -> float:
    """The share of the loop's time that the work takes, where every pause ends so late."""
    clock, number = Clock(late_s), 1_000
    with monkeypatch.context() as patched:
        patched.setattr(spare, "time", clock)
        patched.setattr(spare, "asyncio", clock)
        asyncio.run(spare.between_events(clock.steps(number)))
    return number * STEP_S / clock.now_s


def test_an_idle_loop_gives_it_a_tenth_and_one_with_events_the_less_the_more_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    idle, live, behind = (share(monkeypatch, late_s) for late_s in (0.0, 0.005, 0.05))
    assert 0.08 < idle < 0.12
    assert 0.02 < live < 0.04
    assert behind < 0.006


def test_all_steps_are_taken() -> None:
    left = iter(range(20))
    asyncio.run(spare.between_events(left))
    assert next(left, None) is None
