"""Builders that test_catalog.py shares with other tests."""

from __future__ import annotations

import pytest

from streams.tools.scenarios import Labelled, Role
from tests.scenarios.catalog import generate

SEEDS = (3, 20)


DAY_MS = 86_400_000


seeded = pytest.mark.parametrize("seed", SEEDS)


def at(event: Labelled) -> int:
    return int(event.value["event_time_ms"])


def run(name: str, seed: int, **parameters: object) -> list[Labelled]:
    """What happens, without what was before."""
    events = generate(name, seed, history=False, **parameters)
    return list(events)


def of(events: list[Labelled], role: Role) -> list[Labelled]:
    return [event for event in events if event.truth.role is role]


def attack(events: list[Labelled]) -> list[Labelled]:
    return of(events, Role.ATTACK)
