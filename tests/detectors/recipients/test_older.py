"""Rows of the format before: what they say is read, and what they cannot say is told in between."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.model.times import DAY_S
from detectors.recipients.older import from_one, known_from_one, known_to_one, to_one
from detectors.recipients.row import AGAIN, HABIT, ONCE, PRINTS, SUSPECT, Known, unpack, word

DAY = 400
NEWEST_S = DAY * DAY_S


def row_of_one(prints: list[int], again: int, *, counts: tuple[int, int] = (3, 2)) -> np.ndarray:
    """A row of format 1: prints latest first, bit i of `again` for print i."""
    row = np.zeros(14, np.uint64)
    row[0] = 8613800000001
    row[1] = 77 << 32 | counts[0] << 16 | counts[1]
    row[9] = word(NEWEST_S, 1, 99)
    memory = [DAY - 100, again, *prints, *[0] * (PRINTS - len(prints))]
    row[10:14] = np.array(memory, np.uint16).view(np.uint64)
    return row[None, :]


def test_what_came_on_two_days_is_again_and_stands_first() -> None:
    rows = row_of_one([11, 12, 13, 14], again=0b1010)
    from_one(rows)
    _, memory, habits = unpack(rows[0], NEWEST_S)
    assert [(each.print, each.level) for each in memory.known] == [
        (12, AGAIN),
        (14, AGAIN),
        (11, ONCE),
        (13, ONCE),
    ]
    assert habits == set()
    assert memory.born_day == DAY - 100


def test_counts_fit_a_byte_and_the_window_stays() -> None:
    rows = row_of_one([], 0, counts=(300, 7))
    from_one(rows)
    assert int(rows[0, 1]) == 77 << 32 | 255 << 8 | 7


@pytest.mark.parametrize("again", [0, SUSPECT, SUSPECT | 0b11])
def test_a_suspect_stays_one_both_ways(again: int) -> None:
    rows = row_of_one([11, 12], again)
    before = rows.copy()
    from_one(rows)
    assert bool(rows[0].view(np.uint16)[40] & SUSPECT) == bool(again & SUSPECT)
    to_one(rows)
    assert rows.tolist() == before.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_there_and_back_keeps_every_print_with_its_step(seed: int) -> None:
    rng = random.Random(seed)
    rows = np.concatenate(
        [
            row_of_one(rng.sample(range(1, 1 << 16), count := rng.randint(0, PRINTS)),
                       rng.randrange(1 << count))
            for _ in range(50)
        ]
    )  # fmt: skip
    before = rows.copy()
    from_one(rows)
    to_one(rows)
    for ours, theirs in zip(rows, before, strict=True):
        steps = [
            sorted((p, int(m[1]) >> i & 1) for i, p in enumerate(m[2:].tolist()) if p)
            for m in (ours[10:].copy().view(np.uint16), theirs[10:].copy().view(np.uint16))
        ]
        assert steps[0] == steps[1]
    assert rows[:, :10].tolist() == before[:, :10].tolist()


def test_a_judge_s_memory_is_read_as_a_row_s_is() -> None:
    known = known_from_one(0b10, [11, 12, 0], NEWEST_S)
    assert [(each.print, each.level) for each in known] == [(12, AGAIN), (11, ONCE)]
    assert known[0].last_s == NEWEST_S - 7 * DAY_S


def test_a_habit_is_told_as_twice_where_there_are_two_steps() -> None:
    known = [Known(5, HABIT, 1), Known(6, AGAIN, 1), Known(7, ONCE, 1)]
    habits, prints = known_to_one(known)
    assert (habits, prints[:3], len(prints)) == (0b11, [5, 6, 7], PRINTS)
