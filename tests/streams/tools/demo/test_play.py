"""What a player packs and hears; the whole run is in `test_command`."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import replace
from io import StringIO
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner
from rich.console import Console

from detectors.leases.gateway_rule import Ruling
from detectors.model.event import platform_id
from detectors.model.records import AgainWindow, Level
from detectors.recognise.platform.registry import Registry
from streams.config import Topics
from streams.tools.demo.audience import Audience
from streams.tools.demo.demo_gateway import StandInGateway
from streams.tools.demo.play import Offer, Player, Record
from streams.tools.demo.stage import WorkerProcess
from streams.tools.scenarios import generate
from streams.wire import encode_action, encode_episode
from tests.builders.streams.cases.standing import OPENED
from tests.enforce.records import RECIPIENT, START_MS, action
from tests.waiting import END_S

TOPICS = Topics(
    input="in", throttle="throttle", episode="episode", override="override", partitions=8
)


def test_a_reaction_is_told_where_both_ends_were_seen() -> None:
    record = Record(sent={(3, 7): 1.0, (3, 8): 2.0}, heard={(3, 7): 1.25})
    assert record.reaction_ms(3, 7) == 250.0
    assert record.reaction_ms(3, 8) is None
    assert record.reaction_ms(3, 9) is None


@pytest.fixture
def player() -> Player:
    audience = Audience(Console(file=StringIO()), str)
    gateway = StandInGateway(Registry.load_shipped(), 10)
    worker = cast("WorkerProcess", None)
    return Player("127.0.0.1:9", TOPICS, worker, gateway, RECIPIENT, audience)


def test_a_message_goes_where_any_producer_would_put_it(player: Player) -> None:
    for event in generate("A1", 1, history=False):
        offer = player.pack(event.value)
        choose = DefaultPartitioner()
        assert offer.partition == choose(offer.recipient.encode(), list(range(8)), list(range(8)))
        assert json.loads(offer.body) == event.value


def heard(player: Player, topic: str, value: bytes, key: bytes = RECIPIENT.encode()) -> None:
    player._take(cast("ConsumerRecord[Any, Any]", _Message(topic, value, key)))


class _Message:
    def __init__(self, topic: str, value: bytes, key: bytes) -> None:
        self.topic, self.value, self.key = topic, value, key


def test_a_lease_teaches_the_gateway_and_others_are_counted(player: Player) -> None:
    heard(player, "throttle", encode_action(action()))
    assert [each.recipient for each in player.record.actions] == [RECIPIENT]
    cause = player.record.actions[0].cause
    assert (cause.partition, cause.offset) in player.record.heard
    player.victim = "8613900000099"
    heard(player, "throttle", encode_action(action()))
    assert player.record.strangers == 1


def test_episodes_of_others_are_not_kept(player: Player) -> None:
    episode = json.dumps({"change": "opened", "level": "watch", "at_ms": 5}).encode()
    heard(player, "episode", episode)
    heard(player, "episode", episode, key=b"8613900000099")
    assert len(player.record.episodes) == 1


def test_a_level_is_announced_once_as_the_episode_reaches_it() -> None:
    screen = io.StringIO()
    audience = Audience(Console(file=screen), lambda at: f"{at:.0f}")
    gateway = StandInGateway(Registry.load_shipped(), 1)
    player = Player("", TOPICS, None, gateway, RECIPIENT, audience)  # type: ignore[arg-type]
    opened = replace(OPENED, level=Level.WATCH, at_ms=START_MS)
    raised = replace(opened, level=Level.THROTTLE, change="raised")
    for record in (opened, raised, replace(raised, change="renewed")):
        heard(player, "episode", encode_episode(record))
    said = screen.getvalue().splitlines()
    assert [line.split()[:2] for line in said] == [
        [str(START_MS), "WATCH:"], [str(START_MS), "THROTTLE:"]
    ]  # fmt: skip


SECOND_MS = 90_000


def second_request(player: Player) -> Offer:
    """A code of a platform that the victim does not know, asked for once more under a lease."""
    value = next(
        event.value
        for event in generate("A1", 1, history=False)
        if player.gateway.recognise(event.value).trust == 0
    )
    at_ms = START_MS + SECOND_MS
    return player.pack({**value, "recipient": RECIPIENT, "event_time_ms": at_ms})


def test_the_clock_stands_still_until_a_second_request_is_allowed(player: Player) -> None:
    offer = second_request(player)
    window = AgainWindow(
        platform_id(player.gateway.recognise(offer.value).platform),
        START_MS + SECOND_MS // 2, START_MS + 2 * SECOND_MS, hot=False,
    )  # fmt: skip
    told = replace(action(revision=2), again=(window,))

    async def play() -> bool:
        heard(player, "throttle", encode_action(action()))
        waiting = asyncio.create_task(player._wait_allowed(offer, SECOND_MS))
        for _ in range(3):  # whatever else is heard: it still waits
            await asyncio.sleep(0)
            player.heard.set()
        early = waiting.done()
        player.heard.set()
        heard(player, "throttle", encode_action(told))
        await waiting
        return early

    assert not asyncio.run(asyncio.wait_for(play(), END_S))
    assert player.gateway.ask(RECIPIENT, offer.value) is Ruling.AGAIN


def test_a_second_request_that_nobody_allows_is_waited_for_as_long_as_it_took(
    player: Player,
) -> None:
    offer = second_request(player)
    heard(player, "throttle", encode_action(action()))
    began = time.monotonic()
    asyncio.run(asyncio.wait_for(player._wait_allowed(offer, 50), END_S))
    assert time.monotonic() - began >= 0.05
    assert player.gateway.ask(RECIPIENT, offer.value) is Ruling.REFUSE


def test_a_second_request_that_passes_is_not_waited_for(player: Player) -> None:
    asyncio.run(asyncio.wait_for(player._wait_allowed(second_request(player), 10**9), END_S))
