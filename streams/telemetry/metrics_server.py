"""HTTP server for `/metrics`, `/health/live` and `/health/ready`, in threads of its own.

The server does not run in the event loop, because a liveness probe must be answered when the loop
hangs.
"""

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.common import UnavailableError, tr

REQUEST_S: Final = 5.0  # a slower client is disconnected
THREADS_MAX: Final = 8  # concurrent requests: enough for a scrape, probes and people
ROOM_S: Final = 1.0  # time for a disconnected client to free its thread

Check = Callable[[], str]
"""Returns a problem as text, or an empty string if all is well. Called from other threads than the
event loop's."""


@contextmanager
def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    *,
    live: Check,
    ready: Check,
    share: bool = False,
) -> Iterator[str]:
    """Serve while the block runs; yield the address, such as `127.0.0.1:9464`.

    With `share`, a successor may listen on the same port before this process ends. Raise
    UnavailableError if the port is in use, because its owner may be about to exit.
    """
    checks = {"/health/live": live, "/health/ready": ready}

    class Handler(RequestHandler):
        def answer(self, path: str) -> tuple[int, str, bytes]:
            if path == "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                return 200, kind, encode(registry)
            if (check := checks.get(path)) is None:
                return 404, "text/plain", b"not here: /metrics /health/live /health/ready\n"
            wrong = check()
            return (503 if wrong else 200), "text/plain", f"{wrong or 'ok'}\n".encode()

    try:
        server = BoundedServer((host, port), Handler, share=share)
    except OSError as error:
        raise UnavailableError(
            tr(
                "cannot serve metrics on {host}:{port}: {strerror}; OTPGUARD_HTTP_PORT={other} "
                "gives this process another, 0 any that is free"
            ).format(host=host, port=port, strerror=error.strerror, other=port + 10)
        ) from None
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class BoundedServer(ThreadingHTTPServer):
    """HTTP server with a limit on concurrent requests. Beyond it, the oldest is disconnected.

    Without a limit, a client that opens many connections could use all threads that the process may
    have. The newest connection is always served, so slow clients cannot block a probe.
    """

    daemon_threads = True
    block_on_close = False  # a client that hangs does not delay the end of the process
    request_queue_size = 128  # waiting connections; with the default of 5 a probe may wait a second
    threads_max = THREADS_MAX

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        *,
        share: bool = False,
    ) -> None:
        """`share`: other processes may listen on the same port too (SO_REUSEPORT)."""
        self.allow_reuse_port = share
        self._places = threading.Semaphore(self.threads_max)
        self._open: dict[socket.socket, None] = {}  # in order of arrival
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own. If all are busy, disconnect the oldest client."""
        if not self._places.acquire(blocking=False):
            self._cut_off_oldest()
            if not self._places.acquire(timeout=ROOM_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._open[request] = None
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread is available
            self._leave(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and free the place for the next request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: clients that disconnect, or are disconnected, are normal."""

    def _cut_off_oldest(self) -> None:
        with self._lock, suppress(OSError, StopIteration):
            next(iter(self._open)).shutdown(socket.SHUT_RDWR)

    def _leave(self, request: socket.socket) -> None:
        with self._lock:
            self._open.pop(request, None)
        self._places.release()


class RequestHandler(ABC, BaseHTTPRequestHandler):
    """Answers GET requests, within `REQUEST_S` seconds each, and logs none of them."""

    timeout = REQUEST_S
    server_version = "otpguard"
    sys_version = ""

    @abstractmethod
    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body."""

    def do_GET(self) -> None:
        status, kind, body = self.answer(urlsplit(self.path).path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: regular scrapes are not worth a log line."""
