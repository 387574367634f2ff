"""Leads of hot platforms, and how far people differ in them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.suspect import Suspect, see
from streams.tools.calibrate.leads import LEAST, Leads, kappa_of, spread
from tests.builders.streams.tools.calibrate.leads import people

HOT = frozenset(range(100, 200))
START_S = 50 * DAY_S


def suspect_of(name: str, steps: str) -> Suspect:
    suspect = Suspect(int(name), name, 0, [], Memory(1))
    for n, step in enumerate(steps):
        see(suspect, (100 if step == "h" else 1) + n, START_S + n * 60)
    return suspect


def test_the_highest_lead_of_a_day_counts_once() -> None:
    leads = Leads()
    suspect = suspect_of("7", "hhhhh")
    for _ in range(3):
        leads.observe(HOT, {7: suspect}, {7: START_S})
    assert [leads.over(bar) for bar in (LEAST, 5, 6)] == [1, 1, 0]
    see(suspect, 180, START_S + 600)
    leads.observe(HOT, {7: suspect}, {7: START_S + 600})
    assert [leads.over(bar) for bar in (5, 6, 7)] == [1, 1, 0]


def test_another_platform_takes_half_a_point() -> None:
    leads = Leads()
    leads.observe(HOT, {7: suspect_of("7", "hchchchchhc")}, {7: START_S})
    assert (leads.over(4), leads.over(5)) == (1, 0)


def test_who_is_set_aside_and_who_had_no_message_do_not_count() -> None:
    leads = Leads(aside=["8"])
    held = {int(name): suspect_of(name, "hhhhhhhh") for name in "789"}
    leads.observe(HOT, held, {7: START_S, 8: START_S})
    assert leads.over(8) == 1
    leads.aside.add("7")
    assert leads.over(8) == 0


def test_without_a_list_there_is_nothing_to_count() -> None:
    leads = Leads()
    leads.observe(frozenset(), {7: suspect_of("7", "hhhhhhhh")}, {7: START_S})
    assert leads.over(0) == 0


def test_days_are_bounded() -> None:
    leads = Leads(days_max=2)
    for name in "123":
        leads.observe(HOT, {int(name): suspect_of(name, "hhhhh")}, {int(name): START_S})
    assert leads.over(5) == 2


@pytest.mark.parametrize("kappa", [10, 30])
def test_the_spread_of_people_is_found_within_its_interval(kappa: float) -> None:
    inside = 0
    for seed in range(40):
        found = spread(people(8000, kappa, seed=seed))
        inside += found.low <= 1 / (kappa + 1) <= found.high
        assert 0.03 < found.share < 0.07
    assert inside >= 33, "of 40, where 38 are expected"


def test_people_who_are_all_alike_have_no_end_of_kappa() -> None:
    chance = np.random.default_rng(3)
    met = chance.integers(2, 20, 20_000)
    found = spread(np.stack([met, chance.binomial(met, 0.05)], axis=1))
    assert found.low < 0 < found.high < 1 / 31
    assert kappa_of(found.low) == math.inf


@pytest.mark.parametrize("counts", [[], [[5, 0]], [[5, 5]], [[1, 0], [1, 1]]])
def test_what_cannot_be_told_is_no_number(counts: list[list[int]]) -> None:
    found = spread(np.array(counts, np.int64).reshape(-1, 2))
    assert math.isnan(found.rho)
    assert math.isnan(kappa_of(found.rho))
