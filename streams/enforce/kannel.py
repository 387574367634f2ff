"""Leases as Kannel's list of numbers that it does not send to.

Kannel 1.4.5 fetches the list from us (`black-list-receiver`) when told to (`/reload-lists`). The
list knows recipients only: the bank is refused with the flood. It knows no time either, so ends are
orders here, and the list on disk outlives the adapter: a new one takes over from it without a gap.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import urllib3

from streams.enforce.gateway import GatewayAwayError, Order, Refusals
from streams.errors import ConfigError

LIST_PATH: Final = "/list.txt"
RELOAD_TIMEOUT_S: Final = 10.0
"""200,000 numbers take Kannel half a second; a stuck one must not stop the adapter for ever."""

NUMBER: Final = re.compile("[0-9]{5,18}")
"""What Kannel can compare: it reads the last 18 digits. Tokens can't be enforced here."""


class KannelGateway:
    """Serves the list on loopback. One call at a time."""

    batch_max = 1_000_000  # a reload costs the same for one change as for all of them
    parallel_max = 1
    tries_max: int | None = None

    def __init__(self, list_file: Path, list_port: int, admin_url: str, password: str) -> None:
        """`admin_url` is the root of bearerbox' admin port; `list_port` 0 takes any free port."""
        self._file = list_file
        self._admin_url = admin_url.rstrip("/")
        self._password = password
        self._numbers = set(list_file.read_text().split()) if list_file.exists() else set()
        if not list_file.exists():
            self._write()
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(RELOAD_TIMEOUT_S))
        self._server = ThreadingHTTPServer(("127.0.0.1", list_port), _serve(list_file))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="list", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the list is served."""
        return self._server.server_port

    def held(self) -> Iterable[str]:
        """The numbers on the list that an adapter before this one left."""
        self._admin("reload-lists")
        return self._numbers

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Put numbers on the list."""
        numbers = {order.recipient for order in orders}
        refusals = {each: "not_a_number" for each in numbers if not NUMBER.fullmatch(each)}
        self._change(self._numbers | numbers - refusals.keys())
        return refusals

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Take numbers off the list."""
        self._change(self._numbers.difference(recipients))
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Take numbers off the list: Kannel does not know when a lease is over."""
        return self.release(recipients)

    def refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Zeros: Kannel does not count."""
        return [0] * len(action_ids)

    def counted(self) -> Iterable[str]:
        """Nothing: Kannel does not count."""
        return ()

    def health(self) -> str:
        """Always the same one: bearerbox fetches the list by itself when it starts."""
        self._admin("status.txt")
        return "kannel"

    def clear(self) -> None:
        """Empty the list: what a supervisor does when the adapter will not come back."""
        self._change(set())

    def close(self) -> None:
        """Serve no more. The list stays on disk."""
        self._server.shutdown()
        self._server.server_close()
        self._http.clear()

    def _change(self, numbers: set[str]) -> None:
        """Make these the list.

        It is written before Kannel is told, so that a failed reload is only late: the next one
        brings the same list.
        """
        self._numbers = numbers
        self._write()
        self._admin("reload-lists")

    def _write(self) -> None:
        # Kannel may fetch at any moment: it must see the old list or the new one.
        scratch = self._file.with_suffix(".new")
        scratch.write_text("".join(f"{number}\n" for number in sorted(self._numbers)))
        scratch.replace(self._file)

    def _admin(self, command: str) -> None:
        query = urlencode({"password": self._password})
        try:
            answer = self._http.request("GET", f"{self._admin_url}/{command}?{query}")
        except urllib3.exceptions.HTTPError as error:
            raise GatewayAwayError(type(error).__name__) from error
        if b"Denied" in answer.data:
            raise ConfigError("kannel: the admin password is wrong")
        if answer.status // 100 != 2:
            raise GatewayAwayError(f"http_{answer.status}")


def _serve(list_file: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != LIST_PATH:
                self.send_error(404)
                return
            body = list_file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing: a request an hour is no news."""

    return Handler
