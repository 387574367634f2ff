"""A gate without Kafka, and a server for it, for tests."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from detectors.leases.gateway_rule import Lease
from detectors.model.event import Trust
from detectors.model.records import ALWAYS_PASS, Scope
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from streams.gateways.enforce.gateway import Order
from streams.gateways.gate.contract import BODY_BYTES_MAX
from streams.gateways.gate.gate_events import Reporter
from streams.gateways.gate.gate_server import routes
from streams.gateways.gate.http_requests import Limits
from streams.gateways.gate.http_server import Handler, Reply, Server, Turns
from streams.gateways.gate.leases import LeaseMemory
from streams.gateways.gate.submissions import FAILED, Gate
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

VICTIM = "8613900000001"
FLOOD = {"sender": "10690000123", "text": "【从未见过】验证码482913，请勿泄露"}
BANK = {"sender": "95555", "text": "【招商银行】验证码482913，请勿泄露"}
CLIENT_S = 0.02  # the clients' time-out; no test waits for it
NOW_MS = 1_760_000_000_000

assert Trust.BANK in ALWAYS_PASS
_RECOGNISER = Recogniser(Registry.load_shipped())
_T = TypeVar("_T")


@dataclass
class Desk:
    """A gate, its memory, and the events that it published."""

    gate: Gate
    memory: LeaseMemory
    metrics: Metrics
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    rebuilt: bool = True
    now_ms: int = NOW_MS
    lease_ahead_ms: int = 0  # of the clock that leases are judged by, where the other is set back

    def hold(self, recipient: str = VICTIM, action: str = "a1", lasts_ms: int = 600_000) -> None:
        scope = Scope("otp", ALWAYS_PASS, (), ())
        self.memory.apply([Order(recipient, Lease(action, self.now_ms + lasts_ms, scope))])

    def ask(self, **fields: Any) -> dict[str, Any]:
        """The answer to one question about the victim, or whom `fields` names."""
        body = {"recipient": VICTIM, "message_id": "m1", **fields}
        return json.loads(self.gate.submit(json.dumps(body).encode()).body)

    def values(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, value in self.events]

    def counted(self, name: str, **labels: str) -> float:
        self.gate.tell()
        return self.metrics.registry.get_sample_value(f"otpguard_{name}", labels) or 0.0


def desk() -> Desk:
    events: list[tuple[bytes, bytes]] = []
    memory, metrics = LeaseMemory(), Metrics("gate")
    gate = Gate(
        Numbers("CN"),
        Reporter(_RECOGNISER, "smsc-1", "gate@host"),
        memory,
        lambda key, value: events.append((key, value)),
        metrics,
        rebuilt=lambda: made.rebuilt,
        timeout_s=CLIENT_S,
        clock_ms=lambda: made.now_ms,
        lease_ms=lambda: made.now_ms + made.lease_ahead_ms,
    )
    made = Desk(gate, memory, metrics, events)
    return made


def told(answer: Reply | Turns) -> Reply:
    """The answer that a handler makes, however many turns it takes."""
    while not isinstance(answer, Reply):
        try:
            next(answer)
        except StopIteration as whole:
            answer = whole.value
    return answer


class Place:
    """A server in a thread, at a Unix socket."""

    def __init__(self, path: Path, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        self.server = server
        self._loop = loop

    def run(self, do: Callable[[], _T]) -> _T:
        """Do it in the server's loop."""

        async def done() -> _T:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(60)

    def talk(self, *pieces: bytes, wait_s: float = 0.0) -> bytes:
        """Write these to one connection, and return all that comes back until it is closed."""
        import socket

        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(self.path))
            for piece in pieces:
                client.sendall(piece)
                if wait_s:
                    time.sleep(wait_s)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65_536), b""))


@contextmanager
def served(
    folder: Path,
    gate: Gate | None = None,
    routes_: Mapping[tuple[bytes, bytes], Handler] | None = None,
    **limits: Any,
) -> Iterator[Place]:
    """A server for the length of the block."""
    path = folder / "gate.sock"
    told = {"connections_max": 64, "body_bytes_max": BODY_BYTES_MAX, "token": b"", "failed": FAILED}
    failures: list[BaseException] = []
    table = routes_ if gate is None else dict(routes(gate, lambda: ""))
    server = Server(
        table or {},
        Limits(**{**told, **limits}),
        gate.count_broken if gate else failures.append,
        gate.count_unasked if gate else lambda: None,
    )
    loop = uvloop.new_event_loop()
    started = threading.Event()
    listening: list[asyncio.AbstractServer] = []

    async def start() -> None:
        listening.append(await loop.create_unix_server(server.connection, str(path)))
        started.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    place = Place(path, server, loop)
    try:
        yield place
    finally:

        async def settle() -> None:
            listening[0].close()
            server.cut_all()
            await asyncio.sleep(0.05)

        asyncio.run_coroutine_threadsafe(settle(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)


def request(
    path: str = "/v1/submit", body: bytes = b"", method: str = "POST", *headers: str
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: gate", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(octets: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer on a connection."""
    import httptools

    found: list[tuple[int, bytes]] = []

    class Reader:
        body = b""

        def on_message_begin(self) -> None:
            self.body = b""

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            if parser.get_status_code() >= 200:
                found.append((parser.get_status_code(), self.body))

    parser = httptools.HttpResponseParser(Reader())
    parser.feed_data(octets)
    return found


def question(**fields: Any) -> bytes:
    return json.dumps({"recipient": VICTIM, "message_id": "m1", **fields}).encode()


def statuses(octets: bytes) -> Sequence[int]:
    return [status for status, _ in answers(octets)]
