"""People who use many platforms: batches, restarts and tables of a pass make no difference."""

from __future__ import annotations

import random

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.model.event import platform_print
from detectors.recipients.row import unpack
from detectors.recipients.sieve import SieveParams
from tests.builders.detectors.chain import ENFORCE
from tests.builders.detectors.chain_properties import held_by
from tests.detectors.stand_in import DAY_MS, START_MS, Event, run

pytestmark = pytest.mark.slow


def lives(seed: int, people: int = 6, days: int = 120) -> list[Event]:
    """People with 5 to 80 platforms, and a small or great flood at each now and then."""
    rng, events = random.Random(seed), []
    for person in range(people):
        pool = [f"{person}.{i}" for i in range(rng.choice([5, 14, 25, 45, 80]))]
        often = rng.uniform(0.5, 4)
        at_ms = START_MS
        while at_ms < START_MS + days * DAY_MS:
            at_ms += int(rng.expovariate(often) * DAY_MS) + 60_000
            events.append(Event(at_ms, 7 + person, rng.choice(pool[: rng.choice([5, 80])])))
            if rng.random() < 0.01:
                gap_ms = rng.choice([3_000, 600_000])
                some = [f"tool {rng.randrange(60)}" for _ in range(rng.choice([4, 30]))]
                events += [Event(at_ms + i * gap_ms, 7 + person, p) for i, p in enumerate(some)]
    return sorted(events)


@pytest.mark.parametrize("seed", range(6))
def test_batches_and_restarts_change_nothing_for_people_with_many_platforms(seed: int) -> None:
    events = lives(seed)
    offsets = [i * 300 for i in range(len(events))]
    whole, parts = Partition(ENFORCE), Partition(ENFORCE)
    total = run(ENFORCE, events, whole, offsets=offsets)
    cut = len(events) // 2
    size = random.Random(seed).choice([1, 7, 200])
    first = run(ENFORCE, events[:cut], parts, size=size, offsets=offsets[:cut])
    parts = restore(ENFORCE, snapshot(parts))
    second = run(ENFORCE, events[cut:], parts, size=size, offsets=offsets[cut:])
    assert held_by(parts) == held_by(whole)
    assert first.actions + second.actions == total.actions
    assert first.episodes + second.episodes == total.episodes
    assert whole.table.overflow.live
    assert total.episodes


@pytest.mark.parametrize("seed", range(6))
def test_a_judge_knows_what_the_sieve_knows_of_people_with_many_platforms(seed: int) -> None:
    """Who is a suspect at each code and who never is: both remember what came on two days."""
    events = [e for e in lives(seed) if not e.platform.startswith("tool")]
    offsets = [4096 * (i + 1) for i in range(len(events))]
    known: list[dict[int, set[int]]] = []
    for params in (Params(), Params(sieve=SieveParams(promote_distinct=1))):
        partition = Partition(params)
        run(params, events, partition, offsets=offsets)
        later = [Event(events[-1].at_ms + 4 * DAY_MS, 5, "")] * 8  # so many ticks let go of all
        run(params, later, partition, offsets=[4096 * (len(events) + 2 + i) for i in range(8)])
        assert not partition.suspects
        known.append({})
        for row in partition.table.words[: partition.table.used]:
            ring, memory = unpack(row, partition.table.overflow)
            seen = {platform_print(w & 0xFFFF_FFFF) for w in ring}
            known[-1][int(row[0])] = seen.union(memory.prints)
    sieve, judge = known
    assert sieve.keys() == judge.keys()
    both = sum(len(sieve[key] & judge[key]) for key in sieve)
    either = sum(len(sieve[key] | judge[key]) for key in sieve)
    # Which of those that came once is displaced differs where more came in a day than a ring holds.
    assert both > 0.85 * either
