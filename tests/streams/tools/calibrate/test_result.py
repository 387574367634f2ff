"""The findings as a document: JSON-ready, masked, and no sentence that was not shown."""

from __future__ import annotations

import json

import pytest

from streams.tools.calibrate.alarm_rates import Rate
from streams.tools.calibrate.result import (
    document,
    mask_recipient,
    sentence,
    verdict,
)
from streams.tools.calibrate.survey import Survey
from streams.tools.scenarios import generate, merge_streams
from tests.builders.streams.tools.calibrate.result import result_of
from tests.builders.streams.tools.calibrate.survey import people, surveyed


@pytest.fixture(scope="module")
def survey() -> Survey:
    flood = generate("A1", 3, recipient=7, history=False)
    return surveyed([*people(40), *(event.value for event in merge_streams(flood))])


def test_a_document_is_plain_json(survey: Survey) -> None:
    found = document(result_of(survey))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["history"]["subscribers_source"] == "seen in the history"
    assert found["throttled_recipients"] == len(found["throttled"]) == 1


def test_recipients_are_masked_unless_they_are_to_be_shown(survey: Survey) -> None:
    hidden = json.dumps(document(result_of(survey)))
    shown = json.dumps(document(result_of(survey, show_recipients=True)))
    assert "8617000000007" not in hidden
    assert "8617000000007" in shown


def test_as_many_subscribers_as_the_operator_says_make_the_days(survey: Survey) -> None:
    result = result_of(survey, subscribers=1_000_000)
    assert result.days == 1_000_000 * survey.days
    found = document(result)
    assert found["history"]["subscribers"] == 1_000_000
    assert found["history"]["subscribers_source"] == "given"


def test_who_was_judged_no_error_counts_in_no_rate_and_comes_last(survey: Survey) -> None:
    (name,) = (n for n, held in survey.alarms.by_recipient.items() if held.throttle)
    found = document(result_of(survey, judged=frozenset({name, "nobody"})))
    assert found["rates"]["current"]["throttle"]["episodes"] == 0
    assert found["set_aside"] == 1
    assert found["judged"] == {"named": 2, "without_alarm": 1}


def test_a_proposal_that_is_still_over_the_target_says_so(survey: Survey) -> None:
    found = document(result_of(survey, subscribers=50, proposed=survey, unreached=["so"]))
    assert found["unreached"][0] == "so"
    assert "at the proposed settings there are still 1 THROTTLE" in found["unreached"][1]
    assert found["rates"]["proposed"] == found["rates"]["current"]


def test_a_history_of_nothing_is_a_document_of_noughts() -> None:
    found = document(result_of(surveyed([])))
    assert (found["history"]["from"], found["history"]["messages"]) == (None, 0)
    assert found["rates"]["current"]["watch"]["standing"] == "open"


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (Rate(0, 4_000_000), "at or under 1 per million"),
        (Rate(40, 3_000_000), "over 1 per million"),
        (Rate(0, 1000), "all without an alarm"),
        (Rate(1, 3_000_000), "even without a further alarm"),
    ],
)
def test_a_sentence_says_only_what_was_shown(rate: Rate, says: str) -> None:
    assert says in sentence(rate, 1e-6)


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [("86138", "***38"), ("8613812345678", "86138******78"), ("h1:ab", "h1:ab***")],
)
def test_a_mask_never_shows_a_whole_number(recipient: str, shown: str) -> None:
    assert mask_recipient(recipient) == shown


def test_people_who_log_in_fast_are_not_called_an_attack() -> None:
    result = result_of(surveyed(people(250, gap_s=60, variation=0.6)))
    assert len(result.list_throttled) >= 2
    assert {verdict(result, name, held) for name, held, _ in result.list_throttled} == {"unclear"}
