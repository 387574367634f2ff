"""The report on which somebody decides to enforce."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.partitioner import murmur2

from detectors.model.event import Trust, platform_id
from detectors.model.records import AgainWindow
from streams.cases.rulings import LogMessage
from streams.cases.shadow import Shadow
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import records
from streams.config import Kafka
from streams.wire import encode_action
from tests.builders.streams.cli.override import otpguard
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action
from tests.nodes import Broker
from tests.waiting import END_S

KNOWN = platform_id("sig:known")


def message(
    platform: str, at_ms: int, *, otp: bool = True, trust: Trust = Trust.NONE
) -> LogMessage:
    return LogMessage(RECIPIENT, START_MS + at_ms, 1000, otp, platform, trust)


def test_what_a_lease_refuses_is_counted_by_platform_and_what_passes_by_reason() -> None:
    shadow = Shadow.of([action(mode="shadow", pass_ids=(KNOWN,))])
    for each in (
        message("sig:a", -1),  # before the lease
        message("sig:a", 0),
        message("sig:a", 1),
        message("sig:b", 2),
        message("sig:bank", 3, trust=Trust.BANK),
        message("sig:known", 4),
        message("sig:a", 5, otp=False),
        message("sig:c", LEASE_MS),  # after it
    ):
        shadow.meet(each)
    report = shadow.report()
    assert report["messages_refused"] == 3
    assert report["recipients_refused"] == 1
    assert report["leases_by_mode"] == {"shadow": 1}
    assert report["messages_passed_under_lease"] == {"trusted": 1, "known": 1, "not_a_code": 1}
    assert report["platforms"][0] == {"platform": "sig:a", "messages": 2, "recipients": 1}
    assert report["harm_ratio"] == 0.0


def test_a_lease_told_again_is_one_and_what_it_lets_pass_is_no_refusal() -> None:
    lease = action(mode="shadow")
    opened = AgainWindow(platform_id("sig:a"), START_MS + 55_000, START_MS + 150_000, hot=False)
    told = [
        replace(
            lease,
            revision=revision,
            cause=lease.cause._replace(offset=revision, at_ms=from_ms - 55_000),
            again=(AgainWindow(platform_id(name), from_ms, from_ms + 95_000, hot=False), *before),
        )
        for revision, name, from_ms, before in (
            (2, "sig:a", START_MS + 55_000, ()),
            (3, "sig:b", START_MS + 90_000, (opened,)),
        )
    ]
    shadow = Shadow.of([lease, *told])
    for each in (message("sig:a", 0), message("sig:b", 35_000), message("sig:a", 60_000),
                 message("sig:a", 70_000), message("sig:b", 95_000)):  # fmt: skip
        shadow.meet(each)
    report = shadow.report()
    assert report["leases"] == 1
    assert report["messages_refused"] == 3
    assert report["messages_passed_under_lease"] == {"again": 2}


def test_a_platform_used_when_the_flood_is_over_was_probably_wanted() -> None:
    shadow = Shadow.of([action()])
    over_ms = 2_000_000
    for each in (
        message("sig:a", 0),
        message("sig:a", 1),
        message("sig:b", 2),
        message("sig:c", 3),
        message("sig:c", LEASE_MS + 1),  # the flood goes on
        message("sig:b", over_ms, otp=False),  # marketing is no use
        message("sig:a", over_ms),
        message("sig:d", 2 * over_ms),  # nothing is refused meanwhile
    ):
        shadow.meet(each)
    report = shadow.report()
    assert report["messages_of_platforms_used_later"] == 2
    assert report["harm_ratio"] == 2 / 4


def test_renewals_extend_and_releases_end_what_is_refused() -> None:
    renewal = action(revision=2, at_ms=START_MS + 300_000)
    release = action(revision=3, verb="release", at_ms=START_MS + 700_000)
    shadow = Shadow.of([release, action(), renewal, replace(renewal)])
    for at_ms in (LEASE_MS - 1, LEASE_MS, 699_999, 700_000, 800_000):
        shadow.meet(message(f"sig:{at_ms}", at_ms))
    report = shadow.report()
    assert report["messages_refused"] == 3
    assert report["leases"] == 2


@pytest.fixture
def producer(broker: Broker) -> Iterator[KafkaProducer]:
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    with closing(KafkaProducer(**clients, acks="all", linger_ms=20)) as made:
        yield made


@pytest.mark.broker
def test_the_command_reads_the_partitions_of_leases_from_their_first_on(
    broker: Broker, producer: KafkaProducer, tmp_path: Path, unique: str
) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap)
    names = {"input": f"{unique}.input", "throttle": f"{unique}.throttle"}
    with Cluster(kafka) as cluster:
        for name in names.values():
            cluster.create(name, 4, 1, {})
    lines = [f'kafka = {{bootstrap = "{broker.bootstrap}"}}', "[topics]"]
    lines += [f'{role} = "{name}"' for role, name in names.items()]
    (tmp_path / "otpguard.toml").write_text("\n".join(lines))
    now_ms = time.time_ns() // 1_000_000
    issued_ms = now_ms - 3_600_000
    partition = (murmur2(RECIPIENT.encode()) & 0x7FFFFFFF) % 4
    offsets = []

    def submit(recipient: str, platform: str, at_ms: int) -> None:
        value = {"schema_version": 1, "recipient": recipient, "sender": "10690000123",
                 "event_time_ms": at_ms, "message_id": str(at_ms),
                 "text": f"【{platform}】验证码583921，5分钟内有效"}  # fmt: skip
        sent = producer.send(
            names["input"], json.dumps(value).encode(), key=recipient.encode(), partition=partition
        )
        offsets.append(sent)

    for n in range(50):  # before the lease, and of somebody else
        submit(RECIPIENT, f"早先{n}", issued_ms - 60_000 + n)
        submit("8613900000002", f"别人{n}", issued_ms + n)
    crossing = len(offsets)
    for n in range(20):
        submit(RECIPIENT, f"平台{n}", issued_ms + n)
    submit(RECIPIENT, "平台3", now_ms - 60_000)
    submit("8613900000002", "平台4", now_ms)
    lease = action(revision=offsets[crossing].get(timeout=END_S).offset, at_ms=issued_ms)
    cause = lease.cause._replace(topic=names["input"], partition=partition, offset=lease.revision)
    lease = replace(lease, cause=cause)
    producer.send(names["throttle"], encode_action(lease), key=RECIPIENT.encode())
    producer.flush()

    done = otpguard(tmp_path, "shadow-report", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["leases"] == 1
    assert report["messages_refused"] == 19, "the message that caused the lease had passed"
    assert report["recipients_refused"] == 1
    assert {each["platform"] for each in report["platforms"]} == {
        f"sig:平台{n}" for n in range(1, 20)
    }

    clients = client_arguments(kafka)
    read = [each.offset for each in records(clients, names["input"], starts={partition: crossing})]
    assert read == list(range(crossing, len(offsets)))
    assert not list(records(clients, names["input"], starts={(partition + 1) % 4: 7}))
