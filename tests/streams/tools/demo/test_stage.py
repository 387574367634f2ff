"""Whatever a run starts ends with it, and what keeps it from starting is said in one line."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streams.common.errors import ConfigError, OtpguardError, UnavailableError
from streams.tools.demo import stage
from streams.tools.demo.event_clock import EventClock
from tests.waiting import END_S, wait_until

ROOT = Path(__file__).parents[4]
OTPGUARD = [sys.executable, "-m", "streams"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on for the length of the test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_used_port_is_named_with_the_option_that_changes_it(taken: int) -> None:
    with pytest.raises(ConfigError, match=rf"port {taken} .* --metrics-port 0"):
        stage.free_port(taken, "--metrics-port")


def test_the_usual_port_gives_way_to_a_process_that_listens_there(taken: int) -> None:
    other = stage.usual_port(taken)
    assert other != taken
    assert stage.usual_port(other) == other


def test_port_0_is_any_free_port() -> None:
    port = stage.free_port(0, "--metrics-port")
    assert stage.free_port(port, "--metrics-port") == port


@pytest.mark.parametrize(("free_mb", "enough"), [(100, False), (767, False), (768, True)])
def test_too_little_memory_is_said(
    monkeypatch: pytest.MonkeyPatch, free_mb: int, enough: bool
) -> None:
    monkeypatch.setattr(stage, "_memory_available", lambda: free_mb << 20)
    if enough:
        stage.check_memory()
    else:
        with pytest.raises(UnavailableError, match=f"{free_mb} MB are free"):
            stage.check_memory()


def test_a_system_that_does_not_tell_its_memory_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "_memory_available", lambda: None)
    stage.check_memory()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_like_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stage.interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_settings_of_a_real_worker_do_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_BOOTSTRAP", "production:9092")
    assert "OTPGUARD_KAFKA_BOOTSTRAP" not in stage.environment()
    assert stage.environment().keys() <= os.environ.keys()


def test_a_worker_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text('mode = "sideways"\n')
    with (
        stage.WorkerProcess(config, tmp_path / "log", 1) as worker,
        pytest.raises(OtpguardError, match=r"(?s)exit code 78.*mode"),
    ):
        worker.wait_ready()


def test_a_worker_is_gone_after_the_block_whatever_it_was_doing(tmp_path: Path) -> None:
    config = tmp_path / "nowhere.toml"
    config.write_text('[kafka]\nbootstrap = "127.0.0.1:1"\n')
    with stage.WorkerProcess(config, tmp_path / "log", 1) as worker:
        pid = worker.process.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


def test_a_process_that_is_not_ready_in_time_is_said_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "START_S", 0.0)
    command = ["sh", "-c", "echo at work; exec sleep 600"]
    with stage.Child("sleeper", command, tmp_path / "log") as child:
        wait_until(child.tail, "its first line")
        with pytest.raises(UnavailableError, match="sleeper was not ready within 0 s:\nat work"):
            child.wait(lambda: False)
    assert child.process.poll() is not None


def test_a_broker_listens_until_the_end_of_its_block(tmp_path: Path) -> None:
    with stage.BrokerProcess(tmp_path / "log") as broker:
        port = int(broker.bootstrap.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_event_clock_runs_faster_and_never_early() -> None:
    async def wait() -> tuple[float, float]:
        clock = EventClock(start_ms=1_000_000, speed=600)
        began = time.monotonic()
        await clock.reach(1_000_000 + 60_000)
        return time.monotonic() - began, clock.now_ms()

    real_s, event_ms = asyncio.run(wait())
    assert real_s >= 0.1
    assert event_ms >= 1_060_000


def test_a_missing_package_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(name=__name__)\n")
    done = run("--no-desk", PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert done.returncode == 78
    assert "otpguard demo needs packages that are not installed here (matplotlib)" in done.stderr
    assert "pip install '.[demo]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OTPGUARD, "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=END_S,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_used_port_ends_the_command_with_78_and_one_line(taken: int) -> None:
    done = run("--metrics-port", str(taken), "--no-open")
    assert done.returncode == 78
    assert f"port {taken} on 127.0.0.1 can't be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_help_has_examples_and_exit_codes() -> None:
    done = run("--help", COLUMNS="100", NO_COLOR="1")
    assert done.returncode == 0
    for part in ("Examples:", "otpguard demo --seed 7", "Exit codes:", "--subscribers"):
        assert part in done.stdout


def test_a_senseless_number_of_subscribers_is_usage() -> None:
    assert run("--subscribers", "1").returncode == 2
