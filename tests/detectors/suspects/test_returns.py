"""Floods that ask the same platforms again and again, slowly; and people who ask a few again."""

from __future__ import annotations

import pytest

from detectors.chain import Params
from detectors.episodes.lease import EpisodeParams
from detectors.model.records import Level
from detectors.suspects.judge import JudgeParams
from tests.builders.detectors.chain import VICTIM, history, throttles
from tests.builders.detectors.suspects.returns import ENFORCE, passed
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run


def in_turn(platforms: int, gap_s: float, count: int) -> list[Event]:
    """So many codes at this gap, of so many platforms in a fixed order, round and round."""
    return [
        Event(START_MS + int(n * gap_s * 1000), VICTIM, f"p{n % platforms}") for n in range(count)
    ]


@pytest.mark.parametrize(
    ("platforms", "gap_s", "count", "most"),
    [(40, 60, 180, 60), (38, 45, 240, 60), (24, 75, 600, 45), (42, 41.5, 2081, 60)],
    ids=["one-a-minute", "one-in-45-s", "one-in-75-s", "for-a-day"],
)
def test_a_list_that_is_asked_round_and_round_is_throttled_in_its_second_round(
    platforms: int, gap_s: float, count: int, most: int
) -> None:
    assert passed(in_turn(platforms, gap_s, count)) <= most


def test_thirteen_platforms_must_return_and_twelve_are_no_flood() -> None:
    rounds = [in_turn(each, 120, 2 * each) for each in (12, 13)]
    rules = [
        [a.reason.rule for a in throttles(run(ENFORCE, history() + events))] for events in rounds
    ]
    assert rules == [[], ["returns"]]


def test_a_second_code_within_ten_minutes_is_no_return() -> None:
    """Thirty log-ins of a new phone's day, each page asked again after nine minutes."""
    sittings = [
        Event(START_MS + s * HOUR_MS + n * 90_000 + again * 9 * MINUTE_MS, VICTIM, f"p{s}.{n}")
        for s in range(5)
        for n in range(6)
        for again in range(2)
    ]
    assert throttles(run(ENFORCE, history() + sorted(sittings))) == []


def test_in_a_row_s_first_week_nothing_counts_as_a_return() -> None:
    young = [Event(START_MS - DAY_MS + i * HOUR_MS, VICTIM, f"known {i}") for i in range(14)]
    events = in_turn(24, 75, 200)
    assert passed(events, young) == 200
    eager = Params(judge=JudgeParams(settled_days=0), episode=EpisodeParams(mode="enforce"))
    records = run(eager, young + events).episodes
    assert "returns" in {r.reason.rule for r in records if r.level is Level.THROTTLE}


def test_four_platforms_at_a_time_add_up_over_the_day() -> None:
    """Ten codes of each, then the next four: 40 in ten minutes' time are no mass, 120 a volume."""
    gap_ms = 40_000
    events = [
        Event(START_MS + (g * 40 + n) * gap_ms, VICTIM, f"p{4 * g + n % 4}")
        for g in range(10)
        for n in range(40)
    ]
    assert passed(events) <= 180
