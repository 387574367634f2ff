"""`/metrics`, `/health/live` and `/health/ready`, in threads of their own.

Not in the event loop: a probe must be answered when the loop hangs, for that is what it asks about.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.errors import UnavailableError

REQUEST_S: Final = 5.0  # a client that dawdles is cut off

Check = Callable[[], str]
"""Returns what is wrong; empty if nothing is. Called from other threads than the event loop's."""


@contextmanager
def serve(
    host: str, port: int, registry: CollectorRegistry, *, live: Check, ready: Check
) -> Iterator[str]:
    """Serve while the block runs, and give it the address, such as `127.0.0.1:9464`.

    Raise UnavailableError if the port is taken: whoever has it may be about to end.
    """
    checks = {"/health/live": live, "/health/ready": ready}

    class Handler(_Handler):
        def answer(self, path: str) -> tuple[int, str, bytes]:
            if path == "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                return 200, kind, encode(registry)
            if (check := checks.get(path)) is None:
                return 404, "text/plain", b"not here: /metrics /health/live /health/ready\n"
            wrong = check()
            return (503 if wrong else 200), "text/plain", f"{wrong or 'ok'}\n".encode()

    try:
        server = _Server((host, port), Handler)
    except OSError as error:
        raise UnavailableError(
            f"cannot serve metrics on {host}:{port}: {error.strerror}; `http.port` names another"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that hangs does not hold up the end of the process


class _Handler(ABC, BaseHTTPRequestHandler):
    timeout = REQUEST_S
    server_version = "otpguard"
    sys_version = ""

    @abstractmethod
    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""

    def do_GET(self) -> None:
        """Answer one request."""
        status, kind, body = self.answer(urlsplit(self.path).path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a scrape every few seconds is no news."""
