"""Builders that test_plots.py shares with other tests."""

from __future__ import annotations

import pytest

from streams.tools.calibrate.rehearse import Incidents, Rehearsal, rehearse
from streams.tools.calibrate.result import Result
from streams.tools.scenarios import generate
from tests.builders.streams.tools.calibrate.result import result_of
from tests.builders.streams.tools.calibrate.survey import SETTINGS, people, surveyed


@pytest.fixture(scope="module")
def rehearsed() -> Rehearsal:
    incidents = Incidents(SETTINGS.intake(), 3)
    return rehearse(SETTINGS.params(), SETTINGS.recogniser(), incidents, measure=True)


@pytest.fixture(scope="module")
def some(rehearsed: Rehearsal) -> Result:
    flood = [event.value for event in generate("A1", 3, recipient=7, history=False)]
    margins = [(0.0, rehearsed), (0.5, rehearsed)]
    return result_of(surveyed([*people(30), *flood]), margins=margins)
