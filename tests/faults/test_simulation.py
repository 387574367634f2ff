"""Crashes at every step of a checkpoint, in thousands of schedules; `simulation.py` says how.

`make test` plays the first 800 schedules. The others take half a minute of computing, in
`make integration`.
"""

from __future__ import annotations

import os
from dataclasses import fields

import pytest

from tests.faults.simulation import Safeguards, explore, without

SCHEDULES = int(os.environ.get("OTPGUARD_TEST_SCHEDULES", "2500"))
"""Number of random schedules; `make soak` plays 10,000."""


@pytest.mark.parametrize(
    "schedules", [range(800), pytest.param(range(800, SCHEDULES), marks=pytest.mark.integration)]
)
def test_no_schedule_loses_or_invents_anything(schedules: range) -> None:
    explored = explore(schedules)
    assert not explored.wrong, f"by seed: {explored.wrong}"
    for what in (
        "checkpoints interrupted",
        "states restored",
        "states kept",
        "rows evicted",
        "lists restored",
    ):
        assert explored.seen[what] > len(schedules), (what, explored.seen)
    assert explored.seen["manifests never heard of"] > len(schedules) // 10, explored.seen


@pytest.mark.parametrize("safeguard", [field.name for field in fields(Safeguards)])
def test_without_any_one_safeguard_the_simulation_fails(safeguard: str) -> None:
    explored = explore(range(SCHEDULES), without(safeguard), wrong_max=1)
    assert explored.wrong, f"nobody noticed that {safeguard} is gone"
