"""What a lease refuses teaches nothing: not an attacker's platforms, and shared numbers settle.

A week of twenty shared numbers is 19 s of computing, in `make integration`.
"""

from __future__ import annotations

import pytest

from tests.adversary.promises import LEARNT_MAX
from tests.adversary.teaching import (
    FLOOD_CODES,
    PEOPLE,
    play_days,
    play_people,
    play_shared_numbers,
)


@pytest.mark.parametrize("days", [2, 3])
def test_refused_codes_of_a_small_flood_make_no_platform_known(days: int) -> None:
    taught, blasted = play_days(days, blasted=False), play_days(days)
    assert taught.codes - taught.reached >= 30, "a flood of which nothing is refused proves nothing"
    assert blasted.learnt <= 5 * (days // 2), "five arrive on each day before the THROTTLE"
    assert blasted.learnt <= LEARNT_MAX
    assert blasted.reached - taught.reached <= FLOOD_CODES // 2


@pytest.mark.integration
def test_a_shared_number_that_was_throttled_is_left_alone_afterwards() -> None:
    throttled = play_shared_numbers(20, days=7)
    assert throttled[0] > 0, "numbers that nothing happens to prove nothing"
    assert throttled[5:] == [0, 0]


def test_a_person_throttled_by_mistake_and_released_is_left_alone_from_the_fourth_day_on() -> None:
    throttled = play_people(days=6)
    assert throttled[0] == PEOPLE
    assert throttled[3:] == [0, 0, 0]


def test_a_person_who_uses_the_platforms_slowly_after_a_mistake_may_rush_on_the_fifth_day() -> None:
    assert play_people(days=5, rush=False) == [PEOPLE, 0, 0, 0, 0]
