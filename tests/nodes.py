"""Processes of brokers for tests: started, paused, killed, and started again on the same port."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from streams.common.files import last_lines
from streams.tools.demo.stage import tansu_command

READY_S: Final = 120.0
"""Longest time in seconds for a node to answer. Chosen: it needs 3 s; 12 s after a crash, because
its old registration must expire first; 30 s and more if many processes share two cores."""

STOP_S: Final = 30.0
"""Longest clean stop in seconds; then the process is killed. Chosen: Kafka takes 1-3 s."""

PORTS: Final = range(20_000, 32_000)
"""Ports for brokers. They are below the ports that Linux uses for outgoing connections (32768 and
up). Otherwise a client that reconnects while a broker is down could get the broker's own port."""

Kind = Literal["given", "kafka", "tansu"]


class BrokerError(Exception):
    """A broker is missing or does not work; the message says what to do."""


@dataclass(slots=True)
class Node:
    """One broker process, which can be restarted on the same port and folder."""

    command: Sequence[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    ca: Path | None = None  # CA file of a listener with TLS.

    @property
    def alive(self) -> bool:
        """True while the process runs, even if it is paused."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process in its own session, so that Ctrl-C in the terminal does not end it."""
        assert not self.alive, "already running"
        if _taken(self.port):
            msg = f"port {self.port} is in use by another program"
            raise BrokerError(msg)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_ready(self, deadline_s: float) -> None:
        """Return when the node answers; otherwise raise BrokerError with the end of its log."""
        while not answers("127.0.0.1", self.port, ca=self.ca):
            if not self.alive or time.monotonic() > deadline_s:
                why = "does not answer" if self.alive else "ended at once"
                tail = last_lines(self.log, 15)
                msg = f"the broker on port {self.port} {why}; the end of its log:\n{tail}"
                raise BrokerError(msg)
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process cleanly: Kafka hands over leadership and closes its logs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process as in a crash."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the process with SIGSTOP; return when it stands still. Its connections stay open."""
        self.send(signal.SIGSTOP)
        assert self.process is not None
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Continue a paused process."""
        self.send(signal.SIGCONT)

    def send(self, which: signal.Signals) -> None:
        """Send a signal to the process, which must have been started."""
        assert self.process is not None
        self.process.send_signal(which)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.send(how)
        self.send(signal.SIGCONT)  # A paused process would not handle the signal.
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass(slots=True)
class Broker:
    """A running broker or cluster; for a single node, use `nodes[i]`."""

    kind: Kind
    version: str
    bootstrap: str  # Comma-separated host:port pairs.
    nodes: list[Node] = field(default_factory=list)

    def __str__(self) -> str:
        many = f", {len(self.nodes)} nodes" if len(self.nodes) > 1 else ""
        return f"{self.version} at {self.bootstrap}{many}"

    @property
    def pids(self) -> list[int]:
        """The process ids of its nodes; empty for a broker that was given by address."""
        return [node.process.pid for node in self.nodes if node.process is not None]

    def start(self) -> None:
        """Start all nodes that are not running, and return when all answer."""
        self._own()
        for node in self.nodes:
            if not node.alive:
                node.start()
        deadline_s = time.monotonic() + READY_S
        for node in self.nodes:
            node.await_ready(deadline_s)

    def stop(self) -> None:
        """Stop all nodes cleanly, and all at the same time.

        A single remaining node would wait for its quorum.
        """
        for node in self._own():
            if node.alive:
                node.send(signal.SIGTERM)
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill all nodes, as in a power cut, but without loss of the page cache."""
        for node in self._own():
            node.kill()

    def pause(self) -> None:
        """Pause all nodes."""
        for node in self._own():
            node.pause()

    def resume(self) -> None:
        """Continue all nodes."""
        for node in self._own():
            node.resume()

    def restart(self) -> None:
        """Stop and start all nodes. Kafka keeps its data; Tansu's data in memory are lost."""
        self.stop()
        self.start()

    def _own(self) -> list[Node]:
        if self.kind == "given":
            msg = "a broker that was given by its address is not ours to start or stop"
            raise BrokerError(msg)
        return self.nodes


@contextmanager
def tansu() -> Iterator[Broker]:
    """Run a Tansu broker during the block; it answers when the block begins.

    Raise BrokerError if its package is missing or the broker does not answer.
    """
    with own(_tansu, "otpguard-tansu-") as made:
        yield made


@contextmanager
def own(make: Callable[[Path], Broker], prefix: str) -> Iterator[Broker]:
    """Start the broker that `make` sets up in a temporary folder; remove both at the block's end.

    `prefix` begins the folder's name.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        made = make(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def answers(host: str, port: int, timeout_s: float = 1.0, ca: Path | None = None) -> bool:
    """Return true if a Kafka broker answers an ApiVersions request (key 18, version 0).

    With `ca`, the connection uses TLS. The request needs no password.
    """
    correlation = 0x6F747067
    request = struct.pack(">hhih", 18, 0, correlation, -1)
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((host, port), timeout_s))
            if ca is not None:
                context = ssl.create_default_context(cafile=ca)
                connection = stack.enter_context(
                    context.wrap_socket(connection, server_hostname=host)
                )
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 8 and (more := connection.recv(8 - len(answer))):
                answer += more
    except OSError:
        return False
    return len(answer) == 8 and struct.unpack(">ii", answer)[1] == correlation


def _tansu(folder: Path) -> Broker:
    (port,) = free_ports(1)
    try:
        command, version = tansu_command(port)
    except ImportError as error:
        raise BrokerError(str(error)) from None
    return Broker("tansu", version, f"127.0.0.1:{port}", [Node(command, port, folder / "log")])


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of PORTS on which nothing listens now."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if not _taken(port):
            found.append(port)
    msg = f"no free port between {PORTS.start} and {PORTS.stop}"
    raise BrokerError(msg)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # Like the brokers do: ports with connections in TIME_WAIT count as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
