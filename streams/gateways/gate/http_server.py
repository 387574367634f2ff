"""HTTP/1.1 server of the gate, with keep-alive, pipelining, and limits on all client input.

Requests are answered immediately and in order; no
handler waits for I/O. A handler that needs longer works in steps, and other clients are served
between the steps.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Final

import httptools

from streams.gateways.gate.http_requests import Limits, Requests

SLICE_BYTES: Final = 8_192
"""Bytes of one client's requests processed per turn of the event loop: about 50 requests or 5 ms.
Then other clients are served. This also limits the unread responses of a client that does not read.
"""
_RECEIVED: Final = memoryview(bytearray(SLICE_BYTES))
"""One buffer for all clients. The event loop reads a client's data into it, and `buffer_updated`
copies the data before the loop reads the next client's."""
TURN_S: Final = 0.005  # Maximum time per event-loop turn for an answer that is made in steps.
IDLE_S: Final = 75.0  # maximum time between two requests of a connection
PARTIAL_S: Final = 5.0  # maximum time until a request is complete
SWEEP_S: Final = 1.0

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_GOES_ON: Final = b"\r\n"
# without this header an HTTP/1.0 client waits for the connection to close
_GOES_ON_1_0: Final = b"\r\nConnection: keep-alive\r\n"
_CLOSES: Final = b"\r\nConnection: close\r\n"
"""Endings of the content-length line. They show the client whether the connection stays open."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of a response. The body is JSON unless `kind` says otherwise."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: bytes = b""  # further headers, each with its line ending
    whole: bytes = field(init=False, repr=False, compare=False)
    """The response as most clients get it. A constant reply is encoded only once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", self.write(_GOES_ON, self.body))

    def write(self, ending: bytes, body: bytes) -> bytes:
        """Return the response with this ending of the content-length line, and this body."""
        head = _head(self.status, self.kind)
        return b"%b%d%b%b\r\n%b" % (head, len(self.body), ending, self.more, body)


Turns = Generator[None, None, Reply]
"""An answer made in steps, because making it at once would block the event loop too long."""

Handler = Callable[[bytes], Reply | Turns]
"""Handles the body of one request. If it raises, the response is `Limits.failed`."""


class Server:
    """All connections of a gate."""

    def __init__(
        self,
        routes: Mapping[tuple[bytes, bytes], Handler],
        limits: Limits,
        broken: Callable[[BaseException], None],
        unasked: Callable[[], None],
    ) -> None:
        """`routes` maps method and path to a handler. `broken` is called if a handler raises.

        `unasked` is called for each request that reaches no handler.
        """
        self.routes = routes
        self.limits = limits
        self.broken = broken
        self.unasked = unasked
        self.draining = False  # true: every connection closes after its next response
        self.connections: dict[Connection, None] = {}  # in order of arrival
        self._sweeper: asyncio.TimerHandle | None = None

    def connection(self) -> Connection:
        return Connection(self)

    def enter(self, connection: Connection) -> None:
        """Register a connection.

        If the limit is reached, the connection that is idle for longest is closed.
        """
        if len(self.connections) >= self.limits.connections_max:
            min(self.connections, key=lambda each: each.heard).cut()
        self.connections[connection] = None
        if self._sweeper is None:
            self._sweep_later()

    def cut_all(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.connections):
            connection.close()

    def _sweep_later(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.connections):
            connection.sweep(now)
        self._sweep_later()


class Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    __slots__ = (
        "_behind", "_full", "_last", "_method", "_out", "_requests", "_server", "_transport",
        "_turns", "closing", "heard",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._requests = Requests(server.limits, self)
        self._transport: Any = None
        self._out: list[bytes] = []
        # the unfinished answer, with its method and line ending
        self._turns: tuple[Turns, bytes, bytes] | None = None
        self._behind: deque[Callable[[], None]] = deque()  # work to do after the unfinished answer
        self._full = False  # True if the client does not read its responses
        # the last response in `_out`, if the connection stays open after it
        self._last: Reply | None = None
        self._method = b""  # the method that this response answers
        self.closing = False
        self.heard = time.monotonic()

    # -- asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._server.connections.pop(self, None)
        self.closing = True  # so that remaining received data is ignored
        self._turns = None
        self._behind.clear()
        self._requests.close()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        return _RECEIVED

    def buffer_updated(self, nbytes: int) -> None:
        """Process received data. After a full slice, others are served before more is read."""
        if self.closing:
            return
        self.heard = time.monotonic()
        if nbytes == SLICE_BYTES:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)
        self._take(bytes(_RECEIVED[:nbytes]))

    def _read_on(self) -> None:
        if not (self.closing or self._full or self._turns):
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        """Answer all requests that this data completes, in one write."""
        try:
            self._requests.feed(data)
        except httptools.HttpParserError:
            self.refuse(HTTPStatus.BAD_REQUEST)
        self._tell()

    def _tell(self) -> None:
        """Write the responses that are ready. The last one closes the connection while draining."""
        last, self._last = self._last, None
        owes = self._requests.began or self._turns  # received data needs an answer
        if last is not None and self._server.draining and not owes:
            self._out.pop()
            self._write(last, self._method, _CLOSES)
            self._last = None
        if self._out:
            out = self._out
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            self._out.clear()
        if self.closing:
            self._transport.close()

    def _begin(self, turns: Turns, method: bytes, ending: bytes) -> None:
        """Stop reading until an answer is complete."""
        self._turns = turns, method, ending
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Continue an answer that is made in steps."""
        if self.closing or self._turns is None:
            return
        (turns, method, ending), self._turns = self._turns, None
        self._tell_reply(self._step(turns), method, ending)
        self._tell_behind()

    def _tell_behind(self) -> None:
        """Continue with requests received after a stepwise answer, if that answer is complete."""
        while self._behind and not (self._turns or self.closing):
            self._behind.popleft()()
        self._tell()
        self._read_on()

    def _in_order(self, do: Callable[[], None]) -> None:
        """Run a function now, or after the answer that is being made."""
        if self._turns:
            self._behind.append(do)
        else:
            do()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read its responses."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self._read_on()

    # -- the server's

    def sweep(self, now: float) -> None:
        """Close a connection that is idle, or too slow with a request."""
        if self.closing:
            if now - self.heard > PARTIAL_S:  # the client does not read its last response
                self.cut()
        elif self._requests.began and not self._turns and now - self._requests.began > PARTIAL_S:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._tell()
        elif now - self.heard > IDLE_S:
            self.close()

    def cut(self) -> None:
        """Close immediately."""
        self.closing = True
        self._server.connections.pop(self, None)
        self._transport.abort()

    def close(self) -> None:
        """Close after the pending data is written."""
        self.closing = True
        self._transport.close()

    # -- what the parser of the requests calls

    def take_request(self, method: bytes, *, keep: bool, old: bool) -> None:
        """Answer a complete request now, or after the answer that is being made."""
        ending = _CLOSES if not keep else _GOES_ON_1_0 if old else _GOES_ON
        self._in_order(partial(self._answer, self._choose_handler(method), method, ending))

    def take_expectation(self) -> None:
        """Tell the client to send the body that it announced."""
        if not self.closing:
            self._in_order(partial(self._out.append, _CONTINUE))

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with an error, and close the connection."""
        # The parser may still show the method of an earlier request; the connection ends anyway.
        self._in_order(partial(self._answer, partial(self._reply_unasked, status), b"", _CLOSES))

    # -- inside

    def _choose_handler(self, method: bytes) -> Callable[[], Reply | Turns]:
        server = self._server
        if not self._requests.authorised:
            return partial(self._reply_unasked, HTTPStatus.UNAUTHORIZED)
        url = self._requests.url
        path = url.partition(b"?")[0] if url[:1] == b"/" else _path(url)
        handler = server.routes.get((b"GET" if method == b"HEAD" else method, path))
        if handler is None:
            allowed = [wanted for wanted, place in server.routes if place == path]
            if not allowed:
                return partial(self._reply_unasked, HTTPStatus.NOT_FOUND)
            if b"GET" in allowed:
                allowed.append(b"HEAD")
            allow = b"Allow: %b\r\n" % b", ".join(allowed)
            return partial(self._reply_unasked, HTTPStatus.METHOD_NOT_ALLOWED, allow)
        return partial(self._call_handler, handler, self._requests.body)

    def _answer(self, asked: Callable[[], Reply | Turns], method: bytes, ending: bytes) -> None:
        if not self.closing:
            self._tell_reply(asked(), method, ending)

    def _tell_reply(self, reply: Reply | Turns, method: bytes, ending: bytes) -> None:
        if isinstance(reply, Reply):
            self._write(reply, method, ending)
        else:
            self._begin(reply, method, ending)

    def _call_handler(self, handler: Handler, body: bytes) -> Reply | Turns:
        try:
            reply = handler(body)
        except Exception as error:  # noqa: BLE001 - on any error the message passes
            return self._reply_failed(error)
        return reply if isinstance(reply, Reply) else self._step(reply)

    def _step(self, turns: Turns) -> Reply | Turns:
        """Work on an answer for one turn of the loop. Return the answer, or the unfinished rest."""
        end = time.perf_counter() + TURN_S
        try:
            while True:
                next(turns)
                if time.perf_counter() >= end:
                    return turns
        except StopIteration as whole:
            return whole.value
        except Exception as error:  # noqa: BLE001 - on any error the message passes
            return self._reply_failed(error)

    def _reply_failed(self, error: BaseException) -> Reply:
        self._server.broken(error)
        return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, self._server.limits.failed)

    def _reply_unasked(self, status: HTTPStatus, more: bytes = b"") -> Reply:
        self._server.unasked()
        return Reply(status, self._server.limits.failed, more=more)

    def _write(self, reply: Reply, method: bytes, ending: bytes) -> None:
        if method == b"HEAD":
            self._out.append(reply.write(ending, b""))
        else:
            usual = ending is _GOES_ON
            self._out.append(reply.whole if usual else reply.write(ending, reply.body))
        self.closing = ending is _CLOSES
        self._last = None if self.closing else reply
        self._method = method


def _path(url: bytes) -> bytes:
    """Return the path of a URL that contains a host, as clients behind a proxy send."""
    try:
        return httptools.parse_url(url).path or b""
    except httptools.HttpParserError:
        return b""


@cache
def _head(status: int, kind: bytes) -> bytes:
    """Return the start of a response, up to its content length."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nCache-Control: no-store\r\nContent-Length: " % (
        status,
        HTTPStatus(status).phrase.encode(),
        kind,
    )
