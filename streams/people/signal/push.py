"""Push floods to banks by webhook: CloudEvents 1.0, signed with Standard Webhooks.

Pushing is off unless a client has a webhook (`sink`: the bank's URL for events). It covers only the
numbers in the client's own file: customers who agreed. An event keeps its id each time it is sent,
so the receiver can ignore duplicates. An event is sent again if it was not answered. After a
restart, events of the last hour are sent again. Each webhook has its own queue and rate.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from detectors.model.times import HOUR_MS
from streams.common import ConfigError, UnavailableError, read_bytes, tr, utc_exact
from streams.people.notices.channels import Delivered, Delivery, WebhookChannel
from streams.people.signal.clients import SignalClient
from streams.people.signal.lookup import FloodSpan, Lookup
from streams.people.signal.signal_audit import SignalLedger
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

log = logging.getLogger(__name__)

SOURCE: Final = "urn:otpguard:verification-flood-signal"
TYPE: Final = "otpguard.verification-flood-signal.v0"
LOOK_S: Final = 1.0
LOOK_BACK_MS: Final = HOUR_MS
"""Only floods with a message or an end in the last hour are read.

The end of a flood may be recorded late if its partition receives few messages.
"""
AGE_MAX_S: Final = 600.0
"""Maximum time to retry an event. A later event is useless to a payment check."""
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
ANSWER_S: Final = 5.0
WAITING_MAX: Final = 1_000  # events in the queue of a webhook; then the oldest is dropped
SEEN_MAX: Final = 200_000  # event ids kept per webhook
NUMBERS_MAX: Final = 2_000_000  # lines in the file of one client

FloodEventKind = Literal["flood-started", "flood-ended"]


@dataclass(frozen=True, slots=True)
class FloodEvent:
    """An event for a bank. `number` is in canonical form."""

    episode_id: str
    kind: FloodEventKind
    number: str
    started_ms: int
    ended_ms: int | None

    @property
    def event_id(self) -> str:
        """Id of the event: the same at each sending.

        Nothing about the flood can be derived from the id.
        """
        return hashlib.sha256(f"{self.episode_id}\n{self.kind}".encode()).hexdigest()[:32]

    def body(self) -> dict[str, Any]:
        at_ms = self.started_ms if self.ended_ms is None else self.ended_ms
        data = {"phoneNumber": f"+{self.number}", "started": utc_exact(self.started_ms)}
        if self.ended_ms is not None:
            data["ended"] = utc_exact(self.ended_ms)
        return {
            "specversion": "1.0",
            "id": self.event_id,
            "source": SOURCE,
            "type": f"{TYPE}.{self.kind}",
            "time": utc_exact(at_ms),
            "datacontenttype": "application/json",
            "data": data,
        }


def events_of(change: FloodSpan, number: str) -> Iterable[FloodEvent]:
    """Yield the events of a flood: its start, and its end if the flood is over."""
    yield FloodEvent(change.episode_id, "flood-started", number, change.first_ms, None)
    if change.ended_ms is not None:
        yield FloodEvent(change.episode_id, "flood-ended", number, change.first_ms, change.ended_ms)


class SinkNumbers:
    """The numbers of one client, by every stored form. The file is read again after a change."""

    def __init__(self, path: Path, numbers: Numbers, forms: Callable[[str], Iterable[str]]) -> None:
        """Read the file. Raise ConfigError for a line that is not a phone number.

        `forms` returns the forms under which a number may be stored.
        """
        self._path, self._numbers, self._forms = path, numbers, forms
        self._version = _version(path)  # version of the file that was last read, even invalid
        self.by_form = self._read()

    def renew(self) -> None:
        """Read the file again if it has changed. An invalid file is read once; old numbers stay."""
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self.by_form = self._read()
        except ConfigError as error:
            log.warning("%s: the numbers of before are kept: %s", self._path, type(error).__name__)
        else:
            log.warning("%s: the numbers are read again", self._path)

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            with self._path.open(encoding="utf-8") as lines:
                for place, line in enumerate(lines, 1):
                    if not (written := line.strip()):
                        continue
                    number = self._numbers.canonical(written)
                    if number is None or not number.isdecimal() or place > NUMBERS_MAX:
                        raise ConfigError(
                            tr("{path}, line {n}: no number").format(path=self._path, n=place)
                        )
                    found |= dict.fromkeys(self._forms(number), number)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(tr("{path}: {error}").format(path=self._path, error=error)) from None
        return found


def _version(path: Path) -> tuple[int, ...]:
    """Return values that differ after each change of a file; () if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Sink(WebhookChannel):
    """The webhook of one client. `post` blocks, so call it in a thread."""

    content_type = "application/cloudevents+json"

    def __init__(self, client: SignalClient) -> None:
        """Read the secret. Raise ConfigError if requests cannot be signed with it."""
        assert client.sink_secret_file is not None
        secret = read_bytes(client.sink_secret_file).strip()
        super().__init__(client.sink, secret, timeout_s=ANSWER_S)
        self.client = client


@dataclass(slots=True)
class Outgoing:
    """The queue of one webhook, and the ids of events that were queued before. Mutable."""

    sink: Sink
    numbers: SinkNumbers
    waiting: asyncio.Queue[tuple[float, FloodEvent]] = field(
        default_factory=lambda: asyncio.Queue(WAITING_MAX)
    )
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def put(self, event: FloodEvent, at_s: float) -> bool:
        """Queue an event if it is new. Return true if an old event was dropped to make room."""
        if event.event_id in self.seen:
            return False
        self.seen[event.event_id] = None
        if len(self.seen) > SEEN_MAX:
            self.seen.popitem(last=False)
        is_full = self.waiting.full()
        if is_full:
            self.waiting.get_nowait()
        self.waiting.put_nowait((at_s, event))
        return is_full


class Pusher:
    """Read floods from the store and push them to webhooks, until cancelled.

    Errors do not stop it. Errors are logged by type only, because an error message could contain a
    phone number.
    """

    def __init__(
        self,
        lookup: Lookup,
        ledger: SignalLedger,
        metrics: Metrics,
        outgoing: Iterable[Outgoing],
        now_ms: Callable[[], int],
        *,
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:
        self._lookup, self._ledger, self._metrics = lookup, ledger, metrics
        self._outgoing = list(outgoing)
        self._now_ms, self._pauses_s = now_ms, pauses_s
        self._met = ""  # error type of the last look; empty: none

    async def run(self) -> None:
        """Look for floods once a second, and deliver events. Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._outgoing:
                group.create_task(self._deliver(each))
            while True:
                await self.look()
                await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Queue new events from the store. After an error, the next call tries again.

        An error with the numbers of one client does not affect other clients.
        """
        met = ""
        changes: list[FloodSpan] = []
        try:
            changes = await asyncio.to_thread(self._lookup.changes, self._now_ms() - LOOK_BACK_MS)
        except Exception as error:  # noqa: BLE001 - otherwise all pushes would stop for good
            met = type(error).__name__
        for each in self._outgoing:
            try:
                await self._queue(each, changes)
            except Exception as error:  # noqa: BLE001 - for the same reason
                met = type(error).__name__
        if met != self._met:  # log an error once, not every second
            log.warning("the look for floods: %s", met or "goes on")
            self._met = met

    async def _queue(self, each: Outgoing, changes: Iterable[FloodSpan]) -> None:
        await asyncio.to_thread(each.numbers.renew)
        for change in changes:
            number = each.numbers.by_form.get(change.recipient)
            for event in events_of(change, number) if number else ():
                if each.put(event, time.monotonic()):
                    self._metrics.add("signal_pushes_total", outcome="dropped")

    async def _deliver(self, each: Outgoing) -> None:
        pause_s = 60 / each.sink.client.sink_per_minute
        while True:
            at_s, event = await each.waiting.get()
            await self._tell(each.sink, event, at_s + AGE_MAX_S)
            await asyncio.sleep(pause_s)

    async def _tell(self, sink: Sink, event: FloodEvent, until_s: float) -> None:
        """Send an event until it is accepted, refused, or too old. Audited before the first try."""
        line: dict[str, Any] = {
            "actor": sink.client.name, "channel": "api", "auth": "sink", "verb": "push",
            "subject": event.number, "episode_id": event.episode_id, "detail": event.kind,
        }  # fmt: skip
        asked = False
        for pause_s in chain(self._pauses_s, repeat(self._pauses_s[-1])):
            try:
                if not asked:
                    await self._ledger.write(**line, outcome="asked")
                    asked = True
                content = msgspec.json.encode(event.body())
                told = await asyncio.to_thread(sink.post, event.event_id, content)
            except UnavailableError:
                told = Delivery(Delivered.AWAY, "audit")
            except Exception as error:  # noqa: BLE001 - otherwise this would stop all webhooks
                told = Delivery(Delivered.UNKNOWN, type(error).__name__)
                log.warning("a push to %s met %s", sink.client.name, told.why)
            final = told.state in (Delivered.SENT, Delivered.REFUSED)
            if final or time.monotonic() + pause_s > until_s:
                break
            await asyncio.sleep(pause_s)
        sent = told.state is Delivered.SENT
        self._metrics.add("signal_pushes_total", outcome="sent" if sent else "failed")
        if not sent:
            log.warning("%s was not told of a flood: %s", sink.client.name, told.why or told.state)
        try:
            await self._ledger.write(**line, outcome="done" if sent else "failed", reason=told.why)
        except UnavailableError:
            log.warning("the audit has no end of a push to %s", sink.client.name)


def pusher_of(parts: Any) -> Pusher | None:
    """Return the pusher for all clients with a webhook, or None if there is no webhook.

    `parts`: the `SignalParts` of the service. Raises ConfigError for an unusable webhook.
    """
    outgoing = [
        Outgoing(
            Sink(client), SinkNumbers(client.sink_numbers_file, parts.numbers, parts.lookup.forms)
        )
        for client in parts.clients.values()
        if client.sink and client.sink_numbers_file is not None
    ]
    if not outgoing:
        return None
    return Pusher(parts.lookup, parts.ledger, parts.metrics, outgoing, parts.now_ms)
