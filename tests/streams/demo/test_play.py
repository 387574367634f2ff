"""What a player packs and hears; the whole run is in `test_command`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord
from rich.console import Console

from detectors.model.records import Level
from detectors.recognise.registry import Registry
from streams.demo.audience import Audience
from streams.demo.gateway import StandInGateway
from streams.demo.play import Packer, Player, Record, Wires
from streams.demo.stage import WorkerProcess
from streams.scenarios import generate
from streams.wire import encode_action, encode_episode
from streams.wire.partitioner import partition_of
from tests.enforce.records import RECIPIENT, START_MS, action
from tests.streams.operate.test_cases import OPENED

WIRES = Wires(
    "127.0.0.1:9", "in", "throttle", "episode", "override", "everyone", "acks", "counts", 8
)


def test_a_message_goes_where_any_producer_would_put_it() -> None:
    packer = Packer(8)
    for event in generate("A1", 1, history=False):
        offer = packer.pack(event.value)
        assert offer.partition == partition_of(offer.recipient.encode(), 8)
        assert json.loads(offer.body) == event.value
    assert len(packer.chosen) == 1


def test_a_reaction_is_told_where_both_ends_were_seen() -> None:
    record = Record(sent={(3, 7): 1.0, (3, 8): 2.0}, heard={(3, 7): 1.25})
    assert record.reaction_ms(3, 7) == 250.0
    assert record.reaction_ms(3, 8) is None
    assert record.reaction_ms(3, 9) is None


@pytest.fixture
def player() -> Player:
    audience = Audience(Console(file=StringIO()), str)
    gateway = StandInGateway(Registry.shipped(), 10)
    return Player(WIRES, cast("WorkerProcess", None), gateway, RECIPIENT, audience)


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


WATCHED = replace(OPENED, level=Level.WATCH, at_ms=START_MS)
LEASE = action(at_ms=START_MS + 2_000)


def message(topic: str, value: bytes) -> Any:
    return SimpleNamespace(topic=topic, key=RECIPIENT.encode(), value=value)


@pytest.mark.parametrize("lease_first", [True, False])
def test_a_flood_is_noticed_before_it_is_throttled_whichever_topic_is_read_first(
    *, lease_first: bool
) -> None:
    screen = io.StringIO()
    audience = Audience(Console(file=screen), lambda at: f"{at:.0f}")
    wires = Wires("", "in", "leases", "episodes", "override", "everyone", "acks", "counts", 1)
    gateway = StandInGateway(Registry.shipped(), 1)
    player = Player(wires, None, gateway, RECIPIENT, audience)  # type: ignore[arg-type]
    messages = [
        message("leases", encode_action(LEASE)),
        message("episodes", encode_episode(WATCHED)),
    ]
    for each in messages if lease_first else reversed(messages):
        player._take(each)
    player._take(messages[0])  # a renewal is no news
    said = screen.getvalue().splitlines()
    assert [line.split()[1] for line in said] == ["WATCH:", "THROTTLE:"]
    assert len(player.record.actions) == 2
