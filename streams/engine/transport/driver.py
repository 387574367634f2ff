"""Envelope transport: one Faust message per poll, with the records in groups ("envelopes").

This file and `fetches` contain all uses of private Faust and aiokafka API in this project.
`tests/streams/engine/transport/test_driver.py` pins that API.

Stock Faust needs four asyncio tasks, a lock and a queue for every record (29 µs). Here all records
of one poll form one message: a `Poll` with an `Envelope` of columns for each partition. So Faust
handles about 20 messages per second, for any number of partitions. Agents, streams, flow control,
rebalance and table recovery remain stock Faust.

The second difference is where reading starts. Stock Faust commits acknowledged offsets and starts
at the committed offset. Here `PartitionStates` manages one state per partition, computed from the
partition's log up to one offset. Reading starts at that offset, and the committed offset is the one
that a checkpoint covers.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, cast

import aiokafka
import faust
import uvloop
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.partitioner import DefaultPartitioner, murmur2
from aiokafka.structs import TopicPartition
from faust import tables
from faust.exceptions import NotReady, ProducerSendError
from faust.stores import STORES, memory as memory_store
from faust.transport.drivers import TRANSPORTS, aiokafka as driver
from faust.types import TP, ConsumerMessage, RecordMetadata

from streams.engine.transport.envelope import NO_RECORD_TIME_MS, Poll
from streams.engine.transport.fetches import CheckedRecords, Fetched, read_together, stable_end

SCHEME: Final = "kafka-env"
# the host part is needed: yarl treats a bare scheme as false
STORE_URL: Final = "checkpoint://states"

METADATA_PAUSE_S: Final = 0.5
"""Pause between metadata requests while no broker answers. Without it aiokafka repeats them
immediately: 65,000 log lines in two outages."""

FETCH_WAIT_MS: Final = 50
FETCH_BYTES_MIN: Final = 1 << 20
"""A broker answers a fetch when it has this many bytes, or after the wait of FETCH_WAIT_MS.

An envelope cost 0.3 ms, however few records it had. When fetches were answered at the first record,
32 partitions took 58 µs of CPU per event at 15,000 events/s and could not process 50,000 events/s.
On average the wait adds half of itself to the latency. It must be short because a broker answers
the requests of one connection in order: a waiting fetch delays the requests of a rebalance. Stock
Faust waits 1500 ms.
"""

POLL_RECORDS: Final = 256
PARTITION_RECORDS: Final = 8
IDLE_WAIT_MS: Final = 250
"""Longest wait of a fetch. A fetch waits for about POLL_RECORDS records: `FETCH_WAIT_MS` at 5,000
events/s or more, and IDLE_WAIT_MS at 1,000 events/s or less, or when nothing comes. A poll costs
.1 ms for each partition, so with more than 32 partitions a fetch waits for PARTITION_RECORDS
records of each: 130 ms at 15,000 events/s on 256 partitions.

A poll costs at least 4 ms, which is most of the cost at low rates: at 1,000 events/s and waits of
100 ms a worker took 24 % of a core. With this wait a lease comes 0.1 s later, in floods that last
minutes. A rebalance waits for the last fetch of its connection, so it is delayed by at most this
wait.
"""

RESPONSE_BYTES_MAX: Final = 4 << 20
"""Maximum size of one fetch response, for all partitions together: about 11,000 events. While a
response is read, three copies are in memory: socket data, frame, and partition data. The allocator
then keeps the memory that a worker used while it caught up. A worker that was paused three times
for 3 s at 50,000 events/s used 488 MB, and 560 MB with a limit of 16 MB. A backlog cost the same
with both limits."""

KNOWN_S: Final = 3.0
"""Maximum time that the group leader waits for the metadata of its topics. A broker that has just
started answers before it knows its topics. aiokafka would then assign no partitions, and retry only
after five minutes. Chosen: half of the smallest session timeout, after which the group removes the
leader."""

ISOLATION: Final = "read_committed"
"""Records of a transaction are read after the commit, and never if the transaction is aborted.
Stock Faust reads them at once, so an aborted transaction could cause a lease."""

APPENDED_BYTES_MAX: Final = 100_000
"""Maximum size of a value that is appended to a batch without checking the request size limit. This
is a tenth of the default limits of clients and brokers."""

CLOSED_GATE_PAUSE_S: Final = 0.02


class PartitionStates(Protocol):
    """Manages the partitions' states. The transport asks where to read and what to commit."""

    topic: str  # the source topic; all other topics are handled as in stock Faust
    owned: frozenset[int]  # the partitions of this worker

    @property
    def positioned(self) -> bool:
        """True once the consumer is at the positions of the states. Until then nothing is read."""

    def revoke(self) -> None:
        """Called when a rebalance begins. No partition is owned until `assign` is called."""

    def assign(self, partitions: frozenset[int], generation: int) -> None:
        """Called when the group assigned these partitions in this generation."""

    def restore_record(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        """Called for each record of the changelog, in log order."""

    def changelog_offset(self, partition: int) -> int:
        """Return the last changelog offset that is already known; -1 to receive all records."""

    async def load(self, generation: int) -> None:
        """Build the states: the changelog has been read for this generation."""

    async def seek_to_states(self, consumer: Consumer) -> None:
        """Move the consumer to the positions of the states, if the states are loaded."""

    def committable(self) -> Mapping[int, int]:
        """Return partition -> offset up to which a complete checkpoint covers the log."""

    async def flush(self, *, fenced: bool) -> None:
        """Write the checkpoints that fit into the deadline.

        `fenced`: the group no longer counts this process as a member.
        """


class App(faust.App):
    """A Faust app with partition states in `states`."""

    states: PartitionStates

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        install()
        super().__init__(*args, producer_partitioner=_choose_partition, **kwargs)


def install() -> None:
    """Register this transport and store with Faust, and make aiokafka use `CheckedRecords`.

    All changes to other packages are made here, when the first app is created. Repeating the call
    changes nothing.
    """
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
    STORES.aliases[STORE_URL.partition(":")[0]] = f"{__name__}:Store"
    fetcher.MemoryRecords = CheckedRecords


class Consumer(driver.Consumer):
    """Delivers polls, starts reading where the states end, and commits what checkpoints cover."""

    app: App

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _ReadOffsets(self._is_source)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(
            self, loop=self.loop, thread_loop=uvloop.new_event_loop(), beacon=self.beacon
        )

    def _is_source(self, tp: TP) -> bool:
        return tp.topic == self.app.states.topic

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> tuple[Any, set[TP] | None]:
        """Fetch the next records. While all partitions are paused for their states, retry soon.

        Stock Faust sleeps for one second then, which is longer than the states need to load.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        if not self._get_active_partitions():
            await self.sleep(CLOSED_GATE_PAUSE_S)
            return None, None
        return await super()._wait_next_records(timeout)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Poll):
            return super()._to_message(tp, record)
        first = record.first
        times_ms = first.timestamps_ms
        first_ms = int(times_ms[0]) if len(times_ms) else NO_RECORD_TIME_MS
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            first.next_offset - 1,
            first_ms / 1000,
            0,
            [],
            None,
            cast("Any", record),
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing for the source topic: its full buffer already ends the loop over records.

        Other topics behave as in stock Faust, which stops fetching the partition and sleeps for one
        second if the buffers of all partitions are full.
        """
        if not self._is_source(tp):
            super().on_buffer_full(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        for tp in list(super()._filter_tps_with_pending_acks(topics)):
            if not self._is_source(tp):
                yield tp
        source = self.app.states.topic
        for partition in self.app.states.committable():
            tp = TP(source, partition)
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if not self._is_source(tp):
            return super()._new_offset(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.app.states.committable().get(tp.partition)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Start a rebalance.

        First `wait_empty` writes the last checkpoints, then the states are released.
        """
        await super().on_partitions_revoked(revoked)
        self.app.states.revoke()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Inform the states first: Faust then asks the store how much of the changelog it knows."""
        mine = frozenset(tp.partition for tp in assigned if self._is_source(tp))
        self.app.states.assign(mine, generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Take positions from the states instead of the committed offsets that stock Faust uses."""
        await super().perform_seek()
        await self.app.states.seek_to_states(self)

    def committed_offset(self, partition: int) -> int | None:
        """Return the committed offset when positions were last taken; None if there is none."""
        return self._committed_offset.get(TP(self.app.states.topic, partition)) or None

    async def newest_commit(self, partition: int) -> int | None:
        """Return the group's current committed offset, from any member; None if there is none."""
        committed = self._thread._ensure_consumer().committed
        offset: int | None = await self._thread.call_thread(
            committed, TP(self.app.states.topic, partition)
        )
        return offset

    async def seek_to(self, positions: Mapping[int, int]) -> None:
        """Move to these offsets of the source. Return when the consumer is there."""
        source = self.app.states.topic
        mine = self.assignment()
        wanted = {TP(source, p): offset for p, offset in positions.items()}
        if wanted := {tp: offset for tp, offset in wanted.items() if tp in mine}:
            await self.seek_wait(wanted)

    async def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return partition -> first offset of the source that still exists."""
        source = self.app.states.topic
        if not (tps := [TP(source, p) for p in partitions]):
            return {}
        return {tp.partition: o for tp, o in (await self.earliest_offsets(*tps)).items()}

    def lags(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return partition -> readable records of the source not read yet, for known partitions."""
        ends = {p: end for p in positions if (end := self._ends(p)) is not None}
        return {p: max(0, min(end) - positions[p]) for p, end in ends.items()}

    def held_back(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return partition -> start of an open transaction, and number of records from there on.

        Partitions without an open transaction are omitted. Nobody may read these records before the
        transaction ends.
        """
        ends = {p: end for p in partitions if (end := self._ends(p)) is not None}
        return {p: (lso, end - lso) for p, (lso, end) in ends.items() if lso < end}

    def _ends(self, partition: int) -> tuple[int, int] | None:
        return self._thread.ends_of(TP(self.app.states.topic, partition))

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: the watchdog of `streams.engine.worker` ends a worker that is stuck.

        Stock Faust only logs that a worker is stuck. It also raises an error if a partition has no
        position for a moment: when retention deleted the next records and the new first offset is
        being requested.
        """

    async def wait_empty(self) -> None:
        """Write the last checkpoints before partitions are revoked.

        Their offsets can then still be committed.
        """
        consumer = self._thread._consumer
        fenced = consumer is None or consumer._coordinator.generation < 0
        await self.app.states.flush(fenced=fenced)
        await super().wait_empty()


class _ReadOffsets(defaultdict[TP, int | None]):
    """Last offsets read per partition, which Faust uses to drop repeated records.

    The source is excluded: one of its messages covers many partitions, and the states themselves
    detect repeated records.
    """

    def __init__(self, is_source: Callable[[TP], bool]) -> None:
        super().__init__(lambda: None)
        self._is_source = is_source

    def __getitem__(self, tp: TP) -> int | None:
        return None if self._is_source(tp) else super().__getitem__(tp)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Turns fetched records into polls, and reads the source only after it is positioned."""

    app: App

    async def on_start(self) -> None:
        """Make the fetcher return envelopes, and make the leader wait for unknown topics."""
        await super().on_start()
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        fetcher._records = Fetched(self.app.states.topic, fetcher._records)
        _wait_for_topics(consumer)
        consumer._coordinator._push_error_to_user = self._give_up

    async def _give_up(self, error: BaseException) -> None:
        """Crash the app after an error of the group protocol.

        aiokafka keeps the error until somebody asks for it, and stops working. Stock Faust never
        asks, so the worker would continue to read without being a member of the group.
        """
        if not isinstance(error, KafkaError):
            error = KafkaError(repr(error))
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.parent_loop)
        await self._ensure_consumer()._coordinator._closing

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        _pause_between_metadata_updates(consumer._client)
        consumer._isolation_level = ISOLATION
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_min_bytes = FETCH_BYTES_MIN
        consumer._fetch_max_bytes = RESPONSE_BYTES_MAX
        return consumer

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> Any:
        """Fetch records; all records of the source become one message.

        Nothing of the source is fetched before it is positioned.
        """
        states = self.app.states
        if not states.positioned:
            active_partitions = {tp for tp in active_partitions if tp.topic != states.topic}
            timeout = 0.05
            if not active_partitions:  # an empty set means "all partitions" to aiokafka
                await asyncio.sleep(CLOSED_GATE_PAUSE_S)
                return {}
        fetcher = consumer._fetcher
        held = fetcher._records
        assert isinstance(held, Fetched)
        held.budget.begin(max_records or sys.maxsize)
        records = await super()._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=max_records
        )
        polled = {tp: rs for tp, rs in records.items() if tp.topic == states.topic}
        envelopes = read_together([one for (one,) in polled.values()])
        if polled or (states.positioned and not records):
            # This applies to the next fetch, which is sent after the records of this one are taken.
            fetcher._fetch_max_wait_ms = fetch_wait_ms(
                fetcher._fetch_max_wait_ms,
                sum(len(one.values) for one in envelopes),
                len(states.owned),
            )
        if not polled:
            return records
        others = {tp: rs for tp, rs in records.items() if tp not in polled}
        # positions were lost meanwhile, so these records may be from an old position
        if not states.positioned:
            return others
        return {next(iter(polled)): [Poll(envelopes)], **others}

    def ends_of(self, tp: TP) -> tuple[int, int] | None:
        """Return the last stable offset and the end of the log, from the last fetch.

        Returns None before the first fetch. The two offsets are equal if no transaction is open.
        """
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        # One lookup only: the other thread may remove the partition between two lookups.
        state = assignment and assignment.state_value(tp)
        if not state or (end := state.highwater) is None:
            return None
        return stable_end(state.lso, end), end


def fetch_wait_ms(waited_ms: int, records: int, partitions: int) -> int:
    """Return how long the next fetch may wait, given the last wait and its number of records."""
    scaled_ms = waited_ms * max(POLL_RECORDS, PARTITION_RECORDS * partitions) // max(records, 1)
    return min(max(scaled_ms, FETCH_WAIT_MS), IDLE_WAIT_MS)


@lru_cache(1 << 14)
def _positive_hash(key: bytes) -> int:
    """Return the hash that aiokafka's partitioner uses. Cached: a victim has many records.

    Only the part of the key before a slash counts: the recipient of a throttle record.
    """
    return int(murmur2(key.partition(b"/")[0])) & 0x7FFF_FFFF


def _choose_partition(
    key: bytes | None, partitions: Sequence[int], available: Sequence[int]
) -> int:
    """Return the partition of a record that `Producer.append` left to the client."""
    if key is None:
        return int(DefaultPartitioner()(None, partitions, available))
    return partitions[_positive_hash(key) % len(partitions)]


class Producer(driver.Producer):
    """Faust's producer with a pause between metadata requests while no broker answers."""

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
        producer = super()._new_producer(transactional_id)
        _pause_between_metadata_updates(producer.client)
        return producer

    async def send(self, *args: Any, **options: Any) -> Awaitable[RecordMetadata]:
        """Send as stock Faust does, but raise only the client's KafkaError.

        Stock Faust wraps the error, and raises another type once it is stopped. Callers retry after
        a KafkaError; they would treat any other error as a corrupt state.
        """
        try:
            return await super().send(*args, **options)
        except ProducerSendError as error:
            if isinstance(error.__cause__, KafkaError):
                raise error.__cause__ from None
            raise
        except NotReady:
            raise ProducerClosed from None

    def append(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[RecordMetadata] | None:
        """Append a record to the open batch of its partition; return None if `send` must be used.

        `send` is needed when the record has to wait or may be rejected. `send` repeats checks for
        each record that cost three times as much as appending. The returned future belongs to the
        whole batch: its metadata contains the offset of the batch's first record.
        """
        if (producer := self._producer) is None or len(value) > APPENDED_BYTES_MAX:
            return None
        accumulator, known = producer._message_accumulator, producer._metadata._partitions
        if accumulator._closed or accumulator._exception is not None or not known.get(topic):
            return None
        place = TopicPartition(topic, _positive_hash(key) % len(known[topic]))
        if open_batches := accumulator._batches.get(place):
            batch = open_batches[-1]
        else:
            batch = accumulator._append_batch(accumulator.create_builder(), place)
        shared: asyncio.Future[RecordMetadata] = batch.future
        appended = batch.append(
            key, value, None, _create_future=lambda: shared, headers=list(headers)
        )
        return None if appended is None else shared

    async def broker_answers(self) -> bool:
        """Return true if a broker answers a metadata request."""
        producer = self._producer
        return producer is not None and bool(await producer.client.force_metadata_update())


class Transport(driver.Transport):
    """The transport for URLs `kafka-env://host:port`."""

    Consumer = Consumer
    Producer = Producer


class Store(memory_store.Store):
    """The store `checkpoint://`: passes changelog records to the states, stores nothing itself."""

    app: App

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],  # noqa: ARG002 - Faust's signature
        to_value: Callable[[Any], Any],  # noqa: ARG002 - Faust's signature
    ) -> None:
        """Pass on changelog records, in log order."""
        restore_record = self.app.states.restore_record
        for event in batch:
            message = event.message
            restore_record(message.partition, message.key, message.value, message.offset)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that need not be read. Never None.

        With None, Faust continues at its last position in this process. A state that was dropped
        and assigned again would then be built from half a changelog.
        """
        return self.app.states.changelog_offset(tp.partition)


class Recovery(tables.recovery.Recovery):
    """Builds the states after the changelog is read and before the source is read."""

    app: App

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Load the states. Faust calls this for old generations too, so the id is passed on."""
        await self.app.states.load(generation_id)
        await super().on_recovery_completed(generation_id)


class TableManager(tables.TableManager):
    """Stock table manager with `Recovery`, and without a sleep of one second at start.

    The sleep seems meant for topics of agents. But agents start before the table manager, and the
    subscription waits for them by itself.
    """

    app: App
    _recovery: Recovery | None

    async def on_start(self) -> None:
        """Register the Faust tables, which the subscription waits for, and start restoring them."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """Return the recovery service; create it on first use."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


def _pause_between_metadata_updates(client: Any) -> None:
    update: Callable[..., Awaitable[bool]] = client._metadata_update

    async def update_or_pause(cluster_metadata: Any, topics: Any) -> bool:
        updated = await update(cluster_metadata, topics)
        if not updated:
            await asyncio.sleep(METADATA_PAUSE_S)
        return updated

    client._metadata_update = update_or_pause


def _wait_for_topics(consumer: aiokafka.AIOKafkaConsumer) -> None:
    coordinator, client = consumer._coordinator, consumer._client
    share_out: Callable[[Any], Awaitable[Any]] = coordinator._perform_assignment

    async def wait_and_share_out(response: Any) -> Any:
        # on a timeout aiokafka passes a KafkaError to `_give_up`
        async with asyncio.timeout(KNOWN_S):
            for topic in consumer.subscription():
                await client._wait_on_metadata(topic)
        return await share_out(response)

    coordinator._perform_assignment = wait_and_share_out


async def crash_of(app: App) -> BaseException:
    """Wait until Faust declares that the app crashed, and return the reason."""
    await app._crashed.wait()
    return app.crash_reason or RuntimeError("Faust gave no reason")
