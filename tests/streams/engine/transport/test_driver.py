# ruff: noqa: E501 - a pin is one line
"""The transport against the Faust and aiokafka that it overrides.

When a new version breaks the pins, these tests name what changed: read it, adapt
`streams/engine/transport/driver.py` or `fetches.py`, run the fault suite, and only then write the new pins here.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib
import inspect
import time
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import faust.stores
import faust.transport
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.structs import PartitionMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP as PLACE
from hypothesis import given, settings, strategies as st

from streams.config import Settings
from streams.engine.transport import driver as transport
from streams.engine.transport.driver import App, Consumer
from streams.engine.transport.envelope import Envelope, Poll
from streams.engine.transport.fetches import Fetched
from streams.engine.worker.agents import TURNS_TO_SEND
from streams.engine.worker.app import faust_settings

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
    "faust.transport.consumer:Consumer.verify_all_partitions_active": "self",
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
    "faust.transport.consumer:Consumer._commit_livelock_detector.fun": "af196ff46fd4",
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
def test_appended_records_are_acknowledged_and_refused_with_their_batch(
    refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
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
            assert batch._drain_waiter.exception() is not None  # for who waits for room: nobody
            for each in first, sent:
                with pytest.raises(KafkaTimeoutError):
                    await each
        else:
            batch.done(7)
            assert (first.result().offset, (await sent).offset) == (7, 9)
        client._message_accumulator._batches.clear()
        await client.stop()

    gc.collect()  # what other tests left speaks now
    caplog.clear()
    asyncio.run(append())
    gc.collect()
    assert [each for each in caplog.records if each.name == "asyncio"] == [], "none is unasked"


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


def _polled_together(
    records: dict[PLACE, list[Any]],
    *,
    closes: bool = False,
    fetcher: SimpleNamespace | None = None,
) -> dict[PLACE, list[Any]]:
    """What Faust is given of a fetch; `closes` says that a rebalance begins meanwhile."""
    fetcher = fetcher or SimpleNamespace(_fetch_max_wait_ms=transport.FETCH_WAIT_MS)
    fetcher._records = Fetched("in", {})

    async def fetch() -> dict[PLACE, list[Any]]:
        app = App("one", **faust_settings(Settings()))
        app.states = SimpleNamespace(topic="in", positioned=True, owned=frozenset(range(4)))
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
    fetcher = SimpleNamespace(_fetch_max_wait_ms=transport.FETCH_WAIT_MS)
    few, many = transport.POLL_RECORDS // 4, transport.POLL_RECORDS * 2
    for polled, wait_ms in (
        (few, 4 * transport.FETCH_WAIT_MS),
        (few, transport.IDLE_WAIT_MS),  # for no longer, however little comes
        (100 * many, transport.FETCH_WAIT_MS),
        (0, transport.IDLE_WAIT_MS),  # nothing came
        (many, transport.IDLE_WAIT_MS // 2),
        (transport.POLL_RECORDS, transport.IDLE_WAIT_MS // 2),
        (100 * many, transport.FETCH_WAIT_MS),  # for no less, however much comes
    ):
        envelopes = [_of(partition, 10) for partition in range(polled // 2)]
        records: dict[PLACE, list[Any]] = {PLACE("in", one.partition): [one] for one in envelopes}
        _polled_together(records, fetcher=fetcher)
        assert fetcher._fetch_max_wait_ms == wait_ms


@pytest.mark.parametrize(
    ("partitions", "waits"),
    [
        (32, {100: 250, 1_000: 250, 2_560: 100, 4_000: 64, 15_000: 50}),
        (256, {1_000: 250, 15_000: 136, 50_000: 50}),
    ],
)
def test_a_steady_rate_brings_what_a_poll_should_or_waits_at_an_end(
    partitions: int, waits: dict[int, int]
) -> None:
    for rate_per_s, wait_ms in waits.items():
        waits_ms = [transport.FETCH_WAIT_MS]
        for _ in range(10):
            records = rate_per_s * waits_ms[-1] // 1_000
            waits_ms.append(transport.fetch_wait_ms(waits_ms[-1], records, partitions))
        assert waits_ms[-1] == wait_ms


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


ELSEWHERE = TopicPartition("in", 4)


@pytest.mark.parametrize("place", [TopicPartition("in", 3), ELSEWHERE])
def test_a_place_that_is_not_known_for_a_moment_ends_nothing(place: TopicPartition) -> None:
    """Neither where retention took what was to be read next, nor where a partition just left."""

    async def look() -> tuple[int, int] | None:
        app = App("one", **faust_settings(Settings()))
        app.states = SimpleNamespace(topic="in")
        consumer = app.consumer
        assert isinstance(consumer, Consumer)
        known = SubscriptionState()
        known.subscribe({"in"})
        known.assign_from_subscribed({TopicPartition("in", 3)})
        state = known.subscription.assignment.state_value(TopicPartition("in", 3))
        state.highwater, state.lso, state.timestamp = 9, 7, int(time.monotonic() * 1000)
        state.await_reset("earliest")
        stands = AIOKafkaConsumer.__new__(AIOKafkaConsumer)
        stands._subscription, stands._fetcher = known, SimpleNamespace(_subscriptions=known)
        consumer._thread.time_started = time.monotonic()
        with (
            patch.object(consumer._thread, "_consumer", stands),
            patch.object(consumer, "assignment", lambda: {place}),
            patch.object(known, "assigned_partitions", lambda: {place}),  # before it left
        ):
            await consumer.verify_all_partitions_active()
            return consumer._ends(place.partition)

    assert asyncio.run(look()) == (None if place == ELSEWHERE else (7, 9))


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
