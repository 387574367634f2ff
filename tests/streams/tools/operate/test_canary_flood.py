"""The canary's numbers and messages; `tests/deploy` sees it at work on a broker."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from streams.config import Canary
from streams.telemetry.metrics import CANARY_OUTCOMES
from streams.tools.operate import canary_flood as canary
from streams.tools.operate.canary_flood import GOOD, MEMORY, CanaryOutcome, Run, outcome_of

NUMBER = "8617000990000"
NOW_MS = 1_772_422_380_000
DAY_MS = 86_400_000


def test_a_number_rests_until_all_others_had_their_turn() -> None:
    settings = Canary()
    numbers = [canary.number(settings, turn) for turn in range(settings.turns)]
    assert len(set(numbers)) == settings.turns
    assert canary.number(settings, settings.turns) == numbers[0]
    assert settings.turns * settings.period_s > 2 * DAY_MS / 1000
    assert canary.spare_number(settings) not in numbers


def test_too_few_numbers_are_refused() -> None:
    with pytest.raises(ValidationError, match="rest"):
        Canary(numbers=100)


def test_the_number_knows_its_platforms_and_each_message_of_the_flood_is_of_another() -> None:
    registry = Registry.load_shipped()
    past, now = list(canary.history(NUMBER, NOW_MS)), list(canary.flood(NUMBER))
    assert {value["recipient"] for value in past + now} == {NUMBER}
    assert all(value["event_time_ms"] < NOW_MS - DAY_MS for value in past)
    verdicts = [recognise(registry, value["text"], value["sender"]) for value in past + now]
    assert all(verdict.otp for verdict in verdicts)
    platforms = [verdict.platform for verdict in verdicts]
    assert len(set(platforms)) == MEMORY + len(now)
    assert len(set(platforms[: len(past)])) == MEMORY
    again = list(canary.history(NUMBER, NOW_MS))
    assert [value["text"] for value in again] == [value["text"] for value in past]


def run(**fields: object) -> Run:
    return Run(NUMBER, 0.0, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ended", "acknowledged", "outcome"),
    [
        (run(), True, CanaryOutcome.MISSED),
        (run(), False, CanaryOutcome.MISSED),
        (run(action_id="a"), False, CanaryOutcome.LEASED),
        (run(action_id="a", states={"b": "applied"}), True, CanaryOutcome.UNACKNOWLEDGED),
        (run(action_id="a", states={"a": "applied"}), True, CanaryOutcome.APPLIED),
        (run(action_id="a", states={"a": "ignored"}), True, CanaryOutcome.IGNORED),
        (run(action_id="a", states={"a": "failed"}), True, CanaryOutcome.FAILED),
        (run(action_id="a", states={"a": "expired"}), True, CanaryOutcome.FAILED),
    ],
)
def test_what_came_back_says_how_the_run_ended(
    ended: Run, acknowledged: bool, outcome: CanaryOutcome
) -> None:
    assert outcome_of(ended, acknowledged=acknowledged) is outcome


def test_the_metric_has_every_outcome() -> None:
    assert tuple(CanaryOutcome) == CANARY_OUTCOMES
    assert set(CanaryOutcome) - GOOD == {
        CanaryOutcome.MISSED,
        CanaryOutcome.UNACKNOWLEDGED,
        CanaryOutcome.FAILED,
    }
