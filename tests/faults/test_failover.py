"""Failing over: a cluster dies in the middle of floods, and the standby site goes on.

Site B runs all the time: its workers read its own input, in a higher epoch, and `otpguard agent
memory` brings what the workers of A know. B has no history of its own, and nothing else of A, or
the input that MirrorMaker 2 copies until A dies.

More partitions are the same on one cluster: another input, and workers with a higher epoch.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from detectors.leases.gateway_rule import Lease, Ruling, lease_of, rule
from detectors.leases.rails import RailParams
from detectors.model.event import Trust, platform_id, platform_print
from detectors.model.records import Action
from streams.cluster.admin import client_arguments
from streams.cluster.librdkafka import arguments
from streams.cluster.read import reading, records
from streams.cluster.topics import create
from streams.config import load
from streams.wire import decode_action
from streams.wire.desired_state import DesiredState, desired_lease, take_action
from streams.wire.events import reserved_type
from tests.clusters import mirror
from tests.enforce.loop import now_ms, ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.threads import meanwhile
from tests.waiting import END_S, wait_until

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
GAP_MS: Final = 15_000
OWN: Final = 12  # platforms of a person: without memory, logging in to all of them is a flood
WITHIN: Final = 10
KEY: Final = "a key of sixteen, and more"
SIZE: Final = int(os.environ.get("OTPGUARD_FAILOVER_PEOPLE", "120"))
pytestmark = [
    pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(900 + SIZE // 20),
]  # fmt: skip
PEOPLE: Final = [str(8613900000000 + i) for i in range(SIZE)]
VICTIMS: Final = PEOPLE[:10]
STRANGERS: Final = [str(8613911100000 + i) for i in range(8)]


class Site:
    """The topics and the worker of one cluster."""

    agent: Any  # that brings the memory of the other site
    worker: Any

    def __init__(
        self, broker: Broker, folder: Path, epoch: int, more: str = "", *,
        partitions: int = 2, app_id: str = "otpguard", topic: str = "sms.delivery.v1",
    ) -> None:  # fmt: skip
        folder.mkdir()
        (folder / "memory.key").write_text(KEY)
        self.broker, self.folder = broker, folder
        config = self.config = folder / "otpguard.toml"
        config.write_text(
            f'app_id = "{app_id}"\nmode = "enforce"\nepoch = {epoch}\ninput = {{country = "CN"}}\n'
            f'kafka = {{bootstrap = "{broker.bootstrap}"}}\n'
            f'topics = {{input = "{topic}", partitions = {partitions}, replication = 1}}\n'
            f'worker = {{data_dir = "{folder}/worker", checkpoint_cycle_s = 2}}\n'
            f"[detect]\nrecipients_max = {100_000 + SIZE}\n"
            f'memory_key_file = "{folder}/memory.key"\n{more}'
        )
        self.settings = load(config)
        self.clients = client_arguments(self.settings.kafka)
        self.program = partial(ours, config, folder)
        create(self.settings)

    def send(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Publish events; return their number."""
        out = Producer({**arguments(self.settings.kafka), "partitioner": "murmur2_random"})
        number = 0
        for event in events:
            number += 1
            key = event["recipient"].encode()
            while True:
                try:
                    out.produce(self.settings.topics.input, msgspec.json.encode(event), key=key)
                    break
                except BufferError:
                    out.poll(0.1)
        assert not out.flush(END_S)
        return number

    def called(self, *words: str, code: int = 0, **more: str) -> str:
        """What a command says, which ends with this code."""
        done = subprocess.run(
            [sys.executable, "-m", "streams", *words, "--config", self.config],
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), **more}, cwd=self.folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

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
    every = f"{1 + SIZE // 2_000}s"
    agent = b.program("memory", "agent", "memory", "--every", every, "--rate", "100000")
    b.agent = agent
    a.worker, b.worker = (each.program("worker", "worker") for each in (a, b))
    with ExitStack() as stack:
        for server in (a.worker, b.worker, agent):
            stack.enter_context(server)
            wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
        yield a, b


def code(recipient: str, platform: str, at_ms: int) -> dict[str, Any]:
    return {
        "schema_version": 1, "recipient": recipient, "sender": "10690000", "event_time_ms": at_ms,
        "message_id": f"{recipient}-{platform}-{at_ms}", "category": "otp", "platform_id": platform,
    }  # fmt: skip


@cache
def own(person: str) -> list[str]:
    rng = random.Random(person)
    return [f"p{each}" for each in rng.sample(range(300), OWN)]


def own_prints(person: str) -> set[int]:
    return {platform_print(platform_id(f"id:{each}")) for each in own(person)}


def history(end_ms: int) -> Iterator[Mapping[str, Any]]:
    """Four weeks in which each person logs in to each of their platforms on three days."""
    for turn in range(3):
        for i in range(OWN):
            for n, person in enumerate(PEOPLE):
                at_ms = end_ms - (28 - 8 * turn) * DAY_MS + i * 18_000_000 + 7 * n
                yield code(person, own(person)[i], at_ms)


HISTORY: Final = 3 * OWN * SIZE
END_ALL_S: Final = END_S * (1 + SIZE // 10_000)  # for what concerns all people


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


def forget_input(site: Site) -> None:
    """Delete all records of the input, as retention does with those of weeks ago."""
    with (
        reading(site.clients, site.settings.topics.input) as reader,
        closing(KafkaAdminClient(**site.clients)) as admin,
    ):
        spans = reader.spans().items()
        topic = site.settings.topics.input
        admin.delete_records({TopicPartition(topic, p): end for p, (_, end) in spans})


def messages(site: Site) -> int:
    """The number of messages in the input."""
    found = records(site.clients, site.settings.topics.input)
    return sum(reserved_type(each.value) != "memory" for each in found)


def refused_own(site: Site, people: Sequence[str]) -> int:
    """How many own platforms of these people a gateway would refuse under a site's leases."""
    refused = set()
    for action in site.actions():
        for name in own(action.recipient) if action.recipient in people else ():
            lease, at_ms = lease_of(action), action.issued_at_ms
            ruling = rule(lease, otp=True, platform=f"id:{name}", trust=Trust.NONE, now_ms=at_ms)
            if action.verb != "release" and ruling is Ruling.REFUSE:
                refused.add((action.recipient, name))
    return len(refused)


@pytest.mark.parametrize("way", ["producers", "mirror"])
def test_a_standby_site_goes_on_with_the_memory_of_the_one_that_died(
    sites: tuple[Site, Site], way: str, tmp_path: Path
) -> None:
    a, b = sites
    start_ms = now_ms() - 14 * MINUTE_MS
    assert a.send(history(start_ms)) == HISTORY
    wait_until(
        lambda: events_counted(a.worker.port) == HISTORY,
        "A has read it",
        END_S * (1 + SIZE // 10_000),
    )
    known = {person: own_prints(person) for person in PEOPLE}
    wait_until(lambda: known_there(b) == known, "the memory is at B")
    forget_input(a)

    with ExitStack() as stack:
        if way == "mirror":
            stack.enter_context(mirror(a.broker, b.broker, tmp_path / "mirror"))
        for victim in VICTIMS:
            a.send(flood(victim, 0, 20, start_ms))
        wait_until(lambda: a.throttled().keys() == {*VICTIMS}, "A throttles the floods")
        before = a.actions()
        if way == "mirror":
            wait_until(lambda: messages(b) > 0, "the mirror copies")
        a.broker.kill()
        # The mirror ends; it cannot read a dead cluster.
    copied = messages(b)
    assert (0 < copied <= 20 * len(VICTIMS)) if way == "mirror" else not copied

    said = b.called("failover", "check", code=1, OTPGUARD_HTTP_PORT=str(b.agent.port))
    assert "ok      standby: epoch 2 over 1" in said
    assert "min old" in said, "the age of the memory"

    # The gateways now write to B alone: the floods go on, victims and others log in.
    switched = time.monotonic()
    for victim in VICTIMS:
        b.send(flood(victim, 20, 20 + WITHIN, start_ms))
    wait_until(b.throttled, "B decides", pause_s=0.05)
    decided_s = time.monotonic() - switched
    wait_until(lambda: b.throttled().keys() == {*VICTIMS}, "B throttles them after ten messages")
    print(f"{SIZE} people: B throttled first {decided_s:.1f} s after the switch")
    for stranger in STRANGERS:  # nobody knows these, so B refuses what the same people do
        b.send(log_in(stranger, start_ms + 40 * GAP_MS))
    wait_until(lambda: {*STRANGERS} <= b.throttled().keys(), "B throttles who is new to it")
    sent = b.send(each for person in PEOPLE for each in log_in(person, start_ms + 40 * GAP_MS))
    sent += copied + WITHIN * len(VICTIMS) + OWN * len(STRANGERS)
    wait_until(lambda: events_counted(b.worker.port) >= sent, "B has read all", END_ALL_S)
    leases = b.throttled()
    assert leases.keys() == {*VICTIMS, *STRANGERS}, "who knows their platforms is not throttled"
    assert refused_own(b, PEOPLE) == 0
    assert refused_own(b, STRANGERS) > 2 * OWN, "so the leases refuse what is not known"
    assert all(leases[victim].mode == "enforce" for victim in VICTIMS), "it is not a cold start"

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


STEPS: Final = 40
"""Codes of each flood; the producers switch in the middle."""


def traffic(start_ms: int) -> list[list[Mapping[str, Any]]]:
    """For each step one message of each flood; a fifth of the people log in somewhere."""
    found: list[list[Mapping[str, Any]]] = []
    for i in range(STEPS):
        at_ms = start_ms + i * GAP_MS // 2
        people = [(n, each) for n, each in enumerate(PEOPLE) if (i + n) % 3 == 0]
        own_codes = [code(each, own(each)[(i + n) // 3 % OWN], at_ms) for n, each in people]
        floods = [code(each, f"flood{i}", at_ms) for each in VICTIMS]
        found.append([*own_codes, *floods])
    return found


def counted(port: int, name: str, **labels: str) -> float:
    """The sum of a metric's values with these labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        families = [*text_string_to_metric_families(page.read().decode())]
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"otpguard_{name}" and labels.items() <= sample.labels.items()
    )


def events_counted(port: int) -> float:
    return counted(port, "events_total", outcome="counted")


def test_an_input_gets_more_partitions_while_traffic_goes_on(
    own_kafka: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = own_kafka()
    old = Site(broker, tmp_path / "old", 1, partitions=4)
    more = f'[primary]\nbootstrap = "{broker.bootstrap}"\nepoch = 1\n'
    new = Site(broker, tmp_path / "new", 2, more, partitions=16, app_id="otpguard-16",
               topic="sms.delivery.16")  # fmt: skip
    new.called("topics", "check")
    start_ms = now_ms() - 7 * MINUTE_MS
    steps = traffic(start_ms)
    with ExitStack() as stack:
        servers = [
            old.program("worker", "worker"), new.program("worker", "worker"),
            new.program("agent", "agent", "memory", "--every", "1s", "--rate", "100000"),
        ]  # fmt: skip
        for server in servers:
            stack.enter_context(server)
            wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
        sent = {old: old.send(history(start_ms)), new: 0}
        switch = threading.Event()

        def produce() -> None:
            for i, step in enumerate(steps):
                if i == STEPS // 2:
                    switch.wait(END_S)
                to = new if i >= STEPS // 2 else old
                to.send(step)
                sent[to] += len(step)

        with meanwhile(lambda _: produce()):
            known = {person: own_prints(person) for person in PEOPLE}
            wait_until(lambda: known_there(new) == known, "the memory is in the new topic")
            wait_until(lambda: {*VICTIMS} <= old.throttled().keys(), "the floods are throttled")
            agent = servers[2].port
            wait_until(lambda: counted(agent, "memory_age_seconds") < 600, "the memory is young")
            said = new.called("doctor", "--role", "worker", code=1)  # one copy, no authoriser
            assert "ok      standby: epoch 2 over 1" in said
            switch.set()
        for site, server in ((old, servers[0]), (new, servers[1])):
            wait_until(
                lambda: events_counted(server.port) >= sent[site],  # noqa: B023
                "the topic is read to its end",
            )
        wait_until(
            lambda: {e.recipient for e in new.actions() if e.epoch == 2} == {*VICTIMS},
            "the new workers throttle the floods again",
        )
        for site, server in ((old, servers[0]), (new, servers[1])):
            assert events_counted(server.port) == sent[site]
            assert not counted(server.port, "dead_letters_total")
        assert counted(servers[1].port, "memory_records_total", outcome="adopted") >= len(PEOPLE)
    assert sent[old] + sent[new] == HISTORY + sum(map(len, steps))
    assert new.throttled().keys() == {*VICTIMS}, "nobody else, before and after"
    assert refused_own(new, PEOPLE) == 0

    # Leases of before are obeyed until the new ones come, or until they end.
    book, held = DesiredState(RailParams()), dict[str, int]()
    for action in sorted(new.actions(), key=lambda each: (each.epoch, each.revision)):
        take_action(book, action, action.issued_at_ms)
        lease = book_id(book, action.recipient, action.issued_at_ms)
        assert int(lease.partition(":")[0]) == action.epoch >= held.get(action.recipient, 1)
        held[action.recipient] = action.epoch
    assert held == dict.fromkeys(VICTIMS, 2)
