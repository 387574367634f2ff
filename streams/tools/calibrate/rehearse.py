"""Rehearses attacks: runs seeded incidents through the same detector. Pure.

A higher threshold throttles fewer people by mistake, but lets more of an attack through. The
rehearsal measures this cost.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from detectors.chain import Params
from detectors.model.event import Batch
from detectors.recognise.recogniser import Recogniser
from streams import wire
from streams.tools.calibrate.survey import Survey
from streams.tools.scenarios import DEFAULT_START_MS, Role, generate, merge_streams
from streams.wire import Intake

RUNS: Final = 200
# Milliseconds between the starts of two incidents, so that they overlap but do not start together.
STAGGER_MS: Final = 7_000


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Results of simulated A1 incidents (60 platforms, 68 codes in 35 minutes)."""

    runs: int
    caught: int
    minutes: float  # Minutes to THROTTLE: the median over all runs; missed ones count as infinite.
    messages: float

    @property
    def missed_share(self) -> float:
        """Share of the incidents that never reached THROTTLE."""
        return 1 - self.caught / self.runs


class Incidents:
    """Simulated incidents, decoded once, for runs with any parameters."""

    def __init__(self, intake: Intake, runs: int = RUNS) -> None:
        sides = (
            generate("A1", seed, recipient=seed, start_ms=DEFAULT_START_MS + seed * STAGGER_MS)
            for seed in range(runs)
        )
        events = list(merge_streams(*sides))
        numbers = intake.numbers
        self.runs = runs
        self.attack: dict[str, list[int]] = {}  # Recipient -> times of the messages of its attack.
        for event in events:
            if event.truth.role is Role.ATTACK:
                name = numbers.canonical(event.value["recipient"]) or ""
                self.attack.setdefault(name, []).append(event.value["event_time_ms"])
        n = len(events)
        self.batch: Batch = wire.decode(
            intake=intake,
            topic="rehearsal",
            partition=0,
            values=[msgspec.json.encode(event.value) for event in events],
            keys=[None] * n,
            offsets=np.arange(n),
            timestamps_ms=None,
            next_offset=n,
        ).batch


def rehearse(params: Params, recogniser: Recogniser, incidents: Incidents) -> Rehearsal:
    """Run the incidents through the detector."""
    survey = Survey(params, recogniser, measure=False)
    survey.take(incidents.batch)
    survey.close()
    first: Counter[str] = Counter()
    for name, alarmed in survey.alarms.by_recipient.items():
        if alarmed.record is not None:
            first[name] = alarmed.record.at_ms
    caught = [name for name in incidents.attack if name in first]
    minutes = [(first[name] - incidents.attack[name][0]) / 60_000 for name in caught]
    messages = [sum(at <= first[name] for at in incidents.attack[name]) for name in caught]
    return Rehearsal(
        incidents.runs,
        len(caught),
        _median(minutes, incidents.runs),
        _median(messages, incidents.runs),
    )


def _median(values: list[float] | list[int], of: int) -> float:
    """Return the median of `of` values; values that are not in the list count as infinite."""
    at = max(0, math.ceil(of / 2) - 1)
    return float(sorted(values)[at]) if at < len(values) else math.inf
