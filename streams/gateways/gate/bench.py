"""Load generator for a gate: sends requests at a steady rate and measures the answers.

Each request is sent when it is due, even if earlier requests are unanswered. So a gate that stalls
still receives the requests that are due meanwhile. Latency is measured from the due time. The
latency includes the delay of this client itself (`behind_p99_ms`), which is not the gate's fault.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httptools
import msgspec

from streams.common import UnavailableError, tr
from streams.config import GateSettings

TEXT: Final = "【otpguard】这是一次压力测试，请忽略本短信，第{n}条"
WAIT_S: Final = 10.0  # at the end, for the last answers

_why: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Load:
    """The requests: number per second, duration, and number of connections."""

    rate: float
    seconds: float
    connections: int
    recipient: str
    path: str = "/v1/submit"
    recipients: int = 10_000
    bodies: tuple[bytes, ...] = ()  # request bodies to send instead of generated ones


@dataclass(slots=True)
class Measured:
    """The answers and their latencies."""

    timeout_ms: float
    times_s: list[float] = field(default_factory=list)
    behind_s: list[float] = field(default_factory=list)  # delay of each request, from due to sent
    whys: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    took_s: float = 0.0

    def at(self, share: float) -> float:
        """Return the latency in ms within which this share of the answers came; 0 if none came."""
        return _at(self.times_s, share)

    def document(self) -> dict[str, Any]:
        late = sum(each * 1000 > self.timeout_ms for each in self.times_s)
        return {
            "sent": self.sent,
            "answered": len(self.times_s),
            "rate": round(self.sent / max(self.took_s, 1e-9), 1),
            "p50_ms": round(self.at(0.5), 3),
            "p99_ms": round(self.at(0.99), 3),
            "max_ms": round(self.at(1.0), 3),
            "behind_p99_ms": round(_at(self.behind_s, 0.99), 3),
            "late": late,
            "failed": self.sent - len(self.times_s),
            "whys": dict(self.whys),
        }


def _at(times_s: Sequence[float], share: float) -> float:
    """Return the quantile of these times at `share`, in ms; 0 without any."""
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0


@dataclass(eq=False)
class _Client(asyncio.Protocol):
    """One connection. Answers arrive in the order of the requests."""

    _measured: Measured
    _due: deque[float] = field(init=False, default_factory=deque)
    _body: bytes = field(init=False, default=b"")
    _parser: Any = field(init=False, default=None)
    transport: Any = field(init=False, default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, request: bytes, due: float) -> None:
        self._measured.sent += 1
        if self.transport is not None and not self.transport.is_closing():
            self._due.append(due)
            self.transport.write(request)
            self._measured.behind_s.append(time.perf_counter() - due)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._measured.times_s.append(time.perf_counter() - self._due.popleft())
        self._measured.whys[_why(self._body).get("why", "")] += 1


def run(section: GateSettings, load: Load) -> Measured:
    """Send the requests and wait for the answers. Raise UnavailableError if no gate listens."""
    import uvloop  # noqa: PLC0415 - start-up time

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(section, load))


async def _run(section: GateSettings, load: Load) -> Measured:
    measured = Measured(section.timeout_ms)
    try:
        clients = [await _connect(section, measured) for _ in range(load.connections)]
    except OSError as error:
        raise UnavailableError(
            tr("no gate listens: {why}").format(why=error.strerror or error)
        ) from None
    token = section.token.get_secret_value()
    head = f"POST {load.path} HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    first, named = int(load.recipient), f"bench-{time.time_ns():x}"
    began = time.perf_counter()
    total = round(load.rate * load.seconds)
    for n in range(total):
        due = began + n / load.rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        if load.bodies:
            body = load.bodies[n % len(load.bodies)]
        else:
            question = {
                "recipient": str(first + n % load.recipients),
                "sender": "10690000000",
                "message_id": f"{named}-{n}",
                "text": TEXT.format(n=n),
            }
            body = _encode(question)
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        clients[n % len(clients)].ask(request, due)
    measured.took_s = time.perf_counter() - began
    end = time.perf_counter() + WAIT_S
    while len(measured.times_s) < total and time.perf_counter() < end:  # noqa: ASYNC110 - once
        await asyncio.sleep(0.01)
    for client in clients:
        client.transport.close()
    return measured


async def _connect(section: GateSettings, measured: Measured) -> _Client:
    loop = asyncio.get_running_loop()
    if section.socket is not None:
        _, client = await loop.create_unix_connection(
            lambda: _Client(measured), str(section.socket)
        )
    else:
        _, client = await loop.create_connection(
            lambda: _Client(measured), section.host, section.port or 0
        )
    return client
