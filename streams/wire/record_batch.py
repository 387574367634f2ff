"""Decodes Kafka record batches into columns, without creating an object per record.

In a batch, each record follows the previous one and starts with its length. So the starts of
records are found one after another. The fields of all records are then decoded together with numpy.
The format is Kafka's version 2: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.strings import StringBuffer

_TOO_FAR: Final = 1 << 40
_SKIP_FIRST: Final = [
    2 + (byte - 128 >> 1) if byte >= 128 and byte % 2 == 0 else _TOO_FAR for byte in range(256)
]
_SKIP_SECOND: Final = [byte << 6 if byte < 128 else _TOO_FAR for byte in range(256)]
"""Tables for the distance from one record to the next. The distance is the sum of the entries for
the record's first two bytes. This works if the length field has two bytes, which is the case for
lengths from 64 to 8,191."""

_VARINT_BITS: Final = 64
_BLANK: Final = b" "
FEW: Final = 100
"""Number of strings per column up to which creating objects is cheaper than a dozen numpy calls."""
_WIDE: Final = 256  # larger gaps between two strings are blanked one by one


class MalformedError(Exception):
    """A batch does not contain the records that its header announces."""


@dataclass(slots=True, eq=False, repr=False)
class BytesColumn(Sequence[bytes | None]):
    """A column of n byte strings: string i is `buffer[start[i]:stop[i]]`, both int64 (n,).

    The strings are in ascending order of position. A value of None has `stop` less than `start`.

    >>> column = BytesColumn(b"abcd", np.array([0, 2, 2]), np.array([2, 1, 4]))
    >>> len(column), column[0], list(column), list(column[1:])
    (3, b'ab', [b'ab', None, b'cd'], [None, b'cd'])
    """

    buffer: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...

    @overload
    def __getitem__(self, at: slice) -> BytesColumn: ...

    def __getitem__(self, at: int | slice) -> bytes | BytesColumn | None:
        if isinstance(at, slice):
            return BytesColumn(self.buffer, self.start[at], self.stop[at])
        start, stop = self.start[at], self.stop[at]
        return self.buffer[start:stop] if start <= stop else None

    def __iter__(self) -> Iterator[bytes | None]:
        buffer = self.buffer
        for start, stop in zip(self.start.tolist(), self.stop.tolist(), strict=True):
            yield buffer[start:stop] if start <= stop else None

    def matrix(self) -> NDArray[np.uint8] | None:
        """Return the strings as a matrix (n, width) if all have the same width > 0, else None."""
        if not len(self) or self.start[0] >= self.stop[0]:
            return None
        return StringBuffer(self.buffer, self.start, self.stop).matrix()

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> BytesColumn:
        """Return the strings at these positions, which must be ascending."""
        return BytesColumn(self.buffer, self.start[rows], self.stop[rows])

    def alone(self) -> BytesColumn:
        """Return a copy whose buffer contains little else, if the strings are close together."""
        if not len(self):
            return BytesColumn(b"", self.start, self.stop)
        if (rows := self.matrix()) is not None:  # keys, which lie among the values
            edges = np.arange(len(rows) + 1) * rows.shape[1]
            return BytesColumn(rows.tobytes(), edges[:-1], edges[1:])
        first = self.start[0]
        last = max(self.start[-1], self.stop[-1])
        return BytesColumn(self.buffer[first:last], self.start - first, self.stop - first)

    def apart(self, spare: int) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
        """Return the strings in a buffer that has only blanks between them.

        Requires n > 0 and no None. Returns the buffer, with `spare` > 0 extra bytes at its end, and
        its `start` and `stop`.
        """
        first, last = int(self.start[0]), int(self.stop[-1])
        octets = np.zeros(last - first + spare, np.uint8)
        octets[:-spare] = np.frombuffer(self.buffer, np.uint8, last - first, first)
        start, stop = self.start - first, self.stop - first
        begin, end = stop[:-1], start[1:]
        gap = end - begin
        for at in indices(gap > _WIDE).tolist():
            octets[begin[at] : end[at]] = ord(_BLANK)
        if len(narrow := indices((gap > 0) & (gap <= _WIDE))):
            begin, end, gap = begin[narrow], end[narrow], gap[narrow]
            width = int(gap.min())
            there = np.ndarray((len(octets) - width + 1,), f"V{width}", octets, 0, (1,))
            # once or twice, because the gaps have similar widths
            for ahead in range(0, int(gap.max()), width):
                there[np.minimum(begin + ahead, end - width)] = np.void(_BLANK * width)
        return octets.tobytes(), start, stop


def alone(column: Sequence[bytes | None]) -> Sequence[bytes | None]:
    """Return the strings of a column without the buffer of a whole fetch."""
    return column.alone() if isinstance(column, BytesColumn) else column


def join_columns(columns: Sequence[Sequence[Any] | NDArray[Any]]) -> Any:
    """Concatenate columns of one kind: BytesColumn, arrays, or other sequences."""
    if len(columns) == 1:
        return columns[0]
    arrays = [column for column in columns if isinstance(column, np.ndarray)]
    if len(arrays) == len(columns):
        return np.concatenate(arrays)
    held = [column for column in columns if isinstance(column, BytesColumn)]
    if len(held) < len(columns):
        return list(chain.from_iterable(columns))
    if (beside := _beside(held)) is not None:
        return beside
    if sum(map(len, held)) < FEW * len(held):
        return list(chain.from_iterable(columns))
    parts = [column.alone() for column in held]
    ahead = np.cumsum([0, *(len(part.buffer) for part in parts)]).tolist()
    start = [part.start + a for part, a in zip(parts, ahead, strict=False)]
    stop = [part.stop + a for part, a in zip(parts, ahead, strict=False)]
    buffer = b"".join(part.buffer for part in parts)
    return BytesColumn(buffer, np.concatenate(start), np.concatenate(stop))


def _beside(columns: Sequence[BytesColumn]) -> BytesColumn | None:
    """Return the columns as one if they are in one buffer, in ascending order; else None."""
    buffer = columns[0].buffer
    if any(column.buffer is not buffer for column in columns):
        return None
    start = np.concatenate([column.start for column in columns])
    if (start[1:] < start[:-1]).any():
        return None
    return BytesColumn(buffer, start, np.concatenate([column.stop for column in columns]))


class BatchSlice(NamedTuple):
    """Consecutive records of one batch, in encoded form."""

    buffer: bytes
    places: list[int]  # start of each record, and the end of the last
    base_offset: int
    base_time_ms: int
    appended: bool  # True if all records have the broker's append time
    # offset of the last record, or the last offset of the batch if the slice reaches its end
    offset: int

    @property
    def number(self) -> int:
        return len(self.places) - 1

    def part(self, first: int, last: int) -> BatchSlice:
        """Return the records from `first` up to `last`, exclusive. Raise MalformedError."""
        places = self.places[first : last + 1]
        if last >= self.number:
            return self._replace(places=places)
        _, at = _varint(self.buffer, places[-2])  # length of the last record
        _, at = _varint(self.buffer, at + 1)  # its timestamp, after one byte of attributes
        delta, _ = _varint(self.buffer, at)
        return self._replace(places=places, offset=self.base_offset + delta)


class Refused(NamedTuple):
    """Consecutive offsets of one batch whose records are not decoded.

    The decompressed data is invalid or over the size limit, or its size cannot be limited.
    """

    first: int
    last: int
    time_ms: int  # timestamp of the last record, from the batch header

    @property
    def number(self) -> int:
        return 0

    @property
    def offset(self) -> int:
        return self.last


class Columns(NamedTuple):
    """Records in log order. All columns have length n."""

    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: Sequence[int] | NDArray[np.int64]
    timestamps_ms: Sequence[int] | NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[BatchSlice | Columns]) -> Columns:
        """Decode and concatenate all parts. Raise MalformedError."""
        slices = [part for part in parts if isinstance(part, BatchSlice)]
        if len(slices) == len(parts):
            return decode_records(slices)
        each = [decode_records([part]) if isinstance(part, BatchSlice) else part for part in parts]
        return cls(
            join_columns([one.values for one in each]),
            join_columns([one.keys for one in each]),
            join_columns([one.offsets for one in each]),
            join_columns([one.timestamps_ms for one in each]),
        )

    @property
    def number(self) -> int:
        return len(self.offsets)

    @property
    def offset(self) -> int:
        return int(self.offsets[-1])

    def since(self, offset: int) -> Columns:
        cut = bisect_left(self.offsets, offset)
        return self.part(cut, self.number) if cut else self

    def part(self, first: int, last: int) -> Columns:
        """Return the records from position `first` up to `last`, exclusive."""
        cut = slice(first, last)
        return Columns(self.values[cut], self.keys[cut], self.offsets[cut], self.timestamps_ms[cut])


def record_starts(buffer: bytes, at: int, end: int, count: int) -> list[int]:
    """Return the starts of `count` records, the first at `at`, followed by the end of the last.

    Raise MalformedError if the last record does not end at `end`.
    """
    first, second = _SKIP_FIRST, _SKIP_SECOND
    next_ = at
    try:
        found = [
            next_ := next_ + first[buffer[next_]] + second[buffer[next_ + 1]] for _ in range(count)
        ]
    except IndexError:
        next_ = -1
    if next_ != end:
        found = list(_walk(buffer, at, count))
        if [at, *found][-1] != end:
            raise MalformedError
    return [at, *found]


def _walk(buffer: bytes, at: int, count: int) -> Iterator[int]:
    """Yield the end of each record, for lengths of any encoding."""
    for _ in range(count):
        length, at = _varint(buffer, at)
        if length < 0:
            raise MalformedError
        at += length
        yield at


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Return the varint at a position, and the position after it."""
    number = 0
    for shift in range(0, _VARINT_BITS, 7):
        if at >= len(buffer):
            break
        byte = buffer[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
    raise MalformedError


def decode_records(slices: Sequence[BatchSlice]) -> Columns:
    """Decode the records of some slices, in the order of the slices.

    Raise MalformedError if the encoding is wrong.
    """
    if not slices:
        return Columns([], [], [], [])
    buffer, shifts = _in_order(slices)
    begins: list[int] = []
    ends: list[int] = []
    for piece, shift in zip(slices, shifts, strict=True):
        # Most slices have few records, so an array for each slice would be too expensive.
        places = [at + shift for at in piece.places] if shift else piece.places
        begins += places[:-1]
        ends += places[1:]
    begin, end = np.array(begins), np.array(ends)
    count = [piece.number for piece in slices]

    octets = np.frombuffer(buffer, np.uint8)
    _, at = _varints(octets, begin)  # record lengths
    delta_ms, at = _varints(octets, at + 1)  # timestamps, after one byte of attributes
    delta, at = _varints(octets, at)
    keys, at = _strings(buffer, octets, at)
    values, at = _strings(buffer, octets, at)
    if (at >= end).any():  # at least one byte must follow: the number of headers
        raise MalformedError
    delta_ms[np.repeat([piece.appended for piece in slices], count)] = 0
    return Columns(
        values,
        keys,
        np.repeat([piece.base_offset for piece in slices], count) + delta,
        np.repeat([piece.base_time_ms for piece in slices], count) + delta_ms,
    )


def _in_order(slices: Sequence[BatchSlice]) -> tuple[bytes, list[int]]:
    """Return one buffer in which the slices ascend, and each slice's shift from its old position.

    Uncompressed batches share the buffer of their fetch. Between two of them there may be a batch
    that was decompressed into a buffer of its own.
    """
    runs: list[list[BatchSlice]] = []
    for piece in slices:
        last = runs[-1][-1] if runs else None
        if last is None or piece.buffer is not last.buffer or piece.places[0] < last.places[-1]:
            runs.append([])
        runs[-1].append(piece)
    if len(runs) == 1:
        return slices[0].buffer, [0] * len(slices)
    shifts, parts, octets = [], [], 0
    for run in runs:
        first, last_ = run[0].places[0], run[-1].places[-1]
        shifts += [octets - first] * len(run)
        parts.append(memoryview(run[0].buffer)[first:last_])
        octets += last_ - first
    return b"".join(parts), shifts


def _strings(
    buffer: bytes, octets: NDArray[np.uint8], at: NDArray[np.int64]
) -> tuple[BytesColumn, NDArray[np.int64]]:
    """Return the length-prefixed strings at these positions, and the positions after them."""
    length, at = _varints(octets, at)
    if (length > len(buffer)).any():
        raise MalformedError
    stop = at + np.maximum(length, -1)  # any negative length means None, as in aiokafka
    return BytesColumn(buffer, at, stop), np.maximum(at, stop)


def _varints(
    octets: NDArray[np.uint8], at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the varints at positions (n,), both int64, and the positions after them.

    A position after the end is read as the last byte. The caller must check for this.
    """
    byte = octets.take(at, mode="clip")
    at = at + 1
    number = (byte & 127).astype(np.uint64)
    shift = 7
    while (more := byte > 127).any():
        if shift >= _VARINT_BITS:
            raise MalformedError
        byte = octets.take(at, mode="clip") * more
        at += more
        number |= (byte & 127).astype(np.uint64) << np.uint64(shift)
        shift += 7
    return (number >> np.uint64(1)).view(np.int64) ^ -(number & np.uint64(1)).view(np.int64), at
