"""Connections that ask nothing, at either of uvicorn's parsers: they end, and keep nobody out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.common import connections
from streams.common.connections import Bounded
from tests.builders.streams.common.connections import closed
from tests.streams.people.evidence.tsa import openssl
from tests.waiting import END_S, wait_until


class _H11(Bounded, H11Protocol):
    connections_max = 4


class _HttpTools(Bounded, HttpToolsProtocol):
    connections_max = 4


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers everybody once the whole body has come."""
    while (await receive()).get("more_body"):
        pass
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def _served(protocol: Any, **more: Any) -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(_app, http=protocol, ws="none", lifespan="off", log_config=None, **more)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            wait_until(lambda: server.started, "it serves")
            yield sock.getsockname()
        finally:
            server.should_exit = True
            thread.join(END_S)


def _asked(connection: socket.socket) -> bytes:
    connection.settimeout(END_S)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    return connection.recv(4_096)[:15]


@pytest.mark.parametrize("protocol", [_H11, _HttpTools])
@pytest.mark.parametrize(
    "said",
    [b"", b"POST / HTT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234"],
)
def test_what_never_becomes_a_whole_request_is_closed(
    protocol: Any, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 0.2)
    with _served(protocol) as place, socket.create_connection(place) as connection:
        connection.sendall(said)
        assert closed(connection)


@pytest.mark.parametrize("protocol", [_H11, _HttpTools])
def test_half_a_request_after_a_whole_one_is_closed_too(
    protocol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 0.2)
    with _served(protocol) as place, socket.create_connection(place) as connection:
        assert _asked(connection) == b"HTTP/1.1 200 OK"
        connection.sendall(b"GET")
        assert closed(connection)


@pytest.mark.parametrize("protocol", [_H11, _HttpTools])
def test_of_too_many_the_longest_idle_has_to_go(protocol: Any) -> None:
    with _served(protocol) as place, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(place)) for _ in range(12)]
        with socket.create_connection(place) as connection:
            assert _asked(connection) == b"HTTP/1.1 200 OK"
        assert closed(idle[0])


def test_a_handshake_that_never_ends_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.2)
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", "/CN=server",
            "-keyout", key, "-out", certificate)  # fmt: skip
    tls = {"ssl_certfile": certificate, "ssl_keyfile": key}
    with (
        _served(_H11, **tls) as elsewhere,
        _served(_H11, loop="streams.common.connections:ServerLoop", **tls) as address,
        socket.create_connection(elsewhere) as kept,
        socket.create_connection(address) as idle,
    ):
        assert closed(idle)
        kept.setblocking(False)
        with pytest.raises(BlockingIOError):  # another loop waits for a minute
            kept.recv(1)
