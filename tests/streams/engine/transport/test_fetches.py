"""Envelopes made of what aiokafka holds after a fetch: all of it, once, and never too much."""

from __future__ import annotations

import gc
import random
import struct
import sys
import weakref
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    FetchResult,
    PartitionRecords,
)
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings, strategies as st

from streams.engine.transport import fetches
from streams.engine.transport.driver import install
from streams.engine.transport.envelope import Envelope
from streams.engine.transport.fetches import CheckedRecords, Fetched, read_together
from streams.wire.record_batch import Refused

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


def _old(magic: int, codec: int = 0) -> bytes:
    """Three records in the format of before Kafka 0.11."""
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for i in range(3):
        builder.append(10 + i, 1_700_000_000_000, b"k", b"v" * 10)
    return bytes(builder.build())


def _fetched(
    raw: bytes,
    position: int,
    aborted: Sequence[tuple[int, int]] = (),
    held: Fetched | None = None,
) -> tuple[FetchResult, SimpleNamespace]:
    """What aiokafka holds after a fetch from `position`, as the transport has it."""
    state = SimpleNamespace(position=position, highwater=100, lso=100, paused=False)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda _tp: state)
    records = PartitionRecords(
        TP, CheckedRecords(raw), aborted, position, None, None, True, READ_COMMITTED
    )
    held = Fetched("in", {}) if held is None else held
    held[TP] = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    return held[TP], state


def _taken(result: FetchResult, most: int) -> list[Envelope]:
    """What a poll takes of it."""
    return read_together(result.getall(most))


@pytest.fixture(params=["alone", "together"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How records are read: by themselves, as those of a large fetch, or with other partitions'."""
    if request.param == "alone":
        monkeypatch.setattr(fetches, "BULK_BYTES", 0)


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
    held = Fetched("in", {})
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
    with patch.object(fetches, "BULK_BYTES", bulk_bytes):
        held = Fetched("in", {})
        polled: list[Any] = []
        for partition, raw in batches.items():
            place = TopicPartition("in", partition)
            result, _ = _fetched(raw, start, held=held)
            result._topic_partition = place
            polled += result.getall(1_000)
        return read_together(polled)


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


WHOLE = (
    _batch(10, [b"a" * 5, b"b" * 70, b"c"]),
    *(_batch(10, [b"a" * 50, b"b" * 70], codec=codec) for codec in (1, 2, 3, ZSTD)),
    _batch(10, [b"a"], producer=7) + _batch(11, [b"x"], producer=7, control=True),
    _batch(10, [b"a"]) + _old(0) + _batch(13, [b"b"]),
    _old(0),
    _old(1),
    _old(1, codec=1),
)


def _read_whole(raw: bytes) -> int:
    """Read a fetch as a worker does, two records at a time; return how many there were."""
    records = CheckedRecords(raw)
    if not records.has_next():
        return 0
    result, _ = _fetched(raw, 10)
    taken = [envelope for _ in range(20) if result.has_more() for envelope in _taken(result, 2)]
    return sum(len(list(zip(each.values, each.keys, strict=True))) for each in taken)


@both_ways
def test_batches_of_every_kind_are_read_whole_two_records_at_a_time() -> None:
    assert [_read_whole(raw) for raw in WHOLE] == [3, 2, 2, 2, 2, 1, 4, 3, 3, 0]


@both_ways
@pytest.mark.parametrize("seed", range(4))
def test_damaged_framing_is_a_corrupt_batch_and_no_other_error(seed: int) -> None:
    """The lengths, the format, the attributes and the number of records, with a right checksum."""
    rng = random.Random(seed)
    corrupt = 0
    for _ in range(2_000):
        raw = bytearray(rng.choice(WHOLE))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(min(len(raw), rng.choice((12, 24, 61, len(raw)))))
            raw[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256), raw[at] ^ 1))
        if rng.random() < 0.3:
            del raw[rng.randrange(len(raw)) :]
        if len(raw) > 61 and rng.random() < 0.7:
            if raw[16] == 2:
                raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
            else:
                raw[12:16] = struct.pack(">I", zlib.crc32(bytes(raw[16:])))
        try:
            _read_whole(bytes(raw))
        except CorruptRecordException:
            corrupt += 1
    assert corrupt > 400


def test_fetches_have_their_checksums_computed_by_the_processor() -> None:
    install()
    assert fetcher.MemoryRecords is CheckedRecords
    first, second = _batch(0, [b"a"]), _batch(1, [b"b", b"c"])
    raw = first + second
    for broken in range(len(raw)):
        octets = bytearray(raw)
        octets[broken] ^= 1
        batches = []
        for records in (MemoryRecords(bytes(octets)), CheckedRecords(bytes(octets))):
            found: list[object] = []
            with suppress(CorruptRecordException):
                while records.has_next():
                    found.append(records.next_batch().validate_crc())
            batches.append(found)
        assert batches[0] == batches[1]
        head = broken if broken < len(first) else broken - len(first)
        assert head < fetches._ATTRIBUTES_AT or False in batches[0]


@pytest.mark.parametrize("magic", [0, 1])
def test_batches_in_the_old_format_are_read(magic: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, 1_700_000_000_000, b"k", b"v")
    raw = bytes(builder.build())
    batch = CheckedRecords(raw).next_batch()
    assert batch.validate_crc()
    assert [(record.key, record.value) for record in batch] == [(b"k", b"v")]
    assert not CheckedRecords(raw[:-1] + b"x").next_batch().validate_crc()


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
    monkeypatch.setattr(fetches, "BATCH_BYTES_MAX", 1_000)
    monkeypatch.setattr(fetches, "POLL_BYTES_MAX", 3_000)


def _polled(held: Fetched) -> None:
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
    held = Fetched("in", {})
    raw = b"".join(_batch(10 + n, [b"%d" % n * 900], codec=ZSTD) for n in range(8))
    result, _ = _fetched(raw, 10, held=held)
    found: list[list[int]] = []
    while result.has_more():
        _polled(held)
        found += [list(envelope.offsets) for envelope in _taken(result, 100)]
        if result.has_more():
            assert _taken(result, 100) == []  # in the same poll
    assert found == [[10, 11, 12, 13], [14, 15, 16, 17]]


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


def test_other_topics_keep_aiokafkas_records() -> None:
    records = PartitionRecords(TP, MemoryRecords(_batch(0, [b"a"])), [], 0, None, None, True, 0)
    held = Fetched("another", {})
    state = SimpleNamespace(position=0, paused=False, consumed_to=lambda _offset: None)
    assignment = SimpleNamespace(active=True, state_value=lambda _tp: state)
    held[TP] = FetchResult(TP, assignment=assignment, partition_records=records, backoff=0)
    (record,) = held[TP].getall(100)
    assert (record.topic, record.partition, record.value) == ("in", 3, b"a")


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
