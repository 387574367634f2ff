"""Leases as Kannel's list of numbers that it does not send to.

Kannel 1.4.5 fetches the list from us (`black-list-receiver`) when told to (`/reload-lists`). The
list knows recipients only: the bank is refused with the flood. It knows no time either, so ends are
orders here, and the list on disk outlives the adapter: a new one takes over from it without a gap.

Kannel gets the list that is in memory: a disk that is full keeps no release from being obeyed. Then
the file goes away, so that a successor begins with nothing rather than with who was let go.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import urllib3

from streams.enforce.gateway import CountsNothing, GatewayAwayError, Order, Refusals
from streams.errors import ConfigError, UnavailableError
from streams.language import tr
from streams.telemetry.http import REQUEST_S, BoundedServer

LIST_PATH: Final = "/list.txt"
RELOAD_TIMEOUT_S: Final = 10.0
"""200,000 numbers take Kannel half a second; a stuck one must not stop the adapter for ever."""

NUMBER: Final = re.compile("[0-9]{5,18}")
"""Numbers that Kannel can compare: it reads the last 18 digits. Tokens can't be enforced here."""


_FULL: Final = {errno.ENOSPC, errno.EDQUOT}  # a disk that may have room later


class KannelGateway(CountsNothing):
    """Serves the list, on loopback unless told otherwise. One call at a time."""

    batch_max = 1_000_000  # a reload costs the same for one change as for all of them
    parallel_max = 1
    tries_max: int | None = None
    again = False

    def __init__(
        self,
        list_file: Path,
        list_port: int,
        admin_url: str,
        password: str,
        *,
        list_host: str = "127.0.0.1",
        clear_at_close: bool = False,
    ) -> None:
        """`admin_url` is the root of bearerbox' admin port; `list_port` 0 takes any free port.

        Raise ConfigError if the list can't be kept where it should be, and UnavailableError if
        the port is taken.
        """
        self._file = list_file
        self._clear_at_close = clear_at_close
        self._admin_url = admin_url.rstrip("/")
        self._password = password
        self._numbers = _read(list_file)
        self._body = b""
        try:
            self._write()
        except OSError as error:
            if error.errno not in _FULL:
                raise ConfigError(
                    tr("kannel: cannot keep {list_file}: {strerror}").format(
                        list_file=list_file, strerror=error.strerror
                    )
                ) from None
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(RELOAD_TIMEOUT_S))
        try:
            self._server = BoundedServer((list_host, list_port), _serve(lambda: self._body))
        except OSError as error:
            place = f"{list_host}:{list_port}"
            raise UnavailableError(
                tr("cannot serve the list on {place}: {strerror}").format(
                    place=place, strerror=error.strerror
                )
            ) from None
        threading.Thread(target=self._server.serve_forever, name="list", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that serves the list."""
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

    def health(self) -> str:
        """Return a constant: bearerbox fetches the list by itself when it starts."""
        self._admin("status.txt")
        return "kannel"

    def clear(self) -> None:
        """Empty the list: what a supervisor does when the adapter will not come back."""
        self._change(set())

    def close(self) -> None:
        """Serve no more. The list stays on disk, unless it is to be cleared."""
        if self._clear_at_close:
            with suppress(GatewayAwayError):  # a Kannel that is away asks for it at its start
                self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._http.clear()

    def _change(self, numbers: set[str]) -> None:
        """Make these the list.

        It is written before Kannel is told, so that a failed reload is only late: the next one
        brings the same list. Kannel is told too if it can't be written: obeyed first, and then said
        to have failed.
        """
        self._numbers = numbers
        try:
            self._write()
        except OSError as error:
            with suppress(OSError):
                self._file.unlink()
            self._admin("reload-lists")
            name = errno.errorcode.get(error.errno or 0, "OSError")
            raise GatewayAwayError(f"list_{name}") from error
        self._admin("reload-lists")

    def _write(self) -> None:
        self._body = "".join(f"{number}\n" for number in sorted(self._numbers)).encode()
        # A successor may read at any moment: it must see the old list or the new one.
        scratch = self._file.with_suffix(".new")
        scratch.write_bytes(self._body)
        scratch.replace(self._file)

    def _admin(self, command: str) -> None:
        query = urlencode({"password": self._password})
        try:
            answer = self._http.request("GET", f"{self._admin_url}/{command}?{query}")
        except urllib3.exceptions.HTTPError as error:
            raise GatewayAwayError(type(error).__name__) from error
        if b"Denied" in answer.data:
            raise ConfigError(tr("kannel: the admin password is wrong"))
        if answer.status // 100 != 2:
            raise GatewayAwayError(f"http_{answer.status}")


def _read(list_file: Path) -> set[str]:
    """The numbers that an adapter left: what else stands there is nothing that Kannel could use."""
    try:
        text = list_file.read_text("ascii", "replace")
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise ConfigError(
            tr("kannel: cannot read {list_file}: {strerror}").format(
                list_file=list_file, strerror=error.strerror
            )
        ) from None
    return set(filter(NUMBER.fullmatch, text.split()))


def _serve(body_now: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_S

        def do_GET(self) -> None:
            if self.path != LIST_PATH:
                self.send_error(404)
                return
            body = body_now()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing: a request an hour is no news."""

    return Handler
