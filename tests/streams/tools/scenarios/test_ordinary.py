"""Ordinary traffic: its rates, its people's habits, and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import islice
from statistics import mean

import numpy as np
import pytest

from streams.tools.scenarios import DEFAULT_START_MS, Rates, Role, ordinary, person
from streams.tools.scenarios.numbering import COUNT
from streams.tools.scenarios.people import platform_counts
from tests.builders.streams.tools.scenarios.catalog import DAY_MS, at, seeded


@seeded
def test_ordinary_traffic_has_the_published_rate_of_codes(seed: int) -> None:
    events = list(ordinary(5000, DEFAULT_START_MS, seed, duration_ms=3 * DAY_MS))
    codes = [e for e in events if e.truth.role is not Role.OTHER]
    assert 0.15 < len(codes) / 15_000 < 0.2
    assert max(map(at, events)) < DEFAULT_START_MS + 3 * DAY_MS
    assert len({e.value["recipient"] for e in events}) > 4900


def test_ordinary_people_keep_their_habits() -> None:
    events = ordinary(50, DEFAULT_START_MS, 3, duration_ms=60 * DAY_MS)
    counts = platform_counts(np.arange(50)).tolist()
    known = {
        person(index).recipient: person(index, count + 2).known
        for index, count in enumerate(counts)
    }
    asked = [e for e in events if e.truth.role is Role.KNOWN]
    among = [e.truth.platform in {p.name for p in known[e.value["recipient"]]} for e in asked]
    assert mean(among) > 0.9  # two slots may hold one platform, and then a further one counts


def test_who_uses_more_platforms_gets_more_codes() -> None:
    rates = Rates(codes=1, bank_codes=0, marketing=0, courier=0, notices=0, personal=0)
    events = ordinary(400, DEFAULT_START_MS, 3, duration_ms=90 * DAY_MS, rates=rates)
    codes = Counter(event.value["recipient"] for event in events)
    counts = platform_counts(np.arange(400))
    received = np.array([codes[person(index).recipient] for index in range(400)])
    few, many = counts <= 12, counts > 24
    share = received[many].mean() / received[few].mean()
    assert share == pytest.approx(counts[many].mean() / counts[few].mean(), rel=0.1)


def test_ordinary_traffic_needs_no_more_memory_the_longer_it_runs() -> None:
    def peak(hours: int) -> int:
        tracemalloc.start()
        for _ in ordinary(30_000, DEFAULT_START_MS, 3, duration_ms=hours * 3_600_000):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(8) < 1.5 * peak(2) < 20_000_000


def test_only_what_has_a_rate_is_sent() -> None:
    rates = Rates(codes=0, bank_codes=1, marketing=0, courier=0, notices=0, personal=0)
    events = islice(ordinary(100, DEFAULT_START_MS, 1, rates=rates), 50)
    assert Counter(event.truth.role for event in events) == {Role.BANK: 50}


def test_people_of_a_range_of_indices_get_the_messages() -> None:
    events = ordinary(3, DEFAULT_START_MS, 1, duration_ms=60 * DAY_MS, first=40)
    assert {e.value["recipient"] for e in events} == {person(i).recipient for i in (40, 41, 42)}


@pytest.mark.parametrize("wrong", [{"codes": -0.1}, dict.fromkeys(Rates.__slots__, 0)])
def test_rates_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rates"):
        Rates(**wrong)


@pytest.mark.parametrize(("count", "first"), [(0, 0), (2, COUNT - 1)])
def test_people_whom_no_number_is_for_are_refused(count: int, first: int) -> None:
    with pytest.raises(ValueError, match="subscribers"):
        next(ordinary(count, DEFAULT_START_MS, 1, first=first))
