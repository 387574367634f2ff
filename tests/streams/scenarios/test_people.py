"""People: their platforms are a function of their index, and popular ones are used by more."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streams.scenarios.people import HABITS, habit_ranks, person
from streams.scenarios.platforms import BANKS, PLATFORMS


@pytest.mark.parametrize("memory", [0, 1, 14, 60, 256])
def test_a_person_knows_so_many_platforms_its_bank_among_them(memory: int) -> None:
    someone = person(7, memory)
    assert len(set(someone.known)) == max(0, memory - 1)
    assert someone.bank in BANKS


def test_more_platforms_than_there_are_cannot_be_known() -> None:
    with pytest.raises(ValueError, match="cannot know"):
        person(7, 5_000)


def test_a_longer_memory_begins_with_the_shorter_one() -> None:
    assert person(9, 60).known[: HABITS - 1] == person(9).known


def test_habits_are_a_function_of_index_and_slot() -> None:
    index, slot = np.arange(500), np.arange(500) % HABITS
    once = habit_ranks(index, slot, len(PLATFORMS))
    assert once.tolist() == habit_ranks(index[::-1], slot[::-1], len(PLATFORMS))[::-1].tolist()
    assert once.min() >= 0
    assert once.max() < len(PLATFORMS)


def test_half_of_all_use_falls_on_the_first_eighth() -> None:
    index = np.repeat(np.arange(5_000), HABITS)
    ranks = habit_ranks(index, np.tile(np.arange(HABITS), 5_000), len(PLATFORMS))
    assert np.mean(ranks < len(PLATFORMS) / 8) == pytest.approx(0.5, abs=0.01)


def test_banks_have_customers_alike() -> None:
    customers = Counter(person(index).bank.name for index in range(len(BANKS) * 3))
    assert set(customers.values()) == {3}
