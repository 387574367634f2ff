"""Pictures: well-formed, self-contained, the same again, and of any history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from streams.calibrate import plots
from streams.calibrate.peaks import COUNTS
from streams.calibrate.rehearse import Incidents, Rehearsal, rehearse
from streams.calibrate.result import Result
from streams.scenarios import generate
from tests.streams.calibrate.test_result import result_of
from tests.streams.calibrate.test_survey import SETTINGS, people, surveyed

PICTURES: dict[str, tuple[Callable[[Any, Result], None], int]] = {
    "what_if": (plots.what_if, 2),
    "peaks": (plots.peaks, 1),
    "grid": (plots.grid, 1),
    "counts": (plots.counts, len(COUNTS)),
    "pace": (plots.pace, 1),
    "known": (plots.known, 1),
    "novelty": (plots.novelty, 1),
}


def rehearsed() -> Rehearsal:
    incidents = Incidents(SETTINGS.intake(), 3)
    return rehearse(SETTINGS.params(), SETTINGS.recogniser(), incidents, measure=True)


@pytest.fixture(scope="module")
def some() -> Result:
    flood = [event.value for event in generate("A1", 3, recipient=7, history=False)]
    played = rehearse(
        SETTINGS.params(), SETTINGS.recogniser(), Incidents(SETTINGS.intake(), 3), measure=True
    )
    return result_of(surveyed([*people(30), *flood]), margins=[(0.0, played), (0.5, played)])


@pytest.fixture(scope="module")
def calm() -> Result:
    played = rehearse(
        SETTINGS.params(), SETTINGS.recogniser(), Incidents(SETTINGS.intake(), 3), measure=True
    )
    return result_of(surveyed(people(1)[:1]), margins=[(0.0, played)])


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("history", ["some", "calm"])
def test_a_picture_is_well_formed_and_links_to_nothing(
    name: str, history: str, request: pytest.FixtureRequest
) -> None:
    draw, columns = PICTURES[name]
    svg = plots.drawn(draw, request.getfixturevalue(history), height=3, columns=columns)
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    links = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "<text" not in svg, "letters are outlines"


def test_the_same_findings_give_the_same_bytes(some: Result) -> None:
    assert plots.drawn(plots.peaks, some, height=3) == plots.drawn(plots.peaks, some, height=3)


def test_another_margin_moves_the_bar(some: Result) -> None:
    detect = SETTINGS.detect.model_copy(update={"burst_margin": 1.0})
    moved = result_of(some.current, margins=some.margins)
    moved.settings = SETTINGS.model_copy(update={"detect": detect})
    one, other = (plots.drawn(plots.what_if, each, height=3, columns=2) for each in (some, moved))
    assert one != other
