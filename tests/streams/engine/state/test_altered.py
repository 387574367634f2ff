"""States that somebody altered and gave good checksums: refused when read, or harmless."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import chain
from detectors.model.event import TICK_OFFSETS
from streams.engine.state.checkpoint import CheckpointError, Restored, rebuilt
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.builders.detectors.episodes.incident_log import long_flood
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run

KEYS = (b"a key of sixteen",)
PARAMS = replace(ENFORCE, list_keys=KEYS)
LAST = 3 * TICK_OFFSETS - 40


def state() -> chain.Snapshot:
    """Recipients under a lease, of many platforms, watched, re-sent to, and once throttled."""
    partition = chain.Partition(PARAMS)
    many = [Event(START_MS - (90 - i) * DAY_MS, VICTIM + 1, f"many {i // 2}") for i in range(80)]
    resent = [Event(START_MS + i * MINUTE_MS, VICTIM + 7, "one") for i in range(40)]
    over = [e._replace(recipient=VICTIM + 2, at_ms=e.at_ms - 3 * HOUR_MS) for e in flood(30)]
    small = [e._replace(recipient=VICTIM + 3, at_ms=e.at_ms - HOUR_MS) for e in flood(3)]
    events = sorted([*many, *history(), *over, *small, *resent, *long_flood(50)])
    step = LAST // len(events)
    run(PARAMS, events, partition, offsets=[i * step // 16 * 16 for i in range(len(events))])
    held = chain.snapshot(partition)
    assert len(held.rest["suspects"]) > 2
    assert len(held.places) > 5
    return held


def later() -> list[Event]:
    """What comes next: of all of these, and ticks of the hours after it."""
    rest = flood(20, start_ms=START_MS + 60 * MINUTE_MS, first=30)
    others = [e._replace(recipient=VICTIM + n) for n in (1, 2, 3, 7) for e in rest[:9]]
    hours = [Event(START_MS + h * HOUR_MS, 5, "") for h in range(2, 90, 6)]
    return [*sorted([*rest, *others]), *hours]


Place = tuple[Any, Any]
"""A container and a key of it."""


def parts(held: chain.Snapshot) -> dict[str, Any]:
    """A snapshot as containers whose values may be altered."""
    return {"header": held.header, "rest": held.rest, "rows": held.rows, "places": held.places}


def leaves(held: Any) -> Iterator[Place]:
    """Every value inside, containers among them."""
    pairs = held.items() if isinstance(held, dict) else enumerate(held)
    for key, value in list(pairs):
        yield held, key
        if isinstance(value, dict | list):
            yield from leaves(value)
        elif isinstance(value, np.ndarray):
            flat: NDArray[Any] = value.reshape(-1)
            yield from ((flat, i) for i in np.flatnonzero(flat).tolist())


def alter(rng: random.Random, place: Place) -> None:
    """Put something else of the same type there."""
    held, key = place
    value = held[key]
    match value:
        case np.generic():
            held[key] ^= value.dtype.type(1 << rng.randrange(8 * value.itemsize))
        case bool():
            held[key] = not value
        case int():
            near = [value + 1, value - 1, -value, value * 2, value ^ 1 << rng.randrange(64)]
            held[key] = rng.choice([0, -1, 1, 7, 255, 2**31, 2**32 - 1, 2**40, 2**53, *near])
        case float():
            held[key] = rng.choice([0.0, -1.0, 1e300, float("inf"), float("nan")])
        case str():
            held[key] = rng.choice(["", "x", value * 2, value[::-1], "\ud800", "8" * 30])
        case bytes():
            held[key] = rng.choice([b"", value[:-1], value + b"\0", bytes(len(value)), value[::-1]])
        case list() if value:
            at = rng.randrange(len(value))
            changed = [value[:at], value[at:] + value[:at], [*value, value[at]], value[::-1], []]
            held[key] = rng.choice(changed)
        case None:
            held[key] = rng.choice([0, [], ""])


def outcome(held: chain.Snapshot) -> str:
    """How a worker fares that takes a state over."""
    try:
        partition = rebuilt(PARAMS, 0, Restored(LAST, held))
    except CheckpointError:
        return "refused"
    events = later()
    try:
        offsets = [LAST + i * 700 for i in range(len(events))]
        run(PARAMS, events, partition, offsets=offsets)
        chain.snapshot(partition)
    except Exception as error:  # noqa: BLE001 - whatever it is would end a worker
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        return f"{type(error).__name__} {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return "harmless"


def thawed(packed: bytes, held: chain.Snapshot) -> chain.Snapshot:
    rest = msgspec.msgpack.decode(packed)
    return replace(
        held, header=dict(held.header), rows=held.rows.copy(), places=held.places.copy(), rest=rest
    )


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_an_altered_state_is_refused_when_it_is_read_or_does_no_harm(part: int) -> None:
    held = state()
    packed = msgspec.msgpack.encode(held.rest)
    assert outcome(thawed(packed, held)) == "harmless"
    count = sum(1 for _ in leaves(parts(thawed(packed, held))))
    harmful, refused, rng = {}, 0, random.Random(part)
    for _ in range(TRIES):
        altered = thawed(packed, held)
        container, key = nth(leaves(parts(altered)), rng.randrange(count))
        before = container[key]
        if isinstance(before, dict | np.ndarray):
            continue
        alter(rng, (container, key))
        told = outcome(altered)
        refused += told == "refused"
        if told not in ("refused", "harmless"):
            harmful[told] = f"{key}: {before!r:.80} -> {container[key]!r:.80}"
    assert not harmful
    assert 0 < refused < TRIES


def nth(places: Iterator[Place], number: int) -> Place:
    return next(islice(places, number, None))


TRIES = 120
