"""The quality of detection on the seeded scenarios: many runs of each, packed side by side.

Every run is another recipient of one stream. Parts of a stream are played apart, on all cores; a
part's seeds are its run numbers, so that the figures depend on the numbers of runs alone.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

from detectors.judge import BURST, BURST_NOVEL, COUNT_MIN, LEAK_MILLI_S
from detectors.memory import DAY_S
from streams.scenarios import (
    DEFAULT_START_MS,
    SCENARIOS,
    Labelled,
    Rates,
    generate,
    merged,
    ordinary,
)
from tests.scenarios.figures import Figures, Interval, wilson
from tests.scenarios.play import DAY_MS, play

STAGGER_MS: Final = 7_000
"""Between the starts of two runs of one stream: so that they overlap and do not coincide."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a scenario, its parameters, how many runs make it."""

    label: str
    name: str
    runs: int
    part: int = 500  # runs in one stream
    parameters: dict[str, Any] = field(default_factory=dict)
    confidence_min: float = 0.5
    sifted: bool = False  # after the first part, only runs that could raise an alarm are played


ATTACKS: Final = (
    Row("A1 incident, 60 platforms", "A1", 6000),
    Row("A1 incident, 40 platforms", "A1", 3000, parameters={"platforms": 40}),
    Row("A2 burst", "A2", 600, part=100),
    Row("A3 wave tool", "A3", 300, part=25),
    Row("A4 low and slow, 60 in 3 h", "A4", 1000),
    Row("A4 low and slow, 96 in 24 h", "A4-day", 1000),
    Row("A5 days", "A5", 60, part=10),
    Row("A6 campaign, 500 recipients", "A6", 2, part=1),
    Row("A7 one platform re-sends", "A7", 300),
    Row("A8 rotation", "A8", 1500),
    Row("A9 mixed senders and languages", "A9", 1500),
    Row("A9 without text", "A9-sender", 1500, confidence_min=0.4),
    Row("A10 sweep, 2,000 recipients", "A10", 2, part=1),
    Row("A11 throttle as a weapon", "A11", 1500),
    Row("A12 smoke screen", "A12", 1500),
)
"""The attacks. A feed without texts is read with the setting for such feeds."""

LOOK_ALIKES: Final = (
    Row("B1 new phone", "B1", 40_000, part=2500, sifted=True),
    Row("B2 power set-up", "B2", 20_000, part=500),
    Row("B3 festival", "B3", 400_000, part=2500, parameters={"ads": 0}, sifted=True),
    Row("B4 bank retries", "B4", 200_000, part=2500, sifted=True),
)
"""What the rate of false alarms is made of: each over 20 million subscriber-days' worth. The
festivals come without their advertisements: B8 shows that those are not taken for codes."""

WHAT_IF: Final = (
    Row("B1, half of it known", "B1", 3000, parameters={"novel": 0.5}),
    Row("B2, half of it known", "B2", 3000, parameters={"novel": 0.5}),
    Row("B1, 20 % faster", "B1", 3000, parameters={"gap_s": 72}),
    Row("B2, 20 % faster", "B2", 3000, parameters={"gap_s": 43.2}),
    Row("B1, less even: variation 0.6", "B1", 3000, parameters={"variation": 0.6}),
    Row("B2, less even: variation 0.6", "B2", 3000, parameters={"variation": 0.6}),
)
"""The same if the assumptions about people are wrong."""

OTHERS: Final = (
    Row("B5 shared enterprise number, 7 days", "B5", 200, part=50),
    Row("B6 test number", "B6", 200, part=50),
    Row("B7 courier pick-up codes", "B7", 500),
    Row("B8 marketing", "B8", 500),
    Row("B9 long messages, double receipts", "B9", 500),
    Row("B10 retries after a refusal", "B10", 500),
    Row("B11 public disposable number", "B11", 20, part=5),
    Row("B12 backlog flush, 500 recipients", "B12", 2, part=1),
)
"""Look-alikes whose rate nobody knows, or that a carrier exempts."""

ORDINARY_SUBSCRIBERS: Final = 3_000_000
ORDINARY_DAYS: Final = 10
"""Thirty million subscriber-days of ordinary codes, from a first day on which all is novel."""

_ORDINARY_PARTS: Final = 60
_CODES_ALONE: Final = Rates(marketing=0, courier=0, notices=0, personal=0)


def stream(row: Row, first: int, runs: int) -> Iterator[Labelled]:
    """The runs `first` and following of a row, side by side by event time.

    A scenario that is out of order on purpose has a stream to itself.
    """
    apart = runs * 5000 if row.part == 1 else 1  # recipients that one run may take
    sides = [
        generate(
            row.name,
            seed,
            recipient=seed * apart,
            start_ms=DEFAULT_START_MS + (seed - first) * STAGGER_MS,
            **row.parameters,
        )
        for seed in range(first, first + runs)
    ]
    return sides[0] if runs == 1 else merged(*sides)


def play_part(row: Row, first: int, runs: int) -> Figures:
    """Plays a part of a row."""
    figures = Figures()
    for outcome in play(stream(row, first, runs), confidence_min=row.confidence_min).values():
        figures.take(outcome)
    return figures


def sift_part(row: Row, first: int, runs: int) -> Figures:
    """The same, but only the runs that could raise an alarm are played; the others raise none."""
    figures = Figures(recipients=runs)
    kept = []
    for seed in range(first, first + runs):
        events = list(stream(row, seed, 1))
        if could_matter(events):
            kept.append(events)
    if kept:
        for outcome in play(merged(*kept), confidence_min=row.confidence_min).values():
            figures.take(outcome)
        figures.recipients = runs
    return figures


def could_matter(events: Iterable[Labelled]) -> bool:
    """Whether one recipient's messages could raise it to WATCH, were every platform novel to it.

    If not, they cannot: novelty only adds to the evidence. All that is no code, and the history,
    counts as code here. What remains are the bucket over sightings, and the counts over a day.
    """
    seen_s: dict[str, float] = {}
    day_s: deque[float] = deque()
    level, count, last_s = 0.0, 0, 0.0
    lowest = min(bar.watch for bar in BURST.values())
    for event in events:
        at_s, platform = event.value["event_time_ms"] / 1000, event.truth.platform
        if at_s - seen_s.get(platform, -math.inf) < DAY_S:
            continue
        seen_s[platform] = at_s
        day_s.append(at_s)
        while day_s[0] < at_s - DAY_S - 1:
            day_s.popleft()
        gap_s = max(0.0, at_s - last_s - 1)  # stamps are cut to whole seconds
        level = max(0.0, level - LEAK_MILLI_S / 1000 * gap_s)
        count = count + 1 if level else 1
        level, last_s = level + 1, at_s
        if len(day_s) >= COUNT_MIN or (level >= lowest and count >= BURST_NOVEL.watch):
            return True
    return False


def play_ordinary(part: int, subscribers: int) -> Figures:
    """Plays days of ordinary codes of so many people."""
    events = ordinary(
        subscribers,
        DEFAULT_START_MS,
        part,
        first=part * subscribers,
        duration_ms=ORDINARY_DAYS * DAY_MS,
        rates=_CODES_ALONE,
    )
    by_recipient = defaultdict[str, list[Labelled]](list)
    for event in events:
        by_recipient[event.value["recipient"]].append(event)
    kept = [alone for alone in by_recipient.values() if could_matter(alone)]
    figures = Figures()
    for outcome in play(merged(*kept)).values():
        figures.take(outcome)
    figures.recipients = subscribers
    return figures


def evaluate(executor: Executor, row: Row, scale: float) -> Figures:
    """All runs of a row, times `scale` and at least one part, over the executor's workers."""
    parts = max(1, round(row.runs * scale / row.part))
    size = min(row.part, max(1, round(row.runs * scale)))
    firsts = range(0, parts * size, size)
    if not row.sifted:
        return total(executor.map(play_part, repeat(row), firsts, repeat(size)))
    figures = play_part(row, 0, size)
    figures.add(total(executor.map(sift_part, repeat(row), firsts[1:], repeat(size))))
    return figures


def evaluate_ordinary(executor: Executor, scale: float) -> Figures:
    """Ordinary codes, times `scale`."""
    size = max(1000, round(ORDINARY_SUBSCRIBERS * scale / _ORDINARY_PARTS))
    return total(executor.map(play_ordinary, range(_ORDINARY_PARTS), repeat(size)))


def total(parts: Iterable[Figures]) -> Figures:
    """The sum."""
    figures = Figures()
    for part in parts:
        figures.add(part)
    return figures


def per_million(row: Row, figures: Figures, hits: int) -> Interval:
    """A look-alike's alarms per million subscriber-days: the share of its runs, times its rate."""
    rate = SCENARIOS[row.name].per_subscriber_day
    assert rate is not None, f"nobody knows how often {row.name} happens"
    return scaled(wilson(hits, figures.recipients), rate * 1e6)


def ordinary_per_million(figures: Figures, hits: int, scale: float) -> Interval:
    """Ordinary traffic's alarms per million subscriber-days. Who got no code counts too."""
    subscribers = max(1000, round(ORDINARY_SUBSCRIBERS * scale / _ORDINARY_PARTS)) * _ORDINARY_PARTS
    assert figures.recipients == subscribers
    return scaled(wilson(hits, subscribers * ORDINARY_DAYS), 1e6)


def scaled(interval: Interval, factor: float) -> Interval:
    """An interval in other units."""
    return Interval(*(value * factor for value in interval))
