"""A simulated SMSC with a webhook API: checks signatures, stores leases, answers as configured."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.enforce.loop import now_ms

SECRET: Final = b"shared"


class Receiver(ThreadingHTTPServer):
    """On this machine, so without TLS."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.leases: dict[str, dict[str, Any]] = {}  # by recipient
        self.answers: dict[str, int] = {}  # status by verb; else 200
        self.ids: set[str] = set()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/leases"

    def held(self) -> set[str]:
        """Recipients under a lease that is not over."""
        with self.lock:
            return {name for name, lease in self.leases.items() if lease["until"] > now_ms()}

    def take(self, identity: str, order: dict[str, Any]) -> int:
        """Do as an order says; an id that was here before was done before."""
        verb, recipient = order["verb"], order["recipient"]
        status = self.answers.get(verb, 200)
        with self.lock:
            if status == 200 and identity not in self.ids:
                self.ids.add(identity)
                if verb in ("throttle", "throttle_platforms"):
                    self.leases[recipient] = order["lease"]
                else:
                    self.leases.pop(recipient, None)
        return status


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            Webhook(SECRET).verify(body, dict(self.headers))
            status = self.server.take(self.headers["webhook-id"], json.loads(body))
        except WebhookVerificationError:
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run one."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
