"""`python -m tests.scenarios.sweeps`: how often sweeps are told that are none, and how soon those
that are some.

Strangers of a network by platform and thousand, without messages: 10 million numbers, 5,000
platforms (Zipf), ranges of 10,000 numbers that belong to 200 cities (Zipf, .8), .5 % of strangers
of whom no code was ever seen. A month has 200 sign-up campaigns of 1,000 to 300,000 people over
some days, 30 % of them in one city and at most 3 % of its numbers a day, and 1,000 firms that sign
up 20 to 500 neighbouring new numbers in an hour. All of it is **assumed**.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from detectors.platforms.first_contacts import SLOT_S, SweepPart, sum_contacts
from detectors.platforms.sweeps import DAY_SLOTS, HOUR_SLOTS, SLOT_MS, NetworkSweeps, SweepRule

PLATFORMS: Final = 5_000
THOUSANDS: Final = 10_000
CITIES: Final = 200
FIRST_THOUSAND: Final = 8613800000
STRANGERS_A_DAY: Final = 300_000
FRESH: Final = 0.005
CAMPAIGNS_A_MONTH: Final = 200
CAMPAIGN_FRESH: Final = 0.02
FIRMS_A_MONTH: Final = 1_000
FIRM_FRESH: Final = 0.8
STEP: Final = HOUR_SLOTS // 2
"""Slots that are told as one: half an hour."""

HOURS: Final = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 9, 8, 8, 8, 8, 8, 9, 10, 10, 9, 7, 4])
RATE: Final = 300 * SLOT_S // 60
"""Messages of a sweep in five minutes."""

Rows = NDArray[np.int64]


class World:
    """Draws what strangers there are, half an hour after half an hour."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        weights = 1 / np.arange(1, PLATFORMS + 1)
        self.popular = weights / weights.sum()
        sizes = 1 / np.arange(1, CITIES + 1) ** 0.8
        self.city = self.rng.choice(CITIES, THOUSANDS // 10, p=sizes / sizes.sum()).repeat(10)
        self.campaigns: list[tuple[int, NDArray[np.int64], float]] = []  # whom, where, a day
        self.firms: dict[int, list[Rows]] = {}

    def begin_day(self, day: int) -> None:
        """Draw the campaigns and firms of a day."""
        rng = self.rng
        self.campaigns = [each for each in self.campaigns if rng.random() > 1 / 5]
        for _ in range(rng.poisson(CAMPAIGNS_A_MONTH / 30)):
            people, where = 10 ** rng.uniform(3, np.log10(300_000)), np.arange(THOUSANDS)
            a_day = people / rng.uniform(1, 10)
            if rng.random() < 0.3:
                where = np.flatnonzero(self.city == self.city[rng.integers(THOUSANDS)])
                a_day = min(a_day, 0.03 * 1000 * len(where))
            self.campaigns.append((int(rng.integers(PLATFORMS)), where, a_day))
        for _ in range(rng.poisson(FIRMS_A_MONTH / 30)):
            platform = int(rng.choice(PLATFORMS, p=self.popular))
            first, number = rng.integers(THOUSANDS * 1000 - 500), rng.integers(20, 501)
            fresh = rng.random(number) < FIRM_FRESH
            rows = drawn(np.full(number, platform), (first + np.arange(number)) // 1000, fresh)
            slot = day * DAY_SLOTS + STEP * int(rng.integers(16, 40))
            self.firms.setdefault(slot, []).append(rows)

    def strangers(self, slot: int) -> Rows:
        """Draw the half hour that begins with this slot."""
        rng = self.rng
        share = HOURS[slot // HOUR_SLOTS % 24] / HOURS.sum() / (HOUR_SLOTS // STEP)
        number = rng.poisson(STRANGERS_A_DAY * share)
        drawn_ = [
            drawn(
                rng.choice(PLATFORMS, number, p=self.popular),
                rng.integers(THOUSANDS, size=number),
                rng.random(number) < FRESH,
            )
        ]
        for platform, where, a_day in self.campaigns:
            number = rng.poisson(a_day * share)
            fresh = rng.random(number) < CAMPAIGN_FRESH
            drawn_.append(drawn(np.full(number, platform), rng.choice(where, number), fresh))
        return sum_contacts([*drawn_, *self.firms.pop(slot, [])])


def drawn(platform: NDArray[np.int64], place: NDArray[np.int64], fresh: NDArray[np.bool_]) -> Rows:
    """Rows of strangers (n, 4)."""
    ones = np.ones(len(platform), np.int64)
    return np.column_stack([platform + 1, place + FIRST_THOUSAND, ones, fresh.astype(np.int64)])


class Network:
    """What an agent takes of a world."""

    def __init__(self, seed: int) -> None:
        self.world, self.sweeps, self.offset = World(seed), NetworkSweeps(), 0

    def take(self, slot: int, rows: Rows) -> None:
        """One part of one partition, which stands for all."""
        self.offset += 1
        part = SweepPart(slot * SLOT_MS, cast("Any", rows))  # 300,000 a day are slow as tuples
        self.sweeps.take(0, 1, self.offset, part, 1 << 60)

    def days(self, first: int, last: int) -> Iterator[int]:
        """Take days in; each half hour."""
        for day in range(first, last):
            self.world.begin_day(day)
            for slot in range(day * DAY_SLOTS, (day + 1) * DAY_SLOTS, STEP):
                self.take(slot, self.world.strangers(slot))
                yield slot


FIRST_DAY: Final = 20_000


def false_alerts(days: int, seed: int = 1) -> Iterator[list[tuple[int, SweepRule]]]:
    """The platforms and rules that are told of, day by day, after four days that are learnt from.

    A sweep that goes on is told once; it is looked for every two hours.
    """
    network = Network(seed)
    held: set[tuple[int, SweepRule]] = set()
    told: list[tuple[int, SweepRule]] = []
    for slot in network.days(FIRST_DAY, FIRST_DAY + 4 + days):
        if slot % (2 * HOUR_SLOTS) == 0:
            network.sweeps.look()
        now = {(p, rule) for p, sweeps in network.sweeps.found.items() for rule in sweeps}
        told += sorted(now - held)
        held = now
        if (slot + STEP) % DAY_SLOTS == 0 and slot >= (FIRST_DAY + 4) * DAY_SLOTS:
            yield told
            told = []


def kinds(rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Places of the numbers that a sweep goes through, in its order, from anywhere on."""
    ten, hundred = (int(rng.integers(THOUSANDS * 1000 - n)) for n in (10_000, 100_000))
    return {
        "in order": ten + np.arange(10_000),
        "at random in 10,000": ten + rng.permutation(10_000),
        "at random in 100,000": hundred + rng.permutation(100_000),
    }


def found_after(
    seeds: int, unused: float, *, popular: bool
) -> dict[str, dict[SweepRule, list[int]]]:
    """Messages after which each rule finds each kind, at 300 a minute; in steps of five minutes.

    Those that are not found within 60 minutes count as 0.
    """
    found: dict[str, dict[SweepRule, list[int]]] = {}
    network = Network(2)
    *_, last = network.days(FIRST_DAY, FIRST_DAY + 5)
    slot = last + STEP
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for kind, numbers in kinds(rng).items():
            platform = 0 if popular else int(rng.integers(500, PLATFORMS))
            fresh = rng.random(len(numbers)) < unused
            after: dict[SweepRule, int] = {"range": 0, "fresh": 0}
            trial = deepcopy(network.sweeps)
            for step in range(12):
                part = slice(step * RATE, (step + 1) * RATE)
                places = numbers[part] // 1000
                rows = sum_contacts([drawn(np.full(len(places), platform), places, fresh[part])])
                thousands = tuple(map(tuple, rows.tolist()))
                trial.take(1, 1, step, SweepPart((slot + step) * SLOT_MS, thousands), 1 << 60)
                trial.look()
                for rule in trial.found.get(platform + 1, {}):
                    after[rule] = after[rule] or min((step + 1) * RATE, len(numbers))
                if all(after.values()):
                    break
            for rule, number in after.items():
                found.setdefault(kind, {}).setdefault(rule, []).append(number)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    for day, told in enumerate(false_alerts(given.days) if given.days else ()):
        print(f"day {day + 1}: {told}", flush=True)
    for popular in (False, True):
        for unused in (0.4, 0.05):
            found = found_after(given.seeds, unused, popular=popular)
            for kind, rules in found.items():
                for rule, after in rules.items():
                    seen = sorted(n for n in after if n)
                    median = seen[len(seen) // 2] if seen else None
                    share = f"{len(seen)} of {len(after)}, median {median}"
                    print(f"{popular=} {unused=} {kind}, {rule}: {share}", flush=True)


if __name__ == "__main__":
    main()
