"""Scenarios of the command; the shape of each is in `tests/scenarios/test_catalog.py`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import streams.tools.scenarios
from streams.tools.scenarios import DEFAULT_START_MS, SCENARIOS, generate, person
from tests.builders.streams.tools.scenarios.catalog import DAY_MS, at, seeded


@seeded
def test_history_is_over_two_days_old_and_shows_every_known_platform(seed: int) -> None:
    events = list(generate("A1", seed, recipient=seed, memory=20))
    before = [event for event in events if event.truth.scenario == "history"]
    who = person(seed, 20)
    assert 20 <= len(before) <= 60
    assert {e.truth.platform for e in before} == {p.name for p in (*who.known, who.bank)}
    assert at(before[-1]) <= DEFAULT_START_MS - 2 * DAY_MS


def test_an_operator_can_rehearse_every_kind_of_flood_and_what_looks_like_one() -> None:
    floods = ["A1", "A2", "A4", "A5", "A6", "A7", "A10"]
    assert [name for name, scenario in SCENARIOS.items() if scenario.attack] == floods
    assert list(SCENARIOS)[len(floods) :] == ["B1", "B2", "B3", "B4", "B5", "B6", "ordinary"]


def test_an_unknown_scenario_and_an_unknown_parameter_are_errors() -> None:
    with pytest.raises(KeyError):
        list(generate("A99", 1))
    with pytest.raises(TypeError):
        list(generate("A1", 1, speed=3))


def test_scenarios_know_nothing_of_the_detectors_but_how_long_a_day_is() -> None:
    sources = sorted(Path(next(iter(streams.tools.scenarios.__path__))).glob("*.py"))
    assert len(sources) > 8
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            inner = {name for name in names if name.startswith("detectors")}
            assert inner <= {"detectors.model.times"}, source.name
