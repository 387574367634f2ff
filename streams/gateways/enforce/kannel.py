"""Enforces leases with Kannel's blacklist of recipient numbers.

Kannel 1.4.5 fetches the list from this process (`black-list-receiver`) after an admin command
(`/reload-lists`). The list contains only recipients, so all messages to a recipient are refused,
including those of a bank. Platform leases are therefore ignored. The list has no expiry times
either, so this adapter removes numbers when leases end. The list is stored on disk and survives the
adapter: a new adapter continues with it without a gap.

Kannel receives the list from memory, so a release works even if the disk is full. In this case the
file is deleted. Otherwise a successor would start with the old file and throttle released
recipients.
"""

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

from streams.common import ConfigError, UnavailableError, tr
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, Order, Refusals
from streams.telemetry.metrics_server import BoundedServer, RequestHandler

LIST_PATH: Final = "/list.txt"
RELOAD_TIMEOUT_S: Final = 10.0
"""Timeout of an admin request, in seconds. Kannel loads 200,000 numbers in half a second. A Kannel
that hangs must not block the adapter for ever."""

NUMBER: Final = re.compile("[0-9]{5,18}")
"""Recipients that Kannel can compare: it compares the last 18 digits. Tokens (pseudonyms of
numbers) cannot be enforced by Kannel."""


_FULL: Final = {errno.ENOSPC, errno.EDQUOT}  # errors of a full disk, which may have space later


class KannelGateway(Gateway):
    """Serves the blacklist over HTTP, by default on loopback only. Accepts one call at a time."""

    batch_max = 1_000_000  # one reload costs the same for one change as for all of them
    again = narrow = False

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
        """`admin_url` is the root of bearerbox's admin port; `list_port` 0 selects any free port.

        Raise ConfigError if the list file cannot be written, and UnavailableError if the port is in
        use.
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
            raise UnavailableError(
                tr("cannot serve the list on {place}: {strerror}").format(
                    place=f"{list_host}:{list_port}", strerror=error.strerror
                )
            ) from None
        threading.Thread(target=self._server.serve_forever, name="list", daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def list_recipients(self) -> Iterable[str]:
        """Return the numbers that a previous adapter left on the list, after a reload."""
        self._admin("reload-lists")
        return self._numbers

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Add numbers to the list. Recipients that are not numbers are rejected for good."""
        numbers = {order.recipient for order in orders}
        refusals = {each: "not_a_number" for each in numbers if not NUMBER.fullmatch(each)}
        self._change(self._numbers | numbers - refusals.keys())
        return refusals

    def release(self, recipients: Sequence[str]) -> Refusals:
        self._change(self._numbers.difference(recipients))
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Remove numbers from the list: Kannel itself does not know when a lease ends."""
        return self.release(recipients)

    def health(self) -> str:
        """Check that bearerbox answers, and return a constant id of its stored leases.

        A new id would tell the adapter that the gateway lost its leases. Bearerbox loses none: when
        it starts, it fetches the list.
        """
        self._admin("status.txt")
        return "kannel"

    def clear(self) -> None:
        """Empty the list. A supervisor calls this when the adapter will not run again."""
        self._change(set())

    def close(self) -> None:
        """Stop serving. The list stays on disk unless `clear_at_close` is set."""
        if self._clear_at_close:
            # A Kannel that is down fetches the list when it starts.
            with suppress(GatewayAwayError):
                self.clear()
        self._server.shutdown()
        self._server.server_close()
        self._http.clear()

    def _change(self, numbers: set[str]) -> None:
        """Replace the list and make Kannel reload it.

        The file is written before the reload. If the reload fails, the next reload delivers the
        same list. If the file cannot be written, Kannel is still reloaded from memory, and then
        GatewayAwayError reports the failure.
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
        # A successor may read the file at any moment and must see either the old or the new list.
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
    """Read the numbers that a previous adapter left. Text that is not a number is ignored."""
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
    class Handler(RequestHandler):
        def answer(self, path: str) -> tuple[int, str, bytes]:
            return (
                (200, "text/plain", body_now()) if path == LIST_PATH else (404, "text/plain", b"")
            )

    return Handler
