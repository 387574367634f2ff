"""What a row remembers: the newest platforms for certain, habits before the crowd of one day."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.model.event import platform_print
from detectors.recipients.row import (
    HABITS,
    PRINTS,
    PROTECTED,
    RING,
    Memory,
    forget,
    halves,
    load,
    prints_of,
    remember,
    store,
    word,
    words_of,
)

DAY = 86_400


def naive_push(line: list[tuple[int, int]], new: tuple[int, int], back: int) -> None:
    """`remember` for one row, with a list of (print, habit)."""
    if back >= 0:
        victim = back
    else:
        open_ = [i for i in range(PRINTS - PROTECTED, PRINTS) if not line[i][1]]
        victim = open_[-1] if open_ else PRINTS - 1
    del line[victim]
    line.insert(0, new)


@pytest.mark.parametrize("seed", range(50))
def test_prints_move_as_in_a_list(seed: int) -> None:
    rng = random.Random(seed)
    rows = np.zeros((3, 14), np.uint64)
    lines = [[(0, 0)] * PRINTS for _ in range(3)]
    for _ in range(80):
        memory = halves(rows)
        if rng.random() < 0.8:
            platforms = [rng.randrange(1, 1 << 32) for _ in range(3)]
            novel = [rng.randrange(2) for _ in range(3)]
            places = [rng.choice([-1, -1, rng.randrange(PRINTS)]) for _ in range(3)]
            outgoing = [word(5, n, p) for n, p in zip(novel, platforms, strict=True)]
            remember(memory, np.array(outgoing, np.uint64), np.array(places, np.int8))
            for line, p, n, place in zip(lines, platforms, novel, places, strict=True):
                naive_push(line, (platform_print(p), 1 - n), place)
        else:
            places = [rng.randrange(PRINTS) for _ in range(3)]
            forget(memory, np.array(places, np.int8))
            for line, place in zip(lines, places, strict=True):
                del line[place]
                line.append((0, 0))
        rows[:, 10:14] = words_of(memory)
        for row, line in zip(rows, lines, strict=True):
            held = load(row)[1]
            assert held.prints == tuple(p for p, _ in line)
            assert [held.habits >> i & 1 for i in range(PRINTS)] == [h for _, h in line]


def test_prints_of_an_array_are_those_of_each() -> None:
    platforms = np.array([1, 0x1234_0001, 0xFFFF_FFFF, 0x0001_0001], np.uint32)
    assert prints_of(platforms).tolist() == [platform_print(p) for p in platforms.tolist()]


def test_a_row_stored_and_loaded_is_the_same() -> None:
    row = np.zeros(14, np.uint64)
    sightings = [word(100 + i, i % 2, 1000 + i) for i in range(7)]
    memory = Memory(9, 0b101, [5, 6, 7] + [0] * 11)
    store(row, sightings, memory, recent_s=0)
    ring, held = load(row)
    assert ring == sightings
    assert (held.born_day, held.habits, held.prints) == (9, 0b101, memory.prints)


def test_a_crowd_of_one_day_washes_nothing_out() -> None:
    row = np.zeros(14, np.uint64)
    old = Memory(1, HABITS, range(1, 15))
    crowd = [word(10 * DAY + i, 1, 1 << 20 | i) for i in range(60)]
    store(row, crowd, old, recent_s=11 * DAY)
    ring, held = load(row)
    assert held.prints == old.prints
    assert len(ring) == RING


def test_what_a_recipient_comes_back_to_is_kept_before_its_prints() -> None:
    row = np.zeros(14, np.uint64)
    again = [word(10 * DAY + i, 0, 1 << 20 | i) for i in range(20)]
    store(row, again, Memory(1, 0, range(60_001, 60_015)), recent_s=11 * DAY)
    ring, held = load(row)
    assert sorted(ring) == again[-RING:]
    kept = [platform_print(w & 0xFFFF_FFFF) for w in again[:-RING][::-1]]
    assert held.prints[:12] == tuple(kept)
    assert held.habits == 0b1111_1111_1111
    assert held.prints[12:] == (60_001, 60_002), "the latest of the old prints fill what is left"


def test_sightings_of_the_last_day_stay_in_the_ring() -> None:
    row = np.zeros(14, np.uint64)
    recent = [word(10 * DAY + i, 1, 500 + i) for i in range(7)]
    older = [word(5 * DAY + i, 0, 900 + i) for i in range(9)]
    store(row, older + recent, Memory(), recent_s=9 * DAY)
    ring, held = load(row)
    assert ring[1:] == recent
    assert ring[0] == older[-1]
    assert held.size == 8
