"""Records read from the bytes of their batches: the same as aiokafka reads, or refused."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, strategies as st

from streams.engine.transport.decompress import _CODECS
from streams.engine.transport.fetches import CheckedRecords, _Batches
from streams.wire import record_batch
from streams.wire.record_batch import (
    BatchSlice,
    BytesColumn,
    Columns,
    MalformedError,
    alone,
    join_columns,
    record_starts,
)

HEADER = 61
NOW_MS = 1_700_000_000_000

Record = tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Offset, ms, key, value, headers."""


def batch(
    records: Sequence[Record], base: int, *, compression: int = 0, appended_ms: int = 0
) -> bytes:
    """A batch as a producer sends it and, if the broker stamps it, as the broker keeps it."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 30)
    for offset, time_ms, key, value, headers in records:
        builder.append(offset, time_ms, key, value, headers)
    raw = bytearray(builder.build())
    raw[:8] = struct.pack(">q", base)
    if appended_ms:
        raw[22] |= 8
        raw[35:43] = struct.pack(">q", appended_ms)
    return bytes(raw)


Told = list[tuple[int, int, bytes | None, bytes | None]]


def by_aiokafka(raw: bytes) -> Told:
    found: Told = []
    records = MemoryRecords(raw)
    while records.has_next():
        for one in records.next_batch():
            found.append((one.offset, one.timestamp, one.key, one.value))
    return found


def slices(raw: bytes) -> list[BatchSlice | Columns]:
    found: list[BatchSlice | Columns] = []
    batches = _Batches(CheckedRecords(raw))
    batches.room = 1 << 20
    while batches.has_next():
        for bundle in batches.next_batch():
            found += bundle.slices
    return found


def told(columns: Columns) -> Told:
    stamps = (np.asarray(columns.offsets).tolist(), np.asarray(columns.timestamps_ms).tolist())
    return list(zip(*stamps, columns.keys, columns.values, strict=True))


CODECS = [0, *_CODECS]
LENGTHS = st.integers(0, 300) | st.sampled_from([8_150, 8_191, 8_192, 20_000])
STRINGS = st.none() | LENGTHS.map(lambda n: bytes(range(256)) * (n // 256) + bytes(n % 256))
HEADERS = st.lists(st.tuples(st.sampled_from(["", "trace"]), st.binary(max_size=3)), max_size=2)


@st.composite
def fetches(draw: st.DrawFn) -> bytes:
    """Batches of one log: with any compression, offsets and headers, some stamped by the broker."""
    raw = b""
    base = draw(st.integers(0, 1 << 40))
    for _ in range(draw(st.integers(1, 4))):
        deltas = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=12)))
        records: list[Record] = [
            (delta, NOW_MS + draw(st.integers(-(1 << 34), 1 << 34)),
             draw(STRINGS), draw(STRINGS), draw(HEADERS))
            for delta in deltas
        ]  # fmt: skip
        stamp = draw(st.sampled_from([0, NOW_MS + 5]))
        raw += batch(records, base, compression=draw(st.sampled_from(CODECS)), appended_ms=stamp)
        base += deltas[-1] + draw(st.integers(1, 3))
    return raw


@given(fetches())
def test_what_is_read_at_once_is_what_aiokafka_reads(raw: bytes) -> None:
    expected = by_aiokafka(raw)
    parts = slices(raw)
    columns = Columns.of(parts)
    assert told(columns) == expected
    assert sum(part.number for part in parts) == columns.number == len(expected)
    assert columns.offset == parts[-1].offset == expected[-1][0]
    lists = Columns(*(list(column) for column in columns))
    assert told(Columns.of([lists, *parts, lists])) == [*expected, *expected, *expected]
    for offset, *_ in expected[:: max(1, len(expected) // 3)]:
        assert told(columns.since(offset)) == [one for one in expected if one[0] >= offset]


@given(fetches())
def test_strings_of_batches_compressed_or_not_lie_in_the_order_of_the_log(raw: bytes) -> None:
    """What reads values apart goes by their places, which ascend whatever batch they are of."""
    values = Columns.of(slices(raw)).values
    expected = [value for *_, value in by_aiokafka(raw)]
    if None in expected or not isinstance(values, BytesColumn):
        return
    buffer, start, stop = values.apart(1)
    assert [buffer[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)] == expected


def test_a_batch_between_two_of_another_buffer_keeps_its_place() -> None:
    said = [b"value %d" % i for i in range(3)]
    raw = b"".join(
        batch([(0, NOW_MS, b"k", value, [])], i, compression=codec)
        for i, (value, codec) in enumerate(zip(said, [0, CODECS[1], 0], strict=True))
    )
    values = Columns.of(slices(raw)).values
    assert isinstance(values, BytesColumn)
    buffer, start, stop = values.apart(8)
    read = [buffer[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
    assert read == said


@given(st.data())
def test_no_change_of_a_byte_makes_it_read_what_is_not_there(data: st.DataObject) -> None:
    good = batch([(n, NOW_MS + n, b"86139", b"v" * 70 * n, []) for n in range(4)], 7)
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        bad[data.draw(st.integers(HEADER, len(bad) - 1))] = data.draw(st.integers(0, 255))
    bad[57:61] = struct.pack(">i", data.draw(st.sampled_from([4, 4, 4, 0, 1, 3, 5, 1 << 30])))
    raw = bytes(bad)
    try:
        expected: Told | None = by_aiokafka(raw)
    except (CorruptRecordException, UnicodeDecodeError):
        expected = None  # maybe over a header, which is not looked at here
    try:
        found = told(Columns.of(slices(raw)))
    except MalformedError:
        assert expected is None
        return
    assert expected is None or found == expected
    for _, _, key, value in found:
        assert (key or b"") in raw
        assert (value or b"") in raw


def test_a_batch_that_is_cut_is_refused() -> None:
    raw = batch([(n, NOW_MS, b"k", b"v" * 100, []) for n in range(3)], 0)
    end = len(raw)
    assert len(record_starts(raw, HEADER, end, 3)) == 4
    for wrong in ((end - 1, 3), (end, 2), (end, 4), (HEADER, 3)):
        with pytest.raises(MalformedError):
            record_starts(raw[: wrong[0]], HEADER, *wrong)
    assert record_starts(raw, HEADER, HEADER, 0) == [HEADER]


def test_lengths_of_another_width_are_not_taken_for_two_bytes() -> None:
    assert record_starts(bytes([6, 0, 132, 0, 2, 0]), 0, 6, 2) == [0, 4, 6]  # of two bytes: 0, 2, 6
    assert record_starts(bytes([0x84, 0x80, 0, 0, 0]), 0, 5, 1) == [0, 5]
    with pytest.raises(MalformedError):
        record_starts(bytes([0x81, 0]), 0, 2, 1)  # less than no bytes


def test_a_value_that_reaches_into_the_next_record_is_refused() -> None:
    raw = batch([(n, NOW_MS, b"k", b"v" * 100, []) for n in range(2)], 0)
    long = raw.replace(b"\xc8\x01v", b"\xf0\x01v", 1)  # 120 in place of 100
    assert len(Columns.of(slices(raw)).values) == 2
    with pytest.raises(MalformedError):
        Columns.of(slices(long))


SPANS = st.lists(st.tuples(st.integers(0, 300), st.none() | st.integers(0, 20)), max_size=8)


def lying(spans: Sequence[tuple[int, int | None]]) -> BytesColumn:
    """Strings in a buffer, each behind a gap."""
    buffer, edges = b"", []
    for number, (gap, size) in enumerate(spans):
        buffer += b"\xff" * gap
        edges.append((len(buffer), len(buffer) + (-1 if size is None else size)))
        buffer += bytes([number]) * (size or 0)
    start, stop = np.array(edges, np.int64).reshape(-1, 2).T
    return BytesColumn(buffer + b"\xff", start, stop)


@given(SPANS)
def test_octets_are_a_sequence_wherever_they_lie(spans: list[tuple[int, int | None]]) -> None:
    column = lying(spans)
    expected = [None if n is None else bytes([i]) * n for i, (_, n) in enumerate(spans)]
    elsewhere = BytesColumn(bytes(bytearray(column.buffer)), column.start, column.stop)
    few = join_columns([column[:3], elsewhere[3:]])
    with patch.object(record_batch, "FEW", 0):
        many = join_columns([column[:3], elsewhere[3:]])
    assert (type(few), type(many)) == (list, BytesColumn)
    beside = join_columns([column[:3], column[3:]])
    assert beside.buffer is column.buffer, "no copy where they lie behind one another"
    assert [*join_columns([column[3:], column[:3]])] == expected[3:] + expected[:3]
    for one in (column, column.alone(), few, many, beside):
        assert list(one) == [one[i] for i in range(len(one))] == expected
        assert list(one[1:4]) == expected[1:4]
    assert len(column.alone().buffer) <= len(column.buffer)
    assert list(join_columns([column, [b"x"]])) == [*expected, b"x"]
    assert list(alone(column)) == list(alone(expected)) == expected
    widths = {None if one is None else len(one) for one in expected}
    matrix = column.matrix()
    if len(widths) == 1 and widths.isdisjoint({None, 0}):
        assert matrix is not None
        assert [row.tobytes() for row in matrix] == expected
    else:
        assert matrix is None


@given(SPANS.filter(bool), st.integers(1, 3))
def test_apart_they_have_blanks_between_them(spans: list[Any], spare: int) -> None:
    column = lying([(gap, size or 0) for gap, size in spans])
    buffer, start, stop = column.apart(spare)
    assert list(BytesColumn(buffer, start, stop)) == list(column)
    between = zip([0, *stop], [*start, len(buffer)], strict=True)
    assert {buffer[a:b].strip(b" ") for a, b in between} <= {b"", bytes(spare)}
    assert buffer[stop[-1] :] == bytes(spare)
