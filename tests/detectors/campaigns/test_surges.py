"""Surges: a campaign of few codes for each victim is seen, and days of much traffic are not."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np
import pytest

from detectors.campaigns import surges as module
from detectors.campaigns.campaign import Campaign
from detectors.campaigns.surges import SURGE_PLATFORMS, NetworkSurges
from detectors.model.times import HOUR_MS
from detectors.platforms.days import KEPT_DAYS
from detectors.platforms.figures import REST, PlatformCounts, PlatformPart

FIRST = 20_000 * 24  # hour
PLATFORMS = 600
PARTITIONS = 4
BUSY = 12  # hour of the day with the most codes
NAMES = {i: f"sig:p{i}" for i in range(1, PLATFORMS + 1)}


class Network:
    """A network of four million numbers: 60,000 first contacts a day, by Zipf's law."""

    def __init__(self, seed: int = 1) -> None:
        self.surges = NetworkSurges()
        self.rng = np.random.default_rng(seed)
        rank = np.arange(1, PLATFORMS + 1) ** -0.9
        self.mean = 60_000 / 24 * rank / rank.sum()
        self.parts: list[PlatformPart] = []

    def hour(
        self,
        hour: int,
        extra: Mapping[int, int] | None = None,
        *,
        times: float = 1.0,
        known_each: int = 0,
        forgotten: bool = False,
    ) -> None:
        """Add an hour; `extra`: first contacts of a campaign, by platform.

        `known_each`: for each of these, so many recipients that know the platform come too.
        `forgotten`: the detector has lost its table, so everybody is new.
        """
        curve = 1 + 0.8 * np.cos((hour % 24 - BUSY) / 24 * 2 * np.pi)
        day = self.rng.normal(1, 0.15)
        strange = self.rng.poisson(self.mean * curve * day * times)
        known = self.rng.poisson(self.mean * curve * day * times)  # half of the people know them
        for platform, number in (extra or {}).items():
            strange[platform - 1] += number
            known[platform - 1] += number * known_each
        if forgotten:
            strange, known = strange + known, 0 * known
        for partition in range(PARTITIONS):
            counts = [
                PlatformCounts(NAMES[i + 1], i + 1, 0, (s + k + partition) // PARTITIONS,
                               (s + partition) // PARTITIONS, 0)
                for i, (s, k) in enumerate(zip(strange.tolist(), known.tolist(), strict=True))
                if s or k
            ]  # fmt: skip
            rest = PlatformCounts("", REST, 9999, 9999, 9999, 0)
            start_ms = hour * HOUR_MS + partition % 2 * HOUR_MS // 2
            self.parts.append(PlatformPart(partition, hour, 1, start_ms, (rest, *counts)))
            self.surges.take(self.parts[-1])

    def days(self, number: int) -> int:
        for hour in range(FIRST, FIRST + 24 * number):
            self.hour(hour)
        return FIRST + 24 * number

    def found(self) -> list[Campaign]:
        return self.surges.look(NAMES)


def campaign(victims: int, codes: int, hours: int, *, tool: int = 50) -> list[dict[int, int]]:
    """First contacts by hour: each victim gets so many codes of a tool's platforms."""
    rng = Random(7)
    listed = rng.sample(range(1, PLATFORMS + 1), tool)
    sums: list[dict[int, int]] = [{} for _ in range(hours)]
    for _ in range(victims):
        hour = sums[rng.randrange(hours)]
        for platform in rng.sample(listed, codes):
            hour[platform] = hour.get(platform, 0) + 1
    return sums


@pytest.mark.parametrize(("codes", "hours"), [(8, 3), (15, 1), (12, 24)])
def test_a_campaign_of_few_codes_for_each_victim_is_a_surge(codes: int, hours: int) -> None:
    network = Network()
    now = network.days(4)
    for part in range(BUSY - 2):
        network.hour(now + part)
    assert network.found() == []
    now += BUSY - 2
    for part, extra in enumerate(campaign(2000, codes, hours)):
        network.hour(now + part, extra)
    newest = network.found()[-1]
    assert newest.kind == "surge"
    assert newest.open
    assert newest.platforms_total >= 40
    assert len(newest.platforms) == newest.platforms_total, "all are of the attacker's tool"
    assert newest.victims <= 2000, "at least so many, and not more than there are"
    if hours <= 3:
        assert newest.start_ms == now * HOUR_MS
        assert newest.messages == pytest.approx(2000 * codes, rel=0.1)


def test_a_surge_is_over_after_two_hours_and_is_one_record_of_its_day() -> None:
    network = Network()
    now = network.days(4) + 9
    for part in range(-9, 0):
        network.hour(now + part)
    (attack,) = campaign(2000, 10, 1)
    network.hour(now, attack)
    (first,) = network.found()
    network.hour(now + 1)
    assert [each.open for each in network.found()] == [True]
    network.hour(now + 2)
    assert [each.open for each in network.found()] == [False]
    network.hour(now + 3, attack)
    (again,) = network.found()
    assert (again.campaign_id, again.start_ms) == (first.campaign_id, first.start_ms)
    assert again.open
    assert again.messages == pytest.approx(2 * first.messages, rel=0.1)


def test_ordinary_days_a_new_app_and_days_of_much_traffic_are_no_surge() -> None:
    ordinary = Network(2)
    now = ordinary.days(4)
    for day in range(2):
        for hour in range(24):
            ordinary.hour(now + 24 * day + hour)
        assert ordinary.found() == []
    shops = dict.fromkeys(range(1, 61), 100)
    for kind in (
        {"times": 3.0},
        {"extra": {500: 5000}},  # a new popular app: one platform
        {"extra": shops, "known_each": 1},  # a sale: as many of their people know them
        {"forgotten": True},
    ):
        network = Network(3)
        now = network.days(4)
        for hour in range(24):
            network.hour(now + hour, **kind)
        assert network.found() == [], kind


def test_nothing_is_compared_with_fewer_than_three_days() -> None:
    network = Network()
    (attack,) = campaign(2000, 10, 1)
    network.hour(network.days(2), attack)
    assert network.found() == []


def test_a_reader_that_starts_again_or_reads_in_another_order_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network()
    now = network.days(KEPT_DAYS + 2)
    for hour, extra in enumerate(campaign(2000, 10, 3)):
        network.hour(now + hour, extra)
    found = network.found()
    assert len(found) == 1
    monkeypatch.setattr(module, "PENDING_MOST", 50)
    first_ms = (now // 24 - KEPT_DAYS + 1) * 24 * HOUR_MS
    again = NetworkSurges()
    parts = [part for part in network.parts if part.start_ms >= first_ms]
    Random(5).shuffle(parts)
    for part in parts:
        again.take(part)
    assert again.look(NAMES) == found


def test_memory_is_bounded_and_the_platforms_with_fewest_first_contacts_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROWS_MOST", 20_000)
    network = Network()
    now = network.days(4)
    (attack,) = campaign(2000, 10, 1)
    network.hour(now, attack)
    (found,) = network.found()
    assert found.platforms_total >= SURGE_PLATFORMS
    assert len(network.surges._rows) == 20_000
