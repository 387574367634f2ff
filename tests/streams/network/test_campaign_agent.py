"""The agent on a broker: one owner, exact over restarts; and what it wants of the topic, alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from kafka import KafkaProducer

from detectors.campaigns.campaign import Campaign
from detectors.model.records import EpisodeRecord
from detectors.model.times import DAY_MS, HOUR_MS
from streams.cases.network_views import newest
from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka, Topics
from streams.network import campaign_agent as module
from streams.network.campaign_agent import CampaignAgent, choose_records
from streams.telemetry.metrics import Metrics
from streams.wire import decode_campaign, encode_campaign, encode_episode
from tests.builders.streams.wire.campaign_records import CAMPAIGN
from tests.detectors.campaigns.tales import OTHER, tale
from tests.nodes import Broker
from tests.reading import written
from tests.threads import meanwhile
from tests.waiting import wait_until


class World:
    """Topics of this test alone, and agents that come and go."""

    def __init__(self, broker: Broker, name: str) -> None:
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients: dict[str, Any] = client_arguments(kafka)
        self.name = name
        self.topics = Topics(episode=f"{name}.episode", campaign=f"{name}.campaign")
        with Cluster(kafka) as cluster:
            cluster.create(self.topics.episode, 4, 1, {})
            cluster.create(self.topics.campaign, 1, 1, {})
        self.producer = KafkaProducer(**self.clients, acks="all")

    def say(self, records: list[EpisodeRecord]) -> None:
        for each in records:
            key = each.recipient.encode()
            self.producer.send(self.topics.episode, encode_episode(each), key=key)
        self.producer.flush()

    def told(self) -> list[Campaign]:
        return newest(self.clients, self.topics.campaign)

    @contextmanager
    def agent(self) -> Iterator[Metrics]:
        metrics = Metrics("campaigns")
        agent = CampaignAgent(
            self.clients, self.topics, f"{self.name}-agents", metrics,
            lambda: time.time_ns() // 1_000_000,
        )  # fmt: skip
        with meanwhile(agent.run):
            yield metrics


@pytest.fixture
def world(kafka: Broker, unique: str) -> World:
    return World(kafka, unique)


def shown(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"otpguard_{name}") or 0.0


@pytest.mark.kafka
def test_campaigns_are_told_once_and_a_restart_or_another_owner_tells_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.2)
    now_ms = time.time_ns() // 1_000_000
    rng = Random(7)
    first = [each for each in tale(rng, 60, now_ms - HOUR_MS, first=1) if each.change != "ended"]
    rest = list(tale(rng, 40, now_ms - HOUR_MS, first=1000, tool=OTHER))
    world.say(first[: len(first) // 2])
    with world.agent() as metrics:
        wait_until(lambda: len(world.told()) == 1, "a campaign")
        wait_until(lambda: shown(metrics, "campaigns_open") == 1, "shown")
        assert shown(metrics, "agent_owner") == 1
        world.say(first[len(first) // 2 :])
        wait_until(lambda: [each.victims for each in world.told()] == [60], "all victims")
        assert shown(metrics, "campaign_victims") == 60
    before = world.told()
    number = len(written(world.clients, world.topics.campaign))
    with world.agent(), world.agent():  # one of them waits
        world.say(rest)
        wait_until(
            lambda: {each.victims for each in world.told()} == {60, 40}, "the other campaign, whole"
        )
    after = world.told()
    assert [each for each in after if each.open] == before
    others = written(world.clients, world.topics.campaign)[number:]
    ids = {decode_campaign(each.value).campaign_id for each in others}
    assert before[0].campaign_id not in ids, "what did not change is not written again"
    assert all(b"86139" not in each.value for each in others)


@pytest.mark.kafka
def test_what_is_no_episode_is_counted_and_passed_over(world: World) -> None:
    world.producer.send(world.topics.episode, b"nonsense", key=b"x").get(timeout=60)
    with world.agent() as metrics:
        bad = metrics.registry.get_sample_value
        wait_until(lambda: bad("otpguard_records_refused_total", {"kind": "bad"}) == 1, "counted")


@pytest.mark.kafka
@pytest.mark.parametrize("quiet", [True, False])
def test_campaigns_that_no_flood_is_left_of_stay(world: World, *, quiet: bool) -> None:
    """After quiet days, or with an episode topic made anew, an owner knows no flood of them."""
    now_ms = time.time_ns() // 1_000_000
    for days in (4, 40, 170) if not quiet else (0, 4, 40, 170):
        at_ms = now_ms - days * DAY_MS - HOUR_MS
        old = replace(
            CAMPAIGN, campaign_id=f"{days}", start_ms=at_ms, opened_ms=at_ms, newest_ms=at_ms,
            end_ms=at_ms,
        )  # fmt: skip
        key = old.campaign_id.encode()
        world.producer.send(world.topics.campaign, encode_campaign(old), key=key).get(timeout=60)
    held = {each.campaign_id for each in world.told()}
    if not quiet:
        world.say(list(tale(Random(7), 40, now_ms - HOUR_MS, first=1)))
    with world.agent():
        wait_until(
            lambda: not any(e.open for e in world.told() if e.end_ms < now_ms - 3 * DAY_MS), "told"
        )
    after = {each.campaign_id for each in world.told()}
    assert held <= after
    assert len(after - held) == (not quiet)


def test_what_grew_together_is_deleted_and_what_is_long_over_is_closed() -> None:
    day = 20_000 * DAY_MS
    open_ = replace(CAMPAIGN, newest_ms=day, opened_ms=day, end_ms=day)
    young = replace(open_, campaign_id="young", newest_ms=day + 2)
    old = replace(open_, campaign_id="old", newest_ms=day - 1)
    held = {each.campaign_id.encode(): encode_campaign(each) for each in (open_, young, old)}
    held |= {b"newer": b'{"schema_version": 9}', b"bad": b"nonsense"}
    surge, before = (replace(each, kind="surge") for each in (young, old))
    held |= {b"surge": encode_campaign(surge), b"before": encode_campaign(before)}
    told = choose_records([open_], held, day)
    assert told[b"young"][0] is None
    assert told[b"bad"][0] is None
    assert b"newer" not in told, "of a program that knows more"
    assert b"surge" not in told, "the platform agent writes the surges"
    assert decode_campaign(told[b"before"][0] or b"") == replace(before, open=False, victims_open=0)
    closed = decode_campaign(told[b"old"][0] or b"")
    assert (closed.open, closed.victims_open, closed.victims) == (False, 0, old.victims)
    again = {key: value for key, (value, _) in told.items() if value is not None}
    assert {k: v[0] for k, v in choose_records([open_], again, day).items()} == {
        open_.campaign_id.encode(): encode_campaign(open_)
    }
