"""The agent of platform figures on a broker: sums that no restart and no duplicate changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kafka import KafkaProducer

from detectors.hot.base import UNIT
from detectors.hot.published_sums import HotPart, VoteSum
from detectors.hot.votes import VOTE
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.platforms.days import KEPT_DAYS
from detectors.platforms.figures import PlatformCounts, PlatformPart
from detectors.platforms.first_contacts import SweepPart
from detectors.thresholds import HOT_VOTERS
from streams.cases.network_views import newest, read_platforms
from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka, Topics
from streams.network import platform_agent as module
from streams.network.list_agent import ListWriter
from streams.network.platform_agent import PlatformAgent
from streams.telemetry.metrics import Metrics
from streams.wire import encode_part, encode_platform
from tests.builders.detectors.platforms.days import part
from tests.builders.streams.network.list_agent import KEY, Input
from tests.builders.streams.wire.platform_records import FIGURES
from tests.nodes import Broker
from tests.reading import written
from tests.threads import meanwhile
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

TODAY = time.time_ns() // 1_000_000 // DAY_MS


class World:
    def __init__(self, broker: Broker, name: str) -> None:
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients: dict[str, Any] = client_arguments(kafka)
        self.name = name
        self.lists = False
        self.topics = Topics(
            platform_parts=f"{name}.parts",
            platform=f"{name}.platform",
            campaign=f"{name}.campaign",
        )
        with Cluster(kafka) as cluster:
            cluster.create(self.topics.platform_parts, 1, 1, {})
            cluster.create(self.topics.platform, 1, 1, {})
            cluster.create(self.topics.campaign, 1, 1, {})
        self.producer = KafkaProducer(**self.clients, acks="all")

    def say(self, *parts: PlatformPart) -> None:
        for each in parts:
            self.producer.send(self.topics.platform_parts, encode_part(each), key=b"0")
        self.producer.flush()

    def told(self) -> dict[str, int]:
        found = read_platforms(self.clients, self.topics.platform)
        return {each.platform: each.codes for each in found}

    @contextmanager
    def agent(self) -> Iterator[Metrics]:
        metrics = Metrics("platforms")
        agent = PlatformAgent(
            self.clients, self.topics, f"{self.name}-agents", metrics,
            lambda: time.time_ns() // 1_000_000,
            ListWriter(self.clients, f"{self.name}.input", KEY, metrics) if self.lists else None,
        )  # fmt: skip
        with meanwhile(agent.run):
            yield metrics


def test_sums_are_told_and_a_restart_tells_nothing_again(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELL_S", 0.2)
    world = World(kafka, unique)
    old = encode_platform(FIGURES)  # of a platform that has sent nothing for a week
    world.producer.send(world.topics.platform, old, key=b"7").get(timeout=60)
    stray = b"9" * 5_000  # digits, and no number that Python would read
    world.producer.send(world.topics.platform, b"{}", key=stray).get(timeout=60)
    yesterday = {"day": TODAY - 1}
    world.say(part(0, 4096, **yesterday, p1=200, p2=40), part(1, 8192, **yesterday, p1=100))
    with world.agent() as metrics:
        wait_until(lambda: world.told() == {"sig:p1": 300, "sig:p2": 40}, "told")
        world.say(part(0, 4096, **yesterday, p1=200, p2=40))  # a replay
        world.say(part(0, 8192, day=TODAY, p1=10), part(2, 1, day=TODAY - KEPT_DAYS, p9=5))
        wait_until(lambda: world.told() == {"sig:p1": 310, "sig:p2": 40}, "summed up")
        sample = metrics.registry.get_sample_value
        wait_until(lambda: sample("otpguard_platforms_known") == 2, "shown")
        assert sample("otpguard_platforms_abused") == 0
    number = len(written(world.clients, world.topics.platform))
    with world.agent() as metrics:
        sample = metrics.registry.get_sample_value
        wait_until(lambda: sample("otpguard_platforms_known") == 2, "read again")
    assert len(written(world.clients, world.topics.platform)) == number


def test_what_is_no_platform_s_record_or_of_a_time_to_come_ends_and_hides_nothing(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELL_S", 0.2)
    monkeypatch.setattr(module, "SWEEP_S", 0.2)
    world = World(kafka, unique)
    strays = {b"0", b"007", b"", b"x"}
    for stray in strays:
        world.producer.send(world.topics.platform, b"{}", key=stray).get(timeout=60)
    world.producer.send(world.topics.platform, b"", key=b"9").get(timeout=60)
    swept = SweepPart(
        time.time_ns() // 1_000_000 - 600_000,
        tuple((0, 8613800138 + i, 99, 0) for i in range(5)),
    )
    world.say(
        part(0, 1, day=TODAY, p1=100, rest=5),
        replace(part(1, 1, day=TODAY, p1=10, rest=5), sweep=swept),
        part(0, 2, day=TODAY + 8, p2=7),
    )
    with world.agent() as metrics:
        wait_until(lambda: world.told() == {"sig:p1": 110}, "told")
        world.say(part(0, 2, day=TODAY, p1=1))
        wait_until(lambda: world.told() == {"sig:p1": 111}, "what comes after it counts")
        sample = metrics.registry.get_sample_value
        assert sample("otpguard_records_refused_total", {"kind": "bad"}) == 1
    standing = {each.key: each.value for each in written(world.clients, world.topics.platform)}
    assert all(standing[stray] == b"{}" for stray in strays), "left alone"


def votes(partition: int, offset: int, *platforms: int) -> PlatformPart:
    """Votes of floods in a partition whose people meet enough; most are for the first platform."""
    most = HOT_VOTERS // 2 + 1  # of the first platform: two partitions together have enough
    sums = tuple(
        VoteSum(platform, most if n == 0 else 1, VOTE // len(platforms))
        for n, platform in enumerate(platforms)
    )
    hot = HotPart(VOTE, sums, 5000 * UNIT, ((1, 5000 * UNIT),))
    return PlatformPart(partition, offset, 1, TODAY * DAY_MS, (), hot)


def test_votes_of_several_partitions_become_a_list_and_two_agents_tell_one(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.2)
    world = World(kafka, unique)
    world.lists = True
    place = Input(kafka, f"{unique}.input")
    world.say(votes(0, 4096, 7, 8), votes(0, 4096, 7, 8), votes(1, 4096, 7, 9))
    with world.agent(), world.agent():
        wait_until(lambda: place.lists()[0] != [], "a list")
        time.sleep(1)  # further looks tell nothing more; a second owner may have told it once
    lists = place.lists()
    assert {told.platforms for each in lists for told in each} == {(7,)}
    before = len(lists[2])
    assert before <= 2
    with world.agent():  # an owner that begins tells it once: it does not know what was told
        wait_until(lambda: len(place.lists()[2]) == before + 1, "told anew")
    versions = [told.version_ms for told in place.lists()[2]]
    assert versions == sorted(set(versions))


def strangers(partition: int, offset: int) -> PlatformPart:
    """A quarter of a sweep, with the figures of its platform."""
    start_ms = time.time_ns() // 1_000_000 - 600_000
    thousands = tuple((1, 8613800138 + i, 6, 0) for i in range(5))
    told = part(partition, offset, day=TODAY, p1=40, p2=10)
    return replace(told, sweep=SweepPart(start_ms, thousands))


def test_a_sweep_that_no_partition_sees_is_told_with_its_platform_by_every_owner(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.2)
    world = World(kafka, unique)
    world.say(*(strangers(partition, 4096) for partition in range(3)))

    def swept() -> dict[str, list[tuple[str, int]]]:
        found = read_platforms(world.clients, world.topics.platform)
        return {each.platform: [(s.rule, s.strangers) for s in each.sweeps] for each in found}

    with world.agent() as metrics:
        wait_until(lambda: swept() == {"sig:p1": [], "sig:p2": []}, "told without a sweep")
        world.say(strangers(3, 4096), strangers(3, 4096))  # and a replay
        wait_until(lambda: swept() == {"sig:p1": [("range", 120)], "sig:p2": []}, "swept")
        sample = metrics.registry.get_sample_value
        assert sample("otpguard_platform_sweeps", {"rule": "range"}) == 1
        assert sample("otpguard_platform_sweeps", {"rule": "fresh"}) == 0
    with world.agent() as metrics:
        sample = metrics.registry.get_sample_value
        wait_until(
            lambda: sample("otpguard_platform_sweeps", {"rule": "range"}) == 1, "the next owner's"
        )
    assert swept()["sig:p1"] == [("range", 120)]


def test_a_surge_that_no_partition_sees_is_told_as_a_campaign_by_every_owner(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.2)
    world = World(kafka, unique)
    hour = time.time_ns() // 1_000_000 // HOUR_MS

    def counts(partition: int, offset: int, at: int, strangers: int) -> PlatformPart:
        each = [
            PlatformCounts(f"sig:p{i}", i, 90, 20 + strangers, strangers, 0) for i in range(1, 11)
        ]
        return PlatformPart(partition, offset, 1, at * HOUR_MS, tuple(each))

    for day in range(4, 0, -1):
        world.say(*(counts(p, 100 - day, hour - 24 * day, 1) for p in range(2)))
    with world.agent() as metrics:
        sample = metrics.registry.get_sample_value
        wait_until(lambda: sample("otpguard_surge_platforms") == 0, "shown")
        assert newest(world.clients, world.topics.campaign) == []
        world.say(counts(0, 100, hour, 40), counts(1, 100, hour, 40), counts(1, 100, hour, 40))
        wait_until(lambda: sample("otpguard_surge_platforms") == 10, "found")
        wait_until(lambda: newest(world.clients, world.topics.campaign) != [], "told")
    (surge,) = newest(world.clients, world.topics.campaign)
    assert (surge.kind, surge.victims, surge.platforms_total) == ("surge", 78, 10)
    assert {each.platform for each in surge.platforms} == {f"sig:p{i}" for i in range(1, 11)}
    first = written(world.clients, world.topics.campaign)[-1]
    with world.agent() as metrics:
        sample = metrics.registry.get_sample_value
        wait_until(lambda: sample("otpguard_surge_platforms") == 10, "found by the next owner")
    assert written(world.clients, world.topics.campaign)[-1].value == first.value
