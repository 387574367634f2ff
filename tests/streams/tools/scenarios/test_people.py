"""People: their platforms are a function of their index, and popular ones are used by more."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streams.tools.scenarios.people import habit_ranks, person, platform_counts
from streams.tools.scenarios.platform_profiles import BANKS, PLATFORMS


@pytest.mark.parametrize("memory", [0, 1, 14, 60, 256])
def test_a_person_knows_so_many_platforms_its_bank_among_them(memory: int) -> None:
    someone = person(7, memory)
    assert len(set(someone.known)) == max(0, memory - 1)
    assert someone.bank in BANKS


def test_more_platforms_than_there_are_cannot_be_known() -> None:
    with pytest.raises(ValueError, match="cannot know"):
        person(7, 5_000)


def test_a_longer_memory_begins_with_the_shorter_one() -> None:
    assert person(9, 60).known[:13] == person(9, 14).known
    assert person(9, 60).gaps_days[:14] == person(9, 14).gaps_days


def test_people_use_as_many_platforms_as_was_assumed() -> None:
    counts = platform_counts(np.arange(50_000))
    assert [len(person(index).known) + 1 for index in range(50)] == counts[:50].tolist()
    assert np.quantile(counts, [0.5, 0.95]).tolist() == [12.0, 45.0]
    assert (counts.min(), counts.max()) == (2, 80)
    assert np.mean(counts < 6) == pytest.approx(0.18, abs=0.02)


def test_uses_lie_between_daily_and_twice_a_year() -> None:
    gaps = np.array([gap for index in range(2_000) for gap in person(index).gaps_days])
    assert gaps.min() < 7
    assert gaps.min() >= 1
    assert gaps.max() <= 182
    assert np.mean(gaps <= 30) == pytest.approx((30 / 182) ** 1.5, abs=0.01)


def test_some_people_use_platforms_together_and_some_are_impatient() -> None:
    people = [person(index) for index in range(3_000)]
    assert np.mean([who.together > 0 for who in people]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([who.impatient for who in people]) == pytest.approx(0.125, abs=0.02)


def test_habits_are_a_function_of_index_and_slot() -> None:
    index, slot = np.arange(500), np.arange(500) % 14
    once = habit_ranks(index, slot, len(PLATFORMS))
    assert once.tolist() == habit_ranks(index[::-1], slot[::-1], len(PLATFORMS))[::-1].tolist()
    assert once.min() >= 0
    assert once.max() < len(PLATFORMS)


def test_half_of_all_use_falls_on_the_first_eighth() -> None:
    index = np.repeat(np.arange(5_000), 14)
    ranks = habit_ranks(index, np.tile(np.arange(14), 5_000), len(PLATFORMS))
    assert np.mean(ranks < len(PLATFORMS) / 8) == pytest.approx(0.5, abs=0.01)


def test_banks_have_customers_alike() -> None:
    customers = Counter(person(index).bank.name for index in range(len(BANKS) * 3))
    assert set(customers.values()) == {3}
