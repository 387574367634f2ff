"""Pictures: well-formed, self-contained, the same again, and of any history."""

from __future__ import annotations

import pytest

from streams.common.picture import Picture
from streams.tools.calibrate import plots
from streams.tools.calibrate.peaks import COUNTS
from streams.tools.calibrate.rehearse import Rehearsal
from streams.tools.calibrate.result import Result
from tests.builders.streams.tools.calibrate.plots import rehearsed, some
from tests.builders.streams.tools.calibrate.result import result_of
from tests.builders.streams.tools.calibrate.survey import SETTINGS, people, surveyed
from tests.streams.told import assert_tells

__all__ = ["rehearsed", "some"]


@pytest.fixture(scope="module")
def calm(rehearsed: Rehearsal) -> Result:
    return result_of(surveyed(people(1)[:1]), margins=[(0.0, rehearsed)])


@pytest.mark.parametrize("history", ["some", "calm"])
def test_each_picture_tells_what_it_shows_without_being_seen(
    history: str, request: pytest.FixtureRequest
) -> None:
    found = [each for place in drawn(request.getfixturevalue(history)) for each in place]
    assert len(found) == 6 + len(COUNTS)  # no grid: nobody, or one recipient over every bar
    for picture in found:
        assert_tells(picture)
    names = [picture.name for picture in found]
    assert len(set(names)) == len(names)


def drawn(result: Result) -> list[list[Picture]]:
    return list(plots.pictures(result).values())


def test_the_same_findings_give_the_same_bytes(some: Result) -> None:
    assert drawn(some) == drawn(some)


def test_another_margin_moves_the_bar(some: Result) -> None:
    detect = SETTINGS.detect.model_copy(update={"burst_margin": 1.0})
    moved = result_of(some.current, margins=some.margins)
    moved.settings = SETTINGS.model_copy(update={"detect": detect})
    one, other = (next(plots._bursts(each)).wide for each in (some, moved))
    assert one != other
