"""Look-alikes of the evaluation alone; their shapes are in `test_catalog`."""

from __future__ import annotations

from itertools import pairwise

import pytest

from detectors.model.times import MINUTE_MS
from streams.tools.scenarios import DEFAULT_START_MS, Role
from streams.tools.scenarios.message_writer import MessageWriter
from tests.builders.streams.tools.scenarios.catalog import at
from tests.scenarios.look_alikes import b12, b13


def pen(seed: int = 1) -> MessageWriter:
    return MessageWriter("B", seed, 7, 14)


def test_a_backlog_arrives_at_once_and_out_of_order() -> None:
    events = list(b12(pen(), DEFAULT_START_MS, recipients=20))
    arrivals = [event.value["ingest_time_ms"] for event in events]
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] - arrivals[0] < 10_000
    assert [at(e) for e in events] != sorted(at(e) for e in events)


@pytest.mark.parametrize("seed", range(6))
def test_a_rush_at_the_end_of_years_is_of_strangers_and_then_of_own_platforms(seed: int) -> None:
    """Also of a person who changed more platforms than most: those of the rush stay apart."""
    events = list(b13(pen(seed), DEFAULT_START_MS, years=1, rush=5))
    rush = [event for event in events if event.truth.role is Role.ATTACK]
    assert len(rush) == 5
    assert {b - a for a, b in pairwise(map(at, rush))} == {5_000}
    after = [event for event in events if at(event) > at(rush[0]) + 4 * MINUTE_MS]
    assert {event.truth.role for event in after} <= {Role.BANK, Role.KNOWN}
    assert after
