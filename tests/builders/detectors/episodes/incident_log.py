"""Builders that test_incident_log.py shares with other tests."""

from __future__ import annotations

from tests.builders.detectors.chain import VICTIM
from tests.detectors.stand_in import MINUTE_MS, START_MS, Event


def long_flood(number: int, every_ms: int = 1000) -> list[Event]:
    """Of twelve platforms, over and over."""
    return [
        Event(START_MS + 10 * MINUTE_MS + i * every_ms, VICTIM, f"new {i % 12}")
        for i in range(number)
    ]
