"""The picture of a run: well-formed, the same again, and of any story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.tools.demo.report_pictures import LANES, _hour, _lane, draw_lanes
from streams.tools.demo.story import Story
from streams.tools.scenarios.labelled_events import Role
from tests.builders.streams.tools.demo.story import MESSAGES, STORY, message
from tests.streams.told import assert_tells

LATE = replace(
    STORY, messages=[replace(m, event_time_ms=m.event_time_ms * 60_000) for m in MESSAGES]
)


@pytest.mark.parametrize(
    "story",
    [
        STORY,
        LATE,
        replace(STORY, changes=[]),
        replace(STORY, messages=[*MESSAGES, message(6, Role.NEW, refused=True)]),
    ],
    ids=["usual", "an hour", "unnoticed", "own code refused"],
)
def test_a_picture_is_well_formed_the_same_again_and_links_to_nothing(story: Story) -> None:
    drawn = draw_lanes(story)
    assert drawn == draw_lanes(story)
    assert_tells(drawn)


def test_every_code_has_a_lane() -> None:
    lanes = [_lane(each) for each in MESSAGES if each.code]
    assert lanes == ["delivered", "refused", "bank", "known"]
    assert set(lanes) <= set(LANES)


def test_an_hour_goes_round_the_clock() -> None:
    assert [_hour(minutes) for minutes in (0, 1439, 1440)] == ["00:00", "23:59", "00:00"]
