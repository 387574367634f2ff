"""Acknowledgements become figures of the worker that made the action, and of no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from streams.cluster.admin import Cluster, client_arguments
from streams.common.errors import UnavailableError
from streams.config import Kafka
from streams.engine.worker import acks
from streams.engine.worker.acks import GRACE_MS, LINGER_MS, OPEN_MAX, Acknowledgements
from streams.telemetry.metrics import Metrics
from streams.wire import Ack, AckState, encode_ack
from tests.enforce.records import LEASE_MS, START_MS, action
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

INPUT = "sms.delivery.v1"


class Follower:
    """Acknowledgements of one worker on a clock of the test's."""

    def __init__(self, *owned: int) -> None:
        self.now_ms = START_MS
        self.owned = frozenset(owned)
        self.metrics = Metrics()
        self.acks = Acknowledgements(self.metrics, INPUT, 1, self, lambda: self.now_ms)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"otpguard_{name}", labels)

    def take(self, number: int, state: AckState = "applied", **more: Any) -> None:
        self.acks.take(ack(number, state, **more))


def ack(number: int, state: AckState = "applied", partition: int = 0, **more: Any) -> Ack:
    said: dict[str, Any] = {"gateway_id": "jasmin-1", "why": "", "at_ms": START_MS + 250, **more}
    return Ack(action_id=f"1:{INPUT}:{partition}:{number}", state=state, **said)


def test_what_is_no_acknowledgement_is_counted_and_costs_the_others_nothing() -> None:
    worker = Follower(0)
    worker.acks.expect(0, [action("1", 1)])
    bad = (b'{"schema_version":1,"why":"\xff"}', b"[" * 100_000, b'{"schema_version":9}', b"\xff")
    for offset, value in enumerate((*bad, encode_ack(ack(1)))):
        worker.acks.read(ConsumerRecord("acks", 0, 0, offset, 0, 0, None, value, [], 0, 0, 0, 0))
    assert worker.value("records_refused_total", kind="bad") == 3
    assert worker.value("records_refused_total", kind="newer") == 1
    assert worker.value("acks_total", state="applied") == 1


def test_an_action_is_open_until_an_adapter_says_anything_of_it() -> None:
    worker = Follower(0)
    worker.acks.expect(0, [action("1", 1), action("2", 2), action("3", 3)])
    assert worker.value("actions_unacknowledged") == 0  # adapters have not had the time
    worker.now_ms += GRACE_MS
    assert worker.value("actions_unacknowledged") == 3
    worker.take(1)
    worker.take(2, "ignored")
    assert worker.value("actions_unacknowledged") == 1
    worker.now_ms = START_MS + LEASE_MS + LINGER_MS
    assert worker.value("actions_unacknowledged") == 0
    assert len(worker.acks) == 0


def test_nobody_has_to_acknowledge_what_nobody_has_to_obey() -> None:
    worker = Follower(0)
    worker.acks.expect(0, [action("1", 1, mode="shadow"), action("2", 2, verb="release")])
    worker.now_ms += GRACE_MS
    assert worker.value("actions_unacknowledged") == 0


def test_each_gateways_word_counts_once_with_its_delay() -> None:
    worker = Follower(0)
    worker.acks.expect(0, [action("1", 1)])
    worker.take(1)
    worker.take(1)  # an adapter that was killed before it committed
    worker.take(1, gateway_id="jasmin-2", at_ms=START_MS + 750)
    worker.take(1, "expired", refused_count=17)
    worker.take(7, "expired", refused_count=2)  # made by a worker that is gone
    assert worker.value("acks_total", state="applied") == 2
    assert worker.value("acks_total", state="expired") == 2
    assert worker.value("action_apply_seconds_count") == 2
    assert worker.value("action_apply_seconds_sum") == 1.0
    assert worker.value("refused_total") == 19


def test_over_all_workers_each_acknowledgement_counts_once() -> None:
    workers = [Follower(0, 2), Follower(1, 3), Follower()]
    for number in range(40):
        for worker in workers:
            worker.take(number, partition=number % 4)
    for strange in ("override-7", "override-all-7", f"2:{INPUT}:0:1", f"1:{INPUT}:x:1", "1:y:0:1"):
        for worker in workers:
            worker.acks.take(Ack(action_id=strange, gateway_id="g", state="applied", why="",
                                 at_ms=START_MS))  # fmt: skip
    counts = [worker.value("acks_total", state="applied") for worker in workers]
    assert counts == [20, 20, 0]


def test_actions_of_a_partition_that_went_away_are_its_next_owners() -> None:
    worker = Follower(0, 1)
    worker.acks.expect(0, [action("1", 1)])
    worker.acks.expect(1, [action("2", 2)])
    worker.now_ms += GRACE_MS
    worker.owned -= {1}
    assert worker.value("actions_unacknowledged") == 1
    assert len(worker.acks) == 1


def test_open_actions_have_a_bound() -> None:
    worker = Follower(0)
    worker.acks.expect(0, [action(str(n), n) for n in range(OPEN_MAX + 10)])
    assert len(worker.acks) == OPEN_MAX


@pytest.mark.broker
def test_a_topic_that_cannot_be_read_is_tried_again_and_bad_records_cost_only_themselves(
    broker: Broker, unique: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acks, "PAUSE_S", 0.2)
    kafka, worker, stop = Kafka(bootstrap=broker.bootstrap), Follower(0), threading.Event()
    thread = threading.Thread(target=acks.follow, args=(worker.acks, kafka, unique, stop))
    thread.start()
    try:
        wait_until(lambda: "acknowledgements are not counted" in caplog.text, "it complains")
        with Cluster(kafka) as cluster:
            cluster.create(unique, 2, 1, {})
        with closing(KafkaProducer(**client_arguments(kafka), acks="all")) as producer:
            for value in (b"nonsense", b'{"schema_version":9}', encode_ack(ack(1))):
                producer.send(unique, value, partition=0)
            producer.send(unique, encode_ack(ack(2)), partition=1)
            producer.flush()
        wait_until(lambda: worker.value("acks_total", state="applied") == 2, "both count")
    finally:
        stop.set()
        thread.join(END_S)
    assert not thread.is_alive()
    assert caplog.text.count("no acknowledgement at [0]") == 2
    assert caplog.text.count("acknowledgements are not counted") == 1


def test_what_is_read_again_counts_once_and_a_topic_made_anew_from_its_first_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acks, "PAUSE_S", 0.01)
    worker, stop = Follower(0), threading.Event()
    now_ms = time.time_ns() // 1_000_000

    def record(offset: int, at_ms: int, number: int) -> ConsumerRecord:
        value = encode_ack(ack(number))
        return ConsumerRecord("acks", 0, 0, offset, at_ms, 0, None, value, [], 0, 0, 0, 0)

    told = [record(n, now_ms + n, n) for n in range(5)]
    anew = [record(n, now_ms + 1_000 + n, 10 + n) for n in range(3)]
    turns = iter([told, told[2:], anew, anew[:2]])

    def read(*_: Any, **__: Any) -> Iterator[ConsumerRecord]:
        try:
            yield from next(turns)
        except StopIteration:
            stop.set()
            return
        raise UnavailableError("away")

    monkeypatch.setattr(acks, "records", read)
    monkeypatch.setattr(acks, "client_arguments", lambda _kafka: {})
    acks.follow(worker.acks, Kafka(), "acks", stop)
    assert worker.value("acks_total", state="applied") == 5 + 3
