"""What a run says of itself: lines anywhere, and the present state on a terminal alone."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from streams.tools.demo.audience import Audience
from streams.tools.demo.event_clock import clock


def audience(*, terminal: bool = False) -> tuple[Audience, StringIO]:
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, width=80)
    return Audience(console, lambda ms: clock(480, ms)), out


@pytest.mark.parametrize("terminal", [False, True])
def test_a_step_is_told_anywhere_and_its_progress_on_a_terminal(*, terminal: bool) -> None:
    told, out = audience(terminal=terminal)
    with told:
        told.step("Counting")
        told.at(10, 40, "10 counted")
        told.step("Next")
    lines = [line.strip() for line in out.getvalue().splitlines()]
    if not terminal:
        assert lines == ["Counting", "Next"]
    assert ("25%  10 counted" in out.getvalue()) is terminal


def test_a_total_of_nothing_is_no_error() -> None:
    told, out = audience(terminal=True)
    with told:
        told.at(0, 0, "x")
    assert "0%  x" in out.getvalue()


def test_a_moment_has_its_time_on_the_clock_of_the_place() -> None:
    told, out = audience()
    with told:
        told.moment(0, "THROTTLE")
        told.line("[kept] as it is " + "long " * 40)
    assert "08:00:00  THROTTLE" in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2
