"""Asks the gate about a SIP MESSAGE, inside a worker of Kamailio that has nothing else to do.

Kamailio's `app_python3` loads this file into each of its processes (`mod_init` is its entry);
`otpguard.cfg` calls `ask` in a group of workers of its own. `ask` never raises and answers within
20 ms of when Kamailio took the message: whatever fails, the message passes. Standard library only,
since it runs in the system's Python.

Bodies are `text/plain`, or `application/vnd.3gpp.sms`: RP-DATA on its way to a phone (3GPP TS
24.011, 8.2.5) with an SMS-DELIVER in it (TS 23.040, 9.2.2.1). What phones send, and reports, are
not asked about.
"""

from __future__ import annotations

import contextlib
import email.message
import http.client
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

PASS, REFUSE, UNANSWERED = 1, 2, 3
"""What Kamailio finds in `$rc`; 0 would end its script."""

ANSWER_S: Final = 0.02  # the gate's contract, from when Kamailio took the message
WARM_S: Final = 2.0  # for a gate that hangs when Kamailio starts
IDLE_S: Final = 60.0  # the gate closes a connection that was silent for 75 s
NAME_CHARS: Final = 64  # what the gate takes, as the next
IDENTIFIER_CHARS: Final = 128

GSM7: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of TS 23.038, 6.2.1."""

GSM7_MORE: Final = {
    10: "\f", 20: "^", 40: "{", 41: "}", 47: "\\", 60: "[", 61: "~", 62: "]", 64: "|", 101: "€",
}  # fmt: skip
"""Its extension table, behind an escape (6.2.1.1)."""

ESCAPE: Final = 27
ALPHANUMERIC: Final = 5  # type of number
INTERNATIONAL: Final = 1
CONCATENATED: Final = {0x00: 1, 0x08: 2}
"""Octets of the reference, by the element of a header that numbers parts (TS 23.040, 9.2.3.24)."""


@dataclass(frozen=True)
class Message:
    """What the gate is asked about; `text` None where it cannot be read."""

    recipient: str
    sender: str
    text: str | None
    segment: int = 1
    segments: int = 1
    reference: int = 0


def delivered(recipient: str, body: bytes) -> Message | None:
    """Read an RPDU; None unless it brings a phone an SMS-DELIVER.

    Raises `IndexError` or `ValueError` where octets are missing.
    """
    if body[0] & 7 != 1:  # RP-DATA from the network
        return None
    at = 2 + 1 + body[2]  # type, reference, originator
    at += 1 + body[at]  # destination: empty on this way
    tpdu = _whole(body, at + 1, body[at])
    return _deliver(recipient, tpdu) if tpdu[0] & 3 == 0 else None


def _deliver(recipient: str, tpdu: bytes) -> Message:
    digits, kind = tpdu[1], tpdu[2] >> 4 & 7
    octets = (digits + 1) // 2
    address = _whole(tpdu, 3, octets)
    if kind == ALPHANUMERIC:
        sender = septets(address, digits * 4 // 7)
    else:
        sender = "".join(f"{each & 15:x}{each >> 4:x}" for each in address)[:digits]
        sender = ("+" if kind == INTERNATIONAL else "") + sender.translate(_DIGITS)
    coding = tpdu[3 + octets + 1]  # behind the protocol identifier
    length = tpdu[3 + octets + 9]  # behind the time
    data = tpdu[3 + octets + 10 :]
    header, part = 0, (1, 1, 0)
    if tpdu[0] & 0x40:
        header = 1 + data[0]
        part = numbered(_whole(data, 1, data[0]))
    text = _text(data, length, header, coding)
    reference, segments, segment = part[2], part[1], part[0]
    return Message(recipient, sender, text, segment, segments, reference)


_DIGITS: Final = str.maketrans("abcde", "*#abc")  # half octets of TS 23.040, 9.1.2.3


def _whole(octets: bytes, at: int, length: int) -> bytes:
    if at + length > len(octets):
        raise IndexError("cut off")
    return octets[at : at + length]


def numbered(header: bytes) -> tuple[int, int, int]:
    """Return segment, segments and reference that a user data header tells; 1, 1, 0 if none."""
    at = 0
    while at + 1 < len(header):
        element, size = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + size]
        wide = CONCATENATED.get(element)
        if wide is not None and len(value) == wide + 2 and 1 <= value[-1] <= value[-2]:
            return value[-1], value[-2], int.from_bytes(value[:wide], "big")
        at += 2 + size
    return 1, 1, 0


def _text(data: bytes, length: int, header: int, coding: int) -> str | None:
    """The text behind a header of so many octets; None if it is compressed or binary."""
    alphabet = _alphabet(coding)
    if alphabet == "gsm7":
        before = (header * 8 + 6) // 7
        return septets(_whole(data, 0, (length * 7 + 7) // 8), length, before)
    text = _whole(data, 0, length)[header:]
    return text.decode("utf-16-be", "replace") if alphabet == "ucs2" else None


def _alphabet(coding: int) -> str | None:
    """The alphabet of a data coding scheme (TS 23.038, 4); None: compressed, or none."""
    group = coding >> 4
    if group < 0x8:  # general, and marked for deletion
        known = {0: "gsm7", 1: None, 2: "ucs2", 3: "gsm7"}  # 3 is reserved, and read as 0
        return None if coding & 0x20 else known[coding >> 2 & 3]
    if group == 0xE:  # a message waits, in UCS2
        return "ucs2"
    return None if group == 0xF and coding & 4 else "gsm7"


def septets(octets: bytes, count: int, skipped: int = 0) -> str:
    """Unpack so many septets, without the first, as the default alphabet writes them."""
    bits = int.from_bytes(octets, "little")
    out, escaped = [], False
    for n in range(skipped, count):
        value = bits >> 7 * n & 127
        if escaped:
            out.append(GSM7_MORE.get(value, GSM7[value]))
            escaped = False
        elif value == ESCAPE:
            escaped = True
        else:
            out.append(GSM7[value])
    return "".join(out)


def read(recipient: str, sender: str, content_type: str, body: bytes) -> Message | None:
    """Return the message in a body of SIP, or None where nothing is to be asked."""
    head = email.message.Message()
    head["Content-Type"] = content_type or "text/plain"
    kind = head.get_content_type()
    if kind == "application/vnd.3gpp.sms":
        try:
            return delivered(recipient, body)
        except (IndexError, ValueError):
            return Message(recipient, sender, None)  # offered it was, whatever it says
    if kind != "text/plain":
        return None  # "is composing" (RFC 3994), receipts (RFC 5438) and the like
    charset = head.get_content_charset("utf-8")
    try:
        text = body.decode(charset, "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    return Message(recipient, sender, text)


def question(message: Message, message_id: str, account: str) -> bytes:
    """Return the body of the question."""
    asked: dict[str, Any] = {
        "recipient": message.recipient[:IDENTIFIER_CHARS],
        "sender": message.sender[:NAME_CHARS],
        "message_id": message_id[:IDENTIFIER_CHARS],
        "account_id": account[:NAME_CHARS],
    }
    if message.text is not None:
        asked["text"] = message.text
    if message.segments > 1:
        asked |= {
            "segment": message.segment, "segments": message.segments,
            "reference": message.reference,
        }  # fmt: skip
    return json.dumps(asked).encode()


class GateConnection:
    """One connection to the gate, kept."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        self._connection = http.client.HTTPConnection(host, port)
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._used_s = 0.0

    def warm(self) -> None:
        """Go once through all that a question needs, then hang up.

        Python imports and compiles much at the first question, more than 20 ms of it: done before
        Kamailio forks, it costs no process anything.
        """
        with contextlib.suppress(Exception):
            self._connection.timeout = WARM_S
            self._connection.request("GET", "/v1/ready", headers=self._headers)
            json.loads(self._connection.getresponse().read())
        with contextlib.suppress(Exception):
            self.refuses(b"{}", 0.0)
        self._connection.close()

    def refuses(self, body: bytes, end_s: float) -> bool:
        """Ask, until `end_s` of `time.monotonic`.

        Raises `OSError` or `HTTPException` if there is no answer, `ValueError` if it is none.
        """
        connection, now_s = self._connection, time.monotonic()
        if now_s - self._used_s > IDLE_S:
            connection.close()
        self._used_s = now_s
        try:
            connection.timeout = _left(end_s)
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(_left(end_s))
            connection.request("POST", "/v1/submit", body, self._headers)
            connection.sock.settimeout(_left(end_s))
            answer = connection.getresponse()
            told = answer.read()
        except BaseException:
            connection.close()
            raise
        return answer.status == 200 and json.loads(told).get("ruling") == "refuse"


def _left(end_s: float) -> float:
    left = end_s - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Kamailio:
    """What the script calls; an object in each of Kamailio's processes."""

    def __init__(self) -> None:
        place = os.environ.get("OTPGUARD_GATE", "127.0.0.1:9080")
        host, _, port = place.rpartition(":")
        token_file, token = os.environ.get("OTPGUARD_GATE_TOKEN_FILE"), ""
        if token_file:
            token = Path(token_file).read_text("ascii").strip()
        self._answer_s = float(os.environ.get("OTPGUARD_GATE_ANSWER_S", ANSWER_S))
        self._gate = GateConnection(host, int(port), token)
        self._gate.warm()
        read("", "", "text/plain", b"")

    def child_init(self, rank: int) -> int:  # noqa: ARG002 - Kamailio's
        """Begin in a process."""
        return 0

    def ask(self, _: Any, words: str = "") -> int:
        """PASS or REFUSE; UNANSWERED, which passes too.

        `words`, apart by spaces, percent-encoded octets: seconds since 1970 when Kamailio took the
        message, recipient, sender, id, account, content type; last the body, in hexadecimal.
        """
        with contextlib.suppress(Exception):
            at, *names, octets = words.split(" ")
            recipient, sender, message_id, account, kind = (
                unquote_to_bytes(each).decode("utf-8", "replace") for each in names
            )
            message = read(recipient, sender, kind, bytes.fromhex(octets))
            if message is None:
                return PASS
            waited_s = min(max(0.0, time.time() - float(at)), self._answer_s)
            end_s = time.monotonic() + self._answer_s - waited_s
            refuse = self._gate.refuses(question(message, message_id, account), end_s)
            return REFUSE if refuse else PASS
        return UNANSWERED


def mod_init() -> Kamailio:
    """Kamailio's entry."""
    return Kamailio()
