"""Call detail records in CSV files -> `sms.delivery.v1`, resumable.

Beside each file stands `<file>.progress`: how many of its records Kafka has. It is written after
Kafka acknowledged them, so a crash publishes some twice, which changes no decision.
"""

from __future__ import annotations

import csv
import io
import json
import threading
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.cluster.admin import unusable
from streams.errors import UsageError
from streams.feeds.mapping import FieldMap, UnmappableError
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

BATCH: Final = 5_000  # records between two looks at Kafka's answers
_encode: Final = msgspec.json.Encoder().encode


class Progress:
    """How far a file is published. Another file under the same name starts from nothing."""

    def __init__(self, file: Path, head: bytes) -> None:
        self._path = file.with_name(f"{file.name}.progress")
        self._head = zlib.crc32(head)

    def read(self) -> int:
        """Records that Kafka has."""
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return 0
        return int(found["records"]) if found.get("head") == self._head else 0

    def write(self, records: int) -> None:
        """Remember it; the old number stands until the new one is whole on disk."""
        scratch = self._path.with_suffix(".new")
        scratch.write_text(json.dumps({"head": self._head, "records": records}))
        scratch.replace(self._path)


def publish(
    file: Path,
    stream: IO[bytes],
    producer: KafkaProducer,
    topic: str,
    numbers: Numbers,
    rules: FieldMap,
    metrics: Metrics,
    stop: threading.Event,
    *,
    columns: list[str] | None,
    delimiter: str,
    encoding: str,
) -> dict[str, int]:
    """Publish what is new in `file`, open as `stream`.

    Returns records skipped, published and unreadable. `columns` name the fields of a file without
    a head line.
    """
    text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    names = columns or next(rows, None)
    if not names:
        raise UsageError(f"{file}: no head line; --columns names the fields of a file without one")
    progress = Progress(file, "\0".join(names).encode())
    done = progress.read()
    counts = {"skipped": sum(1 for _ in islice(rows, done)), "published": 0, "unreadable": 0}
    for batch in _batches(rows):
        if stop.is_set():
            break
        sent = []
        for place, row in enumerate(batch, done):
            try:
                value = rules.value(dict(zip(names, row, strict=False)), f"{file.name}-{place}")
            except UnmappableError:
                counts["unreadable"] += 1
                continue
            key = numbers.canonical(value["recipient"]) or value["recipient"]
            sent.append(producer.send(topic, _encode(value), key=key.encode()))
        _settle(producer, sent)
        done += len(batch)
        progress.write(done)
        counts["published"] += len(sent)
        metrics.add("feed_events_total", len(sent), outcome="published")
        metrics.add("feed_events_total", len(batch) - len(sent), outcome="unreadable")
    return counts


def _batches(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _settle(producer: KafkaProducer, sent: list[Any]) -> None:
    try:
        producer.flush(timeout=60)
        for future in sent:
            future.get(timeout=1)
    except KafkaError as error:
        raise unusable("cannot publish", error) from None
