"""Codes of platforms that people use arrive in a flood: the small form of `--people`."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import pytest

from streams.tools.scenarios import Role
from tests.scenarios.__main__ import own_codes
from tests.scenarios.evaluate import CLASS_DAYS, PEOPLE, PEOPLE_LABELS, Part
from tests.scenarios.figures import Figures
from tests.scenarios.people import CLASSES
from tests.scenarios.targets import PEOPLE_TARGETS, refused_of_class

RUNS = 4  # of each flood: 108 own codes and 48 of the bank in each class


@cache
def played(people: str) -> dict[str, Figures]:
    rows = [row for row in PEOPLE if row.label in PEOPLE_LABELS[people]]
    return {row.label: Part(row, 0, RUNS).play() for row in rows}


@pytest.mark.parametrize("people", PEOPLE_LABELS)
def test_known_platforms_get_through_to_each_class_of_people(people: str) -> None:
    figures = played(people)
    targets = [each for each in PEOPLE_TARGETS if each.needs == PEOPLE_LABELS[people]]
    assert len(targets) == 2
    for target in targets:
        assert target.reached(target.value(figures)), target.what
    (line,) = own_codes(figures)
    most = people.startswith("60")  # the target for this class is 1 %
    assert line["own codes refused"] in ("0/108", "1/108" if most else "0/108")
    assert line["codes of a bank that no registry lists"] == "0/48"


def test_a_flood_refuses_what_a_victim_does_not_know() -> None:
    """So that none of the above is true only because no lease was in force."""
    figures = deepcopy(played("14 platforms"))
    for found in figures.values():
        assert found.missed == 0
        assert found.share_refused(Role.ATTACK) > 0.5
        found.refused[Role.KNOWN] = 27
    assert refused_of_class("14 platforms", Role.KNOWN)(figures) == 0.75


def test_every_class_is_measured_by_own_codes_and_by_false_throttles() -> None:
    assert set(CLASS_DAYS) == set(CLASSES)
    for memory in CLASSES:
        about = [
            each.what for each in PEOPLE_TARGETS if each.what.startswith(f"{memory} platforms")
        ]
        assert len(about) >= 5
