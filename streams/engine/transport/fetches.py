"""Turns fetch results into envelopes (a partition's records), decoding batches instead of records.

This module uses the private API of aiokafka's fetcher.
`tests/streams/engine/transport/test_driver.py` pins it together with Faust's.
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

from streams.engine.transport.decompress import UnreadableBatchError, decompress
from streams.engine.transport.envelope import NO_RECORD_TIME_MS, Envelope
from streams.wire.record_batch import (
    BatchSlice,
    Columns,
    MalformedError,
    Refused,
    decode_records,
    record_starts,
)

BATCH_BYTES_MAX: Final = 8 << 20
"""Maximum decompressed size of one batch: 20,000 events. Producers limit a batch before
compression, to one megabyte by default. A malicious batch can be a thousand times larger than its
compressed form."""

POLL_BYTES_MAX: Final = 16 << 20
"""Maximum number of bytes that one poll decompresses over all partitions, plus one batch. The rest
follows in the next poll. So this limit influences where envelopes end, but no state depends on
that."""

BULK_BYTES: Final = 200_000
"""Size from which a partition's fetch is decoded by itself: 500 events. Smaller fetches of all
partitions are decoded together, so that a poll pays only once for about fifty numpy calls."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""Header of a batch: base offset, length of the rest, leader epoch, format, checksum, attributes,
last offset delta, first and last timestamp, three producer fields, number of records."""
_LENGTH: Final = struct.Struct(">i")
_OFFSET: Final = struct.Struct(">q")
# the checksum covers everything from the attributes on
_LENGTH_AT, _MAGIC_AT, _ATTRIBUTES_AT = 8, 16, 21
_OLD_ATTRIBUTES_AT: Final = 17
# smallest old batch: without key and value, but with their length fields
_OLD_HEAD_BYTES: Final = 26
_MAGIC_OLD: Final = 1  # this format and below were used before Kafka 0.11
_CODEC, _APPENDED = 0b0111, 0b1000  # bits of the attributes
_TRANSACTIONAL, _CONTROL = 0b1_0000, 0b10_0000
_MAGIC_NEW: Final = 2
_HOLD_GIL: Final = 0
"""Compute the checksum without releasing the GIL. A megabyte takes 50 µs. Releasing the GIL and
waiting to get it back takes a hundred times as long."""


BROKEN: Final = (
    MalformedError, struct.error, SystemError, IndexError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""Errors that our decoder and aiokafka's raise for damaged framing. The checksum does not protect
the framing: length, offset and format precede it."""


@dataclass(slots=True)
class _Budget:
    """Records and bytes that the current poll may still take, over all partitions.

    aiokafka's own limit counts an envelope as one record. Without this budget, a worker that was
    catching up on 32 partitions had 115,000 events in memory.
    """

    records: int = sys.maxsize
    octets: int = POLL_BYTES_MAX  # bytes to decompress

    def begin(self, records: int) -> None:
        self.records, self.octets = records, POLL_BYTES_MAX


class Fetched(dict[TP, Any]):
    """aiokafka's fetch results per partition, changed for the source to return one envelope each.

    aiokafka's generators then see a whole batch as one record. This costs 0.2 µs per record in
    large fetches and 0.55 µs in small ones. Passing each record through the generators costs 0.7
    µs, and creating an object per record 1.7 µs.
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
    """Return the last stable offset, or the log's end if the broker reports none."""
    return end if offset is None or offset < 0 else min(offset, end)


def _bare(_tp: TP, record: Any) -> Any:
    return record


class CheckedRecords:
    """Replaces aiokafka's `MemoryRecords` to compute checksums with the CPU's CRC instruction.

    aiokafka computes them in C, byte by byte, which takes a tenth of the total time per record.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._at = 0
        self._records = records = MemoryRecords(raw)
        self.has_next = records.has_next
        self.size_in_bytes = records.size_in_bytes

    def next_batch(self) -> _Checked:
        """Return the next record batch. Raise CorruptRecordException."""
        begin = self._at
        try:
            (length,) = _LENGTH.unpack_from(self.raw, begin + _LENGTH_AT)
            self._at += _LENGTH_AT + _LENGTH.size + length
            least = _OLD_HEAD_BYTES if self.raw[begin + _MAGIC_AT] <= _MAGIC_OLD else _HEADER.size
            if self._at - begin < least:  # otherwise the parser would read data of the next batch
                raise MalformedError
            batch = self._records.next_batch()
        except BROKEN as error:
            raise CorruptRecordException(f"Malformed batch - {type(error).__name__}") from None
        return _Checked(batch, self.raw, begin, self._at)


class _Checked:
    """The record batch `raw[begin:end]`, like aiokafka's, but with its checksum by `crc32c`."""

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
        if self.is_old:
            return bool(self.plain.validate_crc())
        _, _, _, _, expected, *_ = _HEADER.unpack_from(self._raw, self._begin)
        octets = memoryview(self._raw)[self._begin + _ATTRIBUTES_AT : self._end]
        return bool(crc32c(octets, 0, _HOLD_GIL) == expected)

    @property
    def is_compressed(self) -> bool:
        return bool(self._raw[self._begin + _OLD_ATTRIBUTES_AT] & _CODEC)

    def skip(self) -> Refused:
        """Return a compressed old-format batch as skipped. Its number of records is unknown."""
        # the header contains the last record's offset
        (offset,) = _OFFSET.unpack_from(self._raw, self._begin)
        return Refused(offset, offset, NO_RECORD_TIME_MS)


class _Batches:
    """The batches of a fetch, read in parts of many records, not record by record.

    A part has at most `room` records: as many as the current poll may still take.

    At live rates a fetch contains a batch of few records for every few milliseconds. Consecutive
    batches without transactions are passed on as one batch: in aiokafka each batch costs 14 µs
    regardless of its size, here 3 µs.
    """

    def __init__(self, records: CheckedRecords) -> None:
        self.room = 1
        self.octets = POLL_BYTES_MAX  # how many bytes may be decompressed before the poll ends
        self.decompressed = 0  # bytes decompressed since the caller last reset the counter
        self.bulk = len(records.raw) >= BULK_BYTES
        self._raw = records.raw
        self._at = 0

    def has_next(self) -> bool:
        """True if another complete batch follows; a fetch may end inside a batch."""
        return self._end(self._at) is not None

    def next_batch(self) -> Any:
        """Return the next batches that can be read together as one, or else the next batch."""
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
        """Choose a decoder for the batch. aiokafka's own would decompress without a limit."""
        if batch.is_old:
            return iter([batch.skip()]) if batch.is_compressed else _lists(self, batch)
        header = _HEADER.unpack_from(self._raw, begin)
        return _bundles(self, self._raw, [_Plain(header, begin, self._at)])


class _Plain(NamedTuple):
    """A batch of the current format, `raw[begin:end]`."""

    header: tuple[int, ...]  # fields as in `_HEADER`
    begin: int
    end: int

    @property
    def last_offset(self) -> int:
        return self.header[0] + self.header[6]


class _Run:
    """Consecutive batches without transactions, presented as one batch."""

    is_control_batch = is_transactional = False
    producer_id = None  # only needed for transactions

    def __init__(self, batches: _Batches, raw: bytes, run: list[_Plain]) -> None:
        self.base_offset = run[0].header[0]
        self.next_offset = run[-1].last_offset + 1
        self._batches = batches
        self._raw = raw
        self._run = run

    def validate_crc(self) -> bool:
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
        """Return the offset of the last record."""
        return self.slices[-1].offset


_Part = _Bundle | Columns | Refused


class _Batch:
    """A record batch with other records: iteration yields parts."""

    def __init__(self, batch: _Checked, parts: Iterator[_Part]) -> None:
        self._batch = batch
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Part]:
        return self._parts


def _slice_of(raw: bytes, plain: _Plain) -> BatchSlice:
    """Return all records of a batch, still encoded.

    Raise MalformedError, or UnreadableBatchError if they are too large.
    """
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
    """Yield the records of consecutive batches, in parts of at most `batches.room` records."""
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
    records = iter(batch)  # aiokafka allows only one iterator per batch
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
    """An envelope whose n > 0 records are not decoded yet. All offsets are `start` or later."""

    partition: int
    start: int
    next_offset: int
    highwater: int
    slices: list[BatchSlice]
    stable: int
    refused: tuple[Refused, ...]


def read_together(polled: Sequence[Envelope | _Unread]) -> list[Envelope]:
    """Return the envelopes of a poll; decode all those together that are not decoded yet.

    Raise CorruptRecordException if a batch is malformed although its checksum matches.
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
    """Replace `FetchResult.getall`: return one envelope, which also covers offsets without records.

    The result references this function, so the function has only a weak reference to the result. A
    reference cycle would keep megabytes in memory: the garbage collector counts objects, and would
    run only after hundreds of fetches.
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
    result._update_position()  # only after success: after a broken batch all of them are read again
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
    """Return the parts if all are slices with no record before `start`; else None."""
    slices = [part for part in parts if isinstance(part, BatchSlice)]
    here = slices and len(slices) == len(parts) and slices[0].base_offset >= start
    return slices if here else None
