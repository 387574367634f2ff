"""The demo as somebody sees it who sits at a terminal and clicks: to the code that arrives."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page

from streams.tools.demo.script import VICTIM
from streams.tools.scenarios.numbering import subscriber
from tests.browser import browser, complaints, violations
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.integration]


class Terminal:
    """A demo on a terminal of its own, and everything that it said there."""

    def __init__(self, folder: Path) -> None:
        leader, follower = pty.openpty()
        environment = {**os.environ, "TMPDIR": str(folder), "TERM": "xterm", "COLUMNS": "200"}
        environment.pop("CI", None)  # where nobody is waited for
        self.report = folder / "report.html"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "--lang", "en", "demo", "--metrics-port", "0",
             "--no-open", "--subscribers", "500", "--speed", "240", "--report", str(self.report)],
            stdin=follower, stdout=follower, stderr=follower, env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip
        os.close(follower)
        self._leader = leader
        self._said = ""
        self._reads = threading.Thread(target=self._read, daemon=True)
        self._reads.start()

    def _read(self) -> None:
        with suppress(OSError):  # as Linux says that the other end is gone
            while some := os.read(self._leader, 65_536):
                self._said += some.decode(errors="replace")

    @property
    def said(self) -> str:
        """Without colours, and on one line."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._said).replace("\r\n", " ")

    def wait(self, pattern: str) -> re.Match[str]:
        """Wait until it says something; it must not end before."""
        wait_until(
            lambda: re.search(pattern, self.said) or self.process.poll() is not None, pattern
        )
        found = re.search(pattern, self.said)
        assert found, self.said
        return found

    def press(self, keys: str) -> None:
        os.write(self._leader, keys.encode())

    def close(self) -> None:
        """End it as a closed terminal does: killed, it would leave its broker behind."""
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reads.join()
        os.close(self._leader)


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    started = Terminal(folder)
    try:
        yield started
    finally:
        started.close()


def let_pass(page: Page, platform: str) -> str:
    """From the live list to the platform that she waits for; what the page says then."""
    page.click("nav a[href='/live']")
    page.wait_for_selector("#floods tbody a")
    with page.expect_navigation():
        page.click("#floods tbody a")
    assert subscriber(VICTIM)[2:] not in page.content(), "masked"
    page.check("#identified-own_line")
    with page.expect_navigation():
        page.locator("li, tr", has_text=platform).locator("button[value^='allow ']").first.click()
    return page.inner_text("main")


def test_a_visitor_clicks_lets_a_platform_pass_and_sees_its_code_arrive(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo, browser() as started:
        link = demo.wait(r"as it happens: (http://127\.0\.0\.1:\d+/login/once/\S+)\s")[1]
        password = demo.wait(r"name demo, password (\S+)\s")[1]
        children = psutil.Process(demo.process.pid).children(recursive=True)
        assert len(children) >= 3  # broker, worker, desk
        context = started.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(60_000)
        wrong = complaints(page)
        page.goto(link)
        assert page.locator("#number").count() == 1, "in, without a password"

        wanted = demo.wait(r"let (\S+) pass\.")[1]
        assert "✓ the flood was throttled" in demo.said
        assert "1 of 1 gateways have applied it" in let_pass(page, wanted)
        demo.wait(f"she asks again, and the code of {wanted} arrives")
        assert violations(page) == []
        assert wrong == []

        other = started.new_context(locale="en-GB").new_page()
        assert other.goto(link).status == 403, "the link worked once"  # type: ignore[union-attr]
        other.goto(link.partition("/login")[0] + "/login")
        other.fill("#name", "demo")
        other.fill("#password", password)
        with other.expect_navigation():
            other.click("main button[type=submit]")
        assert other.locator("#number").count() == 1

        demo.press("\n")
        assert demo.process.wait(END_S) == 0, demo.said
        assert not [child for child in children if child.is_running()]
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
