"""Rehearsals: incidents that the detector finds, fewer and later the higher its bars are."""

from __future__ import annotations

import math

import pytest

from streams.config import Settings
from streams.tools.calibrate.rehearse import Incidents, Rehearsal, _median, rehearse

SETTINGS = Settings()
RUNS = 12


@pytest.fixture(scope="module")
def incidents() -> Incidents:
    return Incidents(SETTINGS.intake(), RUNS)


def played(incidents: Incidents, margin: float) -> Rehearsal:
    detect = SETTINGS.detect.model_copy(update={"burst_margin": margin})
    params = SETTINGS.model_copy(update={"detect": detect}).params()
    return rehearse(params, SETTINGS.recogniser(), incidents)


def test_incidents_are_found_and_a_margin_makes_that_later(incidents: Incidents) -> None:
    plain, high = played(incidents, 0.0), played(incidents, 3.0)
    assert plain.missed_share <= 1 / RUNS
    assert plain.messages <= 10
    assert high.messages > plain.messages
    assert high.minutes > plain.minutes
    assert played(incidents, 0.0).minutes == plain.minutes, "the same again"


def test_each_incident_has_a_victim_of_its_own(incidents: Incidents) -> None:
    assert len(incidents.attack) == RUNS
    assert all(times == sorted(times) for times in incidents.attack.values())
    assert {len(times) for times in incidents.attack.values()} == {68}


@pytest.mark.parametrize(
    ("values", "of", "median"),
    [([3, 1, 2], 3, 2.0), ([1, 2], 4, 2.0), ([1], 4, math.inf), ([], 2, math.inf)],
)
def test_incidents_that_were_missed_count_as_later_than_all(
    values: list[float], of: int, median: float
) -> None:
    assert _median(values, of) == median
