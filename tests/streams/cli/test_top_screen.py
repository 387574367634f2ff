"""The screen of `otpguard top`, with keys as a person presses them, and in a real terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from detectors.model.records import Level
from streams import config
from streams.cli.shared import ago_ms
from streams.cli.top_feed import TopFeed
from streams.cli.top_screen import FloodPage, TopScreen
from tests.builders.streams.cli.cases import Desk, desk
from tests.builders.streams.cli.cli import ROOT
from tests.builders.streams.cli.top import put_flood
from tests.waiting import END_S

__all__ = ["desk"]

pytestmark = pytest.mark.broker


def numbers(app: TopScreen) -> list[str]:
    """The numbers that the list shows, from the top."""
    table = app.query_one(DataTable)
    return [str(table.get_row_at(n)[0]).strip()[-4:] for n in range(table.row_count)]


async def come(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    end = time.monotonic() + END_S
    while not true():
        assert time.monotonic() < end
        await pilot.pause(0.05)


def test_a_person_sorts_filters_looks_into_a_flood_and_comes_back(desk: Desk) -> None:
    put_flood(desk, 1, 8)
    put_flood(desk, 2, 99, Level.WATCH)
    put_flood(desk, 3, 30)

    async def walk(app: TopScreen) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await come(pilot, lambda: numbers(app) == ["0003", "0001", "0002"])
            head = str(app.query(Static).first().content)
            assert "3 floods: 2 refused, 0 observed" in head
            await pilot.press("down")
            put_flood(desk, 4, 40, confirmed=False)
            await come(pilot, lambda: numbers(app)[0] == "0004")
            table = app.query_one(DataTable)
            assert table.cursor_row == 2  # as before at 0001
            assert str(table.get_row_at(0)[1]) == "unconfirmed "
            widths = [each.get_render_width(table) for each in table.ordered_columns]
            assert sum(widths) <= 80
            await pilot.press("s")
            await come(pilot, lambda: numbers(app) == ["0002", "0004", "0003", "0001"])
            await pilot.press("slash", *"0003", "enter")
            await come(pilot, lambda: numbers(app) == ["0003"])
            await pilot.press("enter")
            await come(pilot, lambda: isinstance(app.screen, FloodPage))
            told = str(app.screen.query(Static).first().content)
            assert "+86 139 •••• 0003: THROTTLE" in told
            assert "8613900000003" not in told
            await pilot.press("escape")
            await come(pilot, lambda: not isinstance(app.screen, FloodPage))
            await pilot.press("slash", *["backspace"] * 4, "escape")
            await come(pilot, lambda: len(numbers(app)) == 4)
            await pilot.press("q")

    settings = config.load(desk.folder / "otpguard.toml")
    with TopFeed(settings, ago_ms("1h"), numbers=False) as feed:
        asyncio.run(walk(TopScreen(feed)))


def test_a_right_that_is_taken_away_ends_it_with_a_sentence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise TopicAuthorizationFailedError

    async def walk(app: TopScreen) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            monkeypatch.setattr(app._feed._reader, "poll", refuse)
            await come(pilot, lambda: app.return_value is not None)
            assert "cannot read the topics of cases" in str(app.return_value)

    settings = config.load(desk.folder / "otpguard.toml")
    with TopFeed(settings, ago_ms("1h"), numbers=False) as feed:
        asyncio.run(walk(TopScreen(feed)))


def test_it_runs_in_a_terminal_of_80_by_24_without_colour_until_q(desk: Desk) -> None:
    put_flood(desk, 7, 8)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = {**os.environ, "TERM": "vt100", "NO_COLOR": "1"}
    config_file = str(desk.folder / "otpguard.toml")
    with subprocess.Popen(
        [sys.executable, "-m", "streams", "top", "--config", config_file],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment,
    ) as ran:  # fmt: skip
        os.close(theirs)
        written = b""
        while "•••• 0007".encode() not in written:
            written += os.read(ours, 4096)
        os.write(ours, b"q")
        with contextlib.suppress(OSError):  # of a terminal that its last user has left
            while read := os.read(ours, 4096):
                written += read
    os.close(ours)
    assert ran.returncode == 0
    assert b"8613900000007" not in written
