"""HTTP/1.1 server of the gate, with keep-alive, pipelining, and limits on all client input.

The parser is llhttp of Node.js (`httptools`). Requests are answered immediately and in order; no
handler waits for I/O. A handler that needs longer works in steps, and other clients are served
between the steps.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httptools

HEAD_BYTES_MAX: Final = 16_384
SLICE_BYTES: Final = 8_192
"""Bytes of one client's requests processed per turn of the event loop: about 50 requests or 5 ms.
Then other clients are served. This also limits the unread responses of a client that does not read.
"""
TURN_S: Final = 0.005
"""Maximum time per event-loop turn for an answer that is made in steps."""
IDLE_S: Final = 75.0  # maximum time between two requests of a connection
PARTIAL_S: Final = 5.0  # maximum time until a request is complete
SWEEP_S: Final = 1.0

HEADS_MAX: Final = 2_048
HEAD_KEPT_BYTES: Final = 512
"""Largest head whose parsing result is cached. The heads of one client differ only in the content
length. The cache is at most 1 MB."""
_HEAD_END: Final = b"\r\n\r\n"

_FRAMING: Final = {b"content-length", b"transfer-encoding"}
_FRAMING_LENGTHS: Final = {len(each) for each in _FRAMING}
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
        """Encode the response."""
        object.__setattr__(self, "whole", self.write(_GOES_ON, self.body))

    def write(self, ending: bytes, body: bytes) -> bytes:
        """Return the response with this ending of the content-length line, and this body."""
        head = _head(self.status, self.kind)
        return b"%b%d%b%b\r\n%b" % (head, len(self.body), ending, self.more, body)


Turns = Generator[None, None, Reply]
"""An answer made in steps, because making it at once would block the event loop too long."""

Handler = Callable[[bytes], Reply | Turns]
"""Handles the body of one request. If it raises, the response is `Limits.failed`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits, the access token, and the body of error responses."""

    connections_max: int
    body_bytes_max: int
    token: bytes  # empty: no token is required
    failed: bytes  # the body of every error response


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
        self.allowed: dict[bytes, bytes] = {}  # allowed methods by path
        for method, path in routes:
            named = method + b", HEAD" if method == b"GET" else method
            self.allowed[path] = b", ".join(filter(None, (self.allowed.get(path), named)))
        self.limits = limits
        self.broken = broken
        self.unasked = unasked
        self.draining = False
        # Cached parsing results of usual heads: the handler and the length of the body.
        self.heads: dict[bytes, tuple[Handler, int]] = {}
        self.connections: dict[Connection, None] = {}  # in order of arrival
        self._sweeper: asyncio.TimerHandle | None = None

    def connection(self) -> Connection:
        """Return a protocol for a new connection."""
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

    def remember(self, head: bytes, handler: Handler, size: int) -> None:
        """Cache the parser's result for a head."""
        if len(self.heads) >= HEADS_MAX:
            self.heads.clear()
        self.heads[head] = handler, size

    def drain(self) -> None:
        """Close every connection after its next response, from now on."""
        self.draining = True

    def cut_all(self) -> None:
        """Close all connections that are still open."""
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


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_authorised", "_behind", "_body", "_carried", "_closing", "_framing", "_full", "_head",
        "_last", "_met", "_method", "_out", "_parser", "_partial", "_rest", "_server", "_size",
        "_told", "_too_large", "_transport", "_turns", "_unread", "_url", "heard",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser: Any = None
        self._transport: Any = None
        self._out: list[bytes] = []
        self._body: list[bytes] = []
        self._url = b""
        self._head = 0  # bytes of the request's head so far
        # True if the parser reported the end of a head, or a body, for the last chunk
        self._told = False
        # bytes without a report: the parser buffers them until a header is complete
        self._unread = 0
        self._rest = b""  # received, but not parsed yet
        # the unfinished answer, with its method and line ending
        self._turns: tuple[Turns, bytes, bytes] | None = None
        self._behind: deque[Callable[[], None]] = deque()  # work to do after the unfinished answer
        self._full = False  # True if the client does not read its responses
        # the last response in `_out`, if the connection stays open after it
        self._last: Reply | None = None
        self._method = b""  # the method that this response answers
        self._met = b""  # the head being parsed, if it arrived complete and is not cached
        self._size = 0  # bytes of the body so far
        self._framing = b""  # the header lines that define the body's length
        self._authorised = False
        self._carried = False  # the request was authorised before it is parsed a second time
        self._partial = 0.0  # monotonic time since which a request is incomplete; 0: none is
        self._closing = False
        self._too_large = 0  # the status to return for a request that is too large
        self.heard = time.monotonic()

    # -- asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Unregister the connection."""
        self._server.connections.pop(self, None)
        self._closing = True  # so that remaining received data is ignored
        self._turns = None
        self._behind.clear()
        self._parser = None  # breaks a reference cycle

    def data_received(self, data: bytes) -> None:
        """Process received data, at most one slice at once."""
        if self._closing:
            return
        self.heard = time.monotonic()
        if len(data) > SLICE_BYTES or self._rest or self._turns:
            self._transport.pause_reading()
            self._rest += data
            self._go_on()
        else:
            self._take(data)

    def _go_on(self) -> None:
        """Process the next slice of received data. Other clients are served between slices."""
        if self._closing or self._full or self._turns or not self._rest:
            return
        data, self._rest = self._rest[:SLICE_BYTES], self._rest[SLICE_BYTES:]
        self._take(data)
        self._go_on_later()

    def _go_on_later(self) -> None:
        if self._rest:
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._read_on()

    def _read_on(self) -> None:
        if not (self._closing or self._full or self._turns):
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        """Answer all requests that this data completes, in one write."""
        self._told = False
        if not self._partial:
            data = self._answer_known(data)
        if data:
            try:
                self._feed(data)
            except httptools.HttpParserError:
                self._refuse(HTTPStatus.BAD_REQUEST)
            self._met = b""
        if self._partial and not self._told:  # bytes of a head, or of lines around and after a body
            self._unread += len(data)
            if self._unread > HEAD_BYTES_MAX:
                self._overflow(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._tell()

    def _answer_known(self, data: bytes) -> bytes:
        """Answer requests whose heads are cached; return the data left for the parser.

        Parsing a head takes longer than answering. Between two requests, equal bytes are an equal
        head.
        """
        heads = self._server.heads
        while data:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            head = data[:end]
            known = heads.get(head)
            if known is None:
                self._met = head if end <= HEAD_KEPT_BYTES else b""
                break
            handler, size = known
            if len(data) < end + size:
                break
            reply = self._call_handler(handler, data[end : end + size])
            data = data[end + size :]
            if not isinstance(reply, Reply):
                self._begin(reply, b"POST", _GOES_ON)
                self._rest = data + self._rest
                return b""
            self._out.append(reply.whole)
            self._last, self._method = reply, b"POST"
        return data

    def _learn(self, head: bytes) -> None:
        """Cache the head of an answered request if it is a usual one.

        A head must start with `POST `: blank lines before it would look like its end. llhttp
        accepts no other line endings.
        """
        handler = self._server.routes.get((b"POST", self._url))
        if (
            handler
            and head.startswith(b"POST ")
            and self._framing.lower().startswith(b"content-length")
        ):
            self._server.remember(head, handler, self._size)

    def _tell(self) -> None:
        """Write the responses that are ready. The last one closes the connection while draining."""
        last, self._last = self._last, None
        if last is not None and self._server.draining and not self._owes():
            self._out.pop()
            self._write(last, self._method, _CLOSES)
            self._last = None
        if self._out:
            out = self._out
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            self._out.clear()
        if self._closing:
            self._transport.close()

    def _owes(self) -> bool:
        """True if received data still needs an answer."""
        return bool(self._partial or self._rest or self._turns)

    def _begin(self, turns: Turns, method: bytes, ending: bytes) -> None:
        """Stop reading until an answer is complete."""
        self._turns = turns, method, ending
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Continue an answer that is made in steps."""
        if self._closing or self._turns is None:
            return
        (turns, method, ending), self._turns = self._turns, None
        self._tell_reply(self._step(turns), method, ending)
        self._tell_behind()

    def _tell_behind(self) -> None:
        """Continue with requests received after a stepwise answer, if that answer is complete."""
        while self._behind and not (self._turns or self._closing):
            self._behind.popleft()()
        self._tell()
        if not self._turns:
            self._go_on_later()

    def _in_order(self, do: Callable[[], None]) -> None:
        """Run a function now, or after the answer that is being made."""
        if self._turns:
            self._behind.append(do)
        else:
            do()

    def eof_received(self) -> bool:
        """Close the connection when the client does: complete requests are answered already."""
        return False

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read its responses."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Continue reading from the client."""
        self._full = False
        if self._rest:
            self._go_on()
        else:
            self._read_on()

    # -- the server's

    def sweep(self, now: float) -> None:
        """Close a connection that is idle, or too slow with a request."""
        if self._closing:
            if now - self.heard > PARTIAL_S:  # the client does not read its last response
                self.cut()
        elif self._partial and not self._turns and now - self._partial > PARTIAL_S:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._tell()
        elif now - self.heard > IDLE_S:
            self.close()

    def cut(self) -> None:
        """Close immediately."""
        self._closing = True
        self._server.connections.pop(self, None)
        self._transport.abort()

    def close(self) -> None:
        """Close after the pending data is written."""
        self._closing = True
        self._transport.close()

    # -- the parser's

    def on_message_begin(self) -> None:
        """Reset the state of the previous request."""
        self._url, self._head, self._size = b"", 0, 0
        self._body.clear()
        self._too_large = 0
        self._framing = b""
        self._authorised = self._carried or not self._server.limits.token
        self._partial = self.heard
        self._told, self._unread = True, 0

    def on_url(self, url: bytes) -> None:
        """Append a piece of the URL."""
        self._head += len(url)
        if self._head <= HEAD_BYTES_MAX:
            self._url += url
        else:
            self._overflow(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Process one of the few headers that matter; ignore others."""
        value = value or b""
        self._head += len(name) + len(value) + 4
        if self._head > HEAD_BYTES_MAX:
            self._overflow(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if len(name) == 13 and name.lower() == b"authorization":
            wanted = b"Bearer " + self._server.limits.token
            self._authorised = self._authorised or hmac.compare_digest(value, wanted)
        elif len(name) in _FRAMING_LENGTHS and name.lower() in _FRAMING:
            self._framing += b"%b: %b\r\n" % (name, value)
        elif len(name) == 6 and name.lower() == b"expect" and not self._too_large:
            self._met = b""
            self._in_order(partial(self._out.append, _CONTINUE))

    def on_headers_complete(self) -> None:
        """Record that the head is complete."""
        self._told, self._unread = True, 0

    def on_body(self, body: bytes) -> None:
        """Append a piece of the body."""
        self._told, self._unread = True, 0
        self._size += len(body)
        if self._size > self._server.limits.body_bytes_max:
            self._overflow(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self._too_large:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, unless `_feed` must parse it again without its upgrade offer."""
        parser = self._parser
        method = parser.get_method()
        connect = method == b"CONNECT"  # after CONNECT another protocol begins
        if self._closing or (parser.should_upgrade() and not connect):
            return
        self._partial = 0.0
        keep = parser.should_keep_alive() and not connect
        ending = _GOES_ON if keep else _CLOSES
        if keep and parser.get_http_version() == "1.0":
            ending = _GOES_ON_1_0
        if self._turns:
            self._behind.append(partial(self._answer, self._choose_handler(method), method, ending))
        else:
            self._answer(self._choose_handler(method), method, ending)
        if self._met:
            if keep and self._authorised and parser.get_http_version() == "1.1":
                self._learn(self._met)
            self._met = b""

    # -- inside

    def _feed(self, data: bytes) -> None:
        """Parse all of the data.

        Java's HTTP client offers HTTP/2 with its first request (`Upgrade: h2c`). llhttp stops
        there, before the body. The offer is not accepted; a new parser gets the request without the
        offer.
        """
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                data = data[stopped.args[0] :]
            else:
                return
            if self._closing:
                return
            method, self._carried = self._parser.get_method(), self._authorised
            self._parser = httptools.HttpRequestParser(self)
            head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self._url, self._framing)
            self._parser.feed_data(head)
            self._carried = False

    def _choose_handler(self, method: bytes) -> Callable[[], Reply | Turns]:
        """Return the function that answers the complete request."""
        server = self._server
        if not self._authorised:
            return partial(self._reply_unasked, HTTPStatus.UNAUTHORIZED)
        path = self._url.partition(b"?")[0] if self._url[:1] == b"/" else _path(self._url)
        handler = server.routes.get((b"GET" if method == b"HEAD" else method, path))
        if handler is None:
            allowed = server.allowed.get(path)
            if allowed is None:
                return partial(self._reply_unasked, HTTPStatus.NOT_FOUND)
            allow = b"Allow: %b\r\n" % allowed
            return partial(self._reply_unasked, HTTPStatus.METHOD_NOT_ALLOWED, allow)
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return partial(self._call_handler, handler, body)

    def _answer(self, asked: Callable[[], Reply | Turns], method: bytes, ending: bytes) -> None:
        if not self._closing:
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
        self._closing = ending is _CLOSES
        self._last = None if self._closing else reply
        self._method = method

    def _overflow(self, status: HTTPStatus) -> None:
        """Refuse a request that is too large at once, and stop reading it."""
        if not self._too_large:
            self._too_large = status
            self._refuse(status)

    def _refuse(self, status: HTTPStatus) -> None:
        # The parser may still show the method of an earlier request; the connection ends anyway.
        self._in_order(partial(self._answer, partial(self._reply_unasked, status), b"", _CLOSES))


def _path(url: bytes) -> bytes:
    """Return the path of a URL that contains a host, as clients behind a proxy send."""
    try:
        return httptools.parse_url(url).path or b""
    except httptools.HttpParserError:
        return b""


_heads: Final[dict[tuple[int, bytes], bytes]] = {}


def _head(status: int, kind: bytes) -> bytes:
    """Return the start of a response, up to its content length."""
    if (status, kind) not in _heads:
        phrase = HTTPStatus(status).phrase.encode()
        _heads[status, kind] = (
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nCache-Control: no-store\r\nContent-Length: "
            % (status, phrase, kind)
        )
    return _heads[status, kind]
