"""Own codes that were refused and repaired, as far as records tell: the sign, and what is none."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from detectors.model.event import platform_id
from detectors.model.incidents import EarlierSighting, Fate, IncidentRecord
from detectors.thresholds import AGAIN_FROM_MS, AGAIN_UNTIL_MS
from streams.people.notices.month import SecondRequestCount, second_requests
from tests.streams.people.notices.incidents import DAY0_MS, DAY_MS, incident

AT_MS = DAY0_MS + 9_000
OWN = "sig:own"


def sent(*messages: tuple[int, Fate], episode: str = "e1") -> list[IncidentRecord]:
    """Records of one platform's messages, at times, and what became of each."""
    return [
        incident(episode, "8613900000001", (OWN, AT_MS + at_ms), first=nth, would=fate)
        for nth, (at_ms, fate) in enumerate(messages)
    ]


def count(records: list[IncidentRecord]) -> tuple[int, int]:
    found = second_requests(records, DAY0_MS, DAY0_MS + DAY_MS)
    return found.asked, found.arrived


@pytest.mark.parametrize(
    ("messages", "asked", "arrived"),
    [
        ([(0, "refuse"), (AGAIN_FROM_MS, "pass")], 1, 1),
        ([(0, "refuse"), (AGAIN_UNTIL_MS - 1, "pass")], 1, 1),
        ([(0, "refuse"), (70_000, "refuse")], 1, 0),  # the budget had no room
        ([(0, "refuse"), (70_000, "pass"), (140_000, "refuse")], 1, 1),  # a third is nothing more
        ([(0, "refuse")], 0, 0),
        ([(0, "refuse"), (AGAIN_FROM_MS - 1, "refuse")], 0, 0),
        ([(0, "refuse"), (AGAIN_UNTIL_MS, "refuse")], 0, 0),
        ([(0, "refuse"), (9_000, "refuse"), (70_000, "refuse")], 0, 0),  # not its second
        ([(0, "pass"), (70_000, "refuse")], 0, 0),  # before the lease: she had it
    ],
)
def test_who_asks_again_as_people_do_is_counted(
    messages: list[tuple[int, Fate]], asked: int, arrived: int
) -> None:
    records = sent(*messages)
    assert count(records) == (asked, arrived)
    shuffled = records * 2
    random.Random(7).shuffle(shuffled)
    assert count(shuffled) == (asked, arrived)


def test_what_came_before_the_throttle_was_no_first_refusal() -> None:
    first, second = sent((0, "refuse"), (70_000, "pass"))
    early = EarlierSighting(AT_MS - 9, True, first.messages[0].trust, OWN, platform_id(OWN))
    assert count([replace(first, earlier=(early,)), second]) == (0, 0)


def test_shadow_refuses_nothing_and_another_month_is_another_s() -> None:
    asked = sent((0, "refuse"), (70_000, "pass"))
    assert count([replace(each, mode="shadow") for each in asked]) == (0, 0)
    assert second_requests(asked, AT_MS + 1, AT_MS + DAY_MS) == SecondRequestCount(0, 0)
    other = sent((0, "refuse"), (70_000, "refuse"), episode="e2")
    assert count([*asked, *other]) == (2, 1)
