"""Parses the requests of one connection of the gate, and limits their size.

The parser is llhttp of Node.js (`httptools`). The server (`http_server`) answers the requests.
"""

import hmac
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

import httptools

HEAD_BYTES_MAX: Final = 16_384

_FRAMING: Final = {b"content-length", b"transfer-encoding"}
_FRAMING_LENGTHS: Final = {len(each) for each in _FRAMING}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits, the access token, and the body of error responses."""

    connections_max: int
    body_bytes_max: int
    token: bytes  # empty: no token is required
    failed: bytes  # the body of every error response


class Answerer(Protocol):
    """The connection that answers the requests."""

    closing: bool  # true: nothing more is answered

    def take_request(self, method: bytes, *, keep: bool, old: bool) -> None:
        """Answer the request that is complete now.

        `keep`: the connection stays open. `old`: the client speaks HTTP/1.0.
        """

    def take_expectation(self) -> None:
        """Tell the client to send the body that it announced."""

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with an error, and close the connection."""


class Requests:
    """The callbacks of the HTTP parser, and the parts of the request received so far."""

    __slots__ = (
        "_answerer", "_body", "_carried", "_framing", "_head", "_limits", "_parser", "_size",
        "_told", "_too_large", "_unread", "authorised", "began", "url",
    )  # fmt: skip

    def __init__(self, limits: Limits, answerer: Answerer) -> None:
        self._limits = limits
        self._answerer = answerer
        self._parser: Any = httptools.HttpRequestParser(self)
        self.url = b""
        self.authorised = False
        self.began = 0.0  # monotonic time since which a request is incomplete; 0: none is
        self._body: list[bytes] = []
        self._size = 0  # bytes of the body so far
        self._head = 0  # bytes of the request's head so far
        self._framing = b""  # the header lines that define the body's length
        self._carried = False  # the request was authorised before it is parsed a second time
        self._too_large = False  # the request was refused, because it is too large
        # True if the parser reported the end of a head, or a body, for the last chunk
        self._told = False
        # bytes without a report: the parser buffers them until a header is complete
        self._unread = 0

    @property
    def body(self) -> bytes:
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def close(self) -> None:
        """Release the parser, which refers back to this object."""
        self._parser = None

    def feed(self, data: bytes) -> None:
        """Parse received data. Raise HttpParserError if it is no HTTP.

        Java's HTTP client offers HTTP/2 with its first request (`Upgrade: h2c`). llhttp stops
        there, before the body. The offer is not accepted; a new parser gets the request without the
        offer.
        """
        self._told = False
        size = len(data)
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                data = data[stopped.args[0] :]
            else:
                break
            if self._answerer.closing:
                return
            method, self._carried = self._parser.get_method(), self.authorised
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self.url, self._framing))
            self._carried = False
        if self.began and not self._told:  # bytes of a head, or of lines around and after a body
            self._unread += size
            if self._unread > HEAD_BYTES_MAX:
                self._overflow(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    # -- the parser's callbacks

    def on_message_begin(self) -> None:
        self.url, self._head, self._size = b"", 0, 0
        self._body.clear()
        self._too_large = False
        self._framing = b""
        self.authorised = self._carried or not self._limits.token
        self.began = time.monotonic()
        self._told, self._unread = True, 0

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        if self._head <= HEAD_BYTES_MAX:
            self.url += url
        else:
            self._overflow(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Process one of the few headers that matter; ignore others."""
        value = value or b""
        self._head += len(name) + len(value) + 4
        if self._head > HEAD_BYTES_MAX:
            self._overflow(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if len(name) == 13 and name.lower() == b"authorization":
            wanted = b"Bearer " + self._limits.token
            self.authorised = self.authorised or hmac.compare_digest(value, wanted)
        elif len(name) in _FRAMING_LENGTHS and name.lower() in _FRAMING:
            self._framing += b"%b: %b\r\n" % (name, value)
        elif len(name) == 6 and name.lower() == b"expect" and not self._too_large:
            self._answerer.take_expectation()

    def on_headers_complete(self) -> None:
        self._told, self._unread = True, 0

    def on_body(self, body: bytes) -> None:
        self._told, self._unread = True, 0
        self._size += len(body)
        if self._size > self._limits.body_bytes_max:
            self._overflow(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self._too_large:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Pass the request on, unless `feed` must parse it again without its upgrade offer."""
        parser = self._parser
        method = parser.get_method()
        connect = method == b"CONNECT"  # after CONNECT another protocol begins
        if self._answerer.closing or (parser.should_upgrade() and not connect):
            return
        self.began = 0.0
        keep = parser.should_keep_alive() and not connect
        self._answerer.take_request(method, keep=keep, old=parser.get_http_version() == "1.0")

    def _overflow(self, status: HTTPStatus) -> None:
        """Refuse a request that is too large at once, and stop reading it."""
        if not self._too_large:
            self._too_large = True
            self._answerer.refuse(status)
