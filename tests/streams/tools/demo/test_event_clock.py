"""Event time: it runs, it can be waited for, and it reads as where the story plays."""

from __future__ import annotations

import asyncio

import pytest

from streams.tools.demo.event_clock import EventClock, clock


def test_a_clock_starts_now_and_runs_on() -> None:
    made = EventClock(1_000_000, 3600)
    first = made.now_ms()
    assert first >= 1_000_000
    assert made.now_ms() >= first


def test_a_time_that_is_waited_for_has_come() -> None:
    made = EventClock(1_000_000, 3600)
    asyncio.run(made.reach(1_000_000 + 60_000))
    assert made.now_ms() >= 1_060_000


def test_a_time_that_has_passed_is_there_at_once_but_lets_others_go_first() -> None:
    order: list[str] = []

    async def play() -> None:
        other = asyncio.ensure_future(asyncio.sleep(0, None))
        other.add_done_callback(lambda _: order.append("other"))
        await EventClock(1_000_000, 1, began=0).reach(0)
        order.append("waiter")
        await other

    asyncio.run(play())
    assert "waiter" in order


@pytest.mark.parametrize(
    ("offset_min", "at_ms", "shown"),
    [(0, 0, "00:00:00"), (480, 0, "08:00:00"), (-90, 0, "22:30:00"), (480, 59_999, "08:00:59")],
)
def test_a_time_reads_as_where_the_story_plays(offset_min: int, at_ms: int, shown: str) -> None:
    assert clock(offset_min, at_ms) == shown
