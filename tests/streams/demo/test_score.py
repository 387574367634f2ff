"""The score for the picture: the detector's own bucket, message by message."""

from __future__ import annotations

import pytest

from detectors.bars import LEAK_MILLI_S
from detectors.model.times import DAY_S
from streams.demo.score import follow

START_MS = 1_772_424_000_000


def levels(*codes: tuple[float, int]) -> list[float]:
    return list(follow((START_MS + int(s * 1000), platform) for s, platform in codes))


def test_each_new_platform_adds_one_and_a_second_leaks() -> None:
    leak = LEAK_MILLI_S / 1000
    assert levels((0, 1), (10, 2), (10, 3)) == [1.0, 2 - 10 * leak, 3 - 10 * leak]


def test_a_repeat_adds_nothing_and_an_empty_bucket_stays_empty() -> None:
    assert levels((0, 1), (20, 1), (4000, 1)) == [1.0, pytest.approx(0.5), 0.0]


def test_a_platform_counts_again_after_a_day() -> None:
    assert levels((0, 1), (DAY_S, 1)) == [1.0, 1.0]


def test_no_codes_have_no_score() -> None:
    assert levels() == []
