"""Reads a history from JSON lines, call detail records or a Kafka topic; never writes."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.cases.log_replay import chunks_of_files
from streams.cluster.read import reading
from streams.common.errors import UsageError
from streams.common.language import tr
from streams.gateways.feeds.file_records import FileLayout, column_names
from streams.gateways.feeds.mapping import FieldMap, UnmappableError

ROWS: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive records of one partition."""

    topic: str
    partition: int
    values: list[bytes | None]
    keys: list[bytes | None]
    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64] | None  # None: files have no record times.
    next_offset: int


Opener = Callable[[str], AbstractContextManager[IO[bytes]]]
# Called with the number of further bytes or records that were read.
Progress = Callable[[int], None]


def from_lines(
    files: Iterable[str], topic: str, value_bytes_max: int, opener: Opener, progress: Progress
) -> Iterator[Slice]:
    """Yield slices of JSON lines; all files are one log, in the given order."""
    chunks = chunks_of_files(files, opener, value_bytes_max, progress)
    yield from _number_chunks(chunks, topic)


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """The layout of CSV files, and the mapping of their columns to fields."""

    rules: FieldMap
    layout: FileLayout = field(default_factory=FileLayout)


def from_csv(
    files: Iterable[str], table: ColumnTable, topic: str, opener: Opener, progress: Progress
) -> Iterator[Slice]:
    """Yield slices of call detail records.

    A row that cannot be mapped becomes an empty value, which the decoder refuses.
    """
    layout = table.layout
    encoding = layout.encoding
    if codecs.lookup(encoding).name == "utf-8":
        # A byte order mark before the first line is not part of a column name.
        encoding = "utf-8-sig"

    def chunks() -> Iterator[list[bytes]]:
        for name in files:
            with opener(name) as file:
                text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
                rows = csv.reader(text, delimiter=layout.delimiter)
                names = layout.columns or _head(name, rows)
                table.rules.require(name, names)
                number = 0
                whole = _whole(rows)
                while batch := list(islice(whole, ROWS)):
                    yield [_map_row(table.rules, names, row, number + i)
                           for i, row in enumerate(batch)]  # fmt: skip
                    number += len(batch)
                    progress(sum(len(field) + 1 for row in batch for field in row or ()))

    yield from _number_chunks(chunks(), topic)


def _head(name: str, rows: Iterator[list[str]]) -> tuple[str, ...]:
    """Return the names in a file's first line; UsageError if it has none, or duplicates."""
    try:
        names = next(rows, None)
        if names:
            return column_names(names)
    except (csv.Error, UsageError) as error:
        raise UsageError(f"{name}: {error}") from None
    raise UsageError(tr("{name}: no head line; --columns names the fields").format(name=name))


def _whole(rows: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """Yield the rows, and None for a row that cannot be read, such as one with a field too long."""
    while True:
        try:
            yield from rows
        except csv.Error:
            yield None  # The reader continues with the next line.
        else:
            return


def _map_row(rules: FieldMap, names: Sequence[str], row: list[str] | None, number: int) -> bytes:
    if row is None:
        return b""
    try:
        return _encode(rules.value(dict(zip(names, row, strict=False)), f"row-{number}"))
    except UnmappableError:
        return b""


def _number_chunks(chunks: Iterable[list[bytes]], topic: str) -> Iterator[Slice]:
    offset = 0
    for lines in chunks:
        end = offset + len(lines)
        values: list[bytes | None] = list(lines)
        yield Slice(topic, 0, values, [None] * len(lines), np.arange(offset, end), None, end)
        offset = end


class TopicHistory:
    """A time range of a topic, fixed when it is created; joins no group and commits nothing."""

    def __init__(
        self, clients: Mapping[str, Any], topic: str, since_ms: int | None, until_ms: int | None
    ) -> None:
        """Raise what `reading` raises."""
        self._clients = clients
        self._topic = topic
        with reading(clients, topic) as reader:
            spans = reader.spans(since_ms, until_ms)
        self.ranges = {p: span for p, span in spans.items() if span[0] < span[1]}

    @property
    def records(self) -> int:
        """The maximum number of records in the range; a compacted topic has fewer."""
        return sum(end - first for first, end in self.ranges.values())

    def slices(self, progress: Progress) -> Iterator[Slice]:
        """Read the range; each call reads it again."""
        with reading(self._clients, self._topic) as reader:
            for records in reader.batches(self.ranges):
                yield _slice(records)
                progress(len(records))


def _slice(records: list[Any]) -> Slice:
    return Slice(
        records[0].topic,
        records[0].partition,
        [record.value for record in records],
        [record.key for record in records],
        np.fromiter((record.offset for record in records), np.int64, len(records)),
        np.fromiter((record.timestamp for record in records), np.int64, len(records)),
        records[-1].offset + 1,
    )
