"""Sweeps across partitions: what is one, what only looks like one, and what comes twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest

from detectors.platforms import sweeps as module
from detectors.platforms.first_contacts import SweepPart, Thousand
from detectors.platforms.sweeps import DAY_SLOTS, HOUR_SLOTS, SLOT_MS, NetworkSweeps, swept_of

PARTITIONS = 4
FIRST = 100 * DAY_SLOTS
NEVER_MS = 1 << 60
SHOP, BANK = 7, 9


class Network:
    """Parts of all partitions, in the order in which their topic has them."""

    def __init__(self) -> None:
        self.sweeps = NetworkSweeps()
        self.offset = 0

    def slot(self, slot: int, *thousands: Thousand) -> None:
        """Tell of five minutes; each thousand's strangers are spread over the partitions."""
        self.offset += 4096
        for partition in range(PARTITIONS):
            told = tuple(
                (platform, number, _share(strangers, partition), _share(fresh, partition))
                for platform, number, strangers, fresh in thousands
                if _share(strangers, partition)
            )  # fmt: skip
            part = SweepPart(slot * SLOT_MS, told)
            assert self.sweeps.take(partition, 1, self.offset, part, NEVER_MS)
            assert not self.sweeps.take(partition, 1, self.offset, part, NEVER_MS), "it came again"

    def found(self) -> dict[int, list[str]]:
        self.sweeps.look()
        return {platform: sorted(rules) for platform, rules in self.sweeps.found.items()}


def _share(number: int, partition: int) -> int:
    return (number + partition) // PARTITIONS


def ordinary(rng: Random, number: int = 60, *, fresh: int = 0) -> list[Thousand]:
    return [
        (platform, rng.randrange(8613800000, 8613810000), 1, int(i < fresh))
        for platform in (SHOP, BANK)
        for i in range(number)
    ]


def days(network: Network, number: int, *, fresh: int = 1) -> int:
    """Tell of so many ordinary days; the slot after them."""
    rng = Random(3)
    for slot in range(FIRST, FIRST + number * DAY_SLOTS, HOUR_SLOTS // 2):
        network.slot(slot, *ordinary(rng, fresh=fresh))
    return FIRST + number * DAY_SLOTS


def block(thousand: int, strangers: int, fresh: int = 0) -> Thousand:
    return SHOP, thousand, strangers, fresh


IN_ORDER = [block(8613850000, 1000), block(8613850001, 1000), block(8613850002, 25)]
TEN_THOUSAND = [block(8613850000 + i, 25) for i in range(10)]
HUNDRED_THOUSAND = [block(8613850000 + i, 12) for i in range(100)]
FIRM = [block(8613850000, 300), block(8613850001, 200)]
TWO_FIRMS = [*FIRM, block(8613850040, 240), block(8613850041, 260)]
CITY = [block(8613850000 + 100 * i + j, 20 + j) for i in range(5) for j in range(10)]


@pytest.mark.parametrize(
    ("sent", "rules"),
    [
        (IN_ORDER, ["range"]), (TEN_THOUSAND, ["range"]), (HUNDRED_THOUSAND, ["range"]),
        ([block(8613850000, 700)], ["range"]), (FIRM, []), (CITY, []),
        (TWO_FIRMS, []),
        ([block(8613850000 + 100 * i, 500) for i in range(3)], []),  # three firms far apart
        ([block(8613850000, 24), block(8613850001, 24)], []), ([block(0, 9000)], []),
    ],
)  # fmt: skip
def test_ranges_stand_out_and_firms_and_cities_do_not(
    sent: Sequence[Thousand], rules: list[str]
) -> None:
    network = Network()
    now = days(network, 1)
    for slot, part in enumerate((sent[::2], sent[1::2])):
        network.slot(now + slot, *part)
    assert network.found() == ({SHOP: rules} if rules else {})


def test_a_platform_that_many_use_needs_more_and_a_sweep_is_over_after_a_day() -> None:
    network = Network()
    now = days(network, 1)
    popular = [block(8613800000 + i, 20) for i in range(2000)]
    network.slot(now, *popular, *(block(8613850000 + i, 37) for i in range(5)))
    assert network.found() == {}
    network.slot(now + 1, *(block(8613850000 + i, 8) for i in range(5)))
    assert network.found() == {SHOP: ["range"]}
    (swept,) = network.sweeps.found[SHOP].values()
    assert (swept.strangers, set(swept.thousands)) == (225, set(range(8613850000, 8613850005)))
    network.slot(now + 2 * DAY_SLOTS + 2)
    assert network.found() == {}


def test_a_campaign_in_a_small_town_takes_a_day_for_what_a_sweep_has_in_an_hour() -> None:
    network = Network()
    now = days(network, 1)
    for hour in range(24):
        town = [block(8613850000 + i, 2) for i in range(10)]
        network.slot(now + hour * HOUR_SLOTS, *town)
        assert network.found() == {}
    for hour in range(24, 28):  # in order, five a minute: seen when the thousand is nearly whole
        network.slot(now + hour * HOUR_SLOTS, block(8613850020, 200))
        assert network.found() == ({SHOP: ["range"]} if hour >= 26 else {})


def fresh(number: int, thousands: int) -> list[Thousand]:
    return [block(8613850000 + i, number, number) for i in range(thousands)]


def before(network: Network) -> int:
    return days(network, 4)


@pytest.mark.parametrize(
    ("sent", "rules"),
    [
        (fresh(5, 12), ["fresh"]), (fresh(250, 2), []), (fresh(250, 6), ["range"]),
        (fresh(5, 5), []),
        ([block(0, 700, 700)], ["fresh"]), ([block(0, 500, 500)], []),
        ([*fresh(5, 12), *(block(8613860000 + 100 * i, 5) for i in range(100))], []),
    ],
)  # fmt: skip
def test_unused_numbers_are_told_from_firms(sent: Sequence[Thousand], rules: list[str]) -> None:
    network = Network()
    network.slot(before(network), *sent)
    assert network.found() == ({SHOP: rules} if rules else {})


def everybody_new(network: Network) -> int:
    return days(network, 4, fresh=40)


def two_days(network: Network) -> int:
    return days(network, 2)


@pytest.mark.parametrize("history", [everybody_new, two_days])
def test_nothing_is_fresh_while_the_detector_is_new(history: Callable[[Network], int]) -> None:
    network = Network()
    network.slot(history(network), *fresh(5, 12))
    assert network.found() == {}


def test_a_platform_that_always_has_new_numbers_is_no_sweep() -> None:
    network = Network()
    now = before(network)
    seen = []
    for day in range(6):
        network.slot(now + day * DAY_SLOTS, *fresh(1, 40), *ordinary(Random(day)))
        seen.append(network.found())
        network.slot(now + day * DAY_SLOTS + 2 * HOUR_SLOTS, *ordinary(Random(day)))
    assert seen[0] == {SHOP: ["fresh"]}
    assert seen[-1] == {}


def test_a_partition_whose_clock_is_ahead_makes_nobody_forget() -> None:
    network = Network()
    now = days(network, 1)
    network.slot(now, *IN_ORDER)
    ahead = SweepPart((now + 10 * DAY_SLOTS) * SLOT_MS, (block(1, 1),))
    assert not network.sweeps.take(0, 1, 1 << 40, ahead, now * SLOT_MS + 3_600_000)
    assert network.found() == {SHOP: ["range"]}


def test_past_the_bound_single_strangers_of_the_oldest_slots_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROWS_MOST", 500)
    network = Network()
    now = days(network, 1)
    network.slot(now, *IN_ORDER)
    network.slot(now + 1)
    held = sum(len(rows) for part in network.sweeps._slots.values() for rows in part)
    assert held <= 500 + len(IN_ORDER) * PARTITIONS
    assert network.found() == {SHOP: ["range"]}


def test_what_a_city_s_campaign_adds_to_one_place_stands_out_no_more_than_the_rest() -> None:
    rng = np.random.default_rng(1)
    thousands = np.arange(8613800000, 8613800400)
    assert not swept_of(thousands, rng.poisson(30, 400)).any()
    alone = rng.poisson(30, 400)
    alone[50:55] = 170
    assert swept_of(thousands, alone).nonzero()[0].tolist() == [50, 51, 52, 53, 54]
