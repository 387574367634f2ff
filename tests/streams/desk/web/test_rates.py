"""A bucket lets so many through, and its keys are bounded."""

from __future__ import annotations

import pytest

from streams.desk.web.rates import Pace, RateLimit


def test_what_leaks_out_may_be_taken_again() -> None:
    limit = RateLimit(Pace(3, 10))
    assert [limit.take("li", 0) for _ in range(3)] == [0, 0, 0]
    assert limit.take("li", 1) == pytest.approx(9)
    assert limit.take("li", 10) == 0
    assert limit.take("li", 10) > 0
    assert [limit.take("li", 1_000) for _ in range(3)] == [0, 0, 0], "and no more than all of it"
    assert limit.take("li", 1_000) > 0


def test_one_key_takes_nothing_from_another() -> None:
    limit = RateLimit(Pace(1, 60))
    assert limit.take("li", 0) == limit.take("wang", 0) == 0


def test_the_keys_are_bounded() -> None:
    limit = RateLimit(Pace(1, 60), keys_max=3)
    for n in range(100):
        limit.take(str(n), 0)
    assert len(limit) == 3


@pytest.mark.parametrize(("burst", "every_s"), [(0, 1), (1, 0), (1, -1)])
def test_a_pace_lets_something_through(burst: int, every_s: float) -> None:
    with pytest.raises(ValueError, match="lets something through"):
        Pace(burst, every_s)
