"""Pages that name nobody: a person who presses again is no flood, and a flood of them is one."""

from __future__ import annotations

import pytest

from tests.adversary.pages import count_throttled_people, play_templates
from tests.adversary.promises import REACHED_MAX


def test_nobody_is_throttled_by_eight_presses_of_one_unnamed_page() -> None:
    assert count_throttled_people(12) == 0


def test_a_flood_of_many_unnamed_pages_is_throttled_at_the_fifth() -> None:
    played = play_templates(60, 60, 20)
    assert (played.throttled, played.reached) == (1, 5)


@pytest.mark.parametrize("gap_s", [2, 20])
def test_one_unnamed_page_from_a_pool_of_numbers_is_throttled_by_its_messages(gap_s: int) -> None:
    played = play_templates(1, 600 // gap_s * 6, gap_s)
    assert played.throttled == 1
    assert played.reached_most <= REACHED_MAX
    assert played.reached <= 90


def test_one_unnamed_page_at_a_slow_pace_is_throttled_after_hours() -> None:
    played = play_templates(1, 480, 90)
    assert played.throttled == 1
    assert played.reached <= 200
