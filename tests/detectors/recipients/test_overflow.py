"""Extents: given out, grown, given back, bounded, and read again."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.model.event import TICK_OFFSETS
from detectors.recipients.overflow import BLOCK, MARKS_MAX, PLACES_MAX, Extent, Overflow
from detectors.recipients.row import Memory, extent_of, pack, unpack
from detectors.recipients.table import Table

NONE = Extent(0, 0, 0)


def test_an_extent_is_read_as_it_was_written_and_grows() -> None:
    overflow = Overflow(1 << 14)
    extent = overflow.write(NONE, [1, 2, 3], [4, 5], [9])
    assert (extent.blocks, overflow.live) == (1, 1)
    assert overflow.read(extent) == ([1, 2, 3], [4, 5], [9])
    other = overflow.write(NONE, [], [70], [])
    extent = overflow.write(extent, [*range(1, 12)], [20, 21], [8, 9])
    assert (extent.blocks, overflow.live) == (2, 3)
    assert overflow.read(extent) == ([*range(1, 12)], [20, 21], [8, 9])
    assert overflow.read(other) == ([], [70], [])
    assert overflow.dropped == 0


@pytest.mark.parametrize("kept", [7, 8, 9, 15, 16])
def test_an_extent_without_prints_at_once_needs_no_place_between(kept: int) -> None:
    overflow = Overflow(1 << 14)
    extent = overflow.write(NONE, range(1, kept + 1), [], [])
    assert extent.blocks == -(-kept // BLOCK)
    assert overflow.read(extent) == ([*range(1, kept + 1)], [], [])
    extent = overflow.write(extent, range(1, kept + 1), [99], [])
    assert overflow.read(extent) == ([*range(1, kept + 1)], [99], [])


def test_of_more_than_fits_marks_go_first_then_what_came_once_then_the_longest_unused() -> None:
    overflow = Overflow(1 << 14)
    extent = overflow.write(NONE, range(1, 50), range(50, PLACES_MAX - 1), range(100, 120))
    assert overflow.read(extent) == ([*range(1, 50)], [*range(50, PLACES_MAX - 1)], [119])
    assert overflow.dropped == MARKS_MAX - 1
    extent = overflow.write(extent, range(1, 60), range(60, 70), [119])
    assert overflow.read(extent) == ([*range(1, 60)], [*range(60, PLACES_MAX)], [])
    assert overflow.dropped == MARKS_MAX - 1 + 7
    extent = overflow.write(extent, range(1, PLACES_MAX + 3), [], [])
    assert overflow.read(extent) == ([*range(1, PLACES_MAX + 1)], [], [])
    assert overflow.dropped == MARKS_MAX - 1 + 7 + 2


@pytest.mark.parametrize("first", [1, 0x1_2345, 0xFF_FFF7])
def test_a_link_is_packed_into_a_row_and_read_again(first: int) -> None:
    extent = Extent(first, 8, 5)
    assert Extent.of(*extent.pack()) == extent


def test_extents_take_an_eighth_more_than_they_use() -> None:
    overflow = Overflow(1 << 16)
    for _ in range(5_000):
        overflow.write(NONE, range(1, 20), [], [])
        assert len(overflow.places) <= max(16, overflow.used * 9 / 8)


def test_blocks_are_given_out_until_a_tick_finds_too_few_left() -> None:
    overflow = Overflow(2 * TICK_OFFSETS)
    while overflow.live + 2 * TICK_OFFSETS <= overflow.blocks_most:
        assert overflow.is_open
        overflow.write(NONE, range(1, PLACES_MAX + 1), [], [])
        overflow.settle()
    assert not overflow.is_open
    assert overflow.write(NONE, [1, 2], [], [3]) == NONE
    assert overflow.dropped == 3


@pytest.mark.parametrize("seed", range(5))
def test_rows_keep_their_own_platforms_through_changes_and_a_restore(seed: int) -> None:
    rng = random.Random(seed)
    table = Table(1 << 14)
    expected: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {}
    for step in range(300):
        key = rng.randrange(1, 40)
        if rng.random() < 0.2 and key in expected:
            assert table.drop(np.array([key], np.uint64)) == 1
            del expected[key]
            continue
        place = table.find_or_add(np.array([key], np.uint64))[0]
        row = table.words[place]
        prints = rng.sample(range(1000, 1 << 16), rng.randrange(1, 70))
        memory = Memory(9, prints[7:], prints[:7], [step + 1])
        pack(row, [], memory, table.overflow)
        expected[key] = tuple(prints[7:]), tuple(prints[:7]), (step + 1,)
        if step % 100 == 99:
            live = table.overflow.live
            places = table.overflow.places[: table.overflow.used].copy()
            table = Table.over(table.words[: table.used].copy(), 1 << 14, places=places)
            assert table.overflow.live == live
        for who, held in expected.items():
            row = table.words[table.find(np.array([who], np.uint64))[0]]
            _, memory = unpack(row, table.overflow)
            assert (memory.kept, memory.once, memory.marks) == held
    assert table.overflow.live == sum(extent_of(row).blocks for row in table.words)
    assert table.overflow.used < 400, "what is given back is used again"


@pytest.mark.parametrize("wrong", ["past the end", "twice", "too long", "no first block"])
def test_extents_that_cannot_be_are_refused(wrong: str) -> None:
    table = Table(1 << 14)
    for key in (1, 2):
        place = table.find_or_add(np.array([key], np.uint64))[0]
        row = table.words[place]
        pack(row, [], Memory(9, [7], (), [8]), table.overflow)
    words, places = table.words[: table.used], table.overflow.places[: table.overflow.used]
    match wrong:
        case "past the end":
            places = places[:-1]
        case "twice":
            words[1, 1:] = words[0, 1:]
        case "too long":
            words[0, 1] |= np.uint64(15 << 28)
        case _:
            places = places[:0]
    with pytest.raises(ValueError, match="extents"):
        Table.over(words, 1 << 14, places=places)
