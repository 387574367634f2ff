"""Call detail records: every form of time and field, and a stop in the middle."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from streams.demo.brokers import Broker
from streams.errors import UsageError
from streams.feeds import csv as feeds
from streams.feeds.csv import publish
from streams.feeds.mapping import FieldMap, UnmappableError
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

RULES = FieldMap.parse(
    ["recipient=被叫", "sender=主叫", "event_time_ms=时间", "text=内容"],
    ["gateway_id=smsc-1"],
    "%Y%m%d%H%M%S",
    "Asia/Shanghai",
)


@pytest.mark.parametrize(
    ("written", "form", "zone"),
    [
        ("1772422380000", "ms", "UTC"),
        (1772422380, "s", "UTC"),
        ("1772422380.0", "s", "UTC"),
        ("1772422380000000", "us", "UTC"),
        ("2026-03-02T11:33:00+08:00", "iso", "UTC"),
        ("2026-03-02T03:33:00", "iso", "UTC"),
        ("20260302113300", "%Y%m%d%H%M%S", "Asia/Shanghai"),
    ],
)
def test_a_time_is_read_as_it_was_promised(written: Any, form: str, zone: str) -> None:
    rules = FieldMap.parse([], [], form, zone)
    row = {"recipient": "1", "sender": "2", "event_time_ms": written}
    assert rules.value(row, "x")["event_time_ms"] == 1_772_422_380_000


@pytest.mark.parametrize(
    "row",
    [
        {"sender": "2", "event_time_ms": "5"},
        {"recipient": "", "sender": "2", "event_time_ms": "5"},
        {"recipient": "1", "sender": "2", "event_time_ms": "yesterday"},
        {"recipient": "1", "sender": "2", "event_time_ms": "5", "segment": "first"},
    ],
)
def test_a_record_without_what_is_required_is_not_made_up(row: dict[str, Any]) -> None:
    with pytest.raises(UnmappableError):
        FieldMap.parse([], [], "ms", "UTC").value(row, "x")


@pytest.mark.parametrize(
    ("maps", "constants", "zone"),
    [(["recipient"], [], "UTC"), (["called=x"], [], "UTC"), ([], ["x=1"], "UTC"),
     ([], [], "Dalian")],
)  # fmt: skip
def test_a_wrong_mapping_is_said_at_once(maps: list[str], constants: list[str], zone: str) -> None:
    with pytest.raises(UsageError):
        FieldMap.parse(maps, constants, "iso", zone)


@pytest.mark.broker
def test_a_feed_that_was_stopped_goes_on_where_it_was(
    broker: Broker, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BATCH", 100)
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 2, 1, {})
    file = tmp_path / "cdr.csv"
    lines = ["被叫,主叫,时间,内容"]
    lines += [f'1390000{n:04},1069,20260302113300,"【店】码, ""{n}"""' for n in range(950)]
    lines += ["13900000000,1069,broken,", "13900000001"]
    file.write_bytes("\n".join(lines).encode("gb18030"))

    class Stopping(threading.Event):
        """Set after so many looks."""

        def __init__(self, looks: int) -> None:
            super().__init__()
            self.looks = looks

        def is_set(self) -> bool:
            self.looks -= 1
            return self.looks < 0

    counts = []
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for stop in (Stopping(3), Stopping(10**9), Stopping(10**9)):
            counts += [
                publish(
                    file,
                    io.BytesIO(file.read_bytes()),
                    producer,
                    unique,
                    Numbers("CN"),
                    RULES,
                    Metrics("feed"),
                    stop,
                    columns=None,
                    delimiter=",",
                    encoding="gb18030",
                )
            ]
    assert counts == [
        {"skipped": 0, "published": 300, "unreadable": 0},
        {"skipped": 300, "published": 650, "unreadable": 2},
        {"skipped": 952, "published": 0, "unreadable": 0},
    ]
    records: list[Any] = []
    with closing(KafkaConsumer(unique, **clients, auto_offset_reset="earliest")) as consumer:
        end = time.monotonic() + 15
        while len(records) < 950 and time.monotonic() < end:
            for polled in consumer.poll(timeout_ms=200).values():
                records += polled
    values = [json.loads(record.value) for record in records]
    assert Counter(value["message_id"] for value in values) == {
        f"cdr.csv-{n}": 1 for n in range(950)
    }
    assert {value["gateway_id"] for value in values} == {"smsc-1"}
    first = next(record for record in records if b'"cdr.csv-7"' in record.value)
    assert first.key == b"8613900000007"
    assert json.loads(first.value)["text"] == '【店】码, "7"'
