"""Channels that carry a notice to a victim's phone: a file, and HTTP. SMPP is in `smpp.py`.

A channel reports what is known after an attempt. `AWAY`: the notice was not accepted, and is tried
again. `UNKNOWN`: the notice may have been accepted. Such a notice is not tried again, because the
victim could get it twice.
"""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec
import urllib3

from streams.common import FULL, ConfigError, UnavailableError, tr
from streams.common.tls import authorities, private
from streams.common.webhooks import sign_body, signers

CATEGORY: Final = "notice"
"""Category of every notice, in the vocabulary of `sms.delivery.v1`. It overrides the text."""
SCHEMA_VERSION: Final = 1
UCS2: Final = 8  # data coding
CONNECT_S: Final = 3.0
_NOT_TAKEN: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
"""HTTP statuses that mean: the server did nothing with the request."""


class Delivered(StrEnum):
    """Outcome of an attempt to send, as far as it is known."""

    SENT = "sent"
    AWAY = "away"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Delivery(NamedTuple):
    """Result of an attempt. `why` comes from a fixed set and contains no part of the message."""

    state: Delivered
    why: str = ""


class SmsNotice(NamedTuple):
    """A notice to a phone, ready to send."""

    notice_id: str
    kind: str
    recipient: str  # E.164 digits
    sender: str
    text: str
    language: str  # BCP 47 tag
    plain: bool  # true: data coding 0; false: UCS-2


class Channel(ABC):
    """Sends notices to phones. A channel is used by a single thread."""

    name: str

    @abstractmethod
    def send(self, message: SmsNotice) -> Delivery:
        """Send one notice and wait for the answer. Failures are returned, not raised."""

    def rest(self) -> None:  # noqa: B027 - most channels have nothing to keep alive
        """Keep a connection alive. Called about four times a second while nothing is sent."""

    def close(self) -> None:  # noqa: B027 - most channels have nothing to close
        """Close the connection."""


class FileChannel(Channel):
    """Append notices to a file as lines of JSON, for another system of the operator.

    A line is on disk before the notice is reported as sent.
    """

    name = "file"

    def __init__(self, path: Path) -> None:
        """Open the file, readable by its owner only, because it contains phone numbers.

        Raises UnavailableError if the disk is full, and ConfigError if the file cannot be opened
        for another reason.
        """
        self._path = path
        try:
            self._file, self._torn = _open_for_append(path)
        except OSError as error:
            kind = UnavailableError if error.errno in FULL else ConfigError
            raise kind(
                tr("notify.file {path}: {error}").format(path=path, error=error.strerror)
            ) from None

    def send(self, message: SmsNotice) -> Delivery:
        """Append one line. If the old file was moved away, write to a new one."""
        try:
            self._follow()
        except OSError as error:
            return Delivery(Delivered.AWAY, f"errno_{error.errno}")
        line = self._torn + msgspec.json.encode(body(message)) + b"\n"
        try:
            written = os.write(self._file, line)
            self._torn = b"" if written == len(line) else b"\n"
            os.fsync(self._file)
        except OSError as error:
            return Delivery(Delivered.UNKNOWN, f"errno_{error.errno}")
        return Delivery(Delivered.SENT if written == len(line) else Delivered.UNKNOWN)

    def close(self) -> None:
        os.close(self._file)

    def _follow(self) -> None:
        """Open the path again if it now names another file, for example after log rotation."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._file)):
                return
        file, self._torn = _open_for_append(self._path)
        os.close(self._file)
        self._file = file


class HttpChannel(Channel):
    """Sends notices by POST requests."""

    def __init__(self, url: str, *, timeout_s: float, ca_file: str | None = None) -> None:
        """Raise ConfigError if others could read or forge the requests."""
        if not url:
            raise ConfigError(tr("{setting} is empty, or no URL").format(setting="notify.url"))
        if not private(url):
            raise ConfigError(
                tr("{setting}: only https, or http to this machine").format(setting="notify.url")
            )
        self.url = url
        self._http = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=timeout_s),
            ssl_context=authorities("notify.ca_file", ca_file),
        )

    def request(self, content: bytes, headers: Mapping[str, str]) -> Delivery:
        """Send one POST request without following redirects. Return what is known afterwards."""
        try:
            answer = self._http.request(
                "POST", self.url, body=content, headers=dict(headers), redirect=False
            )
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.SSLError,
        ):
            return Delivery(Delivered.AWAY, "no_connection")
        except urllib3.exceptions.HTTPError as error:
            return Delivery(Delivered.UNKNOWN, type(error).__name__)
        status = answer.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Delivery(Delivered.SENT)
        if status in _NOT_TAKEN:
            return Delivery(Delivered.AWAY, f"http_{status}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Delivery(Delivered.UNKNOWN, f"http_{status}")
        return Delivery(Delivered.REFUSED, f"http_{status}")

    def close(self) -> None:
        self._http.clear()


class WebhookChannel(HttpChannel):
    """Send each notice as a signed POST (Standard Webhooks). The message id is the notice id.

    A receiver ignores an id that it has already seen, so a duplicate has no effect.
    """

    name = "webhook"

    content_type = "application/json"

    def __init__(
        self, url: str, secret: bytes, *, timeout_s: float, ca_file: str | None = None
    ) -> None:
        """Raise ConfigError if others could read or forge the requests."""
        super().__init__(url, timeout_s=timeout_s, ca_file=ca_file)
        if not secret:
            raise ConfigError(tr("notify.secret_file: a webhook is signed, so it needs one"))
        self._signers = signers([secret])

    def send(self, message: SmsNotice) -> Delivery:
        return self.post(message.notice_id, msgspec.json.encode(body(message)))

    def post(self, identity: str, content: bytes) -> Delivery:
        """Post any content under the given message id."""
        signature = sign_body(self._signers, identity, content, int(time.time()))
        return self.request(content, {"Content-Type": self.content_type, **signature})


class JasminChannel(HttpChannel):
    """Jasmin's HTTP API. The password is sent in the body, because URLs appear in logs."""

    name = "jasmin"

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        timeout_s: float,
        ca_file: str | None = None,
    ) -> None:
        """`url`: the address of `/send`. Raise ConfigError if the password could be intercepted."""
        super().__init__(url, timeout_s=timeout_s, ca_file=ca_file)
        self._user = {"username": username, "password": password}

    def send(self, message: SmsNotice) -> Delivery:
        fields = {**self._user, "to": message.recipient, "from": message.sender}
        if message.plain:
            fields |= {"coding": "0", "content": message.text}
        else:
            fields |= {"coding": str(UCS2), "hex-content": message.text.encode("utf-16-be").hex()}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request(urlencode(fields).encode(), kind)


def _open_for_append(path: Path) -> tuple[int, bytes]:
    """Open a file for appending. Return its descriptor, and the bytes to write before a new line.

    After a full disk the file may end in half a line. Then the bytes are a newline, so that the
    next notice gets a line of its own. The half line stays: cutting it off would shift the position
    of a process that follows the file.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return file, b"\n" if _ends_torn(path, os.fstat(file).st_size) else b""
    except OSError:
        os.close(file)
        raise


def _ends_torn(path: Path, size_bytes: int) -> bool:
    """Return true if a file ends in half a line. A pipe has no size, so it never does."""
    if not size_bytes:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def body(message: SmsNotice) -> dict[str, object]:
    """Return the JSON of a notice, for systems that are not SMS gateways.

    >>> body(SmsNotice("e:victim_end", "victim_end", "861", "10086", "x", "en", True))["category"]
    'notice'
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "notice_id": message.notice_id,
        "kind": message.kind,
        "category": CATEGORY,
        "recipient": message.recipient,
        "sender": message.sender,
        "text": message.text,
        "language": message.language,
    }
