"""Reads a history from JSON lines, call detail records or a Kafka topic; never writes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import numpy as np

from streams.cases.log_replay import add_offsets, chunks_of_files
from streams.cluster.read import Spans, reading
from streams.gateways.feeds import csv
from streams.gateways.feeds.text_form import decode_lines
from streams.wire import Records

ROWS: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode

Opener = Callable[[str], AbstractContextManager[IO[bytes]]]
# Called with the number of further bytes or records that were read.
Progress = Callable[[int], None]


def from_lines(
    files: Iterable[str],
    value_bytes_max: int,
    opener: Opener,
    progress: Progress,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Records]:
    """Yield JSON lines as records of one partition; all files are one log, in the given order.

    `tell` is called with a sentence if texts are decoded.
    """
    chunks = chunks_of_files(files, opener, value_bytes_max, progress)
    return _number_chunks(decode_lines(chunks, tell))


def from_csv(
    files: Iterable[str],
    rules: csv.RowRules,
    opener: Opener,
    progress: Progress,
    reasons: Counter[str] | None = None,
) -> Iterator[Records]:
    """Yield call detail records as `feed csv` would publish them, as records of one partition.

    Each unreadable row becomes an empty value after the events of its batch. The decoder
    refuses such values, and `reasons` counts why. `opener` turns an EOFError in its block into an
    error about the file.
    """

    def chunks() -> Iterator[list[bytes]]:
        for name in files:
            with opener(name) as file:
                seen = csv.FileReport(reasons=Counter() if reasons is None else reasons)
                events = csv.survey(Path(name), file, rules, seen, finished=True)
                at = refused = 0
                while (batch := list(islice(events, ROWS))) or seen.unreadable > refused:
                    yield [*map(_encode, batch), *[b""] * (seen.unreadable - refused)]
                    refused = seen.unreadable
                    progress(file.tell() - at)
                    at = file.tell()
                if seen.waiting:
                    raise EOFError

    return _number_chunks(chunks())


def _number_chunks(chunks: Iterable[list[bytes]]) -> Iterator[Records]:
    for lines, offsets in add_offsets(chunks):
        if lines:
            yield Records(0, int(offsets[-1]) + 1, lines, [None] * len(lines), offsets, None)


def from_topic(
    clients: Mapping[str, Any], topic: str, spans: Spans, progress: Progress
) -> Iterator[Records]:
    """Yield the records at these offsets of a topic; joins no group and commits nothing."""
    with reading(clients, topic) as reader:
        for batch in reader.batches(spans):
            yield Records(
                batch[0].partition,
                batch[-1].offset + 1,
                [record.value for record in batch],
                [record.key for record in batch],
                np.array([record.offset for record in batch], np.int64),
                np.array([record.timestamp for record in batch], np.int64),
            )
            progress(len(batch))
