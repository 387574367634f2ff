"""How common platforms are: counted between ticks, forgotten by a seventh a day, bounded."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.hot import base as of
from detectors.hot.base import UNIT, Base
from detectors.model.fields import reader, writer


def counted(*platforms: int) -> Base:
    base = Base()
    base.one += platforms
    base.fold()
    return base


def units(base: Base) -> dict[int, int]:
    return dict(zip(base.ids.tolist(), base.units.tolist(), strict=True))


def test_what_came_since_the_last_tick_counts_from_the_next_on() -> None:
    base = counted(1, 1, 2)
    assert (base.sightings, base.one) == (3, [])
    base.met.append(np.array([1, 4], np.uint32))
    assert base.sightings == 3
    asked = np.array([1, 2, 3, 9], np.uint32)
    assert base.common(asked).tolist() == [3 * UNIT, 2 * UNIT, UNIT, UNIT]
    base.fold()
    assert units(base) == {1: 3 * UNIT, 2: UNIT, 4: UNIT}
    assert base.total == sum(units(base).values())


@pytest.mark.parametrize(("days", "left"), [(0, 1.0), (1, 6 / 7), (7, 0.34), (30, 0.01)])
def test_a_seventh_is_forgotten_a_day(days: int, left: float) -> None:
    base = counted(*[5] * 1000)
    base.age(days)
    assert base.total / UNIT / 1000 == pytest.approx(left, abs=0.005)


def test_a_platform_that_came_once_is_forgotten_after_two_weeks() -> None:
    base = counted(5)
    base.age(10)
    assert 5 in units(base)
    base.age(4)
    assert (units(base), base.total) == ({}, 0)
    base.age(10**9)  # a clock that jumps costs no loop of its own


def test_platforms_are_bounded_and_the_most_common_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "BASE_MAX", 10)
    base = counted(*range(100), *range(5, 15))
    assert len(base.ids) == 20, "twice as many until the day is over"
    assert base.total == sum(units(base).values())
    base.age(1)
    assert set(units(base)) == set(range(5, 15))


def test_what_a_flood_began_with_is_taken_back() -> None:
    base = counted(1, 1, 1, 2)
    base.one += [1, 3]
    base.back += [1, 1, 2, 2, 9]
    base.fold()
    assert units(base) == {1: 2 * UNIT, 3: UNIT}, "and never more than there was"
    assert (base.total, base.back) == (3 * UNIT, [])


def test_a_state_is_the_same_in_whatever_order_it_came_and_goes_on() -> None:
    one, other = counted(3, 1, 2), counted(2, 3, 1)
    one.one, other.one = [9, 7], [7]
    other.met = [np.array([9], np.uint32)]
    one.gather()
    other.gather()
    stored = writer(Base)
    assert stored(one) == stored(other)
    again = reader(Base)(stored(one))
    assert stored(again) == stored(one)
    assert again.total == one.total
