"""HTTP/1.1 for the gate: keep-alive, pipelining, and a bound on everything that a client may send.

llhttp, the parser of Node.js, reads the requests (`httptools`). What they ask is answered at once,
in the order in which it came: nothing here waits for anything. What takes longer is answered in
turns, between which other clients are.
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
"""Of one client's requests in a turn of the loop: some 50 questions, 5 ms, then come the others.
What a client is owed that does not read stays within what a slice asks for."""
TURN_S: Final = 0.005
"""Of an answer that is made step by step, in a turn of the loop."""
IDLE_S: Final = 75.0  # between two requests of a connection
PARTIAL_S: Final = 5.0  # for a request to be whole
SWEEP_S: Final = 1.0

HEADS_MAX: Final = 2_048
HEAD_KEPT_BYTES: Final = 512
"""Heads whose reading is remembered: of one client they differ in the length alone. 1 MB."""
_HEAD_END: Final = b"\r\n\r\n"

_FRAMING: Final = {b"content-length", b"transfer-encoding"}
_FRAMING_LENGTHS: Final = {len(each) for each in _FRAMING}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_GOES_ON: Final = b"\r\n"
_GOES_ON_1_0: Final = b"\r\nConnection: keep-alive\r\n"  # else such a client waits for our end
_CLOSES: Final = b"\r\nConnection: close\r\n"
"""Ends of the line of an answer's length: what becomes of the connection."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body (JSON unless `kind` says otherwise)."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: bytes = b""  # further headers, each with its line's end
    whole: bytes = field(init=False, repr=False, compare=False)
    """As nearly every client gets it: a reply that is always the same is written out once."""

    def __post_init__(self) -> None:
        """Write it out."""
        object.__setattr__(self, "whole", self.written(_GOES_ON, self.body))

    def written(self, ending: bytes, body: bytes) -> bytes:
        """Return the answer with this end of the line of its length, and this body."""
        head = _head(self.status, self.kind)
        return b"%b%d%b%b\r\n%b" % (head, len(self.body), ending, self.more, body)


Turns = Generator[None, None, Reply]
"""An answer that is made step by step, since all of it at once would take too long."""

Handler = Callable[[bytes], Reply | Turns]
"""Answers the body of one request. Whatever it raises is answered by `Limits.failed`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds, the secret, and the bodies of answers to what is no question."""

    connections_max: int
    body_bytes_max: int
    token: bytes  # empty: none is asked for
    failed: bytes  # the body of every answer that is an error


class Server:
    """All connections of a gate."""

    def __init__(
        self,
        routes: Mapping[tuple[bytes, bytes], Handler],
        limits: Limits,
        broken: Callable[[BaseException], None],
        unasked: Callable[[], None],
    ) -> None:
        """`routes` by method and path; `broken` is told of a handler that raised.

        `unasked` is told of each request that reaches no handler.
        """
        self.routes = routes
        self.allowed: dict[bytes, bytes] = {}  # methods by path
        for method, path in routes:
            named = method + b", HEAD" if method == b"GET" else method
            self.allowed[path] = b", ".join(filter(None, (self.allowed.get(path), named)))
        self.limits = limits
        self.broken = broken
        self.unasked = unasked
        self.draining = False
        # The parser's reading of usual heads: who answers, and the bytes of the body.
        self.heads: dict[bytes, tuple[Handler, int]] = {}
        self.connections: dict[Connection, None] = {}  # in order of arrival
        self._sweeper: asyncio.TimerHandle | None = None

    def connection(self) -> Connection:
        """A protocol for one connection more; past the limit the longest idle has to go."""
        return Connection(self)

    def enter(self, connection: Connection) -> None:
        """Count a connection in, and make room for it."""
        if len(self.connections) >= self.limits.connections_max:
            min(self.connections, key=lambda each: each.heard).cut()
        self.connections[connection] = None
        if self._sweeper is None:
            self._sweep_later()

    def remember(self, head: bytes, handler: Handler, size: int) -> None:
        """Remember what the parser read in a head."""
        if len(self.heads) >= HEADS_MAX:
            self.heads.clear()
        self.heads[head] = handler, size

    def drain(self) -> None:
        """From now on every answer is the last of its connection."""
        self.draining = True

    def cut_all(self) -> None:
        """Close what is still open."""
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
        self._head = 0  # bytes of the request's head
        self._told = False  # the parser, with the last piece: of a head's end, or of a body
        self._unread = 0  # bytes that it told nothing of: it keeps them until a header is whole
        self._rest = b""  # came, and is not parsed yet
        self._turns: tuple[Turns, bytes, bytes] | None = None  # of whose answer the rest is to come
        self._behind: deque[Callable[[], None]] = deque()  # what is to be told after it
        self._full = False  # the client does not read what it was answered
        self._last: Reply | None = None  # the last answer that is in `_out`, if it may be one more
        self._method = b""  # that it answers
        self._met = b""  # the head of what is parsed, if it came whole and nobody knows it
        self._size = 0  # bytes of its body
        self._framing = b""  # the lines that say how long its body is
        self._authorised = False
        self._carried = False  # it was, before it is read again
        self._partial = 0.0  # monotonic: since when a request is not whole; 0: none is
        self._closing = False
        self._too_large = 0  # the status that says so
        self.heard = time.monotonic()

    # -- asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in."""
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Count the connection out."""
        self._server.connections.pop(self, None)
        self._closing = True  # whatever of it is not parsed yet
        self._turns = None
        self._behind.clear()
        self._parser = None  # it and we hold each other

    def data_received(self, data: bytes) -> None:
        """Answer what is whole with this, up to a slice of it at once."""
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
        """Take the next slice of what came, if the client reads; the others come in between."""
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
        """Answer all requests that are whole with this, in one write."""
        self._told = False
        if not self._partial:
            data = self._answer_known(data)
        if data:
            try:
                self._feed(data)
            except httptools.HttpParserError:
                self._refuse(HTTPStatus.BAD_REQUEST)
            self._met = b""
        if self._partial and not self._told:  # of a head, or of lines around and behind a body
            self._unread += len(data)
            if self._unread > HEAD_BYTES_MAX:
                self._overflow(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._tell()

    def _answer_known(self, data: bytes) -> bytes:
        """Answer requests whose heads were read before; return what the parser is to see.

        To read a head takes longer than to answer, and between two requests the same bytes are the
        same head.
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
            reply = self._handled(handler, data[end : end + size])
            data = data[end + size :]
            if not isinstance(reply, Reply):
                self._begin(reply, b"POST", _GOES_ON)
                self._rest = data + self._rest
                return b""
            self._out.append(reply.whole)
            self._last, self._method = reply, b"POST"
        return data

    def _learn(self, head: bytes) -> None:
        """Remember the head of a question that was answered, if it is a usual one.

        Lines before it would look like its end; llhttp takes no ends of lines but these.
        """
        handler = self._server.routes.get((b"POST", self._url))
        if (
            handler
            and head.startswith(b"POST ")
            and self._framing.lower().startswith(b"content-length")
        ):
            self._server.remember(head, handler, self._size)

    def _tell(self) -> None:
        """Write the answers that are ready, the last of all so marked."""
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
        """Return whether there is more to answer of what came."""
        return bool(self._partial or self._rest or self._turns)

    def _begin(self, turns: Turns, method: bytes, ending: bytes) -> None:
        """Read nothing more until an answer is made."""
        self._turns = turns, method, ending
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Go on with an answer that is made in turns."""
        if self._closing or self._turns is None:
            return
        (turns, method, ending), self._turns = self._turns, None
        self._tell_reply(self._stepped(turns), method, ending)
        self._tell_behind()

    def _tell_behind(self) -> None:
        """Go on with what came behind an answer, if that is whole."""
        while self._behind and not (self._turns or self._closing):
            self._behind.popleft()()
        self._tell()
        if not self._turns:
            self._go_on_later()

    def _in_order(self, do: Callable[[], None]) -> None:
        """Do it now, or after the answer that is being made."""
        if self._turns:
            self._behind.append(do)
        else:
            do()

    def eof_received(self) -> bool:
        """Close when the client does: what it asked is answered already."""
        return False

    def pause_writing(self) -> None:
        """Take nothing more from a client that does not read its answers."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read from the client again."""
        self._full = False
        if self._rest:
            self._go_on()
        else:
            self._read_on()

    # -- the server's

    def sweep(self, now: float) -> None:
        """Close a connection that is idle, or too slow with a request."""
        if self._closing:
            if now - self.heard > PARTIAL_S:  # it does not read its last answer
                self.cut()
        elif self._partial and not self._turns and now - self._partial > PARTIAL_S:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._tell()
        elif now - self.heard > IDLE_S:
            self.close()

    def cut(self) -> None:
        """Close at once."""
        self._closing = True
        self._server.connections.pop(self, None)
        self._transport.abort()

    def close(self) -> None:
        """Close, once what is written is on its way."""
        self._closing = True
        self._transport.close()

    # -- the parser's

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._url, self._head, self._size = b"", 0, 0
        self._body.clear()
        self._too_large = 0
        self._framing = b""
        self._authorised = self._carried or not self._server.limits.token
        self._partial = self.heard
        self._told, self._unread = True, 0

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the path."""
        self._head += len(url)
        if self._head <= HEAD_BYTES_MAX:
            self._url += url
        else:
            self._overflow(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Take in a header, if it is one of the few that matter."""
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
        """Note that the head is whole."""
        self._told, self._unread = True, 0

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        self._told, self._unread = True, 0
        self._size += len(body)
        if self._size > self._server.limits.body_bytes_max:
            self._overflow(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self._too_large:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer, unless the request is to be read again without an offer: see `_feed`."""
        parser = self._parser
        method = parser.get_method()
        connect = method == b"CONNECT"  # behind it another protocol begins
        if self._closing or (parser.should_upgrade() and not connect):
            return
        self._partial = 0.0
        keep = parser.should_keep_alive() and not connect
        ending = _GOES_ON if keep else _CLOSES
        if keep and parser.get_http_version() == "1.0":
            ending = _GOES_ON_1_0
        if self._turns:
            self._behind.append(partial(self._answer, self._asked(method), method, ending))
        else:
            self._answer(self._asked(method), method, ending)
        if self._met:
            if keep and self._authorised and parser.get_http_version() == "1.1":
                self._learn(self._met)
            self._met = b""

    # -- inside

    def _feed(self, data: bytes) -> None:
        """Have all of it parsed.

        Java's own client offers HTTP/2 with its first request (`Upgrade: h2c`). llhttp stops there,
        before the body; the offer is not taken up, so a new parser gets the request without it.
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

    def _asked(self, method: bytes) -> Callable[[], Reply | Turns]:
        """Return what answers the request that is whole."""
        server = self._server
        if not self._authorised:
            return partial(self._unasked, HTTPStatus.UNAUTHORIZED)
        path = self._url.partition(b"?")[0] if self._url[:1] == b"/" else _path(self._url)
        handler = server.routes.get((b"GET" if method == b"HEAD" else method, path))
        if handler is None:
            allowed = server.allowed.get(path)
            if allowed is None:
                return partial(self._unasked, HTTPStatus.NOT_FOUND)
            allow = b"Allow: %b\r\n" % allowed
            return partial(self._unasked, HTTPStatus.METHOD_NOT_ALLOWED, allow)
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return partial(self._handled, handler, body)

    def _answer(self, asked: Callable[[], Reply | Turns], method: bytes, ending: bytes) -> None:
        if not self._closing:
            self._tell_reply(asked(), method, ending)

    def _tell_reply(self, reply: Reply | Turns, method: bytes, ending: bytes) -> None:
        if isinstance(reply, Reply):
            self._write(reply, method, ending)
        else:
            self._begin(reply, method, ending)

    def _handled(self, handler: Handler, body: bytes) -> Reply | Turns:
        try:
            reply = handler(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message passes
            return self._failed(error)
        return reply if isinstance(reply, Reply) else self._stepped(reply)

    def _stepped(self, turns: Turns) -> Reply | Turns:
        """Make an answer for one turn of the loop; return it if it is whole, else what is left."""
        end = time.perf_counter() + TURN_S
        try:
            while True:
                next(turns)
                if time.perf_counter() >= end:
                    return turns
        except StopIteration as whole:
            return whole.value
        except Exception as error:  # noqa: BLE001 - as above
            return self._failed(error)

    def _failed(self, error: BaseException) -> Reply:
        self._server.broken(error)
        return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, self._server.limits.failed)

    def _unasked(self, status: HTTPStatus, more: bytes = b"") -> Reply:
        self._server.unasked()
        return Reply(status, self._server.limits.failed, more=more)

    def _write(self, reply: Reply, method: bytes, ending: bytes) -> None:
        if method == b"HEAD":
            self._out.append(reply.written(ending, b""))
        else:
            usual = ending is _GOES_ON
            self._out.append(reply.whole if usual else reply.written(ending, reply.body))
        self._closing = ending is _CLOSES
        self._last = None if self._closing else reply
        self._method = method

    def _overflow(self, status: HTTPStatus) -> None:
        """Answer what is too large at once, and read no more of it."""
        if not self._too_large:
            self._too_large = status
            self._refuse(status)

    def _refuse(self, status: HTTPStatus) -> None:
        # The parser's method may be that of a request before, and the connection ends anyway.
        self._in_order(partial(self._answer, partial(self._unasked, status), b"", _CLOSES))


def _path(url: bytes) -> bytes:
    """The path of an address that names a host too, as whoever asks by way of a proxy writes it."""
    try:
        return httptools.parse_url(url).path or b""
    except httptools.HttpParserError:
        return b""


_heads: Final[dict[tuple[int, bytes], bytes]] = {}


def _head(status: int, kind: bytes) -> bytes:
    """The beginning of an answer, up to its length."""
    if (status, kind) not in _heads:
        phrase = HTTPStatus(status).phrase.encode()
        _heads[status, kind] = (
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nCache-Control: no-store\r\nContent-Length: "
            % (status, phrase, kind)
        )
    return _heads[status, kind]
