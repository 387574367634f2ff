"""`otpguard demo` as a user runs it: broker, worker and all, only faster and with fewer others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.waiting import END_S

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
