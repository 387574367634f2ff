"""Envelope transport: one Faust message for each poll.

All private API of Faust and aiokafka that this project relies on is in this file and in `fetches`,
and pinned by `tests/streams/transport/test_driver.py`.

Stock Faust spends four asyncio tasks, a lock and a queue on every record (29 us). Here all records
of one poll travel as one message, a `Poll` with an `Envelope` of columns for each partition, so
agents, streams, flow control, rebalance and table recovery stay stock Faust at some twenty messages
a second, however many partitions there are.

The second difference is who decides where reading goes on. Stock Faust commits what was
acknowledged and starts where it committed. Here a `PartitionStates` holds the state of each
partition, which is a function of its log up to one offset: reading starts at that offset, and what
is committed is what a checkpoint covers.
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
from aiokafka.partitioner import murmur2
from aiokafka.structs import TopicPartition
from faust import tables
from faust.exceptions import NotReady, ProducerSendError
from faust.stores import STORES
from faust.stores import memory as memory_store
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, RecordMetadata

from streams.transport.envelope import NO_RECORD_TIME_MS, Poll
from streams.transport.fetches import CheckedRecords, Fetched, read_together, stable_end

SCHEME: Final = "kafka-env"
STORE_URL: Final = "checkpoint://states"  # with a host: yarl calls a bare scheme false

METADATA_PAUSE_S: Final = 0.5
"""aiokafka asks for metadata again without a pause while no broker answers: 65,000 log lines in two
outages."""

FETCH_WAIT_MS: Final = 50
FETCH_BYTES_MIN: Final = 1 << 20
"""A broker answers a fetch when it has so many bytes, or after this wait. An envelope cost .3 ms
whatever was in it: with fetches answered at the first record 32 partitions took 58 us of CPU an
event at 15,000 a second, and could not carry 50,000. The wait is half of it latency, on average. It
is short because a broker answers one request of a connection after the other, so that a fetch that
waits holds up the requests of a rebalance. Stock Faust: 1500."""

POLL_RECORDS: Final = 256
IDLE_WAIT_MS: Final = 250
"""A broker waits for as long as so many records take to come, from `FETCH_WAIT_MS` at some 5,000 a
second to this at 1,000. A poll costs 4 ms and more whatever is in it, which is most of the cost
there: at 1,000 a second a worker took 24 % of a core with waits of 100 ms. A lease then comes a
tenth of a second later, of a flood that goes on for minutes; a rebalance, which waits for a
connection's last fetch, at most as much later as the wait is."""

RESPONSE_BYTES_MAX: Final = 4 << 20
"""Of one answer to a fetch, all partitions together: 11,000 events. While it is read, an answer is
in memory three times (what the socket gave, the frame, the partitions' parts), and what a worker
used while it was behind stays with its allocator. Stopped for 3 s three times at 50,000 events/s,
one held 488 MB, and 560 with 16 MB here; a backlog cost the same."""

KNOWN_S: Final = 3.0
"""The longest wait of the group's leader for the topics it shares out. A broker that has just
started answers before it knows its topics; aiokafka would share out nothing, and ask again after
five minutes. Chosen: half of the least session timeout, after which the group drops the leader."""

ISOLATION: Final = "read_committed"
"""Records of a transaction are read once it is committed, and never if it was aborted. Stock Faust
reads them at once, so that a flood that never was would make a lease."""

APPENDED_BYTES_MAX: Final = 100_000
"""Of a value that is put into a batch without asking if a request may be so large: a tenth of what
clients and brokers take by default."""

CLOSED_GATE_PAUSE_S: Final = 0.02


class PartitionStates(Protocol):
    """Holds the partitions' states; the transport asks it where to read and what to commit."""

    topic: str  # the source; every other topic is treated as stock Faust does

    @property
    def positioned(self) -> bool:
        """True once the consumer stands where the states want it. Until then nothing is read."""

    def revoked(self) -> None:
        """A rebalance begins; nothing is owned until `assigned`."""

    def assigned(self, partitions: frozenset[int], generation: int) -> None:
        """The group gave us these partitions in this generation."""

    def restore_record(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        """A record of the changelog, in the order of its log."""

    def changelog_offset(self, partition: int) -> int:
        """The last changelog record that is already known; -1 to be given all of them."""

    async def load(self, generation: int) -> None:
        """The changelog has been read for this generation: make the states."""

    async def seek_to_states(self, consumer: Consumer) -> None:
        """Have the consumer stand where the states want it, if they are loaded."""

    def committable(self) -> Mapping[int, int]:
        """Partition -> offset up to which a complete checkpoint covers its log."""

    async def flush(self, *, fenced: bool) -> None:
        """Checkpoint what fits the deadline; `fenced` if the group no longer counts us."""


class App(faust.App):
    """A Faust app whose partitions' states are held by `states`."""

    states: PartitionStates

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        install()
        super().__init__(*args, **kwargs)


def install() -> None:
    """Make Faust know this transport and its store, and aiokafka read batches by `CheckedRecords`.

    All changes to other packages are made here, when the first app is made. Doing it again changes
    nothing.
    """
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
    STORES.aliases[STORE_URL.partition(":")[0]] = f"{__name__}:Store"
    fetcher.MemoryRecords = CheckedRecords


class Consumer(driver.Consumer):
    """Delivers polls, reads from where the states end, commits what it has covered."""

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
        """Fetch what is next; look again soon while all partitions are paused, for their states.

        Stock Faust then sleeps for a second, which is longer than states take to be restored.
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
        """Ignore it for the source: a full buffer of polls holds back the drain loop by itself.

        Stock Faust stops fetching the partition and, when all are full, sleeps for a second.
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
        """A rebalance begins: the last checkpoints, which `wait_empty` writes, and then states."""
        await super().on_partitions_revoked(revoked)
        self.app.states.revoked()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the states first: Faust asks the store how much of the changelog it knows."""
        mine = frozenset(tp.partition for tp in assigned if self._is_source(tp))
        self.app.states.assigned(mine, generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Take positions from the states, not from the commits that stock Faust takes."""
        await super().perform_seek()
        await self.app.states.seek_to_states(self)

    def committed_offset(self, partition: int) -> int | None:
        """The group's committed offset when positions were last taken; None if there is none."""
        return self._committed_offset.get(TP(self.app.states.topic, partition)) or None

    async def newest_commit(self, partition: int) -> int | None:
        """The offset that the group has committed by now, whoever did; None if there is none."""
        committed = self._thread._ensure_consumer().committed
        offset: int | None = await self._thread.call_thread(
            committed, TP(self.app.states.topic, partition)
        )
        return offset

    async def seek_to(self, positions: Mapping[int, int]) -> None:
        """Stand at these offsets of the source. Return when the consumer does."""
        source = self.app.states.topic
        mine = self.assignment()
        wanted = {TP(source, p): offset for p, offset in positions.items()}
        if wanted := {tp: offset for tp, offset in wanted.items() if tp in mine}:
            await self.seek_wait(wanted)

    async def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        """Partition -> first offset of the source that still exists."""
        source = self.app.states.topic
        if not (tps := [TP(source, p) for p in partitions]):
            return {}
        return {tp.partition: o for tp, o in (await self.earliest_offsets(*tps)).items()}

    def lags(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Partition -> records of the source that may be read now and were not, where known."""
        ends = {p: end for p in positions if (end := self._ends(p)) is not None}
        return {p: max(0, min(end) - positions[p]) for p, end in ends.items()}

    def held_back(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Partition -> where an open transaction begins, and the records from there on.

        Partitions without one are left out. Nobody may read those records before it ends.
        """
        ends = {p: end for p in partitions if (end := self._ends(p)) is not None}
        return {p: (lso, end - lso) for p, (lso, end) in ends.items() if lso < end}

    def _ends(self, partition: int) -> tuple[int, int] | None:
        return self._thread.ends_of(TP(self.app.states.topic, partition))

    async def verify_all_partitions_active(self) -> None:
        """Leave it to the watchdog of `streams.worker`, which ends a worker that is stuck.

        Stock Faust only logs, and raises where a partition has no position for a moment: when
        retention has taken the records that it was to read next, and the new beginning is asked
        for.
        """

    async def wait_empty(self) -> None:
        """Write the last checkpoints, which may be committed then, before partitions may leave."""
        consumer = self._thread._consumer
        fenced = consumer is None or consumer._coordinator.generation < 0
        await self.app.states.flush(fenced=fenced)
        await super().wait_empty()


class _ReadOffsets(defaultdict[TP, int | None]):
    """Offsets read of each partition, by which Faust drops what comes again; not of the source.

    There a message is of many partitions, and what comes again is for their states to tell.
    """

    def __init__(self, is_source: Callable[[TP], bool]) -> None:
        super().__init__(lambda: None)
        self._is_source = is_source

    def __getitem__(self, tp: TP) -> int | None:
        return None if self._is_source(tp) else super().__getitem__(tp)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Turns fetched records into polls, and reads nothing of the source before it is placed."""

    app: App

    async def on_start(self) -> None:
        """Let the fetcher hand out envelopes, and the leader share out nothing it does not know."""
        await super().on_start()
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        fetcher._records = Fetched(self.app.states.topic, fetcher._records)
        _wait_for_topics(consumer)
        consumer._coordinator._push_error_to_user = self._give_up

    async def _give_up(self, error: BaseException) -> None:
        """Have the app crash over an error of the group's protocol.

        aiokafka waits with it for somebody to ask, and does nothing until then; stock Faust never
        asks, so that the worker would read on without being a member of the group.
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
        """Fetch, but nothing of the source before it is placed; all of it as one record."""
        states = self.app.states
        if not states.positioned:
            active_partitions = {tp for tp in active_partitions if tp.topic != states.topic}
            timeout = 0.05
            if not active_partitions:  # an empty set means "all" to aiokafka
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
        if not polled:
            return records
        envelopes = read_together([one for (one,) in polled.values()])
        # Of the next fetch, which is asked for when this one's records are gone: after this.
        fetcher._fetch_max_wait_ms = fetch_wait_ms(
            fetcher._fetch_max_wait_ms, sum(len(one.values) for one in envelopes)
        )
        others = {tp: rs for tp, rs in records.items() if tp not in polled}
        if not states.positioned:  # the gate closed meanwhile: these may be from a stale position
            return others
        return {next(iter(polled)): [Poll(envelopes)], **others}

    def ends_of(self, tp: TP) -> tuple[int, int] | None:
        """The last stable offset and the end of the log, as the last fetch reported them.

        None before that. They are the same where no transaction is open.
        """
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        # Looked up once: its thread may take the partition away between two questions.
        state = assignment and assignment.state_value(tp)
        if not state or (end := state.highwater) is None:
            return None
        return stable_end(state.lso, end), end


def fetch_wait_ms(waited_ms: int, records: int) -> int:
    """Return for how long a broker is to wait, after a wait that brought so many records."""
    return min(max(waited_ms * POLL_RECORDS // max(records, 1), FETCH_WAIT_MS), IDLE_WAIT_MS)


@lru_cache(1 << 14)
def _positive_hash(key: bytes) -> int:
    """Return what aiokafka's partitioner shares out; kept, since a victim has many records."""
    return int(murmur2(key)) & 0x7FFF_FFFF


class Producer(driver.Producer):
    """Stock, but patient while no broker answers."""

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
        producer = super()._new_producer(transactional_id)
        _pause_between_metadata_updates(producer.client)
        return producer

    async def send(self, *args: Any, **options: Any) -> Awaitable[RecordMetadata]:
        """Send as stock, but raise what the client raised: KafkaError alone.

        Stock wraps it in an error of Faust, and raises another once it is stopped: whoever tries
        again after a KafkaError would take either for a state that can no longer be trusted.
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
        """Put a record into the open batch of its partition, or return None where `send` has to.

        Which it has where there is something to wait for or to refuse. What it asks of each record
        anew costs three times what it takes to write one into a batch. The future is that of the
        whole batch: its metadata say where the first record lies.
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
        """Tell if some broker answers a request for metadata."""
        producer = self._producer
        return producer is not None and bool(await producer.client.force_metadata_update())


class Transport(driver.Transport):
    """The transport of `kafka-env://host:port`."""

    Consumer = Consumer
    Producer = Producer


class Store(memory_store.Store):
    """`checkpoint://`: hands every changelog record to the state manager and holds none itself."""

    app: App

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],  # noqa: ARG002 - Faust's signature
        to_value: Callable[[Any], Any],  # noqa: ARG002 - as above
    ) -> None:
        """Records of the changelog, in its order."""
        restore_record = self.app.states.restore_record
        for event in batch:
            message = event.message
            restore_record(message.partition, message.key, message.value, message.offset)

    def persisted_offset(self, tp: TP) -> int | None:
        """The last record that need not be read; never None.

        With None, Faust goes on where it last stood in this process, and a state that was dropped
        and came back would be made of half a changelog.
        """
        return self.app.states.changelog_offset(tp.partition)


class Recovery(tables.recovery.Recovery):
    """Has the states made when the changelog has been read, before the source is."""

    app: App

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Stock Faust's signal does not say for which generation; it also comes for stale ones."""
        await self.app.states.load(generation_id)
        await super().on_recovery_completed(generation_id)


class TableManager(tables.TableManager):
    """Stock, with the recovery above, and without a second's sleep before topics are subscribed to.

    Agents, for whose topics that second could be meant, are started before the table manager is,
    and the subscription waits for them by itself.
    """

    app: App
    _recovery: Recovery | None

    async def on_start(self) -> None:
        """Register the tables, for which the subscription waits, and begin to restore them."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> Recovery:
        """The one recovery service."""
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
        async with asyncio.timeout(KNOWN_S):  # aiokafka gives it to `_give_up` as a KafkaError
            for topic in consumer.subscription():
                await client._wait_on_metadata(topic)
        return await share_out(response)

    coordinator._perform_assignment = wait_and_share_out


async def crash_of(app: App) -> BaseException:
    """Return when Faust declares the app crashed, with the reason."""
    await app._crashed.wait()
    return app.crash_reason or RuntimeError("Faust gave no reason")
