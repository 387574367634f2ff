"""The incident of Dalian and the town around it, as the demo plays them.

The clock stands at a fixed day, so that a seed decides everything that the detector sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from random import Random
from typing import Final

from detectors.model.times import DAY_MS, MINUTE_MS
from streams.scenarios.catalog import DEFAULT_START_MS, SCENARIOS, generate
from streams.scenarios.events import Labelled, Role
from streams.scenarios.mix import merged
from streams.scenarios.numbering import COUNT, subscriber
from streams.scenarios.ordinary import Rates, ordinary
from streams.scenarios.writer import in_order

FLOOD_MS: Final = DEFAULT_START_MS
UTC_OFFSET_MIN: Final = 8 * 60
"""Dalian's clock. She hung up on the sales agent at 11:32."""

LIVE_MS: Final = FLOOD_MS - 4 * MINUTE_MS
END_MS: Final = FLOOD_MS + (35 + 3) * MINUTE_MS
"""The live part: it begins a little before the flood and ends a little after it."""

HISTORY_DAYS: Final = 7
BUSY: Final = 10
"""The live part has ten times a day's mean rate, so that the flood stands in a crowd."""

FLOOD_MESSAGES: Final = 66
"""With the bank's code and its re-send these are the 68 of the incident."""

VICTIM: Final = COUNT - 1
"""Index of the victim, far from the others."""

KNOWN: Final = 14
"""Platforms that the victim uses."""

LOOK_ALIKES: Final = ("B1", "B2", "B4")


@dataclass(frozen=True, slots=True)
class Timetable:
    """Everything that will be sent."""

    victim: str
    known_platforms: int  # of the victim
    subscribers: int  # others
    look_alikes: dict[str, int]  # id -> how many of the others live through it
    history: Iterator[Labelled]  # in order of event time, all before the live part; read once
    live: list[Labelled]

    def second_requests(self) -> dict[str, int]:
        """Map each code that the victim asks for again to the ms since the request before it."""
        last_ms: dict[str, int] = {}
        gaps_ms: dict[str, int] = {}
        for event in self.live:
            if event.truth.role is not Role.NEW or event.value["recipient"] != self.victim:
                continue
            at_ms = event.value["event_time_ms"]
            if event.truth.platform in last_ms:
                gaps_ms[event.value["message_id"]] = at_ms - last_ms[event.truth.platform]
            last_ms[event.truth.platform] = at_ms
        return gaps_ms


def script(seed: int, subscribers: int) -> Timetable:
    """Write the script that this seed stands for.

    A day's share of look-alikes (of each at least one) begins with the live part.
    """
    people = Random(f"demo/{seed}").sample(range(subscribers), subscribers)
    counts = {
        name: math.ceil((SCENARIOS[name].per_subscriber_day or 0) * subscribers)
        for name in LOOK_ALIKES
    }
    lives = [incident(seed)]
    for name, count in counts.items():
        lives += [_life(name, seed, people.pop()) for _ in range(count)]
    past = [list(takewhile(_is_past, life)) for life in lives]
    live = [
        event for life, before in zip(lives, past, strict=True) for event in life[len(before) :]
    ]
    span_ms = HISTORY_DAYS * DAY_MS
    return Timetable(
        victim=subscriber(VICTIM),
        known_platforms=KNOWN,
        subscribers=subscribers,
        look_alikes=counts,
        history=merged(*past, ordinary(subscribers, LIVE_MS - span_ms, seed, duration_ms=span_ms)),
        live=[
            event
            for event in merged(in_order(live), _crowd(subscribers, seed))
            if event.value["event_time_ms"] < END_MS
        ],
    )


def incident(seed: int) -> list[Labelled]:
    """A1 of the catalogue with its victim's history.

    In between come codes that the victim asks for: its bank's, some of platforms that it knows, and
    one of a platform new to it: that is refused, and arrives when it is asked for again.
    """
    return list(
        generate(
            "A1",
            seed,
            recipient=VICTIM,
            start_ms=FLOOD_MS,
            memory=KNOWN,
            wordings=1,
            together=0,
            messages=FLOOD_MESSAGES,
            known_codes=4,
            new_codes=1,
            again=1.0,
        )
    )


def _life(name: str, seed: int, person: int) -> list[Labelled]:
    """One look-alike, with its history, from some minute of the lead on."""
    begin_ms = LIVE_MS + Random(f"demo/{seed}/{person}").randrange(10 * MINUTE_MS)
    return list(generate(name, seed, recipient=person, start_ms=begin_ms))


def _crowd(subscribers: int, seed: int) -> Iterator[Labelled]:
    """Ordinary traffic of the live part."""
    mean = Rates()
    busy = replace(
        mean, **{name: getattr(mean, name) * BUSY for name in Rates.__dataclass_fields__}
    )
    # Another seed than the history's: message ids must not come twice.
    return ordinary(subscribers, LIVE_MS, seed + 1, duration_ms=END_MS - LIVE_MS, rates=busy)


def _is_past(event: Labelled) -> bool:
    return bool(event.value["event_time_ms"] < LIVE_MS)
