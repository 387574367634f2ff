"""Builders that test_bad_records.py shares with other tests: each service, as it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from detectors.leases.rails import RailParams
from detectors.model.times import DAY_MS, HOUR_MS
from streams.cases.network_views import read_platforms
from streams.cases.store.index_writer import SOURCES, LogRecord
from streams.cases.store.store import CaseStore
from streams.config import Canary, Topics
from streams.gateways.enforce.adapter import Adapter
from streams.gateways.enforce.reconcile import Reconciler
from streams.gateways.gate.gate_server import LeaseKeeper
from streams.gateways.gate.leases import LeaseMemory
from streams.network.campaign_agent import CampaignAgent
from streams.network.platform_agent import PlatformAgent
from streams.people.desk.console_server import _indexing
from streams.people.desk.desk_audit import tail_of
from streams.people.signal.lookup import Lookup
from streams.telemetry.metrics import Metrics
from streams.tools.operate.canary_flood import Watch
from streams.wire import (
    EVERYONE,
    Ack,
    RejectReason,
    encode_ack,
    encode_action,
    encode_episode,
    encode_incident,
    encode_notice,
    encode_override,
    encode_part,
    hash_record,
    override_key,
)
from streams.wire.desired_state import DesiredState, mode
from tests.builders.detectors.platforms.days import part
from tests.builders.streams.people.notices.notice_book import ack, episode
from tests.builders.streams.people.notices.notifier import World
from tests.builders.streams.wire.campaign_records import CAMPAIGN
from tests.builders.streams.wire.notice_records import SAID as NOTICE
from tests.builders.streams.wire.platform_records import FIGURES
from tests.detectors.campaigns.tales import tale
from tests.enforce.records import action, override
from tests.ports import free_port
from tests.streams.cases.store.filled import (
    FilledStore,
    acked,
    audited,
    counted,
    flood,
    incident,
    logged,
)
from tests.streams.engine.worker.scraped import scraped
from tests.threads import meanwhile
from tests.waiting import wait_until

VICTIM, OTHER = "8613900000001", "8613900000002"
GATEWAY = "smsc-1"


@dataclass(frozen=True)
class Good:
    """A record that a service has to obey after bad ones, and how that shows."""

    topic: str  # setting
    key: bytes
    value: bytes
    obeyed: Callable[[], object]


@dataclass(frozen=True)
class Service:
    """A service that runs: what it reads, and the bad records that it counted."""

    goods: tuple[Good, ...]
    counted: Callable[[], list[float]]  # bad and newer, or both together


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def refused(metrics: Metrics) -> list[float]:
    value = metrics.registry.get_sample_value
    name = "otpguard_records_refused_total"
    return [value(name, {"kind": kind}) or 0.0 for kind in ("bad", "newer")]


def unread(metrics: Metrics) -> list[float]:
    return [metrics.registry.get_sample_value("otpguard_index_unreadable_total") or 0.0]


def enforced(memory: LeaseMemory) -> tuple[Good, ...]:
    """Leases, a release and the kill switch: each after bad records of its own."""
    first, second = (
        action(each, number, at_ms=now_ms()) for number, each in enumerate((VICTIM, OTHER), 1)
    )
    release = override("release", VICTIM, issued_at_ms=now_ms(), expires_at_ms=now_ms() + HOUR_MS)
    off = override("mode", EVERYONE, mode="off", issued_at_ms=now_ms(), expires_at_ms=None)
    return (
        Good("throttle", VICTIM.encode(), encode_action(first), lambda: VICTIM in memory.leases),
        Good("throttle", OTHER.encode(), encode_action(second), lambda: len(memory.leases) == 2),
        Good("override", override_key(release), encode_override(release),
             lambda: set(memory.leases) == {OTHER}),
        Good("everyone", override_key(off), encode_override(off), lambda: not memory.leases),
    )  # fmt: skip


@contextmanager
def run_adapter(world: World, _: Path) -> Iterator[Service]:
    memory, metrics = LeaseMemory(), Metrics("adapter")
    reconciler = Reconciler(memory, DesiredState(RailParams()), GATEWAY)
    group = f"{world.settings.app_id}-enforce-{GATEWAY}"
    made = Adapter(reconciler, world.clients, world.topics, group, metrics, now_ms)
    with meanwhile(made.run, made.ready):
        yield Service(enforced(memory), lambda: refused(metrics))


@contextmanager
def run_gate(world: World, _: Path) -> Iterator[Service]:
    memory, metrics = LeaseMemory(), Metrics("gate")
    keeper = LeaseKeeper(world.settings, GATEWAY, memory, metrics)
    keeper.start()
    try:
        wait_until(keeper.rebuilt.is_set, "all leases are read")
        yield Service(enforced(memory), lambda: refused(metrics))
        restarts = metrics.registry.get_sample_value("otpguard_gate_adapter_restarts_total")
        assert (restarts, keeper.state) == (0, "")
    finally:
        keeper.close(60)


@contextmanager
def run_campaigns(world: World, _: Path) -> Iterator[Service]:
    metrics, name = Metrics("campaigns"), f"{world.settings.app_id}-agents"
    made = CampaignAgent(world.clients, world.topics, name, metrics, now_ms)
    record = next(tale(Random(7), 1, now_ms() - HOUR_MS, first=1))

    def seen() -> bool:
        return len(made._floods.by_id) == 1

    with meanwhile(made.run, made.ready):
        key = record.recipient.encode()
        yield Service((Good("episode", key, encode_episode(record), seen),),
                      lambda: refused(metrics))  # fmt: skip


@contextmanager
def run_platforms(world: World, _: Path) -> Iterator[Service]:
    metrics, name = Metrics("platforms"), f"{world.settings.app_id}-agents"
    made = PlatformAgent(world.clients, world.topics, name, metrics, now_ms, None)
    yesterday = part(0, 4096, day=now_ms() // DAY_MS - 1, p1=200)

    def seen() -> bool:
        found = read_platforms(world.clients, world.topics.platform)
        return [each.platform for each in found] == ["sig:p1"]

    with meanwhile(made.run, made.ready):
        yield Service((Good("platform_parts", b"0", encode_part(yesterday), seen),),
                      lambda: refused(metrics))  # fmt: skip


INDEXED = {
    source: setting for setting, source in SOURCES.items() if setting != "everyone"
}  # source -> setting of its topic


def lines(*found: Any) -> list[LogRecord]:
    """Records as they lie on their topics."""
    maker = FilledStore.__new__(FilledStore)
    maker.offsets = {}
    return logged(maker, found, 0)


def indexed() -> tuple[Any, ...]:
    record, lease = flood(3, at_ms=now_ms() - HOUR_MS)
    return (
        record, lease, acked(lease), incident(record), counted(lease, {1: 2}), *audited({}),
        override("release"), NOTICE, CAMPAIGN, FIGURES,
    )  # fmt: skip


def with_bad_records(number: int) -> int:
    """Return how many records were sent with the first `number` good ones, bad ones included."""
    sent = len(spoiled(b"{}")) + 2  # with the newer one and the tombstone
    return sent * len(INDEXED) + (sent + 1) * number


@contextmanager
def run_desk(
    world: World, folder: Path, wanted: Callable[[int], int] = with_bad_records
) -> Iterator[Service]:
    """Run the indexer as the desk does; the process of the indexer alone runs the same."""
    metrics = Metrics("desk")
    store = CaseStore(f"sqlite:///{folder / 'desk.db'}")
    value = metrics.registry.get_sample_value

    def good(number: int, found: Any) -> Good:
        def seen() -> bool:
            return (value("otpguard_index_records_total") or 0) >= wanted(number)

        return Good(INDEXED[found.source], found.key, found.value, seen)

    with closing(store), _indexing(world.settings, store, metrics):
        goods = [good(n, each) for n, each in enumerate(lines(*indexed()), 1)]
        yield Service(tuple(goods), lambda: unread(metrics))
        assert store.find(flood(3)[0].recipient).newest is not None
        assert len(store.audit()) == 1


@contextmanager
def run_signal(world: World, folder: Path) -> Iterator[Service]:
    """The signal reads no topic: it answers from the store that an indexer keeps."""
    metrics = Metrics("indexer")
    store = CaseStore(f"sqlite:///{folder / 'desk.db'}")
    lookup = Lookup(store)
    record, lease = flood(3, at_ms=now_ms() - HOUR_MS)
    number = record.recipient
    with closing(store), _indexing(world.settings, store, metrics):
        goods = (
            Good("episode", number.encode(), encode_episode(record),
                 lambda: lookup.floods(number)),
            Good("throttle", number.encode(), encode_action(lease),
                 lambda: lookup.leases(number, lease.issued_at_ms)),
        )  # fmt: skip
        yield Service(goods, lambda: unread(metrics))


@contextmanager
def run_notifier(world: World, _: Path) -> Iterator[Service]:
    metrics = Metrics("notifier")
    made = world.notifier(reply=True, metrics=metrics, released=True)
    desired = made._book.desired
    with meanwhile(made.run, made.ready):
        lease = replace(action(VICTIM, 1, at_ms=now_ms()), action_id="a0", episode_id="e0")
        release = override(
            "release", VICTIM, issued_at_ms=now_ms(), expires_at_ms=now_ms() + HOUR_MS
        )
        off = override("mode", EVERYONE, mode="off", issued_at_ms=now_ms(), expires_at_ms=None)
        done = msgspec.structs.replace(NOTICE, notice_id="of-another", state="sent")
        record, answer = episode(lease), ack(lease, "applied")
        yield Service(
            (
                Good("incident", b"x", encode_incident(incident(flood(3)[0])), lambda: True),
                Good("episode", VICTIM.encode(), encode_episode(record), lambda: True),
                Good("throttle", VICTIM.encode(), encode_action(lease), lambda: True),
                Good("acks", b"a0", encode_ack(answer), lambda: len(world.phones.got) == 1),
                Good("override", override_key(release), encode_override(release),
                     lambda: len(world.phones.got) == 2),
                Good("everyone", override_key(off), encode_override(off),
                     lambda: mode(desired, now_ms()) == "off"),
                Good("notice", b"of-another", encode_notice(done), lambda: True),
            ),
            lambda: refused(metrics),
        )  # fmt: skip


@contextmanager
def run_auditor(world: World, _: Path) -> Iterator[Service]:
    """Continue a chain of the audit, as a desk does when it starts."""
    (line,) = lines(*audited({}))
    assert line.key is not None
    assert line.value is not None
    chain, value = line.key.decode(), line.value

    def found() -> bool:
        return tail_of(world.clients, world.topics.audit, chain) == (1, hash_record(value))

    yield Service((Good("audit", line.key, value, found),), list)


@contextmanager
def run_worker(world: World, folder: Path) -> Iterator[Service]:
    """Run a worker as a process; it reads acknowledgements from its start on."""
    port, config = free_port(), folder / "otpguard.toml"
    names = {each: getattr(world.topics, each) for each in Topics.model_fields}
    config.write_text(
        f'app_id = "{world.settings.app_id}"\nworker = {{data_dir = "{folder}/worker"}}\n'
        f'kafka = {{bootstrap = "{world.settings.kafka.bootstrap}"}}\n'
        f"http = {{port = {port}}}\n[topics]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in names.items())
    )
    event = json.dumps(
        {"schema_version": 1, "recipient": VICTIM, "sender": "1069", "event_time_ms": now_ms(),
         "message_id": "m-1", "event_type": "submit", "text": "code 123456"}
    ).encode().replace(b'"schema_version": 1', b'"schema_version":1')  # fmt: skip
    answer = Ack(action_id=f"{world.settings.epoch}:{world.topics.input}:0:7", gateway_id=GATEWAY,
                 state="failed", why="", at_ms=now_ms())  # fmt: skip

    def value(name: str, **labels: str) -> float:
        return scraped(port, name, **labels) or 0.0

    def counted_letters() -> list[float]:
        bad = sum(
            value("dead_letters_total", reason=reason)
            for reason in RejectReason
            if reason not in (RejectReason.UNKNOWN_SCHEMA_VERSION, RejectReason.NULL_VALUE)
        )
        newer = value("dead_letters_total", reason="unknown_schema_version")
        return [bad + value("records_refused_total", kind="bad"),
                newer + value("records_refused_total", kind="newer")]  # fmt: skip

    words = [sys.executable, "-m", "streams", "worker", "--config", str(config)]
    with (folder / "worker.log").open("wb") as log, subprocess.Popen(words, stderr=log) as process:
        try:
            wait_until(lambda: value("partitions_assigned") == 2, "the worker reads")
            yield Service(
                (
                    Good("input", VICTIM.encode(), event,
                         lambda: value("events_total", outcome="counted") == 1),
                    Good("acks", b"a", encode_ack(answer),
                         lambda: value("acks_total", state="failed") == 1),
                ),
                counted_letters,
            )  # fmt: skip
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@contextmanager
def run_canary(world: World, _: Path) -> Iterator[Service]:
    """Flood a number, and take the lease and its acknowledgement from the topics."""
    metrics, number = Metrics("canary"), "8617000990000"
    made = Watch(Canary(deadline_s=600), world.clients, world.topics, metrics)
    flood = threading.Thread(target=made.flood, args=(number,))
    flood.start()

    def obeyed() -> str:
        return made.latest.action_id if made.latest is not None else ""

    try:
        wait_until(lambda: made.latest is not None, "the flood has begun")
        lease = action(number, 1, at_ms=now_ms())
        yield Service(
            (Good("throttle", number.encode(), encode_action(lease), obeyed),
             Good("acks", b"a", encode_ack(ack(lease, "applied")), lambda: not flood.is_alive())),
            lambda: refused(metrics),
        )  # fmt: skip
    finally:
        made._settings = Canary(deadline_s=1)
        flood.join(60)
        made.close()


SERVICES: Mapping[str, Callable[[World, Path], AbstractContextManager[Service]]] = {
    "worker": run_worker,
    "adapter": run_adapter,
    "gate": run_gate,
    "campaigns": run_campaigns,
    "platforms": run_platforms,
    "desk": run_desk,
    "signal": run_signal,
    "notifier": run_notifier,
    "auditor": run_auditor,
    "canary": run_canary,
}

READS: Mapping[str, frozenset[str]] = {
    "worker": frozenset({"input", "acks"}),
    "adapter": frozenset({"throttle", "override", "everyone"}),
    "gate": frozenset({"throttle", "override", "everyone"}),
    "campaigns": frozenset({"episode"}),
    "platforms": frozenset({"platform_parts"}),
    "desk": frozenset(SOURCES) - {"everyone"},  # read like `override`
    "signal": frozenset({"episode", "throttle"}),  # through the index
    "notifier": frozenset(
        {"incident", "episode", "throttle", "acks", "override", "everyone", "notice"}
    ),
    "auditor": frozenset({"audit"}),
    "canary": frozenset({"throttle", "acks"}),
}
"""Service -> settings of the topics that it reads and on which bad records are counted.

The agents' own topics are not here: nobody else writes them, and `tests/streams/network` has bad
records on them. The notifier reads the input for replies; the workers count what is bad there.
"""


FROM_NOW: Mapping[str, frozenset[str]] = {
    "worker": frozenset({"acks"}),
    "canary": READS["canary"],
}
"""Service -> settings of the topics that it reads from its start on."""


def spoiled(good: bytes) -> list[bytes]:
    """What no service can read, and what a record becomes if its types are wrong."""
    record = json.loads(good)
    wrong = {key: each if key == "schema_version" else [{}] for key, each in record.items()}
    huge = {"schema_version": 1, "reason": "x" * 900_000}
    return [b"nonsense", b"null", b"[]", b'""', b"", b"[" * 10_000, compact(wrong), compact(huge)]


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
