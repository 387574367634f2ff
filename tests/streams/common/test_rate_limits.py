"""A bucket lets so many through, and its keys are bounded."""

from __future__ import annotations

import pytest

from streams.common.rate_limits import RateLimit


def test_what_leaks_out_may_be_taken_again() -> None:
    limit = RateLimit(3, 10)
    assert [limit.take("li", 0) for _ in range(3)] == [0, 0, 0]
    assert limit.take("li", 1) == pytest.approx(9)
    assert limit.take("li", 10) == 0
    assert limit.take("li", 10) > 0
    assert [limit.take("li", 1_000) for _ in range(3)] == [0, 0, 0], "and no more than all of it"
    assert limit.take("li", 1_000) > 0


def test_one_key_takes_nothing_from_another() -> None:
    limit = RateLimit(1, 60)
    assert limit.take("li", 0) == limit.take("wang", 0) == 0


def test_the_keys_are_bounded() -> None:
    limit = RateLimit(1, 60, keys_max=3)
    for n in range(100):
        limit.take(str(n), 0)
    assert len(limit) == 3
