"""Bad records on every topic, for every service that reads it: it counts them and obeys the next.

What is bad everywhere: what is no record at all, wrong types, nothing, a record of a million
bytes, and a record of a newer schema version. A tombstone is none of these.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from detectors.memory_records import time_of
from detectors.model.records import utc_ms
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.recipients.table import WORDS
from streams.config import Settings, Topics
from streams.engine.state.checkpoint import MAGIC, Manifest
from streams.telemetry.metrics import Metrics
from streams.tools.operate.memory_agent import MemoryAgent
from tests.builders.streams.bad_records import FROM_NOW, READS, SERVICES, VICTIM, refused, spoiled
from tests.builders.streams.people.notices.notifier import World
from tests.builders.streams.tools.operate.memory_file import Site, everybody, settings_of, states
from tests.detectors.stand_in import START_MS
from tests.nodes import Broker
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def newer_than(value: bytes) -> bytes:
    """The record as a program of a later major version would write it."""
    newer = value.replace(b'"schema_version":1', b'"schema_version":99')
    assert newer != value
    return newer


def test_every_topic_that_is_read_has_its_bad_records() -> None:
    written = {each for each, of in Topics.model_fields.items() if of.annotation is str}
    nobody = {"undeliverable", "dead_letters"}  # people's commands read them
    own = {"campaign", "platform"}
    assert frozenset().union(*READS.values()) | nobody | own == written


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_counts_bad_and_newer_records_and_obeys_the_next_good_one(
    service: str, kafka: Broker, unique: str, tmp_path: Path
) -> None:
    world = World(kafka, unique)
    sent = 0

    def say_bad(setting: str, key: bytes, good: bytes) -> None:
        for value in (*spoiled(good), newer_than(good)):
            world.say(getattr(world.topics, setting), key, value)
        world.say(getattr(world.topics, setting), b"0", None)

    for setting in READS[service] - FROM_NOW.get(service, frozenset()):
        say_bad(setting, b"early", b'{"schema_version":1}')
        sent += 1
    with closing(world.producer), SERVICES[service](world, tmp_path) as running:
        assert {good.topic for good in running.goods} == READS[service]
        for good in running.goods:
            say_bad(good.topic, good.key, good.value)
            world.say(getattr(world.topics, good.topic), good.key, good.value)
            wait_until(good.obeyed, f"{service} obeys {good.topic}")
            sent += 1
        kinds = len(spoiled(b"{}"))
        totals = {1: [(kinds + 1) * sent], 2: [kinds * sent, sent], 0: []}
        number = len(running.counted())
        wait_until(
            lambda: running.counted() == totals[number], f"{service} counts: {totals[number]}"
        )


def manifest_of(**header: int) -> bytes:
    epoch = Settings.model_fields["epoch"].default
    return Manifest(epoch, 10**9, header, (0, WORDS), {}).encode()


BAD_CHECKPOINTS: Mapping[str, tuple[bytes, bytes, str]] = {
    "no key": (VICTIM.encode(), b"nonsense", "bad"),
    "no manifest": (b"0|w2|manifest|0", b"nonsense", "bad"),
    "a cut manifest": (b"0|w2|manifest|0", manifest_of()[:-1], "bad"),
    "a newer manifest": (b"0|w2|manifest|0", MAGIC + b"\0\x63" + manifest_of()[10:], "newer"),
    "a newer state": (b"0|w2|manifest|0", manifest_of(format=99), "newer"),
    "no state": (b"0|w2|manifest|0", manifest_of(next_offset=0), "bad"),
    "another chunk": (b"0|w1|r0|0", VICTIM.encode(), "bad"),
}
"""Kind of damage -> key, value and label of a record in partition 0 of a changelog."""


@pytest.mark.parametrize("damage", BAD_CHECKPOINTS)
def test_the_memory_agent_counts_a_bad_checkpoint_and_goes_on_with_other_partitions(
    damage: str, kafka: Broker, unique: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there, here = Site(kafka, f"{unique}-a", 2), Site(kafka, f"{unique}-b", 2)
    saved = states(people=20)
    there.save(saved)
    key, value, kind = BAD_CHECKPOINTS[damage]
    clock = [START_MS - HOUR_MS]
    metrics = Metrics("memory")
    agent = MemoryAgent(settings_of(there, here, tmp_path), metrics, lambda: clock[0], 1e9)
    with closing(KafkaProducer(**there.clients, acks="all")) as producer:
        producer.send(there.changelog, value, key, partition=0).get(10)
        for _ in range(2):
            agent.turn(threading.Event())
            assert everybody([*here.adopted()[0].values()]) == everybody(saved[1:])
            assert refused(metrics) == [kind == "bad", kind == "newer"], "once for each checkpoint"
            clock[0] += DAY_MS
            agent.show_age()
            age_s = metrics.registry.get_sample_value("otpguard_memory_age_seconds")
            assert age_s == (clock[0] - START_MS + HOUR_MS) / 1000
        assert f"{there.changelog}[0]" in caplog.text
        assert VICTIM not in caplog.text
        producer.send(there.changelog, None, key, partition=0).get(10)
    there.save(saved)
    agent.turn(threading.Event())
    assert everybody([*here.adopted()[0].values()]) == everybody(saved)
    clock[0] += 30 * DAY_MS
    agent.show_age()
    mended_s = metrics.registry.get_sample_value("otpguard_memory_age_seconds")
    assert mended_s == (clock[0] - min(utc_ms(time_of(each)) for each in saved)) / 1000
