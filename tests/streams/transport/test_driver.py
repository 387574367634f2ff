# ruff: noqa: E501 - a pin is one line
"""The transport against the Faust and aiokafka that it overrides, and the envelopes it makes.

When a new version breaks the pins, these tests name what changed: read it, adapt
`streams/transport/driver.py`, run the fault suite, and only then write the new pins here.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib
import inspect
import struct
import sys
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import faust.stores
import faust.transport
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    FetchResult,
    PartitionRecords,
)
from aiokafka.errors import CorruptRecordException, KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import PartitionMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP as PLACE
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.config import Settings
from streams.transport import driver as transport
from streams.transport.driver import App, Consumer, Envelope, Poll
from streams.transport.record_batch import Refused
from streams.worker.agents import TURNS_TO_SEND
from streams.worker.app import faust_settings

VERSIONS = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}

PARAMETERS = {
    "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": "self",
    "faust.transport.drivers.aiokafka:Consumer._to_message": "self tp record",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.on_start": "self",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer": "self transport",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._fetch_records": "self consumer active_partitions timeout max_records",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._ensure_consumer": "self",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.seek_wait": "self partitions",
    "faust.transport.drivers.aiokafka:Producer._new_producer": "self transactional_id",
    "faust.transport.drivers.aiokafka:Producer.send": "self topic key value partition timestamp headers transactional_id",
    "faust.transport.consumer:Consumer.on_buffer_full": "self tp",
    "faust.transport.consumer:Consumer._filter_tps_with_pending_acks": "self topics",
    "faust.transport.consumer:Consumer._new_offset": "self tp",
    "faust.transport.consumer:Consumer._wait_next_records": "self timeout",
    "faust.transport.consumer:Consumer._get_active_partitions": "self",
    "faust.transport.consumer:Consumer.on_partitions_revoked": "self revoked",
    "faust.transport.consumer:Consumer.on_partitions_assigned": "self assigned generation_id",
    "faust.transport.consumer:Consumer.perform_seek": "self",
    "faust.transport.consumer:Consumer.wait_empty": "self",
    "faust.transport.consumer:ThreadDelegateConsumer.earliest_offsets": "self partitions",
    "faust.transport.consumer:ThreadDelegateConsumer.assignment": "self",
    "faust.stores.memory:Store.apply_changelog_batch": "self batch to_key to_value",
    "faust.stores.memory:Store.persisted_offset": "self tp",
    "faust.tables.manager:TableManager.on_start": "self",
    "faust.tables.manager:TableManager._update_channels": "self",
    "faust.tables.recovery:Recovery._add": "self table tp offsets",
    "faust.tables.recovery:Recovery.on_recovery_completed": "self generation_id",
    "mode.threads:ServiceThread.__init__": "self executor loop thread_loop Worker kwargs",
    "mode.threads:QueueServiceThread.call_thread": "self fun args kwargs",
    "aiokafka.consumer.fetcher:FetchResult.__init__": "self tp assignment partition_records backoff",
    "aiokafka.consumer.fetcher:FetchResult.getall": "self max_records",
    "aiokafka.consumer.fetcher:FetchResult.check_assignment": "self tp",
    "aiokafka.consumer.fetcher:FetchResult._update_position": "self",
    "aiokafka.consumer.fetcher:PartitionRecords.__init__": "self tp records aborted_transactions fetch_offset key_deserializer value_deserializer check_crcs isolation_level",
    "aiokafka.consumer.fetcher:PartitionRecords._consumer_record": "self tp record",
    "aiokafka.consumer.fetcher:Fetcher.fetched_records": "self partitions timeout max_records",
    "aiokafka.consumer.subscription_state:Assignment.state_value": "self tp",
    "aiokafka.client:AIOKafkaClient._metadata_update": "self cluster_metadata topics",
    "aiokafka.client:AIOKafkaClient.force_metadata_update": "self",
    "aiokafka.client:AIOKafkaClient._wait_on_metadata": "self topic",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._perform_assignment": "self response",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._push_error_to_user": "self exc",
    "aiokafka.partitioner:murmur2": "data",
    "aiokafka.producer.message_accumulator:MessageAccumulator._append_batch": "self builder tp",
    "aiokafka.producer.message_accumulator:MessageAccumulator.create_builder": "self key_serializer value_serializer",
    "aiokafka.producer.message_accumulator:MessageBatch.append": "self key value timestamp_ms _create_future headers",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.committed": "self partition",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.highwater": "self partition",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.last_stable_offset": "self partition",
    "aiokafka.consumer.consumer:AIOKafkaConsumer.assignment": "self",
}
"""What is called or overridden, with the names of its parameters."""

BODIES = {
    "aiokafka.consumer.fetcher:FetchResult.getall": "3e717e30de50",
    "aiokafka.consumer.fetcher:PartitionRecords._unpack_records": "b803e6d46480",
    "aiokafka.consumer.fetcher:Fetcher.fetched_records": "be4348896b9b",
    "aiokafka.consumer.fetcher:Fetcher._proc_fetch_request": "59bf948fff47",
    "aiokafka.client:AIOKafkaClient._metadata_update": "06dc51ed3e0d",
    "aiokafka.client:AIOKafkaClient._wait_on_metadata": "52b0a5ee78ef",
    "aiokafka.producer.producer:AIOKafkaProducer.send": "08ce81263f43",
    "aiokafka.producer.message_accumulator:MessageAccumulator.add_message": "56ff7e6c1918",
    "aiokafka.producer.message_accumulator:MessageAccumulator._append_batch": "4762abfc42cb",
    "aiokafka.producer.message_accumulator:MessageBatch.append": "e3ff2fc253fd",
    "aiokafka.producer.message_accumulator:MessageBatch.done": "2d765e5c2dc8",
    "aiokafka.producer.message_accumulator:MessageBatch.failure": "719b2122c318",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._perform_assignment": "a5cf61fa9732",
    "aiokafka.consumer.group_coordinator:GroupCoordinator._push_error_to_user": "743ff515bd7e",
    "aiokafka.consumer.group_coordinator:CoordinatorGroupRebalance._on_join_leader": "c57a3e85197d",
    "faust.app.base:App._on_partitions_revoked": "d5c895bbe57d",
    "faust.app.base:App._on_partitions_assigned": "de932b7927db",
    "faust.app.base:App._stop_consumer": "55854a5de12c",
    "faust.transport.consumer:Consumer.getmany": "4b168d84882a",
    "faust.transport.consumer:Consumer._wait_next_records": "6218e1969a63",
    "faust.transport.consumer:Consumer._drain_messages": "44a2500309e8",
    "faust.transport.consumer:Consumer._filter_committable_offsets": "dc5e9baf5d99",
    "faust.transport.consumer:Consumer._commit_offsets": "1a6979904118",
    "faust.transport.consumer:Consumer.wait_empty": "e4662fe24f09",
    "faust.transport.consumer:Consumer.perform_seek": "0e8c130ff4b0",
    "faust.tables.manager:TableManager.on_start": "365dd25fbc0e",
    "faust.tables.manager:TableManager.recovery.fget": "f0bf5de78b4c",
    "faust.transport.conductor:Conductor._subscriber.fun": "2a7908583404",
    "faust.tables.recovery:Recovery._add": "1584a197b11b",
    "faust.tables.recovery:Recovery.on_rebalance": "aa4d997a1795",
    "faust.tables.recovery:Recovery.on_recovery_completed": "6ef567acf072",
    "faust.tables.recovery:Recovery._slurp_changelogs.fun": "7825c7e50f76",
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._fetch_records": "39a2c6c79fc1",
}
"""What the overrides rely on in the working of, by a digest of the source."""


def _named(path: str) -> Any:
    module, _, qualified = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in qualified.split("."):
        found = getattr(found, name, None)
        if found is None:
            pytest.fail(f"{path} is gone")
    return found


@pytest.mark.parametrize("package", VERSIONS)
def test_the_versions_are_those_that_the_overrides_were_tried_on(package: str) -> None:
    assert version(package) == VERSIONS[package]


@pytest.mark.parametrize("path", PARAMETERS)
def test_what_is_overridden_has_the_parameters_it_had(path: str) -> None:
    now = " ".join(inspect.signature(_named(path)).parameters)
    assert now == PARAMETERS[path], f"{path} took ({PARAMETERS[path]}), now takes ({now})"


@pytest.mark.parametrize("path", BODIES)
def test_what_the_overrides_rely_on_works_as_it_did(path: str) -> None:
    source = inspect.getsource(_named(path))
    now = hashlib.sha256(source.encode()).hexdigest()[:12]
    assert now == BODIES[path], f"the body of {path} changed; it now reads\n{source}"


def _of_a_member(name: str) -> Any:
    """What the consumer of a worker has under this name."""

    async def ask() -> Any:
        app = App("one", **faust_settings(Settings()))
        consumer = app.consumer
        assert isinstance(consumer, Consumer)
        member = consumer._thread._create_worker_consumer(app.transport)
        await member.stop()
        return getattr(member, name)

    return asyncio.run(ask())


async def _producing(partitions: int) -> tuple[transport.Producer, AIOKafkaProducer]:
    """A worker's producer that was told of `topic`, and its client, which reaches no broker."""
    producer = App("one", **faust_settings(Settings())).producer
    assert isinstance(producer, transport.Producer)
    client = producer._producer = producer._new_producer()
    client.client.cluster._partitions["topic"] = {
        each: PartitionMetadata("topic", each, 0, [0], [0], None) for each in range(partitions)
    }
    return producer, client


@pytest.mark.parametrize("stopped", ["before it was used", "in the middle"])
def test_a_producer_that_is_gone_raises_the_error_of_a_client(stopped: str) -> None:
    """Stock raises errors of Faust, which a worker took for a state that it cannot trust."""

    async def send() -> None:
        app = App("one", **faust_settings(Settings()))
        producer = app.producer
        assert isinstance(producer, transport.Producer)
        client = None
        if stopped == "in the middle":
            client = producer._producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
            client.client.cluster._partitions["topic"] = {0: None}  # it had been told of it
            await client._message_accumulator.close()
        with pytest.raises(ProducerClosed):
            await producer.send("topic", b"key", b"value", 0, None, None)
        if client is not None:
            await client.stop()

    asyncio.run(send())


def test_leases_of_a_campaign_wait_for_no_batch_before_theirs() -> None:
    """With stock Faust's batches of 16 kB the tenth waits for an answer of the broker."""

    async def send() -> int:
        producer, client = await _producing(1)
        for _ in range(60):
            lease = producer.send("topic", b"key", bytes(1600), 0, None, None)
            handed = asyncio.ensure_future(lease)
            await asyncio.sleep(0)
            assert handed.done(), "nothing to wait for"
        batches = client._message_accumulator._batches[TopicPartition("topic", 0)]
        await client.stop()
        return len(batches)

    assert asyncio.run(send()) == 1


@given(st.binary(min_size=1, max_size=20), st.integers(1, 64))
@settings(max_examples=50, deadline=None)
def test_an_appended_record_lies_where_the_client_would_put_it(key: bytes, partitions: int) -> None:
    async def append() -> None:
        producer, client = await _producing(partitions)
        assert producer.append("topic", key, b"value", [("name", b"header")]) is not None
        place = client._partition("topic", None, key, b"value", key, b"value")
        assert [*client._message_accumulator._batches] == [TopicPartition("topic", place)]
        await client.stop()

    asyncio.run(append())


@pytest.mark.parametrize("refused", [False, True])
def test_appended_records_are_acknowledged_and_refused_with_their_batch(refused: bool) -> None:
    async def append() -> None:
        producer, client = await _producing(1)
        first, second = (producer.append("topic", b"key", each, []) for each in (b"1", b"2"))
        sent = await producer.send("topic", b"key", b"3", None, None, None)
        assert first is not None
        assert first is second
        (batch,) = client._message_accumulator._batches[TopicPartition("topic", 0)]
        assert batch.record_count == 3
        if refused:
            batch.failure(KafkaTimeoutError())
            for each in first, sent:
                with pytest.raises(KafkaTimeoutError):
                    await each
        else:
            batch.done(7)
            assert (first.result().offset, (await sent).offset) == (7, 9)
        client._message_accumulator._batches.clear()
        await client.stop()

    asyncio.run(append())


@pytest.mark.parametrize(
    "state", ["not started", "topic unknown", "large", "full", "closed", "broken"]
)
def test_what_has_to_wait_or_is_refused_is_not_appended(state: str) -> None:
    async def append() -> None:
        producer, client = await _producing(1)
        topic, value = "topic", b"value"
        match state:
            case "not started":
                producer._producer = None
            case "topic unknown":
                topic = "other"
            case "large":
                value = bytes(transport.APPENDED_BYTES_MAX + 1)
            case "full":
                while producer.append(topic, b"key", bytes(10_000), []) is not None:
                    pass
                value = bytes(10_000)
            case "closed":
                client._message_accumulator._closed = True
            case "broken":
                client._message_accumulator._exception = KafkaTimeoutError()
        assert producer.append(topic, b"key", value, []) is None
        client._message_accumulator._batches.clear()
        await client.stop()

    asyncio.run(append())


def test_no_member_holds_a_rebalance_up_for_over_20_s() -> None:
    assert _of_a_member("_rebalance_timeout_ms") == 20_000


def test_what_a_transaction_wrote_is_asked_for_when_it_is_committed() -> None:
    assert _of_a_member("_isolation_level") == "read_committed"


def test_urls_lead_to_the_transport_and_the_store() -> None:
    assert faust.transport.by_url("kafka-env://localhost:9092") is transport.Transport
    assert faust.stores.by_url(transport.STORE_URL) is transport.Store


# -- envelopes ------------------------------------------------------------------------------------

TP = TopicPartition("in", 3)


ZSTD = 4
ABORT_MARKER = b"\0\0\0\0"


def _batch(
    first: int,
    values: list[bytes],
    *,
    producer: int | None = None,
    control: bool = False,
    codec: int = 0,
) -> bytes:
    transactional, producer_id = producer is not None, -1 if producer is None else producer
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer_id, 0, 0, 1 << 20)
    for i, value in enumerate(values):
        key = ABORT_MARKER if control else b"k"
        builder.append(i, 1_700_000_000_000 + first + i, key, value, [])
    raw = bytearray(builder.build())
    raw[:8] = struct.pack(">q", first)
    if control:
        raw[22] |= 0x20  # the checksum begins at byte 17 and covers all from byte 21
        raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def _fetched(
    raw: bytes,
    position: int,
    aborted: Sequence[tuple[int, int]] = (),
    held: transport._Fetched | None = None,
) -> tuple[FetchResult, SimpleNamespace]:
    """What aiokafka holds after a fetch from `position`, as the transport has it."""
    state = SimpleNamespace(position=position, highwater=100, lso=100, paused=False)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda _tp: state)
    records = PartitionRecords(
        TP, transport.CheckedRecords(raw), aborted, position, None, None, True, READ_COMMITTED
    )
    held = transport._Fetched("in", {}) if held is None else held
    held[TP] = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    return held[TP], state


def _taken(result: FetchResult, most: int) -> list[Envelope]:
    """What a poll takes of it."""
    return transport.read_together(result.getall(most))


@pytest.fixture(params=["alone", "together"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How records are read: by themselves, as those of a large fetch, or with other partitions'."""
    if request.param == "alone":
        monkeypatch.setattr(transport, "BULK_BYTES", 0)


both_ways = pytest.mark.usefixtures("_way")


def _listed(envelope: Envelope) -> Envelope:
    return replace(
        envelope,
        values=list(envelope.values),
        keys=list(envelope.keys),
        offsets=list(envelope.offsets),
        timestamps_ms=list(envelope.timestamps_ms),
    )


@both_ways
def test_a_fetch_becomes_one_envelope() -> None:
    result, state = _fetched(_batch(10, [b"a", b"b"]) + _batch(12, [b"c"]), 10)
    (envelope,) = _taken(result, 100)
    assert _listed(envelope) == Envelope(
        3,
        10,
        13,
        100,
        [b"a", b"b", b"c"],
        [b"k"] * 3,
        [10, 11, 12],
        [1_700_000_000_010, 1_700_000_000_011, 1_700_000_000_012],
    )
    assert state.position == 13
    assert not result.has_more()


@both_ways
def test_offsets_without_a_record_are_covered_by_the_envelope_around_them() -> None:
    result, _ = _fetched(_batch(10, [b"a"]) + _batch(20, [b"b"]), 10)
    (envelope,) = _taken(result, 100)
    assert (envelope.start, envelope.next_offset, list(envelope.offsets)) == (10, 21, [10, 20])


@both_ways
def test_a_poll_takes_no_more_than_it_may_and_the_next_goes_on() -> None:
    result, _ = _fetched(_batch(10, [b"a", b"b", b"c"]), 10)
    (first,) = _taken(result, 2)
    (second,) = _taken(result, 2)
    assert (first.start, first.next_offset, list(first.values)) == (10, 12, [b"a", b"b"])
    assert (second.start, second.next_offset, list(second.values)) == (12, 13, [b"c"])


@both_ways
def test_a_poll_takes_from_many_batches_and_stops_inside_one() -> None:
    result, state = _fetched(_batch(10, [b"a", b"b"]) + _batch(12, [b"c", b"d", b"e"]), 10)
    (first,) = _taken(result, 4)
    assert (first.next_offset, state.position, list(first.offsets)) == (14, 14, [10, 11, 12, 13])
    (second,) = _taken(result, 4)
    assert (second.start, second.next_offset, list(second.values)) == (14, 15, [b"e"])
    assert not result.has_more()


@both_ways
def test_a_poll_takes_no_more_of_all_partitions_together() -> None:
    held = transport._Fetched("in", {})
    first, _ = _fetched(_batch(10, [b"a", b"b", b"c"]), 10, held=held)
    second, state = _fetched(_batch(10, [b"d", b"e"]), 10, held=held)
    held.budget.begin(4)
    assert [list(_taken(one, 4)[0].values) for one in (first, second)] == [
        [b"a", b"b", b"c"],
        [b"d"],
    ]
    assert _taken(second, 3) == []
    assert second.has_more()
    assert state.position == 11
    held.budget.begin(4)
    assert list(_taken(second, 4)[0].values) == [b"e"]


def _of_all(batches: dict[int, bytes], start: int, bulk_bytes: int) -> list[Envelope]:
    """What a poll of some partitions brings, all of them fetched from one offset on."""
    with patch.object(transport, "BULK_BYTES", bulk_bytes):
        held = transport._Fetched("in", {})
        polled: list[Any] = []
        for partition, raw in batches.items():
            place = TopicPartition("in", partition)
            result, _ = _fetched(raw, start, held=held)
            result._topic_partition = place
            polled += result.getall(1_000)
        return transport.read_together(polled)


@given(
    st.dictionaries(
        st.integers(0, 31),
        st.lists(st.tuples(st.lists(st.binary(max_size=90), max_size=5), st.integers(0, 3)),
                 min_size=1, max_size=4),
        min_size=1, max_size=6,
    ),
    st.integers(0, 4),
)  # fmt: skip
@settings(max_examples=60)
def test_partitions_that_are_read_together_have_what_each_has_by_itself(
    logs: dict[int, list[tuple[list[bytes], int]]], behind: int
) -> None:
    """Several batches with holes between them; reading begins in the middle of the first."""
    batches = {}
    for partition, log in logs.items():
        raw, offset = b"", 10
        for number, (values, hole) in enumerate(log):
            some = values or [b"x"]
            raw += _batch(offset, some, codec=ZSTD if number % 3 == 2 else 0)
            offset += len(some) + hole
        batches[partition] = raw
    start = 10 + behind % 2
    together, alone = (_of_all(batches, start, bulk) for bulk in (1 << 20, 0))
    assert [_listed(one) for one in together] == [_listed(one) for one in alone]
    assert {type(o) for one in together for o in (one.start, one.next_offset)} <= {int}


@pytest.mark.parametrize("bulk", [0, 1 << 20])
def test_a_batch_that_is_not_what_it_says_is_corrupt_however_it_is_read(bulk: int) -> None:
    raw = bytearray(_batch(10, [b"abc"]))
    raw[-5] = 98  # the length of its value, 49
    raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
    with pytest.raises(CorruptRecordException):
        _of_all({3: _batch(10, [b"a"]), 4: bytes(raw)}, 10, bulk)


@both_ways
@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_what_lies_before_the_position_in_its_batch_is_not_handed_out(most: int) -> None:
    result, _ = _fetched(_batch(8, [b"x", b"y", b"a", b"b"]) + _batch(12, [b"c"]), 10)
    offsets = []
    while result.has_more():
        for envelope in _taken(result, most):
            assert len(envelope.values) <= most
            offsets += list(envelope.offsets)
    assert offsets == [10, 11, 12]


@both_ways
def test_a_broken_batch_moves_no_position() -> None:
    broken = bytearray(_batch(12, [b"c"]))
    broken[-1] ^= 1
    result, state = _fetched(_batch(10, [b"a", b"b"]) + bytes(broken), 10)
    with pytest.raises(CorruptRecordException):
        _taken(result, 100)
    assert state.position == 10


def test_fetches_have_their_checksums_computed_by_the_processor() -> None:
    transport.install()
    assert fetcher.MemoryRecords is transport.CheckedRecords
    first, second = _batch(0, [b"a"]), _batch(1, [b"b", b"c"])
    raw = first + second
    for broken in range(len(raw)):
        octets = bytearray(raw)
        octets[broken] ^= 1
        batches = []
        for records in (MemoryRecords(bytes(octets)), transport.CheckedRecords(bytes(octets))):
            found: list[object] = []
            with suppress(CorruptRecordException):
                while records.has_next():
                    found.append(records.next_batch().validate_crc())
            batches.append(found)
        assert batches[0] == batches[1]
        head = broken if broken < len(first) else broken - len(first)
        assert head < transport._ATTRIBUTES_AT or False in batches[0]


@pytest.mark.parametrize("magic", [0, 1])
def test_batches_in_the_old_format_are_read(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, 1_700_000_000_000, b"k", b"v")
    raw = bytes(builder.build())
    batch = transport.CheckedRecords(raw).next_batch()
    assert batch.validate_crc()
    assert [(record.key, record.value) for record in batch] == [(b"k", b"v")]
    assert not transport.CheckedRecords(raw[:-1] + b"x").next_batch().validate_crc()


@both_ways
def test_aborted_transactions_and_control_records_are_passed_over() -> None:
    raw = (
        _batch(10, [b"a"])
        + _batch(11, [b"b"], producer=7)
        + _batch(12, [b""], producer=7, control=True)
    )
    result, _ = _fetched(raw + _batch(13, [b"c"]), 10, aborted=[(7, 11)])
    (envelope,) = _taken(result, 100)
    assert (list(envelope.values), envelope.next_offset) == ([b"a", b"c"], 14)


# -- what is too much -----------------------------------------------------------------------------

BOMB = [bytes(100), bytes(5_000)]


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches may take a kilobyte, and a poll three."""
    monkeypatch.setattr(transport, "BATCH_BYTES_MAX", 1_000)
    monkeypatch.setattr(transport, "POLL_BYTES_MAX", 3_000)


def _polled(held: transport._Fetched) -> None:
    """Another poll begins."""
    held.budget.begin(sys.maxsize)


@both_ways
@pytest.mark.usefixtures("tight")
def test_a_batch_that_takes_too_much_is_passed_over_and_its_offsets_are_told() -> None:
    raw = _batch(10, [b"a"]) + _batch(11, BOMB, codec=ZSTD) + _batch(13, [b"b"], codec=ZSTD)
    result, state = _fetched(raw, 10)
    (envelope,) = _taken(result, 100)
    assert list(envelope.values) == [b"a", b"b"]
    assert envelope.refused == (Refused(11, 12, 1_700_000_000_012),)
    assert (envelope.start, envelope.next_offset, state.position) == (10, 14, 14)


@pytest.mark.usefixtures("tight")
def test_a_batch_alone_that_takes_too_much_makes_an_envelope_without_records() -> None:
    result, state = _fetched(_batch(11, BOMB, codec=ZSTD), 11)
    (envelope,) = _taken(result, 100)
    assert (len(envelope.values), len(envelope.refused), state.position) == (0, 1, 13)
    assert not result.has_more()


@pytest.mark.usefixtures("tight")
def test_one_that_is_read_from_its_middle_is_told_as_the_same() -> None:
    """As after a restart, where a state ended at a tick within it."""
    raw = _batch(11, BOMB, codec=ZSTD)
    fetches = [_fetched(raw, at) for at in (11, 12)]
    (whole,), (rest,) = (_taken(result, 100) for result, _ in fetches)
    assert (rest.start, rest.refused) == (12, whole.refused)


@pytest.mark.parametrize("codec", [1, 2, 3, ZSTD])
@pytest.mark.usefixtures("tight")
def test_a_compressed_batch_in_the_old_format_is_passed_over(codec: int) -> None:
    builder = LegacyRecordBatchBuilder(1, codec if codec < ZSTD else 1, 1 << 20)
    for number in range(3):
        builder.append(number, 1_700_000_000_000, b"k", b"v")
    raw = struct.pack(">q", 2) + bytes(builder.build())[8:]  # as a broker has it: of the last one
    result, _ = _fetched(raw, 0)
    (envelope,) = _taken(result, 100)
    assert (len(envelope.values), envelope.next_offset) == (0, 3)
    assert [one.last for one in envelope.refused] == [2]


@pytest.mark.usefixtures("tight")
def test_a_poll_decompresses_so_much_and_the_next_one_goes_on() -> None:
    held = transport._Fetched("in", {})
    raw = b"".join(_batch(10 + n, [b"%d" % n * 900], codec=ZSTD) for n in range(8))
    result, _ = _fetched(raw, 10, held=held)
    found: list[list[int]] = []
    while result.has_more():
        _polled(held)
        found += [list(envelope.offsets) for envelope in _taken(result, 100)]
        if result.has_more():
            assert _taken(result, 100) == []  # in the same poll
    assert found == [[10, 11, 12, 13], [14, 15, 16, 17]]


@given(st.integers(1, 60), st.integers(10, 45), st.integers(0, 15))
def test_what_was_refused_is_told_once_wherever_an_envelope_is_cut(
    size: int, first: int, behind: int
) -> None:
    one = Refused(first, first + behind, 0)
    offsets = [o for o in range(10, 61) if not one.first <= o <= one.last]
    texts = [b""] * len(offsets)
    whole = Envelope(0, 10, 61, 61, texts, texts, offsets, offsets, refused=(one,))
    pieces = list(whole.pieces(size))
    (teller,) = [piece for piece in pieces if piece.refused]
    assert teller.start <= one.last < teller.next_offset
    assert bool(whole.since(one.last).refused) is True
    assert not whole.since(one.last + 1).refused
    assert reduce(lambda earlier, later: later.after(earlier), pieces).refused == (one,)


@both_ways
def test_a_fetch_from_before_a_seek_gives_nothing() -> None:
    result, state = _fetched(_batch(10, [b"a"]), 10)
    state.position = 5
    assert _taken(result, 100) == []


@both_ways
def test_a_fetch_that_was_read_is_gone_without_the_collector() -> None:
    gc.disable()
    try:
        result, _ = _fetched(_batch(10, [b"a", b"b"]), 10)
        records = weakref.ref(result._partition_records._records)
        gone = [weakref.ref(result), weakref.ref(result._partition_records), records]
        gone += map(weakref.ref, _taken(result, 100))
        del result
        assert [one() for one in gone] == [None] * 4
    finally:
        gc.enable()


def _polled_together(
    records: dict[PLACE, list[Any]],
    *,
    closes: bool = False,
    fetcher: SimpleNamespace | None = None,
) -> dict[PLACE, list[Any]]:
    """What Faust is given of a fetch; `closes` says that a rebalance begins meanwhile."""
    fetcher = fetcher or SimpleNamespace()
    fetcher._records = transport._Fetched("in", {})

    async def fetch() -> dict[PLACE, list[Any]]:
        app = App("one", **faust_settings(Settings()))
        app.states = SimpleNamespace(topic="in", positioned=True)
        consumer = app.consumer
        assert isinstance(consumer, Consumer)

        async def stock(*_: Any, **__: Any) -> dict[PLACE, list[Any]]:
            app.states.positioned = not closes  # type: ignore[misc]
            return records

        member = SimpleNamespace(_fetcher=fetcher)
        with patch.object(AIOKafkaConsumerThread, "_fetch_records", stock):
            found: dict[PLACE, list[Any]] = await consumer._thread._fetch_records(member, set())
        return found

    return asyncio.run(fetch())


def _of(partition: int, first: int) -> Envelope:
    return Envelope(
        partition, first, first + 2, 50, [b"a"] * 2, [b"k"] * 2, [first, first + 1], [1, 2]
    )


def test_all_that_a_poll_brings_of_the_source_is_one_record() -> None:
    ours, other = [_of(3, 10), _of(0, 7), _of(9, 4)], object()
    records: dict[PLACE, list[Any]] = {PLACE("else", 0): [other]}
    records |= {PLACE("in", one.partition): [one] for one in ours}
    found = _polled_together(dict(records))
    (poll,) = found.pop(PLACE("in", 3))
    assert found == {PLACE("else", 0): [other]}
    assert (poll.first, poll.take(), poll.take()) == (ours[0], ours, [])
    assert _polled_together(dict(records), closes=True) == found
    assert _polled_together(found) == found


def test_a_broker_waits_for_longer_where_little_comes() -> None:
    fetcher = SimpleNamespace()
    for envelopes, wait_ms in (
        ([_of(p, 10) for p in range(9)], transport.IDLE_WAIT_MS),
        ([_of(p, 10) for p in range(transport.IDLE_RECORDS // 2)], transport.FETCH_WAIT_MS),
        ([], transport.FETCH_WAIT_MS),  # nothing of the source came: as it was
        ([_of(0, 10)], transport.IDLE_WAIT_MS),
    ):
        records: dict[PLACE, list[Any]] = {PLACE("in", one.partition): [one] for one in envelopes}
        _polled_together(records, fetcher=fetcher)
        assert fetcher._fetch_max_wait_ms == wait_ms


def test_a_message_bears_the_place_of_a_polls_first_envelope_and_none_is_dropped_for_it() -> None:
    async def ask() -> None:
        app = App("one", **faust_settings(Settings()))
        app.states = SimpleNamespace(topic="in")
        consumer = app.consumer
        assert isinstance(consumer, Consumer)
        message = consumer._to_message(PLACE("in", 3), Poll([_of(3, 10), _of(0, 7)]))
        assert (message.partition, message.offset, message.timestamp) == (3, 11, 0.001)
        source, other = PLACE("in", 3), PLACE("else", 3)
        consumer._read_offset.update({source: 99, other: 99})
        consumer._read_offset[source] = 99
        assert (consumer._read_offset[source], consumer._read_offset[other]) == (None, 99)

    asyncio.run(ask())


def test_the_way_to_the_first_event_has_no_sleep_of_a_second() -> None:
    """Stock has two: before topics are subscribed to, and while partitions wait for their states."""
    slept: list[float] = []

    async def begin() -> None:
        app = App("one", **faust_settings(Settings()))
        consumer = app.consumer
        assert isinstance(consumer, Consumer)
        consumer.resume_flow()
        for partition in PLACE("in", 3), PLACE("in", 4):
            consumer._set_active_tps({partition})
            consumer.pause_partitions({partition})
        assert await consumer._wait_next_records(1.0) == (None, None)
        consumer.stop_flow()
        waiting = asyncio.ensure_future(consumer._wait_next_records(1.0))
        await asyncio.sleep(0)
        assert not waiting.done(), "nothing is looked for before the flow goes on"
        consumer.resume_flow()
        assert await waiting == (None, None)
        with patch.object(consumer, "assignment", set):  # it is no member yet
            await app.tables.on_start()
        assert app.tables._tables_registered.is_set()
        await app.tables.recovery.stop()

    async def sleep(service: Any, seconds: float) -> None:
        if isinstance(service, Consumer | transport.TableManager):
            slept.append(seconds)
        await asyncio.sleep(0)

    with patch("mode.Service.sleep", sleep):
        asyncio.run(begin())
    assert [each for each in slept if each > transport.CLOSED_GATE_PAUSE_S] == []


def test_other_topics_keep_aiokafkas_records() -> None:
    records = PartitionRecords(TP, MemoryRecords(_batch(0, [b"a"])), [], 0, None, None, True, 0)
    held = transport._Fetched("another", {})
    state = SimpleNamespace(position=0, paused=False, consumed_to=lambda _offset: None)
    assignment = SimpleNamespace(active=True, state_value=lambda _tp: state)
    held[TP] = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    (record,) = held[TP].getall(100)
    assert (record.topic, record.partition, record.value) == ("in", 3, b"a")


@given(st.sets(st.integers(10, 40)), st.integers(0, 50))
def test_the_rest_of_an_envelope_has_just_the_records_from_there(
    offsets: set[int], since: int
) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    rest = Envelope(0, 10, 41, 41, texts, texts, column, column).since(since)
    expected = [o for o in column if o >= since]
    assert rest.offsets == rest.timestamps_ms == expected
    assert rest.values == rest.keys == [str(o).encode() for o in expected]
    assert (rest.start, rest.next_offset) == (max(10, since), 41)


@given(st.sets(st.integers(10, 40)), st.integers(10, 40))
def test_two_parts_of_an_envelope_are_it_again(offsets: set[int], cut: int) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    whole = Envelope(0, 10, 41, 50, texts, texts, column, column)
    at = bisect_left(column, cut)
    assert whole.since(cut).after(whole._part(0, at, 10, cut).alone()) == whole


@pytest.mark.parametrize(
    ("end", "highwater", "early"),
    [(10, 20, True), (10, 15, False), (20, 40, False), (11, 20, True), (19, 19, False)],
)
def test_an_envelope_ends_early_if_the_log_had_all_of_its_last_tick(
    end: int, highwater: int, *, early: bool
) -> None:
    assert Envelope(0, 3, end, highwater, [], [], [], []).ends_early(20) is early


def test_an_envelope_does_not_wait_for_what_lies_behind_an_open_transaction() -> None:
    result, state = _fetched(_batch(10, [b"a"]), 10)
    state.lso = 11
    (envelope,) = _taken(result, 100)
    assert (envelope.highwater, envelope.stable) == (100, 11)
    assert not envelope.ends_early(20)
    assert envelope.since(5).stable == next(envelope.pieces(7)).stable == 11
    result, state = _fetched(_batch(10, [b"a"]), 10)
    state.lso = None  # of an old broker
    assert _taken(result, 100)[0].ends_early(20)


@given(st.sets(st.integers(10, 60)), st.integers(1, 60))
def test_the_pieces_of_an_envelope_are_all_of_it_cut_at_multiples(
    offsets: set[int], size: int
) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    pieces = list(Envelope(0, 10, 61, 61, texts, texts, column, column).pieces(size))
    assert [o for piece in pieces for o in piece.offsets] == column
    assert [v for piece in pieces for v in piece.values] == texts
    assert [p.next_offset for p in pieces] == [*(p.start for p in pieces[1:]), 61]
    assert pieces[0].start == 10
    for piece in pieces:
        assert len({o // size for o in piece.offsets}) <= 1
        assert all(piece.start <= o < piece.next_offset for o in piece.offsets)


def test_a_record_is_on_the_wire_after_the_turns_that_the_agent_lets_the_loop_go_for() -> None:
    async def run() -> int:
        sent = asyncio.Event()

        async def send(_node: int, _request: Any) -> None:
            sent.set()
            await asyncio.Event().wait()

        place = TopicPartition("out", 0)
        cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
        loop = asyncio.get_running_loop()
        records = MessageAccumulator(cluster, 16_384, 0, 40, loop=loop)
        client = SimpleNamespace(send=send, cluster=cluster, api_version=(2, 8))
        sender = Sender(
            client, acks=-1, txn_manager=None, message_accumulator=records,
            retry_backoff_ms=100, request_timeout_ms=1000,
        )  # fmt: skip
        await sender.start()
        for _ in range(3):
            await asyncio.sleep(0)  # it stands where it waits for a record
        await records.add_message(place, b"k", b"v", 1)
        turns = 0
        while not sent.is_set() and turns < 20:
            turns += 1
            await asyncio.sleep(0)
        sender.sender_task.cancel()
        return turns

    assert 1 < asyncio.run(run()) <= TURNS_TO_SEND
