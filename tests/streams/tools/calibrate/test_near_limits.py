"""Recipients that come near a limit on messages are listed, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from streams.tools.calibrate.near_limits import NearLimit, densest
from streams.tools.scenarios import DEFAULT_START_MS
from streams.tools.scenarios.message_writer import MessageWriter
from tests.builders.streams.tools.calibrate.survey import DAY_MS, surveyed

MINUTE_MS = 60_000


def codes_of_one_platform(count: int) -> list[dict[str, Any]]:
    """A person's own weeks, then codes of one new platform, a code every three minutes."""
    writer = MessageWriter("near", 1, 1, 14)
    (platform,) = writer.strangers(1)
    history = list(writer.history(DEFAULT_START_MS))
    start_ms = DEFAULT_START_MS + DAY_MS
    codes = [writer.own(start_ms + n * 3 * MINUTE_MS, platform) for n in range(count)]
    return [event.value for event in (*history, *codes)]


def found(values: list[dict[str, Any]]) -> list[NearLimit]:
    return surveyed(values).near.found


@pytest.mark.parametrize(("codes", "scores"), [(8, []), (9, [8]), (10, [9])])
def test_a_platform_that_comes_near_its_limit_is_listed_with_its_name(
    codes: int, scores: list[int]
) -> None:
    near = found(codes_of_one_platform(codes))
    assert [each.score for each in near] == scores
    for each in near:
        assert (each.rule, each.threshold) == ("limit_35min", 10)
        assert each.recipient.isdigit()
        assert each.platform
        assert each.share == each.score / each.threshold


def test_platforms_that_come_again_are_listed_by_their_number() -> None:
    writer = MessageWriter("near", 2, 2, 14)
    start_ms = DEFAULT_START_MS + DAY_MS
    events = [
        writer.own(start_ms + (5 * n + 60 * times) * MINUTE_MS, platform)
        for n, platform in enumerate(writer.strangers(11))
        for times in range(2)
    ]
    events.sort(key=lambda event: event.value["event_time_ms"])
    near = found([event.value for event in (*writer.history(DEFAULT_START_MS), *events)])
    assert [(each.rule, each.platform, each.score) for each in near] == [("returns", "", 11)]


def test_a_platform_that_reaches_its_limit_is_an_alarm_and_not_near_one() -> None:
    values = codes_of_one_platform(14)
    survey = surveyed(values)
    assert [each.rule for each in survey.near.found] == []
    (alarmed,) = survey.alarms.by_recipient.values()
    assert alarmed.rules["limit_35min"] == 1


def test_a_row_in_its_first_week_has_no_limits_to_come_near_to() -> None:
    assert (
        found([v for v in codes_of_one_platform(9) if v["event_time_ms"] > DEFAULT_START_MS]) == []
    )


def test_a_bank_that_is_trusted_is_never_listed() -> None:
    writer = MessageWriter("near", 1, 1, 14)
    events = [*writer.history(DEFAULT_START_MS)] + [
        writer.own(DEFAULT_START_MS + DAY_MS + n * 3 * MINUTE_MS, writer.person.bank)
        for n in range(9)
    ]
    assert found([event.value for event in events]) == []


def test_the_densest_window_counts_from_each_time_back() -> None:
    assert densest([0, 1, 5, 6, 7], 3) == 3
    assert densest([], 3) == 0
