"""The processes and folders of a run; all are removed at the end, even after a failure."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from streams.config import ENVIRONMENT_PREFIX
from streams.errors import ConfigError, OtpguardError, UnavailableError
from streams.files import last_lines
from streams.language import tr

MEMORY_MIN_BYTES: Final = 768 << 20
"""Twice the memory of broker, worker and generator with 20,000 subscribers: 370 MB."""

START_S: Final = 120.0
"""Longest start of a worker in seconds. Measured: 8 s, mostly for imports and for joining the
group; four times as long on a busy machine."""

STOP_S: Final = 15.0
"""Longest stop of a worker in seconds, including its last checkpoints; then it is killed. Measured:
1 s."""

TOLD_LINES: Final = 12
"""Number of log lines that are shown if the worker did not start."""


def check_memory() -> None:
    """Raise UnavailableError if too little memory is free."""
    available = _memory_available()
    if available is not None and available < MEMORY_MIN_BYTES:
        raise UnavailableError(
            tr(
                "the demo needs {needed} MB of free memory, and {free} MB are free; close "
                "something, or try fewer with --subscribers 2000"
            ).format(needed=MEMORY_MIN_BYTES >> 20, free=available >> 20)
        )


def _memory_available() -> int | None:
    """Return the bytes available without swapping; None if the system does not report them."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def usual_port(usual: int) -> int:
    """Return `usual`, or any free port if another process listens on `usual`."""
    with suppress(ConfigError):
        return free_port(usual, "")
    return free_port(0, "")


def free_port(wanted: int, option: str) -> int:
    """Return `wanted`, or any free port for 0; raise ConfigError if `wanted` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise ConfigError(
                tr(
                    "port {wanted} on 127.0.0.1 can't be used ({strerror}); choose another with "
                    "{option} PORT, or any free one with {option} 0"
                ).format(wanted=wanted, strerror=error.strerror, option=option)
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def folder(*, keep: bool) -> Iterator[Path]:
    """Create a folder for logs and data, and delete it at the end unless `keep` is set."""
    path = Path(tempfile.mkdtemp(prefix="otpguard-demo-"))
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that they clean up like Ctrl-C."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {s: signal.signal(s, interrupt) for s in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class WorkerProcess:
    """An `otpguard worker` in its own process, as an operator runs it."""

    def __init__(self, config: Path, log: Path, metrics_port: int) -> None:
        self.log = log
        self.address = f"http://127.0.0.1:{metrics_port}"
        with log.open("wb") as sink:
            # In its own session, Ctrl-C in the terminal reaches only the demo. The demo then stops
            # the worker before the broker that it needs.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", "worker", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )

    def check(self) -> None:
        """Raise OtpguardError if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise OtpguardError(
                tr("the worker ended with exit code {code}:\n{tail}").format(
                    code=code, tail=self.tail()
                )
            )

    def wait_ready(self) -> None:
        """Wait until the worker has its partitions and states; raise OtpguardError if not."""
        deadline = time.monotonic() + START_S
        while self._get("/health/ready") is None:
            self.check()
            if time.monotonic() > deadline:
                raise UnavailableError(
                    tr("the worker was not ready within {start_s:.0f} s:\n{tail}").format(
                        start_s=START_S, tail=self.tail()
                    )
                )
            time.sleep(0.1)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels; 0 without samples."""
        total = 0.0
        for family in text_string_to_metric_families(self._get("/metrics") or ""):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total

    def tail(self) -> str:
        """Return the last lines of the worker's log."""
        return last_lines(self.log, TOLD_LINES)

    def stop(self) -> None:
        """Stop the worker with SIGTERM, and kill it if it does not end within STOP_S."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self.address + path, timeout=5) as answer:  # noqa: S310 (loopback, own process)
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None


def environment() -> dict[str, str]:
    """Return the environment without settings that are meant for a real worker."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(ENVIRONMENT_PREFIX)
    }


@contextmanager
def own_settings() -> Iterator[None]:
    """Hide settings that are meant for a real worker during the block."""
    before = dict(os.environ)
    kept = environment()
    try:
        for name in before.keys() - kept.keys():
            del os.environ[name]
        yield
    finally:
        os.environ.update(before)


@contextmanager
def worker(config: Path, log: Path, metrics_port: int) -> Iterator[WorkerProcess]:
    """Run a worker during the block; it always ends with the block."""
    started = WorkerProcess(config, log, metrics_port)
    try:
        yield started
    finally:
        started.stop()
