"""Seeded random streams for properties of the chain: people, sittings, floods, disorder."""

from __future__ import annotations

import random
from typing import NamedTuple

from detectors.event import TOKEN_BIT, Kind
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event


class Stream(NamedTuple):
    events: list[Event]
    offsets: list[int]  # with gaps: records that were refused, and ticks between


def random_stream(seed: int, platforms: int = 20) -> Stream:
    """A few recipients with up to `platforms` platforms each, in phases of random pace.

    Times are steps from the recipient's newest event; then everything is reordered by arrival
    delays, some messages come twice, a few much too late, and numbers may be recycled.
    """
    rng = random.Random(seed)
    arrivals: list[tuple[int, Event]] = []
    for person in range(rng.randint(1, 5)):
        recipient = 8613800000000 + seed * 10 + person
        if rng.random() < 0.2:
            recipient = TOKEN_BIT | recipient
        pool = [f"{person}.{i}" for i in range(rng.randint(2, platforms))]
        at_ms = START_MS + rng.randrange(DAY_MS)
        jitter_ms = rng.choice([0, 0, 2_000, 30_000, 20 * MINUTE_MS])
        whole_seconds = rng.random() < 0.5
        for _ in range(rng.randint(1, 5)):
            pace_ms = rng.choice([2_000, 20_000, 40_000, 90_000, 7 * MINUTE_MS, 11 * MINUTE_MS])
            pace_ms = rng.choice([pace_ms, pace_ms, 2 * HOUR_MS])
            for platform in (
                rng.choices(pool, k=rng.randint(1, 24))
                if rng.random() < 0.3
                else (rng.sample(pool, rng.randint(1, len(pool))))
            ):
                step = rng.expovariate(1 / pace_ms) if rng.random() < 0.8 else pace_ms
                at_ms += int(step)
                stamp = at_ms // 1000 * 1000 if whole_seconds else at_ms
                trust = rng.choice([0, 0, 0, 0, 1])
                for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
                    late = rng.randrange(jitter_ms + 1)
                    late += 25 * HOUR_MS if rng.random() < 0.005 else 0
                    arrivals.append((at_ms + late, Event(stamp, recipient, platform, trust)))
            if rng.random() < 0.1:
                arrivals.append((at_ms, Event(at_ms, recipient, "", 0, Kind.RECYCLED)))
            at_ms += rng.choice([MINUTE_MS, 31 * MINUTE_MS, 20 * HOUR_MS, 30 * HOUR_MS, 3 * DAY_MS])
    events = [event for _, event in sorted(arrivals)]
    offsets, offset = [], 0
    gap = rng.choice([1, 40, 400, 3000])
    for _ in events:
        offset += rng.randint(1, gap)
        if rng.random() < 0.3:
            offset += -offset % 16
        offsets.append(offset)
    return Stream(events, offsets)
