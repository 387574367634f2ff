"""Ways to a victim's phone: the answers they may give, a file, and HTTP. SMPP is in `smpp.py`.

What counts is what is known after a try. *Away*: it was not taken, and is tried again. *Unknown*:
it may have been taken, so that a second try could be a second message; it is left at that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3

from streams.errors import ConfigError, UnavailableError
from streams.files import FULL
from streams.language import tr
from streams.tls import authorities, private
from streams.webhooks import signed, signers

CATEGORY: Final = "notice"
"""Category of every notice in the words of `sms.delivery.v1`: it beats whatever its text says."""
SCHEMA_VERSION: Final = 1
UCS2: Final = 8  # data coding
CONNECT_S: Final = 3.0
_NOT_TAKEN: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Answers that say that nothing was done with the request."""


class Delivered(StrEnum):
    """The knowledge after a try."""

    SENT = "sent"
    AWAY = "away"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Delivery(NamedTuple):
    """The result of a try; `why` is of a closed set of words and holds nothing of the message."""

    state: Delivered
    why: str = ""


class SmsNotice(NamedTuple):
    """One message to one phone."""

    notice_id: str
    kind: str
    recipient: str  # E.164 digits
    sender: str
    text: str
    language: str  # BCP 47 tag
    plain: bool  # in data coding 0; else UCS-2


class Channel(Protocol):
    """One way to phones, used by one thread."""

    name: str

    def send(self, message: SmsNotice) -> Delivery:
        """Send one message, and wait for the answer. Raises nothing that a try may meet."""

    def rest(self) -> None:
        """Keep the connection alive; called about four times a second while nothing is sent."""

    def close(self) -> None:
        """Hang up."""


class FileChannel:
    """Lines of JSON for a system of the operator's that reads them; each is on disk when said."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """The file is for its owner alone: it holds numbers.

        Raises ConfigError, or UnavailableError where the disk is full.
        """
        self._path = path
        try:
            self._file, self._torn = _opened(path)
        except OSError as error:
            kind = UnavailableError if error.errno in FULL else ConfigError
            raise kind(
                tr("notify.file {path}: {error}").format(path=path, error=error.strerror)
            ) from None

    def send(self, message: SmsNotice) -> Delivery:
        """Append a line, to a new file if the old one was moved away."""
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

    def rest(self) -> None:
        """Do nothing: a file does not hang up."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _follow(self) -> None:
        """Open what lies at the path if that is another file by now, as after a rotation."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.stat(), os.fstat(self._file)):
                return
        file, self._torn = _opened(self._path)
        os.close(self._file)
        self._file = file


class WebhookChannel:
    """A signed POST for each notice, by Standard Webhooks; its id is the notice's.

    A receiver passes over an id that it had, so that even a doubled notice is one.
    """

    name = "webhook"

    def __init__(
        self, url: str, secret: bytes, *, timeout_s: float, ca_file: str | None = None
    ) -> None:
        """Raises ConfigError where others could read or forge what is sent."""
        _check_https("notify.url", url)
        if not secret:
            raise ConfigError(tr("notify.secret_file: a webhook is signed, so it needs one"))
        self._url = url
        self._signers = signers([secret])
        self._http = _pool(timeout_s, ca_file)

    def send(self, message: SmsNotice) -> Delivery:
        """Post it."""
        return self.post(message.notice_id, msgspec.json.encode(body(message)))

    def post(self, identity: str, content: bytes) -> Delivery:
        """Post anything under an id of its own."""
        headers = {
            "Content-Type": "application/json",
            **signed(self._signers, identity, content, int(time.time())),
        }
        return post(self._http, self._url, content, headers)

    def rest(self) -> None:
        """Do nothing: there is no connection to keep."""

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()


class JasminChannel:
    """Jasmin's HTTP API. Its password goes into the body: URLs are logged."""

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
        """The URL is that of `/send`. Raises ConfigError if the password could be overheard."""
        _check_https("notify.url", url)
        self._url = url
        self._user = {"username": username, "password": password}
        self._http = _pool(timeout_s, ca_file)

    def send(self, message: SmsNotice) -> Delivery:
        """Ask Jasmin to send it."""
        fields = {**self._user, "to": message.recipient, "from": message.sender}
        if message.plain:
            fields |= {"coding": "0", "content": message.text}
        else:
            content = message.text.encode("utf-16-be").hex()
            fields |= {"coding": str(UCS2), "hex-content": content}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return post(self._http, self._url, urlencode(fields).encode(), kind)

    def rest(self) -> None:
        """Do nothing: there is no connection to keep."""

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()


def _opened(path: Path) -> tuple[int, bytes]:
    """Open a file to append to; return with it what ends half a line there.

    A full disk left that, and the next line is to be one of its own. The half stays: what is cut
    off below a reader that follows the file would shift what it reads next.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return file, b"\n" if _ends_torn(path, os.fstat(file).st_size) else b""
    except OSError:
        os.close(file)
        raise


def _ends_torn(path: Path, size_bytes: int) -> bool:
    """Tell if a file ends within a line. A pipe has no size, and no half of before."""
    if not size_bytes:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def body(message: SmsNotice) -> dict[str, object]:
    """The JSON of a notice for a system that is not a gateway's own.

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


def post(
    http: urllib3.PoolManager, url: str, content: bytes, headers: Mapping[str, str]
) -> Delivery:
    """Post once, follow nothing, and say what is known then."""
    try:
        answer = http.request("POST", url, body=content, headers=dict(headers), redirect=False)
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


def _pool(timeout_s: float, ca_file: str | None) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        retries=False,
        timeout=urllib3.Timeout(connect=CONNECT_S, read=timeout_s),
        ssl_context=authorities("notify.ca_file", ca_file),
    )


def _check_https(setting: str, url: str) -> None:
    if not url:
        raise ConfigError(tr("{setting} is empty, or no URL").format(setting=setting))
    if not private(url):
        raise ConfigError(
            tr("{setting}: only https, or http to this machine").format(setting=setting)
        )
