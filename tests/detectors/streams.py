"""Seeded random streams for properties of the chain: people, sittings, floods, disorder."""

from __future__ import annotations

import random
from typing import NamedTuple

from detectors.model.event import TOKEN_BIT, EventKind
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
        for _ in range(rng.randint(1, 6)):
            phase = _phase(rng, pool)
            # Messages are held for hours: a blast is judged exactly if none is a day late.
            days_late = 0.005 if len(phase) <= 20 else 0
            for step_ms, platform in phase:
                at_ms += step_ms
                stamp = at_ms // 1000 * 1000 if whole_seconds else at_ms
                trust = rng.choice([0, 0, 0, 0, 1])
                for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 4)):
                    late = rng.randrange(jitter_ms + 1)
                    late += 25 * HOUR_MS if rng.random() < days_late else 0
                    arrivals.append((at_ms + late, Event(stamp, recipient, platform, trust)))
            if rng.random() < 0.1:
                arrivals.append((at_ms, Event(at_ms, recipient, "", 0, EventKind.RECYCLED)))
            at_ms += rng.choice([1, 31, 20 * 60, 25 * 60, 25 * 60, 30 * 60, 72 * 60]) * MINUTE_MS
    events = [event for _, event in sorted(arrivals)]
    offsets, offset = [], 0
    gap = rng.choice([1, 40, 400, 3000, 6000])
    for _ in events:
        offset += rng.randint(1, gap)
        if rng.random() < 0.3:
            offset += -offset % 16
        offsets.append(offset)
    return Stream(_with_later(events, seed), offsets)


def of_known_platforms(seed: int) -> Stream:
    """Two recipients whose known platforms send codes in turn until the limits of a day refuse."""
    rng = random.Random(f"days/{seed}")
    arrivals: list[tuple[int, Event]] = []
    for person in range(2):
        recipient = 8613800000000 + seed * 10 + person
        pool = [f"{person}.{i}" for i in range(rng.randint(4, 16))]
        at_ms = START_MS + rng.randrange(DAY_MS)
        for platform in pool * rng.choice([2, 3]):
            at_ms += rng.choice([2, 4, 6]) * HOUR_MS
            arrivals.append((at_ms, Event(at_ms, recipient, platform)))
        at_ms += 2 * DAY_MS
        pace_ms = rng.choice([20_000, MINUTE_MS, 2 * MINUTE_MS])
        unit_ms = rng.choice([1, 1000, MINUTE_MS])
        for i in range(rng.choice([300, 500])):
            at_ms += pace_ms * rng.choice([1, 1, 2])
            code = Event(at_ms // unit_ms * unit_ms, recipient, pool[i % len(pool)])
            arrivals += [(at_ms, code)] * rng.choice([1, 1, 1, 2])
    events = [event for _, event in sorted(arrivals)]
    return Stream(events, list(range(1, len(events) + 1)))


def _with_later(events: list[Event], seed: int) -> list[Event]:
    """Of each third stream some messages are marked as later parts and attempts."""
    rng = random.Random(f"later/{seed}")
    share = rng.choice([0, 0, rng.random()])
    marks = [EventKind.LATER_PART, EventKind.LATER_ATTEMPT]
    return [
        e._replace(kind=rng.choice(marks))
        if e.kind is EventKind.MESSAGE and rng.random() < share
        else e
        for e in events
    ]


def of_pages(stream: Stream, seed: int) -> Stream:
    """The same stream, but some platforms are numbers of a few pages that name nobody."""
    rng = random.Random(f"pages/{seed}")
    pages, share = rng.choice([1, 2, 5]), rng.choice([0.3, 0.7, 1])
    named = {e.platform for e in stream.events}
    template = {p: rng.randint(1, pages) for p in sorted(named) if rng.random() < share}
    events = [e._replace(page=template.get(e.platform, 0)) for e in stream.events]
    return Stream(events, stream.offsets)


def ahead_of_time(stream: Stream, seed: int, *, most: int) -> Stream:
    """The same stream with some clocks ahead: of single messages, and of all for a while.

    Of one recipient at most so many in a row.
    """
    rng = random.Random(-seed)
    spans_ms = [2 * HOUR_MS, 8 * HOUR_MS, 26 * HOUR_MS, 3 * DAY_MS, 30 * DAY_MS, 365 * DAY_MS]
    share = rng.choice([0.01, 0.1, 0.3])
    events, until, ahead_ms = [], 0, 0
    run: dict[int, int] = {}
    for i, event in enumerate(stream.events):
        if rng.random() < 0.01:
            until, ahead_ms = i + rng.randint(1, 60), rng.choice(spans_ms)
        wrong = i < until or rng.random() < share / 10
        run[event.recipient] = run.get(event.recipient, 0) + 1 if wrong else 0
        if 0 < run[event.recipient] <= most:
            events.append(event._replace(at_ms=event.at_ms + (ahead_ms or rng.choice(spans_ms))))
        else:
            run[event.recipient] = 0
            events.append(event)
    return Stream(events, stream.offsets)


def _phase(rng: random.Random, pool: list[str]) -> list[tuple[int, str]]:
    """Platforms, each with the milliseconds since the one before."""
    kind = rng.choice(["burst", "watch", "sitting", "slow", "day", "day", "blast", "blast"])
    if kind == "burst":
        pace_ms = rng.choice([2_000, 20_000, 40_000])
        platforms = rng.sample(pool, rng.randint(1, len(pool)))
        return [(int(rng.expovariate(1 / pace_ms)), p) for p in platforms]
    if kind == "watch":
        return [(rng.randint(15_000, 35_000), p) for p in rng.sample(pool, min(len(pool), 4))]
    if kind == "sitting":
        return [(rng.randint(20_000, 160_000), p) for p in rng.choices(pool, k=rng.randint(1, 9))]
    if kind == "blast":  # primed slowly, or in a day; then codes of the same again and again
        primed = rng.sample(pool, min(len(pool), rng.choice([1, 4, 5, 6, 12])))
        gap_ms = rng.choice([41_000, 45_000, HOUR_MS])
        pace_ms = rng.choice([1_000, 8_000, 30_000, 50_000])
        again = rng.choices(primed, k=rng.randint(20, 150))
        codes = [(int(rng.expovariate(1 / pace_ms)), p) for p in again]
        return [(gap_ms, p) for p in primed] + codes
    if kind == "slow":  # to the second, so that a gap is just long enough
        step_ms = rng.choice([300_000, 600_000, 660_000])
        return [(step_ms, p) for p in rng.sample(pool, len(pool))]
    platforms = rng.sample(pool, min(len(pool), rng.randint(5, 11)))
    return [(rng.randint(1, 5) * HOUR_MS, p) for p in platforms]
