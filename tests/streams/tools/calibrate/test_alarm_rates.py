"""Rates: what may be claimed from so many alarms in so many days, and what not."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from streams.tools.calibrate.alarm_rates import Rate, lower, upper


@pytest.mark.parametrize(
    ("alarms", "days", "standing"),
    [
        (0, 299_000, "open"),
        (0, 2_990_000, "open"),
        (0, 3_000_000, "shown"),
        (1, 4_000_000, "open"),
        (1, 4_800_000, "shown"),
        (20, 3_000_000, "exceeded"),
        (0, 0, "open"),
    ],
)
def test_one_in_a_million_is_claimed_from_enough_days_only(
    alarms: int, days: float, standing: str
) -> None:
    assert Rate(alarms, days).standing(1e-6) == standing


@pytest.mark.parametrize("alarms", [0, 1, 5, 40])
def test_the_days_needed_are_the_fewest_that_show_it(alarms: int) -> None:
    needed = Rate(alarms, 1).days_needed(1e-6)
    assert Rate(alarms, needed).standing(1e-6) == "shown"
    assert Rate(alarms, needed * 0.999).standing(1e-6) != "shown"


def test_the_interval_holds_the_true_rate_as_often_as_it_says() -> None:
    rng, mean = np.random.default_rng(3), 4.2
    held = sum(lower(k, 0.025) <= mean <= upper(k, 0.025) for k in rng.poisson(mean, 4000).tolist())
    assert 0.95 <= held / 4000 <= 0.995


@pytest.mark.parametrize("count", [1_001, 100_000])
def test_the_bounds_of_great_counts_meet_those_of_wilson_and_hilferty(count: int) -> None:
    def quantile(shape: int, probability: float) -> float:
        z = NormalDist().inv_cdf(probability)
        return shape * (1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))) ** 3

    for tail in (0.025, 0.05):
        assert math.isclose(upper(count, tail), quantile(count + 1, 1 - tail), rel_tol=1e-5)
        assert math.isclose(lower(count, tail), quantile(count, tail), rel_tol=1e-5)


def test_nothing_is_claimed_of_no_days() -> None:
    nothing = Rate(0, 0)
    assert math.isnan(nothing.per_day)
    assert nothing.interval == (0.0, math.inf)
    assert nothing.standing(1e-6) == "open"


@pytest.mark.parametrize("alarms", [1, 7, 900, 5_000])
def test_the_estimate_lies_in_its_interval(alarms: int) -> None:
    rate = Rate(alarms, 1e6)
    low, high = rate.interval
    assert low < rate.per_day < high
