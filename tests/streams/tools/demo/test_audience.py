"""What a run says of itself: a moving line on a terminal, plain lines anywhere else."""

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


def test_a_pipe_hears_of_each_step_and_of_every_tenth() -> None:
    told, out = audience()
    with told:
        told.step("Counting", 100)
        for done in range(101):
            told.at(done, 100, f"{done} counted")
    lines = out.getvalue().splitlines()
    assert lines[0] == "Counting"
    assert len(lines) == 11
    assert lines[1].split() == ["10", "%", "10", "counted"]
    assert lines[-1].split() == ["100", "%", "100", "counted"]


def test_a_new_step_begins_at_nought() -> None:
    told, out = audience()
    with told:
        told.at(9, 10, "a")
        told.step("Next", 10)
        told.at(1, 10, "b")
    assert "b" in out.getvalue()


@pytest.mark.parametrize(("done", "total"), [(0, 0), (20, 10)])
def test_a_total_that_is_not_known_or_passed_is_no_error(done: float, total: float) -> None:
    told, out = audience()
    with told:
        told.at(done, total, "x")
    assert ("100 %" in out.getvalue()) is bool(total)


def test_a_moment_has_its_time_on_the_clock_of_the_place() -> None:
    told, out = audience()
    with told:
        told.moment(0, "THROTTLE")
        told.line("[kept] as it is " + "long " * 40)
    assert "08:00:00  THROTTLE" in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2


def test_a_terminal_gets_no_lines_of_steps() -> None:
    told, out = audience(terminal=True)
    with told:
        told.step("Counting", 10)
        told.at(10, 10, "all")
    assert "100 %" not in out.getvalue()
