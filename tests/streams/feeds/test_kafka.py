"""A foreign topic re-keyed: any key, JSON or Avro, at least once, fast enough for a carrier."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer
from kafka.partitioner import murmur2

from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from streams.demo.brokers import Broker
from streams.feeds.kafka import Rekeyer, arguments, avro_reader, run
from streams.feeds.mapping import FieldMap
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

FORMS = ("+86139{:08}", "0086139{:08}", "86139{:08}", "139{:08}")


class Topics:
    """A source that others filled, and a target."""

    def __init__(self, broker: Broker, name: str) -> None:
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.readers, self.clients = client_arguments(kafka), arguments(kafka)
        self.source, self.target, self.group = f"{name}-in", f"{name}-out", f"{name}-group"
        with Cluster(kafka) as cluster:
            cluster.create(self.source, 3, 1, {})
            cluster.create(self.target, 8, 1, {})

    def fill(self, values: list[bytes]) -> None:
        """Without keys, in no particular partition."""
        producer = Producer(
            {**self.clients, "acks": "all", "queue.buffering.max.messages": 10**6, "linger.ms": 20}
        )
        for number, value in enumerate(values):
            producer.produce(self.source, value, partition=number % 3)
        assert producer.flush(60) == 0

    def feed(self, rekeyer: Rekeyer, stop: threading.Event | None = None) -> int:
        return run(
            self.clients,
            self.source,
            self.target,
            self.group,
            rekeyer,
            Metrics("feed"),
            stop or threading.Event(),
            until_end=True,
        )

    def published(self, enough: int) -> list[Any]:
        found: list[Any] = []
        with closing(
            KafkaConsumer(self.target, **self.readers, auto_offset_reset="earliest")
        ) as consumer:
            end = time.monotonic() + 30
            while len(found) < enough and time.monotonic() < end:
                for records in consumer.poll(timeout_ms=200).values():
                    found += records
        return found


@pytest.fixture
def topics(broker: Broker, unique: str) -> Topics:
    return Topics(broker, unique)


def event(number: int, **more: Any) -> bytes:
    recipient = FORMS[number % 4].format(number % 100)
    return json.dumps({"recipient": recipient, "message_id": str(number), **more}).encode()


@pytest.mark.broker
def test_values_stay_as_they_are_and_get_canonical_keys_in_the_right_partition(
    topics: Topics,
) -> None:
    values = [event(n) for n in range(3_000)]
    odd = [b"nonsense", b'{"recipient": 7}', b'{"recipient": "h1:00FFEE0011223344"}', b"{}"]
    topics.fill(values + odd)
    assert topics.feed(Rekeyer(Numbers("CN"), None)) == 3_004
    records = topics.published(3_004)
    assert Counter(record.value for record in records) == Counter(values + odd)
    for record in records:
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % 8
    keys = {record.key for record in records}
    assert keys == {b"86139%08d" % n for n in range(100)} | {b"", b"h1:00ffee0011223344"}


@pytest.mark.broker
def test_avro_with_other_names_becomes_the_contract(topics: Topics, tmp_path: Path) -> None:
    schema = {
        "type": "record",
        "name": "Cdr",
        "fields": [
            {"name": "dst", "type": "string"},
            {"name": "src", "type": ["null", "string"]},
            {"name": "ts", "type": "long"},
            {"name": "body", "type": ["null", "string"]},
        ],
    }
    file = tmp_path / "cdr.avsc"
    file.write_text(json.dumps(schema))
    values = []
    for n in range(50):
        out = io.BytesIO(b"\0\0\0\0\7" if n % 2 else b"")  # half of them as Confluent frames them
        out.seek(0, io.SEEK_END)
        row = {"dst": f"139{n:08}", "src": "1069", "ts": 1_772_422_380 + n, "body": None}
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), row)
        values.append(out.getvalue())
    topics.fill([*values, b"\xff\xff"])
    rules = FieldMap.parse(
        ["recipient=dst", "sender=src", "event_time_ms=ts", "text=body"],
        ["gateway_id=smsc-1"],
        "s",
        "UTC",
    )
    topics.feed(Rekeyer(Numbers("CN"), rules, avro_reader(file)))
    records = topics.published(51)
    good = [json.loads(record.value) for record in records if record.value != b"\xff\xff"]
    assert len(good) == 50
    assert {value["recipient"] for value in good} == {f"139{n:08}" for n in range(50)}
    assert {value["event_time_ms"] for value in good} == {
        1_772_422_380_000 + 1000 * n for n in range(50)
    }
    assert {value["gateway_id"] for value in good} == {"smsc-1"}
    assert len({value["message_id"] for value in good}) == 50


@pytest.mark.broker
def test_a_feed_that_is_stopped_and_started_again_loses_nothing(topics: Topics) -> None:
    values = [event(n) for n in range(60_000)]
    topics.fill(values)
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    first = topics.feed(Rekeyer(Numbers("CN"), None), stop)
    timer.join()
    topics.feed(Rekeyer(Numbers("CN"), None))
    records = topics.published(60_000)
    assert {record.value for record in records} == set(values)
    assert first >= 0
