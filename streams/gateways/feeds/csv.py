"""Publishes call detail records from CSV files as `sms.delivery.v1`; resumable, no row lost.

`streams.gateways.feeds.progress` stores the position in a file after Kafka has acknowledged the
records. A crash publishes some records twice, with the same ids, which changes no decision. A row
that cannot be read becomes a line in `<file>.rejects`, and is tried again when the rules change.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote_plus

import msgspec
from kafka import KafkaProducer

from streams.cluster.admin import working
from streams.common import UsageError, clock, join_list, suggest, tr
from streams.gateways.feeds.file_records import (
    EVENT_BYTES_MAX,
    FileLayout,
    Lines,
    RowRecord,
    read_names,
    records,
)
from streams.gateways.feeds.mapping import FieldMap, UnmappableError, far_ahead
from streams.gateways.feeds.progress import Progress, RejectedRow, fingerprint
from streams.gateways.feeds.record_keys import canonical_keys
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

BATCH: Final = 5_000  # Records published before their acknowledgements are awaited.
REJECTS_MAX: Final = 100_000
"""Maximum number of rejected rows per run. More rejects mean a wrong mapping, and would fill the
disk."""

LONG_BYTES: Final = 5_000
"""Row length in bytes above which the size of its event is measured. In JSON one byte can become up
to six bytes, and one column can supply several fields."""

OLDEST_MS: Final = 946_684_800_000
"""2000-01-01 in milliseconds UTC. An earlier event time was written in another unit."""

FIGURE_MS: Final = 366 * 86_400_000
"""Limit in milliseconds. If an event is further ahead, the error does not quote its time: the value
could be a number from another column."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RowRules:
    """The rules that map the rows of a file to events."""

    fields: FieldMap
    layout: FileLayout
    numbers: Numbers
    ahead_max_ms: int
    # Column -> values of the rows that are wanted.
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    escaped: frozenset[str] = frozenset()  # Columns in which bytes are written as %XX.

    def others(self, names: Sequence[str], record: RowRecord) -> bool:
        """Return true if a row is of a kind that is not published, such as a delivery receipt."""
        fields = record.fields
        return fields is not None and any(
            dict(zip(names, fields, strict=True)).get(column) not in wanted
            for column, wanted in self.only.items()
        )

    @property
    def identity(self) -> str:
        """Return twelve hex digits that change whenever a rule for readable rows changes."""
        only = sorted((column, sorted(wanted)) for column, wanted in self.only.items())
        told = f"{self.fields.described} {self.layout} {only} {sorted(self.escaped)}"
        return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

    def events(
        self, names: Sequence[str], batch: Sequence[RowRecord], file: str, now_ms: int
    ) -> tuple[list[tuple[bytes, dict[str, Any]]], list[tuple[RowRecord, str]], int]:
        """Return keys and values of the valid records, and the invalid records with the reasons.

        The last value is the number of records that are of a kind that is not published.
        `file` is the file's fingerprint. The fingerprint is part of the message id of records that
        have no id of their own. `now_ms` is UTC.
        """
        good: list[tuple[RowRecord, dict[str, Any]]] = []
        bad: list[tuple[RowRecord, str]] = []
        wanted = [record for record in batch if not self.others(names, record)]
        for record in wanted:
            try:
                good.append((record, self._value(names, record, file, now_ms)))
            except UnmappableError as error:
                bad.append((record, str(error)))
        keys, nobody = canonical_keys(self.numbers, [str(value["recipient"]) for _, value in good])
        strangers = set(nobody)
        bad += [(good[at][0], tr("recipient is neither a number nor a token")) for at in nobody]
        events = [
            (key, value)
            for at, (key, (_, value)) in enumerate(zip(keys, good, strict=True))
            if at not in strangers
        ]
        return events, sorted(bad, key=lambda each: each[0].start), len(batch) - len(wanted)

    def _value(
        self, names: Sequence[str], record: RowRecord, file: str, now_ms: int
    ) -> dict[str, Any]:
        if record.fields is None:
            raise UnmappableError(record.reason)
        row = dict(zip(names, record.fields, strict=True))
        for column in self.escaped & row.keys():
            row[column] = unquote_plus(row[column])
        value = self.fields.value(row, f"{file}-{record.start}")
        at_ms = value["event_time_ms"]
        ahead_ms = at_ms - now_ms
        if ahead_ms > FIGURE_MS:
            raise far_ahead()
        if ahead_ms > self.ahead_max_ms:
            raise UnmappableError(
                tr("event_time_ms is {ahead_h:.1f} h ahead: another zone or unit?").format(
                    ahead_h=ahead_ms / 3_600_000
                )
            )
        if at_ms < OLDEST_MS:
            day = datetime.fromtimestamp(max(at_ms, 0) / 1000, UTC).date()
            raise UnmappableError(
                tr("event_time_ms is of {day}: another unit? --time names it").format(day=day)
            )
        if record.end - record.start > LONG_BYTES and len(_encode(value)) > EVENT_BYTES_MAX:
            raise UnmappableError(tr("it is too long"))
        return value


@dataclass(slots=True)
class FileReport:
    """Counts of one file: rows published, rejected and left out.

    A survey publishes nothing: it counts all rows, and notes the newest event time.
    """

    rows: int = 0
    newest_ms: int = 0
    published: int = 0
    unreadable: int = 0
    others: int = 0  # Rows of an unwanted kind, by `RowRules.only`.
    waiting: int = 0  # Bytes of a last record that has no end yet.
    from_line: int = 0  # The line after which the run continued; 0: from the beginning.
    corrected: int = 0  # Part of `published`: rows that an earlier run had rejected.
    left: int = 0  # Rows that are still rejected, from all runs.
    first: list[RejectedRow] = field(default_factory=list)  # The first rejects of this run.
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Target:
    """The producer and the topic to which events are published."""

    producer: KafkaProducer
    topic: str

    def send(self, events: Iterable[tuple[bytes, bytes]]) -> int:
        """Publish keys and values, wait until Kafka has all of them, and return their number."""
        with working(tr("cannot publish")):
            sent = [self.producer.send(self.topic, value, key=key) for key, value in events]
            self.producer.flush(timeout=60)
            for future in sent:
                future.get(timeout=1)
        return len(sent)


def publish(
    file: Path,
    stream: IO[bytes],
    rules: RowRules,
    target: Target,
    metrics: Metrics,
    stop: threading.Event,
    *,
    finished: bool = False,
    again: bool = False,
    remember: bool = True,
) -> FileReport:
    """Publish the new records in `file`, which is open as `stream`.

    `finished`: the last line counts even without a line end. `again`: try the rows that an earlier
    run rejected once more; this also happens if the rules have changed. Without `remember`, nothing
    is stored beside the file, and all records count as new. Raise UsageError, before anything is
    published, if no row of the first batch is a valid event.
    """
    progress = Progress(file, stream, headed=rules.layout.columns is None, remember=remember)
    head = _read_head(file, stream, rules, finished=finished)
    if isinstance(head, int):
        return FileReport(waiting=head)
    names, *begin = head
    place = progress.read()
    report = FileReport(from_line=place.lines if place else 0)
    if place is not None and (again or place.rules != rules.identity):
        _correct(file, stream, rules, names, progress, target, report)
        metrics.add("feed_events_total", report.corrected, outcome="published")
    offset, lines = (place.offset, place.lines) if place else begin
    stream.seek(offset)
    rows = Lines(stream, start=offset, number=lines, finished=finished)
    for batch in _batches(_records(rows, names, rules)):
        if stop.is_set():
            break
        events, bad, others = rules.events(names, batch, progress.fingerprint, clock.now_ms())
        report.others += others
        if place is None and bad and not (report.published or events):
            raise UsageError(
                tr("{file}: no row of the first {n} is an event: {few}").format(
                    file=file, n=len(bad), few=_few(bad)
                )
            )
        report.published += target.send(_encode_events(events))
        rejects = [_reject(progress.fingerprint, file, record, reason) for record, reason in bad]
        progress.reject(rejects)
        last = batch[-1]
        progress.write(last.end, last.last_line, rules.identity)
        _count(report, rejects)
        metrics.add("feed_events_total", len(events), outcome="published")
        metrics.add("feed_events_total", len(rejects), outcome="unreadable")
        if report.unreadable > REJECTS_MAX:
            raise UsageError(
                tr("{file}: over {rejects_max:,} rows are no events; stopped there").format(
                    file=file, rejects_max=REJECTS_MAX
                )
            )
    report.waiting = rows.waiting
    report.left = len(progress.rejects())
    return report


def survey(
    file: Path, stream: IO[bytes], rules: RowRules, seen: FileReport, *, finished: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield each event of a file from the beginning of the file; publish nothing.

    `seen`: the report that counts the rows.
    """
    head = _read_head(file, stream, rules, finished=finished)
    if isinstance(head, int):
        seen.waiting = head
        return
    names, offset, lines = head
    name = fingerprint(stream, 1 + (rules.layout.columns is None))
    stream.seek(offset)
    rows = Lines(stream, start=offset, number=lines, finished=finished)
    for batch in _batches(_records(rows, names, rules)):
        events, bad, others = rules.events(names, batch, name, clock.now_ms())
        seen.rows += len(batch)
        seen.others += others
        _count(seen, [_reject(name, file, record, reason) for record, reason in bad])
        for _, value in events:
            seen.newest_ms = max(seen.newest_ms, value["event_time_ms"])
            yield value
    seen.waiting = rows.waiting


FIRST_MAX: Final = 3  # Rejects that are reported at once; the rejects file has all of them.


def _read_head(
    file: Path, stream: IO[bytes], rules: RowRules, *, finished: bool
) -> tuple[tuple[str, ...], int, int] | int:
    """Return the field names, and the number of bytes and of lines before the first record.

    Return only the number of bytes of a header line that has no end yet. Raise UsageError if these
    fields cannot make an event.
    """
    names = rules.layout.columns
    stream.seek(0)
    lines = Lines(stream, finished=finished)
    if names is None:
        try:
            names = read_names(lines, rules.layout)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from None
        if names is None:
            return lines.waiting
    rules.fields.require(str(file), names)
    if missing := sorted(rules.only.keys() - set(names)):
        sentence = tr("{file}: no column {missing}; there are {names}").format(
            file=file, missing=", ".join(missing), names=", ".join(names)
        )
        raise UsageError(suggest(sentence, missing[0], names))
    return names, lines.start, lines.number


def _records(rows: Lines, names: Sequence[str], rules: RowRules) -> Iterator[RowRecord]:
    def counts(fields: Sequence[str]) -> bool:
        try:
            value = rules.fields.value(dict(zip(names, fields, strict=True)))
        except UnmappableError:
            return False
        return rules.numbers.canonical(str(value["recipient"])) is not None

    return records(rows, rules.layout, len(names), counts)


def _correct(
    file: Path,
    stream: IO[bytes],
    rules: RowRules,
    names: Sequence[str],
    progress: Progress,
    target: Target,
    report: FileReport,
) -> None:
    """Publish rows that an earlier run rejected and that are valid by the present rules.

    Rows that the present rules leave out are removed from the rejects.
    """
    still: list[RejectedRow] = []
    for batch in _batches(iter(progress.rejects())):
        again: list[RowRecord] = []
        for reject in batch:
            stream.seek(reject.start)
            rows = Lines(stream, start=reject.start, number=reject.line - 1, finished=True)
            again += islice(_records(rows, names, rules), 1)
        events, bad, others = rules.events(names, again, progress.fingerprint, clock.now_ms())
        report.others += others
        sent = target.send(_encode_events(events))
        report.published += sent
        report.corrected += sent
        still += [_reject(progress.fingerprint, file, record, reason) for record, reason in bad]
    progress.keep(still)


def _reject(name: str, file: Path, record: RowRecord, reason: str) -> RejectedRow:
    return RejectedRow(name, file.name, record.number, record.start, record.end, reason)


def _count(report: FileReport, rejects: Sequence[RejectedRow]) -> None:
    report.unreadable += len(rejects)
    report.reasons.update(each.reason for each in rejects)
    report.first += rejects[: FIRST_MAX - len(report.first)]


def _few(bad: Sequence[tuple[RowRecord, str]]) -> str:
    return tr("; ").join(
        tr("line {line}: {reason}").format(line=record.number, reason=tr(reason))
        for record, reason in bad[:FIRST_MAX]
    )


def _encode_events(events: Iterable[tuple[bytes, Any]]) -> Iterator[tuple[bytes, bytes]]:
    return ((key, _encode(value)) for key, value in events)


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def format_counts(reasons: Mapping[str, int]) -> str:
    """Return the most frequent reasons with their counts, the most frequent first.

    >>> format_counts({"no sender": 2, "recipient is neither a number nor a token": 7})
    'recipient is neither a number nor a token (7), no sender (2)'
    """
    few = sorted(reasons.items(), key=lambda each: -each[1])[:FIRST_MAX]
    return join_list([f"{tr(reason)} ({n})" for reason, n in few])
