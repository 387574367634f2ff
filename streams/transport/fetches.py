"""Fetches -> envelopes: results of aiokafka's, read by the batch and not by the record.

The private API of aiokafka's fetcher is relied on here, and pinned with that of Faust by
`tests/streams/transport/test_driver.py`.
"""

from __future__ import annotations

import struct
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c
from faust.types import TP

from streams.transport.decompress import UnreadableBatchError, decompress
from streams.transport.envelope import NO_RECORD_TIME_MS, Envelope
from streams.transport.record_batch import (
    BatchSlice,
    Columns,
    MalformedError,
    Refused,
    decode_records,
    record_starts,
)

BATCH_BYTES_MAX: Final = 8 << 20
"""Of one batch when it is decompressed: 20,000 events. Producers bound theirs before they compress
it, at a megabyte unless somebody raised that; a batch made to harm is a thousand times its size."""

POLL_BYTES_MAX: Final = 16 << 20
"""Bytes that one poll decompresses, of all partitions together, and one batch more. The rest comes
with the next poll, so this decides where envelopes end, which no state depends on."""

BULK_BYTES: Final = 200_000
"""Of a partition's fetch whose records are read by themselves: 500 events. Below, they are read
with those of the other partitions: some fifty calls of numpy are paid once for a poll."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""Of a batch: its offset, its length from there on, an epoch, the format, the checksum, attributes,
the last offset's delta, its first time and its last, three of its producer, the records' number."""
_LENGTH: Final = struct.Struct(">i")
_OFFSET: Final = struct.Struct(">q")
_LENGTH_AT, _MAGIC_AT, _ATTRIBUTES_AT = 8, 16, 21  # the checksum is of all from there on
_OLD_ATTRIBUTES_AT: Final = 17
_OLD_HEAD_BYTES: Final = 26  # with the lengths of a key and a value that are not there
_MAGIC_OLD: Final = 1  # and below: before Kafka 0.11, another format
_CODEC, _APPENDED = 0b0111, 0b1000  # of the attributes
_TRANSACTIONAL, _CONTROL = 0b1_0000, 0b10_0000
_MAGIC_NEW: Final = 2
_HOLD_GIL: Final = 0
"""A megabyte takes 50 us: to let another thread run meanwhile, and wait for it, takes a hundred
times as long."""


BROKEN: Final = (
    MalformedError, struct.error, SystemError, IndexError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""Errors that our reader and aiokafka's raise of a batch whose framing is damaged. The checksum
does not cover the framing: lengths, offset and format lie ahead of it."""


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


class Fetched(dict[TP, Any]):
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


def stable_end(offset: int | None, end: int) -> int:
    """A last stable offset; the log's end where the broker has none."""
    return end if offset is None or offset < 0 else min(offset, end)


def _bare(_tp: TP, record: Any) -> Any:
    return record


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
        """The next record batch, of those that there are. Raise CorruptRecordException."""
        begin = self._at
        try:
            (length,) = _LENGTH.unpack_from(self.raw, begin + _LENGTH_AT)
            self._at += _LENGTH_AT + _LENGTH.size + length
            least = _OLD_HEAD_BYTES if self.raw[begin + _MAGIC_AT] <= _MAGIC_OLD else _HEADER.size
            if self._at - begin < least:  # the parser would read what lies behind it
                raise MalformedError
            batch = self._records.next_batch()
        except BROKEN as error:
            raise CorruptRecordException(f"Malformed batch - {type(error).__name__}") from None
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
    """All of its records. Raises MalformedError, or UnreadableBatchError if they are too much."""
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
    records = iter(batch)  # aiokafka lets it be asked for an iterator but once
    room = got = 0
    while got == room:
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
    except BROKEN:
        raise CorruptRecordException(f"Malformed batch - {tp}") from None
    result._update_position()  # not before: a batch that is broken has all of them read again
    if ended:
        result._partition_records = None
    end = records.next_fetch_offset
    state = result._assignment.state_value(tp)
    if end == start:
        return []
    highwater = max(state.highwater or 0, end)
    stable = max(stable_end(state.lso, highwater), end)
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
