"""The script of the demo: the incident of Dalian, and the other subscribers of the town.

The incident has a fixed date, so that a seed determines everything that the detector sees.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Final

from detectors.model.times import DAY_MS, MINUTE_MS
from streams.tools.scenarios.catalog import DEFAULT_START_MS, SCENARIOS, generate
from streams.tools.scenarios.labelled_events import Labelled, Role, merge_streams
from streams.tools.scenarios.message_writer import in_order
from streams.tools.scenarios.numbering import COUNT, subscriber
from streams.tools.scenarios.ordinary import Rates, ordinary

FLOOD_MS: Final = DEFAULT_START_MS
UTC_OFFSET_MIN: Final = 8 * 60
"""UTC offset of Dalian. The victim hung up on the sales agent at 11:32."""

LIVE_MS: Final = FLOOD_MS - 4 * MINUTE_MS
END_MS: Final = FLOOD_MS + (35 + 3) * MINUTE_MS
"""The live part begins a little before the flood, and ends a little after it."""

HISTORY_DAYS: Final = 7
BUSY: Final = 10
"""The live part has ten times the mean rate of a day, so that the flood has much other traffic
around it."""

FLOOD_MESSAGES: Final = 66
"""Together with the bank's code and its re-send, these are the 68 messages of the incident."""

VICTIM: Final = COUNT - 1  # Index of the victim, far from those of the others.

KNOWN: Final = 14

LOOK_ALIKES: Final = ("B1", "B2", "B4")


@dataclass(frozen=True, slots=True)
class Timetable:
    """All messages that a run of the demo will send."""

    victim: str
    known_platforms: int  # Number of platforms that the victim knows.
    subscribers: int  # Number of other subscribers.
    look_alikes: dict[str, int]  # Scenario id -> number of the others who play it.
    # In order of event time, all before the live part; can be read once.
    history: Iterator[Labelled]
    live: list[Labelled]

    def second_requests(self) -> dict[str, int]:
        """Map the second code that the victim requests of a new platform to the ms since the first.

        Later codes of this platform are not in it: the second one arrives, so nothing waits for
        permission to pass them.
        """
        codes: dict[str, list[Labelled]] = defaultdict(list)
        for event in self.live:
            if event.truth.role is Role.NEW and event.value["recipient"] == self.victim:
                codes[event.truth.platform].append(event)
        return {
            second.value["message_id"]: second.value["event_time_ms"] - first.value["event_time_ms"]
            for first, second, *_ in (each for each in codes.values() if len(each) > 1)
        }


def script(seed: int, subscribers: int) -> Timetable:
    """Return all messages of a demo run, for a seed and a number of other subscribers.

    Some of these subscribers only look attacked (scenarios `LOOK_ALIKES`): as many as on one day,
    and at least one per scenario. Their messages begin in the first ten minutes of the live part.
    """
    people = Random(f"demo/{seed}").sample(range(subscribers), subscribers)
    counts = {
        name: math.ceil((SCENARIOS[name].per_subscriber_day or 0) * subscribers)
        for name in LOOK_ALIKES
    }
    lives = [incident(seed)]
    for name, count in counts.items():
        lives += [_life(name, seed, people.pop()) for _ in range(count)]
    past = [
        list(takewhile(lambda each: each.value["event_time_ms"] < LIVE_MS, life)) for life in lives
    ]
    live = [
        event for life, before in zip(lives, past, strict=True) for event in life[len(before) :]
    ]
    span_ms = HISTORY_DAYS * DAY_MS
    return Timetable(
        victim=subscriber(VICTIM),
        known_platforms=KNOWN,
        subscribers=subscribers,
        look_alikes=counts,
        history=merge_streams(
            *past, ordinary(subscribers, LIVE_MS - span_ms, seed, duration_ms=span_ms)
        ),
        live=[
            event
            for event in merge_streams(in_order(live), _crowd(subscribers, seed))
            if event.value["event_time_ms"] < END_MS
        ],
    )


def incident(seed: int) -> list[Labelled]:
    """Return scenario A1 of the catalogue, with the history of its victim.

    It also contains codes that the victim requests: from its bank, from some known platforms, and
    from one new platform. The code of the new platform is refused, and arrives when it is requested
    again.
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
    """Return the messages of a person who only looks attacked, from scenario `name`.

    They begin within the first ten minutes of the live part.
    """
    begin_ms = LIVE_MS + Random(f"demo/{seed}/{person}").randrange(10 * MINUTE_MS)
    return list(generate(name, seed, recipient=person, start_ms=begin_ms))


def _crowd(subscribers: int, seed: int) -> Iterator[Labelled]:
    busy = Rates(*(BUSY * rate for rate in Rates().weights))
    # The history uses another seed, so that no message id occurs twice.
    return ordinary(subscribers, LIVE_MS, seed + 1, duration_ms=END_MS - LIVE_MS, rates=busy)
