"""A foreign topic re-keyed: any key, JSON or Avro, at least once, fast enough for a carrier."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from confluent_kafka import Producer
from kafka.partitioner import murmur2

from detectors.hot.network import sign_list
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.librdkafka import arguments
from streams.common.errors import ConfigError, UsageError
from streams.config import Kafka, load
from streams.gateways.feeds.kafka_feed import Rekeyer, avro_reader, run
from streams.gateways.feeds.mapping import FieldMap, UnmappableError
from streams.gateways.feeds.record_keys import canonical_keys
from streams.telemetry.metrics import FEED_OUTCOMES, Metrics
from streams.wire import Numbers, encode_listed
from tests.nodes import Broker
from tests.reading import awaited
from tests.waiting import END_S

FORMS = ("+86139{:08}", "0086139{:08}", "86139{:08}", "139{:08}")


class Topics:
    """A source that others filled, and a target."""

    def __init__(self, broker: Broker, name: str, **target: str) -> None:
        """`target` are its settings, with dots for the lines below."""
        target = {key.replace("_", "."): value for key, value in target.items()}
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.readers, self.clients = client_arguments(kafka), arguments(kafka)
        self.source, self.target, self.group = f"{name}-in", f"{name}-out", f"{name}-group"
        with Cluster(kafka) as cluster:
            cluster.create(self.source, 3, 1, {"max.message.bytes": "4000000"})
            cluster.create(self.target, 8, 1, target)

    def fill(self, values: list[bytes]) -> None:
        """Without keys, in no particular partition."""
        producer = Producer(
            {
                **self.clients,
                "acks": "all",
                "queue.buffering.max.messages": 10**6,
                "linger.ms": 20,
                "message.max.bytes": 4_000_000,
            }
        )
        for number, value in enumerate(values):
            producer.produce(self.source, value, partition=number % 3)
        assert producer.flush(END_S) == 0

    def feed(self, rekeyer: Rekeyer, stop: threading.Event | None = None) -> int:
        self.metrics = Metrics("feed")
        return run(
            self.clients,
            self.source,
            self.target,
            self.group,
            rekeyer,
            self.metrics,
            stop or threading.Event(),
            until_end=True,
        )

    def outcomes(self) -> dict[str, float]:
        sample = self.metrics.registry.get_sample_value
        return {
            each: sample("otpguard_feed_events_total", {"outcome": each}) or 0.0
            for each in FEED_OUTCOMES
        }

    def published(self, enough: int) -> list[Any]:
        return awaited(self.readers, self.target, enough)


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


SCHEMA = {
    "type": "record",
    "name": "Cdr",
    "fields": [
        {"name": "dst", "type": "string"},
        {"name": "src", "type": ["null", "string"]},
        {"name": "ts", "type": "long"},
        {"name": "body", "type": ["null", "string"]},
    ],
}
SWAPPED = {**SCHEMA, "fields": [SCHEMA["fields"][1], SCHEMA["fields"][0], *SCHEMA["fields"][2:]]}


def avro(schema: dict[str, Any], head: bytes, n: int) -> bytes:
    out = io.BytesIO(head)
    out.seek(0, io.SEEK_END)
    row = {"dst": f"139{n:08}", "src": "1069", "ts": 1_772_422_380 + n, "body": None}
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), row)
    return out.getvalue()


@pytest.fixture
def schemas(tmp_path: Path) -> dict[str, Path]:
    files = {"": tmp_path / "cdr.avsc", "7": tmp_path / "cdr.avsc", "8": tmp_path / "swapped.avsc"}
    files["7"].write_text(json.dumps(SCHEMA))
    files["8"].write_text(json.dumps(SWAPPED))
    return files


CDR = FieldMap.parse(
    ["recipient=dst", "sender=src", "event_time_ms=ts", "text=body"],
    ["gateway_id=smsc-1"],
    "s",
    None,
)


@pytest.mark.broker
def test_avro_with_other_names_becomes_the_contract(
    topics: Topics, schemas: dict[str, Path]
) -> None:
    heads = [(SCHEMA, b""), (SCHEMA, b"\0\0\0\0\7"), (SWAPPED, b"\0\0\0\0\10")]
    values = [avro(*heads[n % 3], n) for n in range(60)]  # of three writers
    topics.fill([*values, b"\xff\xff"])
    topics.feed(Rekeyer(Numbers("CN"), CDR, avro_reader(schemas)))
    records = topics.published(61)
    good = [json.loads(record.value) for record in records if record.value != b"\xff\xff"]
    assert len(good) == 60
    assert {value["recipient"] for value in good} == {f"139{n:08}" for n in range(60)}
    assert {value["sender"] for value in good} == {"1069"}
    assert {value["event_time_ms"] for value in good} == {
        1_772_422_380_000 + 1000 * n for n in range(60)
    }
    assert {value["gateway_id"] for value in good} == {"smsc-1"}
    assert len({value["message_id"] for value in good}) == 60


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b'"no type"'])
def test_a_schema_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cdr.avsc"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"cdr\.avsc: "):
        avro_reader({"": file})


@pytest.mark.parametrize("given", [{"7"}, {"7", ""}, {""}])
def test_a_value_of_a_schema_that_nobody_gave_is_not_read_by_another(
    schemas: dict[str, Path], given: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    read = avro_reader({number: schemas[number] for number in given})
    for _ in range(3):
        with pytest.raises(Exception, match=r".*"):  # whatever the decoder raises
            read(avro(SWAPPED, b"\0\0\0\0\10", 1))
    said = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert said == ["values name schema id 8, for which there is no file: --avro-schema 8=FILE"]


def test_a_value_that_another_schema_reads_in_part_is_no_record(schemas: dict[str, Path]) -> None:
    read = avro_reader({"7": schemas["7"]})
    with pytest.raises(UnmappableError, match="no Avro record of this schema"):
        read(avro(SCHEMA, b"\0\0\0\0\7", 1) + b"\0")


def test_a_value_without_a_head_may_begin_with_a_zero(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "A", "fields": [{"name": "a", "type": "long"},
              {"name": "dst", "type": "string"}]}  # fmt: skip
    file = tmp_path / "a.avsc"
    file.write_text(json.dumps(schema))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"a": 0, "dst": "13900000001"})
    assert out.getvalue()[0] == 0
    assert avro_reader({"": file})(out.getvalue()) == {"a": 0, "dst": "13900000001"}


def test_schemas_come_by_id_from_the_settings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTPGUARD_FEED_AVRO_SCHEMAS", '{"7": "cdr.avsc"}')
    assert load().feed.avro_schemas == {"7": Path("cdr.avsc")}
    monkeypatch.setenv("OTPGUARD_FEED_AVRO_SCHEMAS", '{"seven": "cdr.avsc"}')
    with pytest.raises(ConfigError, match="seven is no schema id"):
        load()


def test_the_keys_of_tokens_are_found_without_a_pass_for_each() -> None:
    """Counts passes over the column: a timed test would say what else the machine does."""
    written = [f"h1:{n:016x}" for n in range(1_000)] + ["13900000001", "nobody"]
    passes = 0

    class Column(np.ndarray):
        __hash__ = None

        def __eq__(self, other: object) -> Any:
            nonlocal passes
            passes += 1
            return super().__eq__(other)

        def __and__(self, other: Any) -> Any:
            nonlocal passes
            passes += 1
            return super().__and__(other)

    class Counted(Numbers):
        def column(self, recipients: Any) -> Any:
            column, tokens, nobody = super().column(recipients)
            return column.view(Column), tokens, nobody

    keys, nobody = canonical_keys(Counted("CN"), written)
    assert keys == [*(token.encode() for token in written[:1_000]), b"8613900000001", b"nobody"]
    assert nobody == [1_001]
    assert passes <= 1


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


@pytest.mark.parametrize("rules", [None, FieldMap.parse([], [], "ms", "UTC")])
def test_a_list_of_abused_platforms_is_not_handed_over_even_as_it_is(
    rules: FieldMap | None,
) -> None:
    told = encode_listed(sign_list(b"k", 1_772_422_380_000, 1_772_422_390_000, [5]))
    batch = Rekeyer(Numbers("CN"), rules).convert([told], [None])
    assert (batch.values, batch.unread) == ([b""], {0}), "the worker refuses it, with a dead letter"


@pytest.mark.parametrize("rules", [None, FieldMap.parse([], [], "ms", "UTC")])
def test_a_value_that_nests_too_deep_is_handed_over_as_it_is(rules: FieldMap | None) -> None:
    deep = b'{"x":' + b"[" * 100_000
    batch = Rekeyer(Numbers("CN"), rules).convert([deep], [None])
    assert (batch.values, batch.unread) == ([deep], {0})


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == "streams.gateways.feeds.kafka_feed"
    ]


@pytest.mark.broker
def test_a_record_that_is_too_large_for_kafka_is_counted_named_and_passed_over(
    topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    small = [event(n) for n in range(9)]
    large = [event(9, text="x" * 1_100_000), b"x" * 1_100_000]  # the second nobody could read
    topics.fill([*small[:6], *large, *small[6:]])
    assert topics.feed(Rekeyer(Numbers("CN"), None)) == 9
    assert {record.value for record in topics.published(9)} == set(small)
    assert topics.outcomes() == {"published": 9, "unreadable": 2}
    assert sorted(said(caplog)) == [
        f"the record {topics.source}/{place}/2 is too large for {topics.target}: passed over"
        for place in (0, 1)
    ]
    assert topics.feed(Rekeyer(Numbers("CN"), None)) == 0, "the next start is behind it"


@pytest.mark.broker
def test_a_record_that_the_topic_refuses_costs_none_of_those_that_were_sent_with_it(
    broker: Broker, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka has all of a batch fail for one, and for being a large batch of small ones."""
    topics = Topics(broker, unique, max_message_bytes="20000")
    recipient = {"recipient": FORMS[0].format(1)}  # one partition, one batch
    small = [event(n, **recipient, text="x" * 500) for n in range(200)]
    large = [event(200 + n, **recipient, text="x" * 30_000) for n in range(2)]
    topics.fill([*small[:100], large[0], *small[100:], large[1]])
    assert topics.feed(Rekeyer(Numbers("CN"), None)) == 200
    assert {record.value for record in topics.published(200)} == set(small)
    assert topics.outcomes() == {"published": 200, "unreadable": 2}
    assert len(said(caplog)) == 2


@pytest.mark.parametrize("at", ["2026-03-02T11:33:00", "20260302113300"])
def test_a_time_that_names_no_zone_stops_the_feed_with_the_sentence(at: str) -> None:
    form = "iso" if "T" in at else "%Y%m%d%H%M%S"
    value = json.dumps({"recipient": "13900000001", "sender": "1069", "event_time_ms": at})
    with pytest.raises(UsageError, match="names no time zone: --zone says which"):
        Rekeyer(Numbers("CN"), FieldMap.parse([], [], form, None)).convert([value.encode()], [None])
