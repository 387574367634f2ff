"""What a lease refuses teaches nothing: not an attacker's platforms, and shared numbers settle."""

from __future__ import annotations

import pytest

from tests.adversary.promises import LEARNT_MAX
from tests.adversary.teaching import FLOOD_CODES, play_days


@pytest.mark.parametrize("days", [2, 3, 4])
def test_refused_codes_of_a_small_flood_make_no_platform_known(days: int) -> None:
    taught, blasted = play_days(days, blasted=False), play_days(days)
    assert taught.codes - taught.reached >= 30, "a flood of which nothing is refused proves nothing"
    assert blasted.learnt <= LEARNT_MAX
    assert blasted.reached - taught.reached <= FLOOD_CODES // 2
