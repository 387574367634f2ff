"""`otpguard demo` as a user runs it: broker, worker and all, only faster and with fewer others."""

from __future__ import annotations

import json
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

from streams.tools.demo.script import VICTIM
from streams.tools.scenarios.numbering import subscriber
from tests.browser import browser, complaints, violations
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.integration]

DEMO = [sys.executable, "-m", "streams", "demo", "--metrics-port", "0", "--no-open"]
SMALL = ["--subscribers", "500", "--speed", "240"]


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start one whose temporary files are in a folder of its own."""
    process = subprocess.Popen(
        [*DEMO, *SMALL, "--report", str(folder / "report.html"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        # A shell's background jobs, and all they start, ignore Ctrl-C: not so the demo of a person.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], start: str) -> str:
    """The line of its progress that starts so; fails with what it said if none does."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(start):
            return line
    pytest.fail("".join(said))


def test_the_demo_keeps_its_claims_and_cleans_up(tmp_path: Path) -> None:
    with demo(tmp_path, "--json") as process:
        read_until(process, "Metrics while it runs: http://127.0.0.1:")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2  # broker and worker
        out, err = process.communicate(timeout=5 * END_S)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert [claim["text"] for claim in told["claims"] if not claim["held"]] == []
    run = told["run"]
    assert run["machinery"]["broker"].startswith("Tansu")
    assert [change["level"] for change in run["changes"]] == ["WATCH", "THROTTLE"]
    assert run["changes"][1]["reaction_ms"] > 0
    refused = [message for message in run["messages"] if message["ruling"] == "refuse"]
    assert refused  # how many depends on the machine: the whole flood is over in nine seconds
    assert (tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert not [child for child in children if child.is_running()]


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Metrics while it runs")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=END_S)
    assert process.returncode == 130, err
    assert "Stopped." in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert not [child for child in children if child.is_running()]


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


def test_a_visitor_at_a_terminal_has_the_desk_until_enter(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo, browser() as started:
        link = demo.wait(r"as it happens: (http://127\.0\.0\.1:\d+)\s")[1]
        password = demo.wait(r"name demo, password (\S+)\s")[1]
        children = psutil.Process(demo.process.pid).children(recursive=True)
        assert len(children) >= 3  # broker, worker, desk
        page = started.new_context(locale="en-GB").new_page()
        page.set_default_timeout(60_000)
        wrong = complaints(page)
        page.goto(link)
        page.fill("#name", "demo")
        page.fill("#password", password)
        with page.expect_navigation():
            page.click("main button[type=submit]")
        assert page.locator("#number").count() == 1

        demo.wait("Press Enter to end")
        assert "✓ the flood was throttled" in demo.said
        page.click("nav a[href='/live']")
        page.wait_for_selector("#floods tbody a")
        with page.expect_navigation():
            page.click("#floods tbody a")
        assert subscriber(VICTIM)[2:] not in page.content(), "masked"
        page.check("#identified-own_line")
        with page.expect_navigation():
            page.locator("button[value^='allow ']").first.click()
        assert "1 of 1 gateways have applied it" in page.inner_text("main")
        assert violations(page) == []
        assert wrong == []

        demo.press("\n")
        assert demo.process.wait(END_S) == 0, demo.said
        assert not [child for child in children if child.is_running()]
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
