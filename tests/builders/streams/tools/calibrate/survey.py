"""Builders that test_survey.py shares with other tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from streams import wire
from streams.config import Settings
from streams.tools.calibrate.survey import Survey
from streams.tools.scenarios import DEFAULT_START_MS, generate, merge_streams

SETTINGS = Settings()


HOUR_MS = 3_600_000


DAY_MS = 24 * HOUR_MS


def surveyed(
    values: list[dict[str, object]],
    settings: Settings = SETTINGS,
    judged: frozenset[str] = frozenset(),
) -> Survey:
    survey = Survey(settings.params(), settings.recogniser(), judged=judged)
    for at in range(0, len(values), 3000):
        chunk = [json.dumps(value).encode() for value in values[at : at + 3000]]
        decoded = wire.decode(
            intake=settings.intake(), topic="t", partition=0, values=chunk,
            keys=[None] * len(chunk), offsets=np.arange(at, at + len(chunk)), timestamps_ms=None,
            next_offset=at + len(chunk),
        )  # fmt: skip
        survey.take(decoded.batch)
    survey.close()
    return survey


def people(count: int, **parameters: Any) -> list[dict[str, object]]:
    """New phones, half an hour apart."""
    sides = [
        generate(
            "B1", i, recipient=i, start_ms=DEFAULT_START_MS + i * HOUR_MS // 2, history=False,
            **parameters,
        )
        for i in range(count)
    ]  # fmt: skip
    return [event.value for event in merge_streams(*sides)]
