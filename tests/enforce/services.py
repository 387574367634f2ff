"""Real servers for the tests of the adapters, on loopback, each in a folder of its own.

Debian packages bring the programs (`.ci/packages` names them). Where one is missing, its tests are
skipped and say so; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import redis

READY_S = 30.0
STOP_S = 20.0


def need(program: str, package: str) -> str:
    """The path of a program, or the end of the test that wants it."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        missing = f"{program} is not installed (Debian: apt install {package})"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], object], what: str, timeout_s: float = READY_S) -> None:
    """Return as soon as `true()` is; fail with `what` after the time-out."""
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    """A program of ours: started, killed, frozen and started again by its owner alone."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_stdin: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Run it and wait until its port answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in self.command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.PIPE if self.keep_stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._is_up, f"{self.name} answers on {self.port}; see {self.log}")
        return self

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self.process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._forget()

    def kill(self) -> None:
        """End it without a word, with everything it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._forget()

    def freeze(self) -> None:
        """Let it keep its connections and answer nobody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / f"{self.name}.log"

    def _is_up(self) -> bool:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            pytest.fail(f"{self.name} ended with {code}: {self.log.read_text()[-2000:]}")
        return listens(self.port)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _forget(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def redis_server(folder: Path, *options: str) -> Server:
    """A Redis that keeps nothing on disk."""
    port = free_port()
    program = need("redis-server", "redis-server")
    fixed = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server("redis", [program, *fixed, *options], folder, port)


def redis_client(server: Server) -> redis.Redis:
    """A client for looking, with patience."""
    return redis.Redis(port=server.port, socket_timeout=5)


KANNEL_PASSWORD = "kannel"


def kannel(folder: Path, smsc_port: int, list_url: str) -> tuple[Server, Server]:
    """Bearerbox and smsbox, bound to an SMSC, with our guide's lines in their configuration.

    The first's port is the admin's, the second's takes `/cgi-bin/sendsms`.
    """
    bearerbox, smsbox = need("bearerbox", "kannel"), need("smsbox", "kannel")
    admin, box, sendsms = free_port(), free_port(), free_port()
    folder.mkdir(parents=True)
    guide = Path("deploy/gateways/kannel/otpguard.conf").read_text()
    guide = guide.replace("http://127.0.0.1:13080/list.txt", list_url)
    config = folder / "kannel.conf"
    config.write_text(
        f"""
group = core
admin-port = {admin}
admin-password = {KANNEL_PASSWORD}
admin-interface = 127.0.0.1
smsbox-port = {box}
smsbox-interface = 127.0.0.1
log-level = 1
{guide}

group = smsc
smsc = smpp
smsc-id = counting
host = 127.0.0.1
port = {smsc_port}
smsc-username = kannel
smsc-password = kannel
system-type = ""
transceiver-mode = true
log-level = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 1

group = sendsms-user
username = tester
password = tester
max-messages = 1
concatenation = true

group = sms-service
keyword = default
text = "no"
"""
    )
    return (
        Server("bearerbox", [bearerbox, config], folder, admin),
        Server("smsbox", [smsbox, config], folder, sendsms),
    )
