"""Keys belong where Java's clients put them, whichever way their column lies in memory."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, strategies as st
from kafka.partitioner import murmur2

from streams.wire.partitioner import find_misplaced, partition_of
from streams.wire.record_batch import BytesColumn

POSITIVE = 0x7FFFFFFF


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, hashed: int) -> None:
    assert partition_of(key, POSITIVE) == (hashed & POSITIVE) % POSITIVE


@given(st.binary(max_size=70), st.integers(1, 512))
def test_a_key_belongs_where_another_client_puts_it(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & POSITIVE) % partitions


def _column(keys: list[bytes]) -> BytesColumn:
    edges = np.cumsum([0, *map(len, keys)])
    return BytesColumn(b"".join(keys), edges[:-1], edges[1:])


@given(st.lists(st.binary(max_size=20)), st.integers(1, 40))
def test_every_misplaced_key_is_found_in_objects_and_in_a_buffer(
    keys: list[bytes], partitions: int
) -> None:
    found = np.array([partition_of(key, 40) % partitions for key in keys], np.int64)
    expected = [
        there != (murmur2(key) & POSITIVE) % partitions
        for key, there in zip(keys, found.tolist(), strict=True)
    ]
    assert find_misplaced(keys, found, partitions).tolist() == expected
    assert find_misplaced(_column(keys), found, partitions).tolist() == expected


def test_phone_numbers_of_one_width_are_found_at_once() -> None:
    rng = random.Random(1)
    keys = [b"86139%08d" % rng.randrange(10**8) for _ in range(1000)]
    found = np.array([partition_of(key, 32) for key in keys])
    assert not find_misplaced(_column(keys), found, 32).any()
    found[::10] += 1
    assert find_misplaced(_column(keys), found, 32).sum() == 100


def test_a_record_without_a_key_belongs_nowhere() -> None:
    belongs = partition_of(b"abc", 4)
    found = np.array([belongs, 0, 1, belongs + 1])
    assert find_misplaced([b"abc", None, None, b"abc"], found, 4).tolist() == [False] * 3 + [True]
