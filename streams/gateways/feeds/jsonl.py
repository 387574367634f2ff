"""Publishes JSON lines from a file or a pipe as `sms.delivery.v1`.

Used for rehearsals, and for the output of other programs.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, Final

import msgspec
from kafka import KafkaProducer

from streams.common import clock, tr
from streams.gateways.feeds.csv import Target
from streams.gateways.feeds.file_records import EVENT_BYTES_MAX, FileLine, Lines
from streams.gateways.feeds.mapping import (
    FieldMap,
    LackingError,
    UnmappableError,
    far_ahead,
    refuse_reserved,
)
from streams.gateways.feeds.record_keys import canonical_keys
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers
from streams.wire.events import EVENT_TIME_MAX_MS
from streams.wire.version import UNDECODABLE, encode_json

BATCH: Final = 5_000  # Lines published before their acknowledgements are awaited.
KEYS_MAX: Final = 12  # Number of keys of a line that an error message lists.
FIRST_MAX: Final = 3  # Number of invalid lines that are reported at once.
PACE_S: Final = 0.1  # With a rate: seconds of traffic that are published together.

_AS_NAMED: Final = FieldMap.parse([], [], "ms", None)
_row: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class LinesReport:
    """Counts of lines, and messages about the first invalid lines."""

    published: int = 0
    unreadable: int = 0
    is_cut: bool = False  # True if a compressed file is truncated.
    first: list[str] = field(default_factory=list)

    def miss(self, number: int, reason: str) -> None:
        self.unreadable += 1
        if len(self.first) < FIRST_MAX:
            self.first.append(tr("line {line}: {reason}").format(line=number, reason=reason))


def publish(
    stream: IO[bytes],
    producer: KafkaProducer,
    topic: str,
    numbers: Numbers,
    rules: FieldMap | None,
    metrics: Metrics,
    stop: threading.Event,
    *,
    rate: float | None = None,
    now: bool = False,
) -> LinesReport:
    """Publish each line that is a valid event.

    `rules`: how the fields of the carrier's lines become fields of an event. Without rules, each
    valid line is published unchanged, byte for byte.

    `rate`: maximum events per second. `now`: shift all event times equally, so that the newest
    event is now. For this, all lines are read into a temporary file before the first is published.
    """
    report, target = LinesReport(), Target(producer, topic)
    with ExitStack() as stack:
        shift_ms = 0
        if now:
            spooled = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, spooled)
            stream = spooled
            shift_ms = _shift_ms(stream, rules)
        source = Lines(stream, finished=True)
        lines = iter(source)
        began = time.monotonic()
        size = BATCH if rate is None else max(1, min(BATCH, int(rate * PACE_S)))
        while batch := list(islice(lines, size)):
            due = began if rate is None else began + report.published / rate
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            missed = report.unreadable
            values, written = _values(batch, rules, shift_ms, report)
            keys, nobody = canonical_keys(numbers, written)
            strangers = {at: values[at][0] for at in nobody}
            for number in strangers.values():
                report.miss(number, tr("recipient is neither a number nor a token"))
            events = [
                (key, value)
                for at, (key, (_, value)) in enumerate(zip(keys, values, strict=True))
                if at not in strangers
            ]
            report.published += target.send(events)
            metrics.add("feed_events_total", len(events), outcome="published")
            metrics.add("feed_events_total", report.unreadable - missed, outcome="unreadable")
        report.is_cut = source.waiting > 0
    return report


def events(data: bytes, rules: FieldMap | None) -> Iterator[dict[str, Any]]:
    """Yield the events of these lines, and leave out invalid lines."""
    for line in data.splitlines():
        with suppress(*UNDECODABLE, UnmappableError):
            yield _event(line, rules)


def _values(
    batch: list[FileLine], rules: FieldMap | None, shift_ms: int, report: LinesReport
) -> tuple[list[tuple[int, bytes]], list[str]]:
    """Return line numbers and values of the valid events, and their recipients as in the lines."""
    values: list[tuple[int, bytes]] = []
    written: list[str] = []
    for line in batch:
        if line.data is None or line.data.isspace():
            if line.data is None:
                report.miss(line.number, tr("it is too long"))
            continue
        try:
            row = _event(line.data, rules)
            if rules is not None:
                row.setdefault("message_id", f"line-{line.number}")
            recipient = row["recipient"]
            if not isinstance(recipient, str):
                raise UnmappableError(tr("recipient is no string"))  # noqa: TRY301 - as the others
            if shift_ms:
                row["event_time_ms"] += shift_ms
        except UNDECODABLE:
            report.miss(line.number, tr("it is no JSON object"))
        except LackingError as error:
            lacking = (rules or _AS_NAMED).describe_lacking(list(_row(line.data)), KEYS_MAX)
            report.miss(
                line.number, tr("no {name}").format(name=lacking) if lacking else str(error)
            )
        except UnmappableError as error:
            report.miss(line.number, str(error))
        else:
            value = line.data.strip() if rules is None and not shift_ms else encode_json(row)
            if len(value) > EVENT_BYTES_MAX:
                report.miss(line.number, tr("it is too long"))
                continue
            values.append((line.number, value))
            written.append(recipient)
    return values, written


def _event(data: bytes, rules: FieldMap | None) -> dict[str, Any]:
    row = _row(data)
    if rules is not None:
        return rules.value(row)
    for name, kind in (("recipient", str), ("sender", str), ("event_time_ms", int)):
        if type(row.get(name)) is not kind:
            raise LackingError(
                tr(
                    "{name} has another type than in sms.delivery.v1: "
                    "--map {name}={name} converts it"
                ).format(name=name)
            )
    # As the newest event, it would shift all others by a wrong amount.
    if row["event_time_ms"] > EVENT_TIME_MAX_MS:
        raise far_ahead()
    refuse_reserved(row)
    return row


def _shift_ms(stream: IO[bytes], rules: FieldMap | None) -> int:
    """Return the milliseconds between the newest event of a stream and now. Rewinds the stream."""
    stream.seek(0)
    times_ms = (
        event["event_time_ms"]
        for line in Lines(stream, finished=True)
        for event in events(line.data or b"", rules)
    )
    newest_ms = max(times_ms, default=None)
    stream.seek(0)
    return 0 if newest_ms is None else clock.now_ms() - newest_ms
