"""Envelope transport: one Faust message for each poll.

All private Faust and aiokafka API that this project relies on is in this file, and pinned by
`tests/streams/transport/test_driver.py`.

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
import struct
import sys
import weakref
from bisect import bisect_left
from collections import defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol, cast

import aiokafka
import faust
import numpy as np
import uvloop
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError, ProducerClosed
from aiokafka.partitioner import murmur2
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from crc32c import crc32c
from faust import tables
from faust.exceptions import NotReady, ProducerSendError
from faust.stores import STORES
from faust.stores import memory as memory_store
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, RecordMetadata
from numpy.typing import NDArray

from streams.transport.decompress import UnreadableBatchError, decompress
from streams.transport.record_batch import (
    BatchSlice,
    Columns,
    MalformedError,
    Refused,
    alone,
    decode_records,
    joined,
    record_starts,
)

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

IDLE_RECORDS: Final = 256
IDLE_WAIT_MS: Final = 100
"""After a poll of fewer records, some 5,000 a second, a broker waits for longer: a poll costs some
4 ms whatever is in it, which is most of the cost there, and a worker that has little to do need not
do it often. An action then comes 25 ms later, on average."""

RESPONSE_BYTES_MAX: Final = 16 << 20
"""Of one answer to a fetch, all partitions together: 40,000 events. While it is read, an answer is
in memory three times (what the socket gave, the frame, the partitions' parts). A worker that caught
up on 32 partitions had 853 MB at most with aiokafka's 50 MB, and 768 with this."""

BATCH_BYTES_MAX: Final = 8 << 20
"""Of one batch when it is decompressed: 20,000 events. Producers bound theirs before they compress
it, at a megabyte unless somebody raised that; a batch made to harm is a thousand times its size."""

POLL_BYTES_MAX: Final = 16 << 20
"""Bytes that one poll decompresses, of all partitions together, and one batch more. The rest comes
with the next poll, so this decides where envelopes end, which no state depends on."""

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
NO_RECORD_TIME_MS: Final = -1


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Envelope:
    """The records of one partition and one poll, as columns of length n; n may be 0.

    It covers the log from `start`, where the consumer stood, up to `next_offset`. Offsets missing
    in between hold no record (compaction, transaction markers).
    """

    partition: int
    start: int
    next_offset: int
    highwater: int  # end of the partition's log when this was fetched
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: Sequence[int] | NDArray[np.int64]
    timestamps_ms: Sequence[int] | NDArray[np.int64]
    stable: int | None = field(default=None, compare=False)  # where an open transaction begins
    refused: tuple[Refused, ...] = ()  # offsets whose records were not read

    def since(self, offset: int) -> Envelope:
        """The part of it from `offset` on."""
        if offset <= self.start:
            return self
        return self._part(bisect_left(self.offsets, offset), None, offset, self.next_offset)

    def after(self, earlier: Envelope) -> Envelope:
        """Both in one; the other ends where this one starts."""
        return Envelope(
            self.partition,
            earlier.start,
            self.next_offset,
            self.highwater,
            joined([earlier.values, self.values]),
            joined([earlier.keys, self.keys]),
            joined([earlier.offsets, self.offsets]),
            joined([earlier.timestamps_ms, self.timestamps_ms]),
            stable=self.stable,
            refused=earlier.refused + self.refused,
        )

    def alone(self) -> Envelope:
        """The same without the fetch that it is a part of, which may be megabytes."""
        return replace(self, values=alone(self.values), keys=alone(self.keys))

    def ends_early(self, size: int) -> bool:
        """Tell if the log already had more, up to the next multiple of `size` offsets.

        And whether it may be read: what lies behind an open transaction may not.
        """
        end = self.highwater if self.stable is None else self.stable
        return self.next_offset < -(-self.next_offset // size) * size <= end

    def pieces(self, size: int) -> Iterator[Envelope]:
        """All of it in order, cut where its records pass a multiple of `size` offsets."""
        at, start, offsets = 0, self.start, self.offsets
        while len(offsets) and (end := (int(offsets[at]) // size + 1) * size) <= offsets[-1]:
            cut = bisect_left(offsets, end, at)
            yield self._part(at, cut, start, end)
            at, start = cut, end
        yield self._part(at, None, start, self.next_offset) if at else self

    def _part(self, first: int, last: int | None, start: int, next_offset: int) -> Envelope:
        return Envelope(
            self.partition,
            start,
            next_offset,
            self.highwater,
            self.values[first:last],
            self.keys[first:last],
            self.offsets[first:last],
            self.timestamps_ms[first:last],
            stable=self.stable,
            refused=tuple(one for one in self.refused if start <= one.last < next_offset),
        )


class Poll:
    """Batches of one poll of the source: the value of a Faust message."""

    __slots__ = ("_envelopes",)

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self._envelopes = envelopes  # one of each partition that has something; never empty

    @property
    def first(self) -> Envelope:
        """The envelope under whose partition and offset the message travels."""
        return self._envelopes[0]

    def take(self) -> list[Envelope]:
        """All envelopes, once: Faust holds a message for longer than its records are of use."""
        taken, self._envelopes = self._envelopes, ()
        return list(taken)


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
        fetcher._records = _Fetched(self.app.states.topic, fetcher._records)
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
        held = consumer._fetcher._records
        assert isinstance(held, _Fetched)
        held.budget.begin(max_records or sys.maxsize)
        records = await super()._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=max_records
        )
        polled = {tp: rs for tp, rs in records.items() if tp.topic == states.topic}
        if not polled:
            return records
        envelopes = read_together([one for (one,) in polled.values()])
        few = sum(len(one.values) for one in envelopes) < IDLE_RECORDS
        # Of the next fetch, which is asked for when this one's records are gone: after this.
        consumer._fetcher._fetch_max_wait_ms = IDLE_WAIT_MS if few else FETCH_WAIT_MS
        others = {tp: rs for tp, rs in records.items() if tp not in polled}
        if not states.positioned:  # the gate closed meanwhile: these may be from a stale position
            return others
        return {next(iter(polled)): [Poll(envelopes)], **others}

    def ends_of(self, tp: TP) -> tuple[int, int] | None:
        """The last stable offset and the end of the log, as the last fetch reported them.

        None before that. They are the same where no transaction is open.
        """
        consumer = self._ensure_consumer()
        if tp not in consumer.assignment() or (end := consumer.highwater(tp)) is None:
            return None
        return _stable(consumer.last_stable_offset(tp), end), end


@dataclass(slots=True)
class _Budget:
    """Amount that the poll in hand may still take, over all partitions.

    aiokafka's own limit counts an envelope as one record; without this, a worker catching up on 32
    partitions held 115,000 events.
    """

    records: int = sys.maxsize
    octets: int = POLL_BYTES_MAX  # to be decompressed

    def begin(self, records: int) -> None:
        self.records, self.octets = records, POLL_BYTES_MAX


class _Fetched(dict[TP, Any]):
    """The results that aiokafka's fetcher holds for each partition.

    Results of the source hand their records out as one envelope. aiokafka's own generators see a
    whole batch as one record: .2 us a record of a large fetch and .55 of a small one, where taking
    each one through them costs .7 and an object for each 1.7.
    """

    def __init__(self, topic: str, held: Mapping[TP, Any]) -> None:
        super().__init__()
        self._topic = topic
        self.budget = _Budget()
        self.update(held)

    def __setitem__(self, tp: TP, result: Any) -> None:
        if tp.topic == self._topic and type(result) is FetchResult:
            records = result._partition_records
            records._records = batches = _Batches(records._records)
            records._consumer_record = _bare
            result.getall = partial(_envelopes, self.budget, weakref.ref(result), batches)
        super().__setitem__(tp, result)


def _stable(offset: int | None, end: int) -> int:
    """A last stable offset; the log's end where the broker has none."""
    return end if offset is None or offset < 0 else min(offset, end)


def _bare(_tp: TP, record: Any) -> Any:
    return record


_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""Of a batch: its offset, its length from there on, an epoch, the format, the checksum, attributes,
the last offset's delta, its first time and its last, three of its producer, the records' number."""
_LENGTH: Final = struct.Struct(">i")
_OFFSET: Final = struct.Struct(">q")
_LENGTH_AT, _MAGIC_AT, _ATTRIBUTES_AT = 8, 16, 21  # the checksum is of all from there on
_OLD_ATTRIBUTES_AT: Final = 17
_MAGIC_OLD: Final = 1  # and below: before Kafka 0.11, another format
_CODEC, _APPENDED = 0b0111, 0b1000  # of the attributes
_TRANSACTIONAL, _CONTROL = 0b1_0000, 0b10_0000
_MAGIC_NEW: Final = 2
_HOLD_GIL: Final = 0
"""A megabyte takes 50 us: to let another thread run meanwhile, and wait for it, takes a hundred
times as long."""

BULK_BYTES: Final = 200_000
"""Of a partition's fetch whose records are read by themselves: 500 events. Below, they are read
with those of the other partitions: some fifty calls of numpy are paid once for a poll."""


class CheckedRecords:
    """aiokafka's `MemoryRecords`, whose batches have their checksum computed by the processor.

    aiokafka computes it in C, byte by byte: a tenth of what reading a record costs in all.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._at = 0
        self._records = records = MemoryRecords(raw)
        self.has_next = records.has_next
        self.size_in_bytes = records.size_in_bytes

    def next_batch(self) -> _Checked:
        """The next record batch, of those that there are."""
        batch = self._records.next_batch()
        begin = self._at
        (length,) = _LENGTH.unpack_from(self.raw, begin + _LENGTH_AT)
        self._at += _LENGTH_AT + _LENGTH.size + length
        return _Checked(batch, self.raw, begin, self._at)


class _Checked:
    """A record batch, `raw[begin:end]`; all but its checksum is as aiokafka has it."""

    def __init__(self, batch: Any, raw: bytes, begin: int, end: int) -> None:
        self.is_old = raw[begin + _MAGIC_AT] <= _MAGIC_OLD
        self.plain = batch
        self._raw = raw
        self._begin = begin
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.plain)

    def __next__(self) -> Any:
        return next(self.plain)

    def validate_crc(self) -> bool:
        """Tell if its bytes are those that were sent."""
        if self.is_old:
            return bool(self.plain.validate_crc())
        _, _, _, _, expected, *_ = _HEADER.unpack_from(self._raw, self._begin)
        octets = memoryview(self._raw)[self._begin + _ATTRIBUTES_AT : self._end]
        return bool(crc32c(octets, 0, _HOLD_GIL) == expected)

    @property
    def is_compressed(self) -> bool:
        """Tell if the records of an old one take more bytes than it does."""
        return bool(self._raw[self._begin + _OLD_ATTRIBUTES_AT] & _CODEC)

    def refused(self) -> Refused:
        """All of an old one, to be passed over; how many there are it does not say."""
        (offset,) = _OFFSET.unpack_from(self._raw, self._begin)  # its offset is the last record's
        return Refused(offset, offset, NO_RECORD_TIME_MS)


class _Batches:
    """The batches of a fetch, made of parts of at most `room` records in place of records.

    Of a live rate a fetch holds a batch of a few records for every few milliseconds. Those that
    follow one another and are of no transaction are handed on as one: to aiokafka a batch costs
    some 14 us whatever is in it, here 3.
    """

    def __init__(self, records: CheckedRecords) -> None:
        self.room = 1
        self.octets = POLL_BYTES_MAX  # that may be decompressed before it is enough
        self.decompressed = 0  # bytes, since somebody asked
        self.bulk = len(records.raw) >= BULK_BYTES
        self._raw = records.raw
        self._at = 0

    def has_next(self) -> bool:
        """Tell if there is another whole batch; a fetch may end within one."""
        return self._end(self._at) is not None

    def next_batch(self) -> Any:
        """The next batches that can be read together, as one, or the next by itself."""
        raw, begin, run = self._raw, self._at, []
        while (end := self._end(self._at)) is not None:
            at = self._at
            if end - at < _HEADER.size or raw[at + _MAGIC_AT] != _MAGIC_NEW:
                break
            if raw[at + _ATTRIBUTES_AT + 1] & (_TRANSACTIONAL | _CONTROL):
                break
            run.append(_Plain(_HEADER.unpack_from(raw, at), at, end))
            self._at = end
        if run:
            return _Run(self, raw, run)
        self._at = cast("int", end)
        batch = CheckedRecords(raw[begin : self._at]).next_batch()
        if batch.is_control_batch:
            return batch
        return _Batch(batch, self._parts(batch, begin))

    def _end(self, at: int) -> int | None:
        if at + _LENGTH_AT + _LENGTH.size > len(self._raw):
            return None
        (length,) = _LENGTH.unpack_from(self._raw, at + _LENGTH_AT)
        end: int = at + _LENGTH_AT + _LENGTH.size + length
        return end if at < end <= len(self._raw) else None

    def _parts(self, batch: _Checked, begin: int) -> Iterator[_Part]:
        """Choose a reader for the batch. Aiokafka would decompress whatever there is."""
        if batch.is_old:
            return iter([batch.refused()]) if batch.is_compressed else _lists(self, batch)
        header = _HEADER.unpack_from(self._raw, begin)
        return _bundles(self, self._raw, [_Plain(header, begin, self._at)])


class _Plain(NamedTuple):
    """A batch of today's format, `raw[begin:end]`."""

    header: tuple[int, ...]  # see `_HEADER`
    begin: int
    end: int

    @property
    def last_offset(self) -> int:
        return self.header[0] + self.header[6]


class _Run:
    """Batches that follow one another and are of no transaction, in place of one batch."""

    is_control_batch = is_transactional = False
    producer_id = None  # to nobody it matters whose they are

    def __init__(self, batches: _Batches, raw: bytes, run: list[_Plain]) -> None:
        self.base_offset = run[0].header[0]
        self.next_offset = run[-1].last_offset + 1
        self._batches = batches
        self._raw = raw
        self._run = run

    def validate_crc(self) -> bool:
        """Tell if the bytes of all are those that were sent."""
        octets = memoryview(self._raw)
        return all(
            crc32c(octets[begin + _ATTRIBUTES_AT : end], 0, _HOLD_GIL) == header[4]
            for header, begin, end in self._run
        )

    def __iter__(self) -> Iterator[_Part]:
        return _bundles(self._batches, self._raw, self._run)


class _Bundle(NamedTuple):
    """Consecutive records of some batches."""

    slices: list[BatchSlice]

    @property
    def offset(self) -> int:
        """Of the last one."""
        return self.slices[-1].offset


_Part = _Bundle | Columns | Refused


class _Batch:
    """A record batch; all but its records is as it was."""

    def __init__(self, batch: _Checked, parts: Iterator[_Part]) -> None:
        self._batch = batch
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Part]:
        return self._parts


def _slice_of(raw: bytes, plain: _Plain) -> BatchSlice:
    """All of its records. Raises MalformedError, or UnreadableError if they are too much."""
    offset, _, _, _, _, attributes, _, first_ms, last_ms, _, _, _, count = plain.header
    buffer, begin, end = raw, plain.begin + _HEADER.size, plain.end
    if number := attributes & _CODEC:
        buffer = decompress(number, buffer[begin:end], BATCH_BYTES_MAX)
        begin, end = 0, len(buffer)
    appended = bool(attributes & _APPENDED)
    found = record_starts(buffer, begin, end, count)
    base_ms = last_ms if appended else first_ms
    return BatchSlice(buffer, found, offset, base_ms, appended, plain.last_offset)


def _bundles(batches: _Batches, raw: bytes, run: Sequence[_Plain]) -> Iterator[_Part]:
    """The records of a run, each time as many as there is room for."""
    slices: list[BatchSlice] = []
    room = batches.room
    for plain in run:
        try:
            piece = _slice_of(raw, plain)
        except UnreadableBatchError:
            if slices:
                yield _Bundle(slices)
            batches.decompressed += BATCH_BYTES_MAX
            yield Refused(plain.header[0], plain.last_offset, plain.header[8])
            slices, room = [], batches.room
            continue
        if piece.buffer is not raw:
            batches.decompressed += len(piece.buffer)
            batches.bulk |= len(piece.buffer) >= BULK_BYTES
        done = 0
        while done < piece.number:
            some = piece.part(done, done + room) if done or room < piece.number else piece
            slices.append(some)
            done += some.number
            room -= some.number
            if not room or batches.decompressed >= batches.octets:
                yield _Bundle(slices)
                slices, room = [], batches.room
    if slices:
        yield _Bundle(slices)


def _lists(batches: _Batches, batch: _Checked) -> Iterator[_Part]:
    records: Iterable[Any] = batch  # aiokafka lets it be asked for an iterator but once
    room = got = 0
    while got == room:  # and starts anew when it is over
        values: list[bytes | None] = []
        keys: list[bytes | None] = []
        offsets: list[int] = []
        timestamps_ms: list[int] = []
        value, key, offset, timestamp_ms = (
            column.append for column in (values, keys, offsets, timestamps_ms)
        )
        room = batches.room
        for record in islice(records, room):
            value(record.value)
            key(record.key)
            offset(record.offset)
            timestamp_ms(record.timestamp)
        records = iter(batch.__next__, None)
        if got := len(offsets):
            yield Columns(values, keys, offsets, timestamps_ms)


class _Unread(NamedTuple):
    """An envelope whose n > 0 records still lie in their batches; all are at `start` or later."""

    partition: int
    start: int
    next_offset: int
    highwater: int
    slices: list[BatchSlice]
    stable: int
    refused: tuple[Refused, ...]


def read_together(polled: Sequence[Envelope | _Unread]) -> list[Envelope]:
    """The envelopes of a poll; those that are not read yet are read at once.

    Raises CorruptRecordException if a batch does not hold what it says, which its checksum does.
    """
    unread = [one for one in polled if isinstance(one, _Unread)]
    try:
        got = decode_records([piece for one in unread for piece in one.slices])
    except MalformedError:
        raise CorruptRecordException(
            f"Malformed batch - partitions {[one.partition for one in unread]}"
        ) from None
    envelopes = []
    last = 0
    for one in polled:
        if isinstance(one, Envelope):
            envelopes.append(one)
            continue
        first, last = last, last + sum(piece.number for piece in one.slices)
        partition, start, end, highwater, _, stable, refused = one
        columns = got.part(first, last)
        envelopes.append(Envelope(partition, start, end, highwater, *columns, stable, refused))
    return envelopes


def _envelopes(
    budget: _Budget,
    of: weakref.ref[FetchResult],
    batches: _Batches,
    max_records: int | None = None,
) -> list[Envelope] | list[_Unread]:
    """`FetchResult.getall` as one envelope, which also covers offsets without a record.

    The result holds this, so this may not hold the result: a fetch is megabytes, and the collector,
    which counts objects, would come for such a cycle only after hundreds of others.
    """
    result = of()
    assert result is not None
    tp: TP = result._topic_partition
    if not result.check_assignment(tp) or not result.has_more():
        return []
    records: PartitionRecords = result._partition_records
    start = records.next_fetch_offset
    room = min(max_records or sys.maxsize, budget.records)
    parts: list[BatchSlice | Columns] = []
    refused: list[Refused] = []
    ended = False
    try:
        while room > 0 and budget.octets > 0:
            batches.room, batches.octets = room, budget.octets
            if ended := (part := next(records, None)) is None:
                break
            budget.octets -= batches.decompressed
            batches.decompressed = 0
            if isinstance(part, Refused):
                refused.append(part)
                continue
            some = part.slices if isinstance(part, _Bundle) else [part]
            parts += some
            room -= sum(each.number for each in some)
        slices = None if batches.bulk else _from(parts, start)
        got = Columns.of(parts).since(start) if slices is None else None
    except MalformedError:
        raise CorruptRecordException(f"Malformed batch - {tp}") from None
    result._update_position()  # not before: a batch that is broken has all of them read again
    if ended:
        result._partition_records = None
    end = records.next_fetch_offset
    state = result._assignment.state_value(tp)
    if end == start:
        return []
    highwater = max(state.highwater or 0, end)
    stable = max(_stable(state.lso, highwater), end)
    if slices is not None:
        budget.records -= sum(piece.number for piece in slices)
        return [_Unread(tp.partition, start, end, highwater, slices, stable, tuple(refused))]
    assert got is not None
    budget.records -= len(got.values)
    return [Envelope(tp.partition, start, end, highwater, *got, stable, tuple(refused))]


def _from(parts: Sequence[BatchSlice | Columns], start: int) -> list[BatchSlice] | None:
    """The same parts, if they are slices of which nothing lies before `start`; else None."""
    slices = [part for part in parts if isinstance(part, BatchSlice)]
    here = slices and len(slices) == len(parts) and slices[0].base_offset >= start
    return slices if here else None


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
