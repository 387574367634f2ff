"""Asks the gate about a SIP MESSAGE, inside a worker of Kamailio that has nothing else to do.

Kamailio's `app_python3` loads this file into each of its processes (`mod_init` is its entry);
`otpguard.cfg` calls `ask` in a group of workers of its own. `ask` never raises and answers within
20 ms of when Kamailio took the message, whatever the gate and the name servers do: whatever fails,
the message passes. Standard library only, since it runs in the system's Python.

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
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

PASS, REFUSE, UNANSWERED = 1, 2, 3
"""What Kamailio finds in `$rc`; 0 would end its script.

UNANSWERED is the gate's own silence and nothing else, because eight of it in a row have Kamailio
leave the gate alone for a second, for everybody.
"""

ANSWER_S: Final = 0.02  # the gate's contract, from when Kamailio took the message
WARM_S: Final = 2.0  # for a gate that hangs when Kamailio starts
IDLE_S: Final = 60.0  # the gate closes a connection that was silent for 75 s
NAME_CHARS: Final = 64  # what the gate takes, as the next
IDENTIFIER_CHARS: Final = 128
ANSWER_OCTETS: Final = 4096  # head and all; the gate's own answers have some 200
LOOK_UP_S: Final = 1.0  # from one look-up of the gate's name to the next
NULL: Final = "<null>"  # Kamailio's word for what is not there
TYPE_CHARS: Final = 256  # of a content type: the time to parse it grows by the square of its length

CHARSETS: Final = frozenset({
    "utf-8", "us-ascii", "iso-8859-1", "utf-16", "utf-16be", "utf-16le",
    "gb2312", "gbk", "gb18030", "big5",
})  # fmt: skip
"""What a text is read in; any other charset is read as UTF-8.

The sender chooses the charset, and Python's own list holds codecs that raise where they should
replace, and ones that read code (`unicode_escape`).
"""

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
    head["Content-Type"] = content_type[:TYPE_CHARS] or "text/plain"
    kind = head.get_content_type()
    if kind == "application/vnd.3gpp.sms":
        try:
            return delivered(recipient, body)
        except (IndexError, ValueError):
            return Message(recipient, sender, None)  # offered it was, whatever it says
    if kind != "text/plain":
        return None  # "is composing" (RFC 3994), receipts (RFC 5438) and the like
    return Message(recipient, sender, body.decode(_charset(head), "replace"))


def _charset(head: email.message.Message) -> str:
    """The charset that a content type names, if it is one of ours; UTF-8 otherwise."""
    with contextlib.suppress(Exception):  # the parser raises several kinds at what it cannot sort
        named = head.get_param("charset", "utf-8")
        value = named[2] if isinstance(named, tuple) else named  # RFC 2231: charset, language
        if value.lower() in CHARSETS:
            return value.lower()
    return "utf-8"


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


class Wire(socket.socket):
    """A socket whose waits all end at one time, and that takes so many octets until then.

    A time-out of `socket` begins anew with each call, so what comes octet by octet never meets it,
    and `http.client` passes over any number of `100 Continue`.
    """

    end_s = 0.0
    octets_left = 0

    def allow(self, end_s: float) -> None:
        """Give what follows until `end_s` of `time.monotonic`, and `ANSWER_OCTETS`."""
        self.end_s, self.octets_left = end_s, ANSWER_OCTETS

    def connect(self, address: Any) -> None:
        """Connect as a socket does, in the time that is left."""
        self.settimeout(_left(self.end_s))
        super().connect(address)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send as a socket does, in the time that is left."""
        self.settimeout(_left(self.end_s))
        super().sendall(data, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive as a socket does, in the time and with the octets that are left."""
        if self.octets_left == 0:
            raise OSError("an answer too long to be the gate's")
        self.settimeout(_left(self.end_s))
        room = memoryview(buffer)[: self.octets_left]
        octets = super().recv_into(room, min(nbytes, len(room)), flags)
        self.octets_left -= octets
        return octets


def _left(end_s: float) -> float:
    left = end_s - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class GatePlace:
    """Where the gate is.

    A look-up of a name has no time-out and may take seconds, so no message waits for one: the name
    is looked up when Kamailio starts, and in a thread when none of its addresses takes us.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host.removeprefix("[").removesuffix("]"), port
        self._addresses: list[tuple[int, Any]] = []
        self._first = 0
        self._is_name = False
        self._looking, self._looked_s = threading.Lock(), 0.0
        try:
            self._look_up(socket.AI_NUMERICHOST)
        except OSError:
            self._is_name = True
            with contextlib.suppress(OSError):  # it may have no address yet
                self._look_up()

    def connect(self, end_s: float) -> Wire:
        """Connect to the first of its addresses that takes us; the next call begins there.

        Raises `OSError` if none does until `end_s`.
        """
        addresses = self._addresses  # a thread may put others in their place
        failure = OSError("the gate's name has no address")
        for _ in addresses:
            family, address = addresses[self._first % len(addresses)]
            _left(end_s)  # an address that there is no time for has not failed
            wire = Wire(family, socket.SOCK_STREAM)
            try:
                wire.allow(end_s)
                wire.connect(address)
                # The head of a question and its body are two packets: the second waits for nothing.
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                wire.close()
                self._first += 1
                failure = error
            else:
                return wire
        raise failure

    def look_again(self) -> None:
        """Look a name up in a thread, unless one does, or did a moment ago."""
        now_s = time.monotonic()
        if not self._is_name or now_s - self._looked_s < LOOK_UP_S or self._looking.locked():
            return
        self._looked_s = now_s
        threading.Thread(target=self._look_up_apart, daemon=True).start()

    def _look_up_apart(self) -> None:
        with self._looking, contextlib.suppress(Exception):  # the addresses of before stay
            self._look_up()

    def _look_up(self, flags: int = 0) -> None:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=flags)
        self._addresses = [(family, address) for family, _, _, _, address in found]


class GateConnection:
    """One connection to the gate, kept."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        self._place = GatePlace(host, port)
        self._connection = http.client.HTTPConnection(host, port)
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._used_s = 0.0

    def warm(self) -> None:
        """Go once through all that a question needs, then hang up.

        Python imports and compiles much at the first question, more than 20 ms of it: done before
        Kamailio forks, it costs no process anything. No thread may begin here, since a fork copies
        what a thread holds and not the thread.
        """
        with contextlib.suppress(Exception):
            self._connection.sock = self._place.connect(time.monotonic() + WARM_S)
            self._connection.request("GET", "/v1/ready", headers=self._headers)
            json.loads(self._connection.getresponse().read())
        with contextlib.suppress(Exception):
            self.refuses(b"{}", 0.0)  # its time is over before it connects
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
            _left(end_s)
            wire = connection.sock
            if not isinstance(wire, Wire):
                wire = connection.sock = self._connected(end_s)
            wire.allow(end_s)
            connection.request("POST", "/v1/submit", body, self._headers)
            answer = connection.getresponse()
            told = answer.read()
        except BaseException:
            connection.close()
            raise
        return answer.status == 200 and json.loads(told).get("ruling") == "refuse"

    def _connected(self, end_s: float) -> Wire:
        try:
            return self._place.connect(end_s)
        except OSError:
            self._place.look_again()
            raise


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
        for charset in CHARSETS:  # Python imports each codec at its first text
            read("", "", f"text/plain;charset={charset}", b"")

    def child_init(self, rank: int) -> int:  # noqa: ARG002 - Kamailio's
        """Begin in a process."""
        return 0

    def ask(self, _: Any, words: str = "") -> int:
        """PASS or REFUSE; UNANSWERED, which passes too, if the gate was asked and said nothing.

        `words`, apart by spaces, percent-encoded octets: seconds since 1970 when Kamailio took the
        message, recipient, sender, id, account, content type; last the body, in hexadecimal.
        """
        asked = None
        with contextlib.suppress(Exception):
            asked = self._asked(words)
        if asked is None:
            return PASS  # a sender could else shut the gate for all by what cannot be read
        with contextlib.suppress(Exception):
            return REFUSE if self._gate.refuses(*asked) else PASS
        return UNANSWERED

    def _asked(self, words: str) -> tuple[bytes, float] | None:
        """The question and the end of its time; None where nothing is to be asked.

        Raises whatever the words bring about, `TimeoutError` if the time is over.
        """
        at, *names, octets = words.split(" ")
        recipient, sender, message_id, account, kind = (
            unquote_to_bytes(each).decode("utf-8", "replace") for each in names
        )
        body = b"" if octets == NULL else bytes.fromhex(octets)
        message = read(recipient, sender, kind, body)
        if message is None:
            return None
        waited_s = min(max(0.0, time.time() - float(at)), self._answer_s)
        end_s = time.monotonic() + self._answer_s - waited_s
        _left(end_s)
        return question(message, message_id, account), end_s


def mod_init() -> Kamailio:
    """Kamailio's entry."""
    return Kamailio()
