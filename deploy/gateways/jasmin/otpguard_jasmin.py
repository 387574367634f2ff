"""Looks up and reports every submission, inside Jasmin's interceptord.

`refuses(routable)` never raises and waits for Redis at most once in a cool-down: whatever fails,
the message passes. One round trip in the common case: a Lua call looks the lease up and, if there
is none, reports the submission as accepted. Only for a recipient under lease is the text looked at,
by the rules of the detector itself (`detectors`), and the ruling reported in a second call.

Jasmin calls it from its reactor, one message at a time, so nothing here needs a lock, and every
millisecond here is one of the gateway. Connections are therefore made in a thread: a name server
that does not answer costs five seconds, a handshake more than a look-up may take.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import messaging.sms.gsm0338  # noqa: F401 - registers the codec
import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, parse_url
from redis.retry import Retry
from smpp.pdu.pdu_encoding import DataCodingEncoder, EsmClassEncoder

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.leases.parts import FirstPart, LongMessages
from detectors.leases.retry_budget import most, window_of
from detectors.model.event import Trust, platform_id
from detectors.model.records import AgainWindow, Scope
from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.thresholds import AGAIN_BUDGET_MS
from streams.wire.recipients import Numbers

log = logging.getLogger("otpguard")

TIMEOUT_S: Final = 0.015
"""A Redis on the same network answers in under 1 ms; the gateway stands still while we wait."""
CONNECT_S: Final = 2.0  # to connect and shake hands, where nobody waits for it
FIRST_S: Final = 1.0  # that the import waits for the first connection, once
COOL_DOWN_S: Final = 2.0
"""After a failure Redis is left alone so long: a frozen one then costs under 1 % of the time."""
STREAM_ENTRIES: Final = 1_000_000
"""What Redis keeps for a feed that is away: 20 min at 800 submissions a second, some 400 MB."""
LONG_PARTS_MAX: Final = 255  # of one message: what its header can number
REFUSED_COUNTER_S: Final = 86_400
VALUE_VERSION: Final = 1
NARROW_VERSION: Final = 2  # of a platform lease

ESME_RSUBMITFAIL: Final = 0x45
"""Refuses this message, for good. After 0x58 (throttled) a sender may pause the whole bind, and
repeats the message, which looks like a person who asks again; after 0x0B (destination) the victim's
number may come upon lists of numbers that get nothing more."""

LOOK: Final = """
local lease = redis.call('GET', KEYS[1])
if not lease then
  redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'value', ARGV[1])
end
return lease
"""
"""A report that a full Redis does not take (`pcall`) must not cost the look-up: the next would be
left out too, and whoever fills Redis would have switched the throttle off."""

AGAIN: Final = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2] - ARGV[3])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""Lets a second request pass, if its window was not used and the budget has room: for all gateways
of this Redis at once. As `detectors.leases.retry_budget`."""

_UDH_INDICATOR: Final = 0x40
_UCS2: Final = 8
_CODECS: Final = {
    0: "gsm0338",
    1: "ascii",
    3: "latin-1",
    6: "iso8859-5",
    7: "iso8859-8",
    _UCS2: "utf-16-be",
}


@dataclass(frozen=True)
class Submission:
    """What the detector wants to know about one submission."""

    recipient: str  # as submitted
    sender: str
    text: str
    part: int  # of a long message, from 1
    parts: int
    reference: int  # that the parts of a long message share


_may_connect: Final = threading.local()


class _Made:
    """Before a redis-py connection in its bases: only a thread that says so may open it."""

    _sock: Any
    socket_timeout: Any
    answer_s = TIMEOUT_S

    def connect(self) -> None:
        """Raises ConnectionError at once where nobody may wait."""
        if self._sock is None:
            if not getattr(_may_connect, "yes", False):
                raise redis.ConnectionError("not connected")
            self.socket_timeout = CONNECT_S
            super().connect()  # type: ignore[misc]
            self.socket_timeout = self.answer_s
            made: Any = self._sock
            made.settimeout(self.answer_s)


class Connector:
    """Keeps a client connected, in a thread of its own."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._wanted = threading.Event()
        self._up = threading.Event()
        self._wanted.set()
        threading.Thread(target=self._run, name="redis", daemon=True).start()

    def lost(self) -> None:
        """Connect anew; does not wait."""
        self._up.clear()
        self._wanted.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until it is connected, or the time is over."""
        self._up.wait(timeout_s)

    def _run(self) -> None:
        _may_connect.yes = True
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._client.ping()
                self._up.set()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                log.debug("not connected: %s", type(error).__name__)
                time.sleep(COOL_DOWN_S)
                self._wanted.set()


class Interceptor:
    """Holds the connection, the registry, and the first parts of long messages for a moment."""

    def __init__(
        self,
        client: redis.Redis,
        registry: Registry,
        numbers: Numbers,
        gateway_id: str,
        prefix: str = "otpguard:",
        stream_entries: int = STREAM_ENTRIES,
        answer_s: float = TIMEOUT_S,
    ) -> None:
        """`client` is one of `connected`: it raises at once where it has no connection.

        An answer that took longer than `answer_s` is used, and the next ones are not waited for.
        """
        self._client = client
        self._connector = Connector(client)
        self._look = client.register_script(LOOK)
        self._take = client.register_script(AGAIN)
        self._registry = registry
        self._numbers = numbers
        self._gateway_id = gateway_id
        self._throttle = f"{prefix}throttle:"
        self._refused = f"{prefix}refused:"
        self._again = f"{prefix}again:"
        self._platforms = f"{prefix}platforms:"
        self._stream = f"{prefix}submissions"
        self._stream_entries = stream_entries
        self._answer_s = answer_s
        self._ids = count()
        self._boot = f"{time.time_ns():x}"
        self._away_until = 0.0
        self._quiet_until = 0.0
        self._long = LongMessages()

    def refuses(self, routable: Any) -> bool:
        """Whether the gateway should refuse this submission. Never raises."""
        now = time.monotonic()
        if now < self._away_until:
            return False
        try:
            return self._refuses(read(routable), round(time.time() * 1000), now)
        except redis.ResponseError as error:
            self._say(error, now)  # it answered at once, if not what was asked
        except redis.RedisError as error:
            self._leave_alone(error, now)
        except Exception as error:  # noqa: BLE001 - an exception would make Jasmin refuse the message
            self._say(error, now)
        return False

    def connect(self, timeout_s: float) -> None:
        """Wait for the first connection, at most so long."""
        self._connector.wait(timeout_s)

    def _say(self, error: Exception, now: float) -> None:
        if now >= self._quiet_until:
            self._quiet_until = now + COOL_DOWN_S
            log.warning("a submission passes unseen: %s", type(error).__name__)

    def _leave_alone(self, error: redis.RedisError, now: float) -> None:
        self._away_until = now + COOL_DOWN_S
        self._connector.lost()
        log.warning("redis is away (%s): messages pass", type(error).__name__)

    def _refuses(self, submission: Submission, now_ms: int, now: float) -> bool:
        recipient = self._numbers.canonical(submission.recipient) or submission.recipient
        report = {
            "schema_version": 1,
            "recipient": recipient,
            "sender": submission.sender,
            "event_time_ms": now_ms,
            "message_id": f"{self._boot}-{next(self._ids)}",
            "event_type": "submit",
            "gateway_id": self._gateway_id,
            "text": submission.text,
            "segment": submission.part,
            "segments": submission.parts,
            "status": "accepted",
        }
        key = self._throttle + recipient
        asked = time.monotonic()
        found = self._look(keys=[key, self._stream], args=[_dump(report), self._stream_entries])
        if time.monotonic() - asked > self._answer_s:  # each piece of it came in time
            self._leave_alone(redis.TimeoutError(), time.monotonic())
        if found is None:
            self._begin_without_lease(submission, recipient, now)
            return False
        lease = lease_of(found)
        ruling, platform = self._ruling(lease, submission, recipient, now_ms, now)
        refused = ruling is Ruling.REFUSE
        pipe = self._client.pipeline(transaction=False)
        if refused:
            report["status"], report["error_code"] = "refused", str(ESME_RSUBMITFAIL)
            pipe.incr(self._refused + lease.action_id)
            pipe.expire(self._refused + lease.action_id, REFUSED_COUNTER_S)
            if platform:
                pipe.hincrby(self._platforms + lease.action_id, str(platform_id(platform)), 1)
                pipe.expire(self._platforms + lease.action_id, REFUSED_COUNTER_S)
        pipe.xadd(self._stream, {"value": _dump(report)}, maxlen=self._stream_entries)
        # The ruling is known; whatever fails here, only its report is lost.
        try:
            pipe.execute()
        except redis.ResponseError as error:
            self._say(error, now)
        except redis.RedisError as error:
            self._leave_alone(error, now)
        return refused

    def _ruling(
        self, lease: Lease, submission: Submission, recipient: str, now_ms: int, now: float
    ) -> tuple[Ruling, str]:
        """The common rule, and the platform; later parts share the first's fate, and have none."""
        long = (recipient, submission.sender, submission.reference)
        part, parts = submission.part, submission.parts
        if part > 1:
            fate = self._long.fate(long, part, parts, lease, now_ms, now)
            if fate is not None:
                return fate, ""
        verdict = recognise(self._registry, submission.text, sender=submission.sender)
        ruling = rule(
            lease,
            otp=verdict.otp,
            platform=verdict.platform,
            trust=verdict.trust,
            now_ms=now_ms,
        )
        if ruling is Ruling.AGAIN and not self._passes_again(
            recipient, window_of(lease, verdict.platform, now_ms), now_ms
        ):
            ruling = Ruling.REFUSE
        refused = ruling is Ruling.REFUSE
        if part > 1:
            if refused:
                self._long.refuse(long, parts, lease, now_ms, now)
        elif parts > 1:
            first = FirstPart(parts, verdict.platform, verdict.trust, refused)
            self._long.begin(long, first, lease, now)
        else:  # a message of the same number was another one
            self._long.forget(long)
        return ruling, verdict.platform

    def _begin_without_lease(self, submission: Submission, recipient: str, now: float) -> None:
        """Remember whose a long message is: a lease may come before its later parts."""
        if submission.part == 1 and submission.parts > 1:
            verdict = recognise(self._registry, submission.text, sender=submission.sender)
            long = (recipient, submission.sender, submission.reference)
            first = FirstPart(submission.parts, verdict.platform, verdict.trust)
            self._long.begin(long, first, None, now)

    def _passes_again(self, recipient: str, window: AgainWindow | None, now_ms: int) -> bool:
        """Whether a window has not been used yet, and the budget has room."""
        if window is None:
            return False
        key = f"{self._again}{recipient}:{int(window.hot)}"
        args = [window.platform_id, now_ms, AGAIN_BUDGET_MS, most(window)]
        return bool(self._take(keys=[key], args=args))


def read(routable: Any) -> Submission:
    """A submission as Jasmin hands it over: over SMPP a part at a time, over HTTP as a chain."""
    pdu = routable.pdu
    texts: list[str] = []
    part, parts, reference = 1, 1, 0
    while pdu is not None and len(texts) < LONG_PARTS_MAX:
        params = pdu.params
        body = params.get("message_payload") or params.get("short_message") or b""
        if isinstance(body, str):
            body = body.encode()
        if _number(params.get("esm_class"), EsmClassEncoder) & _UDH_INDICATOR and body:
            header, body = body[1 : 1 + body[0]], body[1 + body[0] :]
            reference, parts, part = _concatenation(header) or (reference, parts, part)
        elif params.get("sar_total_segments") and pdu is routable.pdu:
            reference = int(params.get("sar_msg_ref_num") or 0)
            parts = int(params["sar_total_segments"])
            part = int(params.get("sar_segment_seqnum") or 1)
        coding = _number(params.get("data_coding"), DataCodingEncoder)
        texts.append(_decoded(body, coding))
        pdu = getattr(pdu, "nextPdu", None)
    if len(texts) > 1 or part > parts:  # the whole in one call; or a header that no phone heeds
        part, parts = 1, 1
    params = routable.pdu.params
    return Submission(
        recipient=_text(params.get("destination_addr")),
        sender=_text(params.get("source_addr")),
        text="".join(texts),
        part=part,
        parts=parts,
        reference=reference,
    )


def lease_of(value: bytes) -> Lease:
    """What the adapter wrote. Raises ValueError for a version that is not known here."""
    fields = json.loads(value)
    if fields["v"] not in (VALUE_VERSION, NARROW_VERSION):
        raise ValueError(f"lease of version {fields['v']}")
    return Lease(
        action_id=fields["action"],
        expires_at_ms=fields["until"],
        scope=Scope(
            category=fields["category"],
            trust=tuple(Trust[name.upper()] for name in fields["trust"]),
            pass_ids=tuple(fields["ids"]),
            pass_prints=tuple(fields["prints"]),
        ),
        again=tuple(
            AgainWindow(each["id"], each["from"], each["until"], each.get("hot", False))
            for each in fields.get("again", ())
        ),
        refused_ids=frozenset(fields.get("refused", ())),
        narrow=fields["v"] == NARROW_VERSION,
    )


def _concatenation(header: bytes) -> tuple[int, int, int] | None:
    """Reference, parts and part of a user data header (3GPP TS 23.040, 9.2.3.24), or None."""
    at = 0
    while at + 2 <= len(header):
        kind, length = header[at], header[at + 1]
        data = header[at + 2 : at + 2 + length]
        if (kind, len(data)) == (0x00, 3) and data[2]:
            return data[0], max(data[1], 1), data[2]
        if (kind, len(data)) == (0x08, 4) and data[3]:
            return data[0] << 8 | data[1], max(data[2], 1), data[3]
        at += 2 + length
    return None


def _decoded(body: bytes, coding: int) -> str:
    """The text of a part. Octets that its alphabet does not have are what senders mean by them.

    Jasmin's own codec of the default alphabet raises TypeError for each over 127: a sender who
    wrote one, by mistake or not, would pass unseen.
    """
    high = sum(octet > 0x7F for octet in body)
    if coding == 0 and high:
        chinese = ("gb18030",) if high * 3 > len(body) else ()  # else a word with an accent
        for codec in ("utf-8", *chinese):
            try:
                return body.decode(codec)
            except UnicodeDecodeError:
                continue
        return body.decode("latin-1")
    return body.decode(_CODECS.get(coding, "latin-1"), "replace")


def _number(field: Any, encoder: Any) -> int:
    """Jasmin gives an int over HTTP, and an object over SMPP."""
    if field is None or isinstance(field, int):
        return field or 0
    return int.from_bytes(encoder().encode(field), "big")


def _text(field: Any) -> str:
    return field.decode("utf-8", "replace") if isinstance(field, bytes) else str(field or "")


def _dump(report: dict[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "replace")


def connected(url: str, answer_s: float = TIMEOUT_S) -> redis.Redis:
    """A client whose connections are made where a `Connector` makes them, and nowhere else.

    `answer_s`: how long a submission waits for an answer of Redis, in seconds.
    """
    kind = parse_url(url).get("connection_class", Connection)  # type: ignore[no-untyped-call]
    pool = ConnectionPool.from_url(
        url,
        connection_class=type("Made", (_Made, kind), {"answer_s": answer_s}),
        socket_timeout=answer_s,
        socket_connect_timeout=CONNECT_S,
        retry=Retry(NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)


def from_environment() -> Interceptor:
    """The interceptor that interceptord's environment describes."""
    answer_s = float(os.environ.get("OTPGUARD_REDIS_ANSWER_S", TIMEOUT_S))
    url = os.environ.get("OTPGUARD_REDIS_URL", "redis://127.0.0.1:6379/0")
    client = connected(url, answer_s)
    country = os.environ.get("OTPGUARD_INPUT_COUNTRY", "CN")
    registry = Registry.load_shipped(country)
    if path := os.environ.get("OTPGUARD_RECOGNISE_REGISTRY_FILE"):
        registry, _ = registry.merge(Registry.load(Path(path).read_text("utf-8")))
    interceptor = Interceptor(
        client,
        registry,
        Numbers(country),
        os.environ.get("OTPGUARD_GATEWAY_ID", "jasmin"),
        stream_entries=int(os.environ.get("OTPGUARD_STREAM_ENTRIES", STREAM_ENTRIES)),
        answer_s=answer_s,
    )
    interceptor.connect(FIRST_S)
    return interceptor


refuses = from_environment().refuses
