"""The whole adapter: a real broker on one side, a real Redis on the other.

Where its own broker falls silent until leases end, a test is part of `make integration`.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from detectors.model.records import AgainWindow
from streams.cluster import read as read_module
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import readable, records
from streams.cluster.topics import topics
from streams.common.errors import UnavailableError
from streams.config import Kafka, Settings
from streams.gateways.enforce import (
    ack_outbox as outbox_module,
    adapter as adapter_module,
    counting,
)
from streams.gateways.enforce.gateway import Gateway, LeaseTally, Order, Refusals
from streams.telemetry.metrics import Metrics
from streams.wire import (
    EVERYONE,
    UnreadableError,
    decode_action,
    decode_counts,
    decode_override,
    encode_action,
    encode_override,
    override_key,
)
from streams.wire.desired_state import DesiredState, desired_lease, take_action
from tests.builders.streams.cluster.read import remade
from tests.builders.streams.gateways.enforce.adapter import World, keys, now_ms, throttled, world
from tests.builders.streams.wire.bytes import mutated
from tests.enforce.records import RECIPIENT, action, override
from tests.enforce.services import redis_client, redis_server
from tests.nodes import Broker
from tests.reading import awaited
from tests.threads import meanwhile
from tests.waiting import END_S, wait_until

__all__ = ["keys", "world"]


pytestmark = pytest.mark.broker


class Keeping(Gateway):
    """A gateway that keeps no time: it holds what it was given until it is told to end it."""

    batch_max = 100

    def __init__(self) -> None:
        self.holds: dict[str, Lease] = {}

    def list_recipients(self) -> list[str]:
        return list(self.holds)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        self.holds.update((each.recipient, each.lease) for each in orders)
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        for each in recipients:
            self.holds.pop(each, None)
        return {}

    expire = release

    def take_refused(self, action_ids: Sequence[str]) -> list[int]:
        return [0] * len(action_ids)

    def tallies(self, action_ids: Sequence[str]) -> list[LeaseTally]:
        return [LeaseTally(0, {}) for _ in action_ids]

    def list_counted(self) -> list[str]:
        return []

    def health(self) -> str:
        return "one"

    def close(self) -> None:
        """Nothing to close."""


def test_a_lease_on_the_topic_becomes_a_key_and_is_acknowledged(
    world: World, keys: redis.Redis
) -> None:
    with world.adapter() as metrics:
        world.say(action("8613900000001", 1, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "the key is there")
        world.say(action("8613900000001", 2, verb="release", at_ms=now_ms()))
        wait_until(lambda: not throttled(keys), "the key is gone")
        told = [(ack.action_id[-1], ack.state, ack.gateway_id) for ack in world.acks(3)]
    assert told == [
        ("1", "applied", "redis-1"),
        ("1", "expired", "redis-1"),
        ("2", "applied", "redis-1"),
    ]
    assert metrics.registry.get_sample_value("otpguard_actions_unacknowledged") == 0
    assert metrics.registry.get_sample_value("otpguard_leases_held") == 0


def test_what_a_gateway_refused_so_far_is_told_by_platform_while_the_lease_runs(
    world: World, keys: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "FIRST_MS", (500, 1_000))
    lease = action("8613900000001", 1, at_ms=now_ms())
    with world.adapter():
        world.say(lease)
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "the key is there")
        keys.set(f"otpguard:refused:{lease.action_id}", 5)
        keys.hset(f"otpguard:platforms:{lease.action_id}", mapping={"7": 3, "9": 2, "x": 1})
        (record,) = awaited(world.clients, world.topics.counts, 1)
    told = decode_counts(record.value)
    assert record.key == told.action_id.encode() == lease.action_id.encode()
    assert (told.episode_id, told.gateway_id) == (lease.episode_id, "redis-1")
    assert (told.refused, told.by_platform) == (5, {7: 3, 9: 2})
    assert b"8613900000001" not in record.value


def test_an_adapter_without_a_topic_for_counts_enforces_all_the_same(
    world: World, keys: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    world.topics = world.topics.model_copy(update={"counts": f"{world.name}.none"})
    with world.adapter():
        world.say(action("8613900000001", 1, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "the key is there")
    assert "what is refused by platform is not told" in caplog.text


def test_a_deleted_word_is_heeded_where_it_could_be_said_and_nowhere_else(
    world: World, keys: redis.Redis
) -> None:
    recipient = "8613900000001"
    with world.adapter():
        world.say(override("exempt", recipient, expires_at_ms=None))
        world.say(override("mode", EVERYONE, mode="off", expires_at_ms=None))
        world.say(action(recipient, 1, at_ms=now_ms()))
        world.acks(3)
        assert throttled(keys) == set()
        for topic, key in (
            (world.topics.override, b"*|mode|"),  # the right to release is no kill switch
            (world.topics.everyone, b"8613900000001|exempt|"),
            (world.topics.override, b"\xff|x"),
            (world.topics.override, b""),
            (world.topics.everyone, b"*|mode|"),
        ):
            world.producer.send(topic, None, key=key)
        world.producer.flush()
        world.say(action("8613900000002", 1, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000002"}, "the switch is back")
        world.producer.send(world.topics.override, None, key=b"8613900000001|exempt|")
        world.producer.flush()
        wait_until(lambda: recipient in throttled(keys), "no exemption holds")
    with world.adapter():  # a restart reads the same
        wait_until(lambda: throttled(keys) == {recipient, "8613900000002"}, "both leases hold")


@pytest.mark.integration
@pytest.mark.kafka
@pytest.mark.faults
def test_a_broker_that_falls_silent_shows_and_leases_end_meanwhile(
    own_kafka: Callable[..., Broker], tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_module, "ASK_S", 0.5)
    broker = own_kafka()
    with redis_server(tmp_path / "redis") as server, closing(redis_client(server)) as keys:
        world = World(broker, server, unique)
        with closing(world.producer), world.adapter() as metrics:

            def silence_s(name: str = "broker_silence_seconds") -> float:
                found = metrics.registry.get_sample_value(f"otpguard_{name}")
                assert found is not None
                return found

            revisions = itertools.count(1)

            def held() -> bool:
                lease = action("8613900000001", next(revisions), at_ms=now_ms(), lease_ms=4_000)
                world.say(lease)
                return bool(throttled(keys))

            wait_until(held, "the key is there", pause_s=1)
            said = time.monotonic()
            wait_until(  # there is nothing to say, and it is asked all the same
                lambda: silence_s() < time.monotonic() - said - 2, "it is asked"
            )
            broker.pause()
            wait_until(lambda: silence_s() > 3, "the silence is seen")
            wait_until(lambda: silence_s("leases_age_seconds") > 3, "the leases are old")
            wait_until(lambda: not throttled(keys), "the lease ends")
            broker.resume()
            wait_until(lambda: silence_s() < 2, "it answers again")
            wait_until(lambda: silence_s("leases_age_seconds") < 2, "the leases are current")


def test_an_adapter_says_when_its_leases_are_not_current(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_module, "STALE_S", 0.5)
    monkeypatch.setattr(adapter_module, "ASK_S", 0.05)
    monkeypatch.setattr(adapter_module, "COMMIT_S", 0.05)
    adapter = world.made(Metrics("adapter"))
    assert adapter.unready() == "reading the leases"
    with meanwhile(adapter.run, adapter.ready):
        wait_until(lambda: not adapter.unready(), "all is current")

        def away(**_: object) -> None:
            raise KafkaConnectionError

        with monkeypatch.context() as broken:
            broken.setattr(adapter._consumer, "poll", away)
            wait_until(lambda: "were current" in adapter.unready(), "it says so")
        wait_until(lambda: not adapter.unready(), "all is current again")


@pytest.mark.parametrize("failing", ["poll", "commit_async", "position"])
def test_leases_end_though_the_client_waits_for_its_broker_or_gives_up(
    world: World, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client asked where it stands waits for a broker that was restarted: for minutes, it did."""
    monkeypatch.setattr(read_module, "PLACE_S", 0.2)
    monkeypatch.setattr(adapter_module, "ASK_S", 0.2)
    gateway, over = Keeping(), threading.Event()
    adapter = world.made(Metrics("adapter"), gateway=gateway)

    def give_up(*_: object, timeout_ms: float | None = None, **__: object) -> None:
        if failing == "position" and timeout_ms is None:
            over.wait(END_S)
        raise KafkaConnectionError("nobody there")

    with meanwhile(adapter.run, adapter.ready):
        try:
            world.say(action("8613900000001", 1, at_ms=now_ms(), lease_ms=6_000))
            wait_until(lambda: gateway.list_recipients() == ["8613900000001"], "it is held")
            with monkeypatch.context() as broken:
                broken.setattr(adapter._consumer, failing, give_up)
                wait_until(lambda: not gateway.list_recipients(), "the lease ends")
        finally:
            over.set()
        world.say(action("8613900000002", 2, at_ms=now_ms()))
        wait_until(lambda: gateway.list_recipients() == ["8613900000002"], "the next is held")
        wait_until(lambda: world.committed() == 2, "both are committed", pause_s=0.2)


def test_acknowledgements_that_nobody_takes_end_no_adapter_and_are_told_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "PAUSES_S", (0.2,))
    gateway, metrics = Keeping(), Metrics("adapter")
    adapter = world.made(metrics, gateway=gateway)

    def refuse(*_: object, **__: object) -> None:
        raise KafkaTimeoutError("no such topic")

    def late() -> float | None:
        return metrics.registry.get_sample_value("otpguard_actions_unacknowledged")

    with meanwhile(adapter.run, adapter.ready):
        with monkeypatch.context() as broken:
            broken.setattr(adapter._outbox.producer, "send", refuse)
            world.say(action("8613900000001", 1, at_ms=now_ms(), lease_ms=3_000))
            wait_until(lambda: gateway.list_recipients() == ["8613900000001"], "it is held")
            wait_until(lambda: not gateway.list_recipients(), "and ends")
            wait_until(lambda: bool(late()), "the metric says that it was not told")
            assert world.committed() == 0, "a successor would tell it"
        wait_until(lambda: world.committed() == 1, "it is told", pause_s=0.2)
    assert world.acks(1)[0].state == "applied"


@pytest.mark.kafka
@pytest.mark.parametrize("role", ["throttle", "override"])
def test_a_topic_that_was_made_anew_ends_the_adapter_and_its_successor_obeys_it(
    kafka: Broker, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    """It went on at an offset that the topic had yet to reach, and obeyed nobody."""
    monkeypatch.setattr(read_module, "PLACE_S", 0.2)
    with redis_server(tmp_path / "redis") as server, closing(redis_client(server)) as keys:
        world = World(kafka, server, unique, partitions=1)
        adapter, stop = world.made(Metrics("adapter")), threading.Event()
        with closing(world.producer), ThreadPoolExecutor() as pool:
            ended = pool.submit(adapter.run, stop)
            try:
                leases = [action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 20)]
                times = {"issued_at_ms": now_ms(), "expires_at_ms": now_ms() + 600_000}
                world.say(*leases)
                world.say(*(override("exempt", f"861380000{n:04}", **times) for n in range(19)))
                wait_until(lambda: len(throttled(keys)) == 19, "all are held")
                wait_until(lambda: world.committed() == 19, "it is committed", pause_s=0.2)
                if role == "throttle":
                    values = [encode_action(action("8613700000000", 99, at_ms=now_ms()))]
                else:
                    values = [encode_override(override("release", "8613900000001", **times))]
                remade(world.clients, getattr(world.topics, role), *values)
                with pytest.raises(UnavailableError, match=f"{unique}.{role} was created again"):
                    ended.result(END_S)
            finally:
                stop.set()
        with world.adapter():
            if role == "throttle":
                wait_until(lambda: "8613700000000" in throttled(keys), "the new lease is held")
            else:
                wait_until(lambda: "8613900000001" not in throttled(keys), "it is released")


@pytest.mark.kafka
def test_what_was_committed_of_a_topic_that_is_gone_leaves_nothing_untold(
    kafka: Broker, tmp_path: Path, unique: str
) -> None:
    with redis_server(tmp_path / "redis") as server:
        world = World(kafka, server, unique, partitions=1)
        with closing(world.producer):
            world.say(*(action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 4)))
            with closing(world.group()) as consumer:
                gone = {TopicPartition(world.topics.throttle, 0): OffsetAndMetadata(20, "", -1)}
                consumer.commit(gone)
            with world.adapter():
                assert {ack.action_id[-1] for ack in world.acks(3)} == {"1", "2", "3"}
                wait_until(lambda: world.committed() == 3, "it is committed", pause_s=0.2)


def test_a_restart_rebuilds_the_keys_from_the_topics_and_tells_nobody_twice(
    world: World, keys: redis.Redis
) -> None:
    leases = [action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 200)]
    with world.adapter():
        world.say(*leases)
        wait_until(lambda: len(throttled(keys)) == 199, "all keys are there")
        assert len(world.acks(199)) == 199
        wait_until(lambda: world.committed() == 199, "the adapter has committed", pause_s=0.2)
    keys.flushall()
    keys.set("otpguard:throttle:8613911111111", "{}")  # of somebody's experiment
    world.say(
        override("exempt", "8613900000005", issued_at_ms=now_ms(), expires_at_ms=now_ms() + 600_000)
    )
    with world.adapter():
        expected = {lease.recipient for lease in leases} - {"8613900000005"}
        wait_until(lambda: throttled(keys) == expected, "the keys equal the topics")
        acks = world.acks(200)
    assert len({ack.action_id for ack in acks}) == len(acks) == 200
    assert acks[-1].why == "exempt by noc: ticket 7"


def test_a_restart_in_the_middle_of_a_campaign_releases_nobody(
    broker: Broker, tmp_path: Path, unique: str
) -> None:
    """5,000 recipients in 6 minutes, near the rail, and renewals of the first: 32 partitions."""
    with redis_server(tmp_path / "redis") as server, closing(redis_client(server)) as keys:
        world = World(broker, server, unique, partitions=32)
        began = now_ms() - 370_000
        leases = [
            action(f"86139{n:08}", n, at_ms=began + n * 72, lease_ms=600_000)
            for n in range(1, 5_000)
        ]
        leases += [
            action(f"86139{n:08}", 5_000 + n, at_ms=began + 300_000 + n * 72, lease_ms=600_000)
            for n in range(1, 900)
        ]
        params = RailParams(new_per_minute=900, recipients_max=20_000)
        everybody = {f"86139{n:08}" for n in range(1, 5_000)}
        with closing(world.producer):
            world.say(*leases)
            for _ in range(2):  # its first start, and one in the middle of it all
                with world.adapter(params=params) as metrics:
                    wait_until(lambda: len(throttled(keys)) >= 4_000, "most are held")
                    wait_until(lambda: throttled(keys) == everybody, "all are held")
                    assert metrics.registry.get_sample_value("otpguard_rails_open") == 0
        rails = [ack.why for ack in world.acks(len(leases)) if ack.why.startswith("rail")]
        assert rails == []


@pytest.mark.kafka
def test_an_older_lease_that_is_written_last_does_not_outlive_its_release_by_compaction(
    kafka: Broker, unique: str
) -> None:
    """`bare` shows what happens on a topic of compaction alone, and that the cleaner ran."""
    (throttle,) = [each for each in topics(Settings()) if each.role == "throttle"]
    quick = {
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
    }
    shapes = {
        "shipped": quick | throttle.configs | {"max.compaction.lag.ms": str(3 * 3_600_000)},
        "bare": quick | {"cleanup.policy": "compact"},
    }
    settings = Kafka(bootstrap=kafka.bootstrap)
    names = {each: f"{unique}.{each}" for each in shapes}
    with Cluster(settings) as cluster:
        for each, configs in shapes.items():
            cluster.create(names[each], 1, 1, configs)
    lease, release = action(revision=5, at_ms=now_ms()), action(revision=9, verb="release")
    with closing(KafkaProducer(**client_arguments(settings), acks="all")) as producer:

        def write(key: str, value: bytes) -> None:
            for name in names.values():
                producer.send(name, value, key=key.encode()).get(timeout=END_S)
            time.sleep(0.2)  # the next comes into a segment of its own

        for said in (lease, release, lease):  # the last by a zombie
            write(RECIPIENT, encode_action(said))

        def left(name: str) -> list[int]:
            write("8613900000009", encode_action(action("8613900000009", at_ms=now_ms())))
            found = readable(records(client_arguments(settings), name), decode_action)
            return [each.revision for each in found if each.recipient == RECIPIENT]

        wait_until(lambda: left(names["bare"]) == [5], "the cleaner ran")
        revisions = {each: left(name) for each, name in names.items()}
    for kind, found in revisions.items():
        book = DesiredState(RailParams())
        for revision in found:
            take_action(book, lease if revision == 5 else release, now_ms())
        stands = isinstance(desired_lease(book, RECIPIENT, now_ms()), Lease)
        assert stands == (kind == "bare"), found


def test_the_operators_word_is_read_whole_before_the_first_order(
    world: World, keys: redis.Redis
) -> None:
    world.say(
        *(action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 2_000)),
        *(
            override("exempt", f"861390000{n:04}", issued_at_ms=now_ms(), expires_at_ms=None)
            for n in range(1, 1_999)
        ),
    )
    seen = set()
    with world.adapter(params=RailParams(new_per_minute=5_000)):
        while (now := throttled(keys)) != {"8613900001999"}:
            seen |= now
            assert len(seen) <= 1
    assert seen <= {"8613900001999"}


def test_the_operators_word_takes_effect_in_two_adapters(
    world: World, keys: redis.Redis, tmp_path: Path
) -> None:
    with (
        redis_server(tmp_path / "second") as server,
        closing(redis_client(server)) as others,
        world.adapter("redis-1"),
        world.beside(server).adapter("redis-2"),
    ):
        world.say(*(action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 100)))
        wait_until(lambda: len(throttled(keys)) == len(throttled(others)) == 99, "held")
        world.say(
            override(
                "release",
                "8613900000001",
                issued_at_ms=now_ms(),
                expires_at_ms=now_ms() + 600_000,
            )
        )
        for each in (keys, others):
            wait_until(lambda: "8613900000001" not in throttled(each), "released")  # noqa: B023
        world.say(override("mode", EVERYONE, mode="off", issued_at_ms=now_ms(), expires_at_ms=None))
        for each in (keys, others):
            wait_until(lambda: not throttled(each), "all released")  # noqa: B023


def test_a_word_that_only_ends_another_is_no_second_false_alarm(world: World) -> None:
    at_ms = now_ms()
    times = {"issued_at_ms": at_ms, "expires_at_ms": at_ms + 600_000}
    with world.adapter() as metrics:
        world.say(
            override("release", "8613900000001", **times),
            override("release", "8613900000001", issued_at_ms=at_ms + 1, expires_at_ms=at_ms + 1),
            override("exempt", "8613900000002", **times),
        )
        name = "otpguard_false_alarm_signals_total"
        counted = metrics.registry.get_sample_value
        wait_until(lambda: counted(name, {"kind": "exempt"}) == 1, "all are read")
        assert counted(name, {"kind": "release"}) == 1


def test_poison_on_every_topic_stops_neither_an_adapter_nor_its_kill_switch(
    world: World, keys: redis.Redis
) -> None:
    chance = random.Random(1)
    whole = {
        world.topics.throttle: encode_action(action(at_ms=now_ms())),
        world.topics.override: encode_override(override("exempt")),
        world.topics.everyone: encode_override(override("mode", EVERYONE, mode="enforce")),
    }
    poison = {name: [mutated(value, chance) for _ in range(200)] for name, value in whole.items()}
    for name, values in poison.items():
        values += [b"\xff", b"[" * 100_000, whole[name].replace(b'"reason":"', b'"reason":"\xff')]
        values += [b'{"schema_version":1,"x":' + b"[" * 100_000, b'{"schema_version":1}']
        # only what is no record may come: a mutation that is still one would be obeyed
        decode = decode_action if name == world.topics.throttle else decode_override
        poison[name] = [value for value in values if unreadable(decode, value)]
    with world.adapter() as metrics:
        for name, values in poison.items():
            for value in values:
                world.producer.send(name, value, key=RECIPIENT.encode())
        world.say(action("8613900000002", 2, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000002"}, "the key is there")

        def refused() -> float:
            sample = metrics.registry.get_sample_value
            counts = (
                sample("otpguard_records_refused_total", {"kind": kind})
                for kind in ("bad", "newer")
            )
            return sum(count or 0 for count in counts)

        told = sum(map(len, poison.values()))
        wait_until(lambda: refused() == told, "every record that is none is counted")
    with world.adapter():  # the poison is read again from the start
        assert throttled(keys) == {"8613900000002"}
        world.say(override("mode", EVERYONE, mode="off", issued_at_ms=now_ms(), expires_at_ms=None))
        wait_until(lambda: not throttled(keys), "the switch is obeyed")


def unreadable(decode: Callable[[bytes], object], value: bytes) -> bool:
    try:
        decode(value)
    except UnreadableError:
        return True
    return False


def test_both_kinds_of_lease_and_their_windows_reach_the_gateway_and_a_restart_finds_them(
    world: World, keys: redis.Redis
) -> None:
    at_ms, window = now_ms(), AgainWindow(7, 1, 2, hot=False)
    narrow = replace(action(verb="throttle_platforms", at_ms=at_ms), refused_ids=(7,))
    full = action(revision=2, at_ms=at_ms)
    windows = replace(full, verb="retry_windows", revision=3, again=(window,))

    def held() -> dict[str, Any]:
        value = keys.get(f"otpguard:throttle:{RECIPIENT}")
        return json.loads(value) if value else {}

    with world.adapter():
        world.say(narrow)
        wait_until(lambda: held().get("v") == 2, "the platform lease is there alone")
        assert held()["refused"] == [7]
        world.say(windows, full)
        wait_until(lambda: "again" in held(), "both are there, with windows")
        assert (held()["v"], held()["refused"], held()["action"]) == (1, [7], full.action_id)
    keys.delete(f"otpguard:throttle:{RECIPIENT}")
    with world.adapter():
        wait_until(lambda: "again" in held(), "a restart writes the same again")
        assert (held()["v"], held()["refused"], held()["action"]) == (1, [7], full.action_id)
        world.say(action(revision=9, verb="release", at_ms=now_ms()))
        wait_until(lambda: held().get("v") == 2, "the platform lease goes on")


def test_records_that_cannot_be_read_are_counted_and_cost_nobody_else(
    world: World, keys: redis.Redis
) -> None:
    newer = encode_action(action(at_ms=now_ms())).replace(
        b'"schema_version":1', b'"schema_version":3'
    )
    with world.adapter() as metrics:
        for value in (b"nonsense", newer, b"{}"):
            world.producer.send(world.topics.throttle, value, key=b"8613900000001")
        world.producer.send(world.topics.override, b'{"schema_version":9}', key=b"x")
        # who may write about one recipient may not switch everything off
        off = override("mode", EVERYONE, mode="off", issued_at_ms=now_ms(), expires_at_ms=None)
        world.producer.send(world.topics.override, encode_override(off), key=override_key(off))
        world.say(action("8613900000001", 2, at_ms=now_ms()))
        wait_until(lambda: throttled(keys) == {"8613900000001"}, "the key is there")
        sample = metrics.registry.get_sample_value
        for kind, count in (("newer", 2.0), ("bad", 3.0)):
            wait_until(
                lambda: sample("otpguard_records_refused_total", {"kind": kind}) == count,  # noqa: B023
                f"{kind} ones are counted",
            )
