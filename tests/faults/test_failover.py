"""Failing over: a cluster dies in the middle of floods, and the standby site goes on.

Site B runs all the time: its workers read its own input, in a higher epoch, and `otpguard agent
memory` brings what the workers of A know. B has no history of its own, and nothing else of A.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from kafka import KafkaProducer

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.event import platform_id, platform_print
from detectors.model.records import Action
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import load
from streams.wire import decode_action
from streams.wire.desired_state import DesiredState, desired_lease, take_action
from streams.wire.events import reserved_type
from tests.enforce.loop import now_ms, ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.faults]

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
GAP_MS: Final = 15_000
OWN: Final = 12  # platforms of a person: without memory, logging in to all of them is a flood
WITHIN: Final = 10
KEY: Final = "a key of sixteen, and more"
PEOPLE: Final = [str(8613900000000 + i) for i in range(120)]
VICTIMS: Final = PEOPLE[:10]
STRANGERS: Final = [str(8613911100000 + i) for i in range(8)]


class Site:
    """The topics and the worker of one cluster."""

    def __init__(self, broker: Broker, folder: Path, epoch: int, more: str = "") -> None:
        folder.mkdir()
        (folder / "memory.key").write_text(KEY)
        self.broker = broker
        config = folder / "otpguard.toml"
        config.write_text(
            f'mode = "enforce"\nepoch = {epoch}\ninput = {{country = "CN"}}\n'
            f'kafka = {{bootstrap = "{broker.bootstrap}"}}\n'
            "topics = {partitions = 2, replication = 1}\n"
            f'worker = {{data_dir = "{folder}/worker", checkpoint_cycle_s = 2}}\n'
            f'[detect]\nrecipients_max = 100_000\nmemory_key_file = "{folder}/memory.key"\n{more}'
        )
        self.settings = load(config)
        self.clients = client_arguments(self.settings.kafka)
        self.program = partial(ours, config, folder)
        create(self.settings)

    def send(self, events: list[Mapping[str, Any]]) -> None:
        with closing(KafkaProducer(**self.clients, acks="all")) as out:
            for event in events:
                key = event["recipient"].encode()
                out.send(self.settings.topics.input, msgspec.json.encode(event), key=key)
            out.flush()

    def actions(self) -> list[Action]:
        found = records(self.clients, self.settings.topics.throttle)
        return [decode_action(each.value) for each in found]

    def throttled(self) -> dict[str, Action]:
        """The first lease of each recipient."""
        leases = [each for each in self.actions() if each.verb == "throttle"]
        return {each.recipient: each for each in reversed(leases)}


@pytest.fixture
def sites(own_kafka: Callable[..., Broker], tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    a = Site(own_kafka(), tmp_path / "a", 1)
    more = f'[primary]\nbootstrap = "{a.broker.bootstrap}"\nepoch = 1\n'
    b = Site(own_kafka(), tmp_path / "b", 2, more)
    agent = b.program("memory", "agent", "memory", "--every", "1s", "--rate", "100000")
    with ExitStack() as stack:
        for server in (a.program("worker", "worker"), b.program("worker", "worker"), agent):
            stack.enter_context(server)
            wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
        yield a, b


def code(recipient: str, platform: str, at_ms: int) -> dict[str, Any]:
    return {
        "schema_version": 1, "recipient": recipient, "sender": "10690000", "event_time_ms": at_ms,
        "message_id": f"{recipient}-{platform}-{at_ms}", "category": "otp", "platform_id": platform,
    }  # fmt: skip


def own(person: str) -> list[str]:
    rng = random.Random(person)
    return [f"p{each}" for each in rng.sample(range(300), OWN)]


def own_prints(person: str) -> set[int]:
    return {platform_print(platform_id(f"id:{each}")) for each in own(person)}


def history(end_ms: int) -> list[Mapping[str, Any]]:
    """Four weeks in which each person logs in to each of their platforms on three days."""
    found = [
        code(person, platform, end_ms - (28 - 8 * turn) * DAY_MS + i * 18_000_000 + 7 * n)
        for turn in range(3)
        for n, person in enumerate(PEOPLE)
        for i, platform in enumerate(own(person))
    ]
    return sorted(found, key=lambda each: each["event_time_ms"])


def flood(victim: str, first: int, last: int, since_ms: int) -> list[Mapping[str, Any]]:
    return [code(victim, f"flood{i}", since_ms + i * GAP_MS) for i in range(first, last)]


def log_in(person: str, since_ms: int) -> list[Mapping[str, Any]]:
    return [code(person, each, since_ms + i * GAP_MS) for i, each in enumerate(own(person))]


def known_there(site: Site) -> dict[str, set[int]]:
    """Recipient -> prints of platforms, by the newest memory record in a site's input."""
    found = {}
    for record in records(site.clients, site.settings.topics.input):
        if reserved_type(record.value) == "memory":
            told = msgspec.json.decode(record.value)["memory"]["platforms"]
            found[record.key.decode()] = {platform_print(each) for each, *_ in told}
    return found


def test_a_standby_site_goes_on_with_the_memory_of_the_one_that_died(
    sites: tuple[Site, Site],
) -> None:
    a, b = sites
    start_ms = now_ms() - 14 * MINUTE_MS
    a.send(history(start_ms))
    known = {person: own_prints(person) for person in PEOPLE}
    wait_until(lambda: known_there(b) == known, "the memory is at B")

    for victim in VICTIMS:
        a.send(flood(victim, 0, 20, start_ms))
    wait_until(lambda: a.throttled().keys() == {*VICTIMS}, "A throttles the floods")
    before = a.actions()
    a.broker.kill()

    # The gateways now write to B alone: the floods go on, victims and others log in.
    for victim in VICTIMS:
        b.send(flood(victim, 20, 20 + WITHIN, start_ms))
    wait_until(lambda: b.throttled().keys() == {*VICTIMS}, "B throttles them after ten messages")
    for person in PEOPLE:
        b.send(log_in(person, start_ms + 40 * GAP_MS))
    for stranger in STRANGERS:  # nobody knows these, so B refuses what the same people do
        b.send(log_in(stranger, start_ms + 40 * GAP_MS))
    wait_until(lambda: {*STRANGERS} <= b.throttled().keys(), "all before has been read")
    leases = b.throttled()
    assert leases.keys() == {*VICTIMS, *STRANGERS}, "who knows their platforms is not throttled"
    for victim in VICTIMS:
        lease = leases[victim]
        assert lease.mode == "enforce", "it is not a cold start"
        passing = {*lease.scope.pass_prints, *map(platform_print, lease.scope.pass_ids)}
        assert own_prints(victim) <= passing

    # An adapter that knew the leases of A, and reads those of B now.
    book, told = DesiredState(RailParams()), b.actions()
    last_ms = max(each.issued_at_ms for each in before)
    for action in before:
        take_action(book, action, last_ms)
    assert {book_id(book, each, last_ms) for each in VICTIMS} <= {each.action_id for each in before}
    ends_ms = max(each.expires_at_ms for each in before)
    assert not any(book_id(book, each, ends_ms) for each in VICTIMS), "none of A beyond its end"
    last_ms = max(leases[each].issued_at_ms for each in VICTIMS)
    for action in told:
        take_action(book, action, last_ms)
    assert {book_id(book, each, last_ms) for each in VICTIMS} <= {each.action_id for each in told}


def book_id(book: DesiredState, recipient: str, at_ms: int) -> str:
    """The action behind the lease that a gateway should have; empty: none."""
    lease = desired_lease(book, recipient, at_ms)
    return lease.action_id if isinstance(lease, Lease) else ""
