"""Gaps: all that a pack does not show is said, in both languages, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.model.records import Level
from streams.people.evidence.gaps import GAPS, describe_gap, documents, gaps
from tests.builders.streams.cases.standing import ENDED, LEASE, OPENED, ack
from tests.streams.people.evidence.packs import INCIDENT, LATER, SAID, chosen

ALWAYS = {"no_text", "claims"}
ONE = [("episode", ENDED), ("episode", OPENED), ("lease", LEASE), ("ack", ack("expired", 3))]
SHADOW = [("episode", replace(OPENED, mode="shadow"))]
WATCH = [("episode", replace(OPENED, mode="shadow", level=Level.WATCH))]  # its mode says nothing


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (ONE, {"no_messages"}),
        ([("episode", OPENED)], {"no_messages", "open", "leases_lost"}),
        (SHADOW, {"no_messages", "open", "leases_lost", "shadow"}),
        (WATCH, {"no_messages", "open", "no_leases"}),
        ([*SHADOW, ("lease", LEASE), ("ack", ack("expired", 3))], {"no_messages", "open"}),
        (ONE[:3], {"no_messages", "no_acks"}),
        ([*ONE[:3], ("ack", ack("applied"))], {"no_messages", "no_count"}),
        (
            [("episode", replace(OPENED, change="renewed", since_ms=1)), *ONE[2:]],
            {"no_messages", "open", "partial"},
        ),
        ([*ONE, ("incident", INCIDENT)], {"earlier", "class_only", "fate"}),
        ([*ONE, ("incident", LATER)], {"earlier", "class_only", "fate", "counted", "missing"}),
        (SAID, {"earlier", "class_only", "fate", "counted", "words"}),
    ],
)
def test_what_is_not_there_is_said(said: list, expected: set[str]) -> None:
    assert {gap for gap, _ in gaps(chosen(said), "")} == ALWAYS | expected


def test_settings_of_another_time_and_tokens_are_gaps() -> None:
    assert "settings" in {gap for gap, _ in gaps(chosen(), "0123")}
    found = chosen()
    found.case.records[-1] = replace(found.case.last, recipient="hk1:00ff")
    assert "token" in {gap for gap, _ in gaps(found, "")}


def test_a_store_that_is_behind_the_topics_says_by_how_much() -> None:
    found = chosen()
    found.behind_s = 59
    assert "behind" not in dict(gaps(found, ""))
    found.behind_s = 61
    assert dict(gaps(found, ""))["behind"] == {"n": 2}


def test_every_gap_has_its_sentence_in_both_languages() -> None:
    figures = {"n": 1, "all": 2, "passed": 3, "refused": 4}
    for document in documents([(gap, figures) for gap in GAPS]):
        assert document["en"] == describe_gap(document["gap"], figures)
        assert document["zh-Hans"] != document["en"]
        assert "{" not in document["zh-Hans"]
    assert ("counted", {"passed": 3, "refused": 40}) in list(gaps(chosen(), ""))
    assert ("missing", {"n": 2}) in list(gaps(chosen([*ONE, ("incident", LATER)]), ""))
