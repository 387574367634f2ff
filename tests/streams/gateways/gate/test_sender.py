"""Events on their way to Kafka: nothing that Kafka, disk or both do makes anybody wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.gateways.gate import sender as sender_
from streams.gateways.gate.contract import QUESTION_BYTES_MAX
from streams.gateways.gate.sender import EventSender
from streams.gateways.gate.spool import Pair, Spool, TakenBatch
from streams.telemetry.metrics import Metrics
from tests.waiting import wait_until


class Broker:
    """librdkafka's producer, with a broker behind it that is up, away, or says no."""

    def __init__(self) -> None:
        self.up = True
        self.error: KafkaError | None = None
        self.full = False
        self.bytes_max = 1_000_000  # as librdkafka has it: what is larger it refuses at once
        self.room = 1 << 30  # bytes that it holds
        self.slow: set[bytes] = set()  # values that it has not answered yet
        self.taken: list[tuple[bytes, bytes]] = []
        self.waiting: deque[tuple[bytes, bytes, Any]] = deque()
        self.made = 0
        self.fatal = False  # the producer is at its end
        self.told_fatal: KafkaError | None = None  # what `poll` raises, once
        self.purged: deque[Any] = deque()

    def end(self, code: int) -> None:
        """Bring the producer to its end, as librdkafka 2.12 does: the cause is raised by `poll`."""
        self.fatal, self.told_fatal = True, KafkaError(code, "made up", fatal=True)

    def __call__(self, arguments: dict[str, Any], **more: Any) -> Broker:
        assert arguments["partitioner"] == "murmur2_random"
        assert arguments["enable.idempotence"]
        assert not self.waiting, "reports of the one before are all there"
        self.made += 1
        self.fatal = False
        return self

    def __len__(self) -> int:
        return len(self.waiting) + len(self.purged)

    def purge(self, **_: bool) -> None:
        self.purged.extend(told for _, _, told in self.waiting)
        self.waiting.clear()

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Any = None) -> None:
        assert topic == "input"
        if self.full or sum(len(each) for _, each, _ in self.waiting) + len(value) > self.room:
            raise BufferError
        if self.fatal:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        if len(value) > self.bytes_max:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        self.waiting.append((key, value, on_delivery))

    def poll(self, timeout_s: float) -> int:
        if self.told_fatal is not None:
            error, self.told_fatal = self.told_fatal, None
            raise KafkaException(error)
        while self.purged:
            self.purged.popleft()(KafkaError(KafkaError._PURGE_QUEUE), None)
        if not (self.up and self.waiting):
            time.sleep(min(timeout_s, 0.002))
            return 0
        for _ in range(len(self.waiting)):
            key, value, told = self.waiting.popleft()
            if value in self.slow:
                self.waiting.append((key, value, told))
                continue
            if self.error is None:
                self.taken.append((key, value))
            if told is not None:
                told(self.error, None)
        return 1


class Bench:
    def __init__(self, folder: Path, broker: Broker, **limits: Any) -> None:
        self.metrics = Metrics("gate")
        told = {
            "bytes_max": 1 << 26,
            "age_max_ms": 3_600_000,
            "queue_max": 50_000,
            "queue_bytes_max": 1 << 25,
            **limits,
        }
        bounds = told.pop("queue_max"), told.pop("queue_bytes_max")
        self.spool = Spool(folder, **told)
        self.sender = EventSender({}, "input", self.spool, self.metrics, *bounds)
        self.broker = broker

    def put(self, count: int, first: int = 0) -> None:
        for n in range(first, first + count):
            self.sender.put(b"k", b"%d" % n)

    def outcomes(self) -> dict[str, float]:
        name = "gate_events_total"
        sample = self.metrics.registry.get_sample_value
        found = {
            each: sample(f"otpguard_{name}", {"outcome": each}) or 0.0 for each in all_outcomes()
        }
        return {each: count for each, count in found.items() if count}

    def gauge(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"otpguard_{name}") or 0.0


def all_outcomes() -> tuple[str, ...]:
    from streams.telemetry.metrics import GATE_OUTCOMES

    return GATE_OUTCOMES


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(sender_, "Producer", made)
    monkeypatch.setattr(sender_, "PAUSE_S", 0.02)
    monkeypatch.setattr(sender_, "RENEW_S", 0.02)
    monkeypatch.setattr(sender_, "TRIM_S", 0.02)
    return made


@pytest.fixture
def start(tmp_path: Path, broker: Broker) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def begin(**limits: Any) -> Bench:
        bench = Bench(tmp_path / "spool", broker, **limits)
        bench.sender.start()
        made.append(bench)
        return bench

    yield begin
    for bench in made:
        broker.up, broker.full = True, False
        bench.sender.close()


def values(broker: Broker) -> list[int]:
    return [int(value) for _, value in broker.taken]


def test_events_reach_kafka_in_order_and_leave_nothing_on_disk(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path
) -> None:
    bench = start()
    bench.put(1_000)
    wait_until(lambda: len(broker.taken) == 1_000, "all are taken")
    assert values(broker) == list(range(1_000))
    bench.sender.close()
    assert not list(tmp_path.rglob("*.events"))
    assert bench.outcomes() == {"published": 1_000}


def test_while_kafka_is_away_events_wait_on_disk_and_come_in_order(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "IN_FLIGHT_MAX", 100)
    monkeypatch.setattr(sender_, "BATCH_MAX", 60)
    bench = start()
    broker.up = False
    bench.put(5_000)
    wait_until(lambda: bench.gauge("gate_spool_events") == 5_000, "all are on disk")
    assert 100 <= len(broker.waiting) <= 160
    broker.up = True
    wait_until(lambda: len(broker.taken) == 5_000, "all are taken")
    assert values(broker) == list(range(5_000))


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


LARGE = 4_000  # octets of an event


def test_of_large_events_no_more_are_in_memory_than_their_octets_allow(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "BATCH_BYTES_MAX", 3 * LARGE)
    bench = start()
    broker.up, broker.room = False, 10 * LARGE
    for n in range(100):
        bench.sender.put(b"k", b"%0*d" % (LARGE, n))
    wait_until(lambda: bench.gauge("gate_spool_events") == 100, "all are on disk")
    wait_until(lambda: len(broker.waiting) == 10, "as many as there is room for are handed over")
    assert len(bench.sender._again) <= 3
    broker.error = KafkaError(KafkaError._MSG_TIMED_OUT)
    broker.up = True
    wait_until(lambda: len(bench.sender._again) > 3, "they come back")
    broker.error = None
    wait_until(lambda: len(broker.taken) == 100, "all are taken")
    assert sorted(values(broker)) == list(range(100))


def test_librdkafka_has_room_for_what_may_be_in_flight() -> None:
    arguments = sender_._ARGUMENTS
    assert arguments["queue.buffering.max.messages"] > sender_.IN_FLIGHT_MAX + sender_.BATCH_MAX
    octets = arguments["queue.buffering.max.kbytes"] << 10
    assert octets >= sender_.BATCH_BYTES_MAX + 4 * QUESTION_BYTES_MAX  # an event as large as can be
    assert octets <= 128 << 20


def test_of_large_events_no_more_wait_past_the_disk_than_their_octets_allow(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "append", no_room)
    monkeypatch.setattr(sender_, "PAUSE_S", 3_600.0)  # the test says when to send again
    bench = start(queue_bytes_max=10 * (LARGE + 1))
    broker.up, broker.room = False, 0
    wait_until(lambda: broker.made == 1, "there is a producer")
    bench.sender.put(b"k", b"%0*d" % (LARGE, 0))
    wait_until(lambda: not bench.sender._disk, "the disk fails")
    for n in range(1, 100):
        bench.sender.put(b"k", b"%0*d" % (LARGE, n))
    assert bench.outcomes() == {"disk_failed": 90}, "the others are lost, and counted"
    bench.sender._pause_until = 0.0
    wait_until(lambda: bench.sender._pause_until > 0, "librdkafka has no room again")
    broker.up, broker.room = True, 1 << 30
    bench.sender._pause_until = 0.0
    wait_until(lambda: len(broker.taken) == 10, "those in the queue are published")
    wait_until(lambda: bench.outcomes() == {"disk_failed": 90, "bypassed": 10}, "and counted")


def test_what_kafka_gives_back_while_the_disk_fails_is_bounded_too(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "append", no_room)
    bench = start(queue_max=10)
    broker.up, broker.error = False, KafkaError(KafkaError._MSG_TIMED_OUT)
    for n in range(10):
        bench.put(10, 10 * n)
        wait_until(lambda: len(broker.waiting) == 10 * n + 10, "all are handed over")  # noqa: B023
    broker.up = True
    wait_until(lambda: bench.outcomes() == {"disk_failed": 90}, "the others are lost, and counted")
    broker.error = None
    wait_until(lambda: len(broker.taken) == 10, "those that are left are published")


def test_what_kafka_refuses_for_now_is_tried_again_and_for_good_is_counted(
    start: Callable[..., Bench], broker: Broker
) -> None:
    bench = start()
    broker.error = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    bench.put(10)
    time.sleep(0.2)
    assert bench.outcomes() == {}
    broker.error = None
    wait_until(lambda: len(broker.taken) == 10, "all are taken")
    broker.error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    bench.put(3)
    wait_until(lambda: bench.outcomes().get("refused") == 3, "they are given up")
    assert bench.outcomes() == {"published": 10, "refused": 3}


def test_what_a_process_that_was_killed_left_is_sent_by_the_next(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path
) -> None:
    dead = Spool(tmp_path / "spool", 1 << 26, 3_600_000)
    (tmp_path / "spool").mkdir()
    dead.append([(b"k", b"%d" % n) for n in range(5)], time.time_ns() // 1_000_000)
    dead.close()
    bench = start()
    bench.put(5, 5)
    wait_until(lambda: len(broker.taken) == 10, "all are taken")
    assert values(broker) == list(range(10))


def test_what_the_disk_does_not_give_back_is_lost_and_counted(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path
) -> None:
    dead = Spool(tmp_path / "spool", 1 << 26, 3_600_000)
    for n in range(3):
        values_ = range(1_000 * n, 1_000 * n + 1_000)
        dead.append([(b"k", b"value %d" % each) for each in values_], time.time_ns() // 1_000_000)
    dead.close()
    [file] = tmp_path.rglob("*.events")
    file.write_bytes(file.read_bytes().replace(b"value 1500", b"value 1501"))
    bench = start()
    wait_until(lambda: sum(bench.outcomes().values()) == 3_000, "each is accounted for")
    assert bench.outcomes() == {"published": 2_000, "disk_failed": 1_000}
    assert [int(value[6:]) for _, value in broker.taken] == [*range(1_000), *range(2_000, 3_000)]


def test_a_disk_that_takes_nothing_is_passed_by(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", full)
        bench.put(100)
        wait_until(lambda: len(broker.taken) == 100, "all are taken")
        assert bench.gauge("gate_spool_up") == 0
    bench.put(100, 100)
    wait_until(lambda: len(broker.taken) == 200, "all are taken")
    wait_until(lambda: bench.gauge("gate_spool_up") == 1, "the disk is in use again")


def test_a_disk_that_is_well_again_shows_without_an_event(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "ADOPT_S", 0.1)
    folder = tmp_path / "spool"
    folder.write_text("no folder can be here")
    bench = start()
    wait_until(lambda: bench.gauge("gate_spool_up") == 0, "it shows before an event")
    bench.put(100)
    wait_until(lambda: len(broker.taken) == 100, "all are taken")
    assert bench.gauge("gate_spool_up") == 0
    folder.unlink()
    wait_until(lambda: bench.gauge("gate_spool_up") == 1, "the disk is in use again")
    # The disk is probed every tenth of a second here, so a probe's file may be seen.
    wait_until(lambda: not any(map(Path.is_file, folder.iterdir())), "a probe leaves nothing")


def test_with_neither_disk_nor_kafka_events_are_lost_and_counted(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "IN_FLIGHT_MAX", 50)
    monkeypatch.setattr(sender_, "BATCH_MAX", 50)
    bench = start(queue_max=50)
    broker.up, broker.room = False, 300

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    bench.put(1)
    wait_until(lambda: not bench.sender._disk, "the disk fails")
    bench.put(999, 1)
    assert bench.outcomes().get("disk_failed", 0) > 0, "some are lost"
    broker.up = True
    wait_until(lambda: sum(bench.outcomes().values()) == 1_000, "each is published or counted")


@contextmanager
def hanging_disk() -> Iterator[tuple[threading.Event, threading.Event]]:
    """A disk whose writes wait: the event that one does, and the one that lets all go on."""
    hangs, go_on = threading.Event(), threading.Event()
    real = Spool.append

    def slow(self: Spool, *arguments: Any) -> Any:
        hangs.set()
        go_on.wait(60)
        return real(self, *arguments)

    with patch.object(Spool, "append", slow):
        yield hangs, go_on


def test_a_disk_that_hangs_makes_nobody_wait_and_events_go_past_it(
    start: Callable[..., Bench], broker: Broker
) -> None:
    bench = start(queue_max=1_000)
    with hanging_disk() as (hangs, go_on):
        bench.put(1)
        assert hangs.wait(60)
        bench.put(3_000, 1)  # while the disk hangs: this comes back
        assert len(broker.waiting) == 2_000
        broker.full = True
        bench.put(10, 3_001)
        assert bench.outcomes() == {"queue_full": 10}
        broker.full, broker.bytes_max = False, 3
        bench.put(1, 3_001)
        assert bench.outcomes() == {"queue_full": 10, "refused": 1}
        broker.bytes_max = 1_000_000
        go_on.set()
        wait_until(lambda: len(broker.taken) == 3_001, "all the others are taken")
        assert sorted(values(broker)) == list(range(3_001))
        wait_until(lambda: sum(bench.outcomes().values()) == 3_012, "each is told of")
        told = {"published": 1_001, "bypassed": 2_000, "queue_full": 10, "refused": 1}
        assert bench.outcomes() == told


def test_what_is_not_sent_at_the_end_stays_for_the_next(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "FLUSH_S", 0.1)
    bench = start()
    broker.up = False
    bench.put(20)
    bench.sender.close()
    broker.waiting.clear()  # they died with the process
    broker.up = True
    start()
    wait_until(lambda: len(broker.taken) == 20, "all are taken")
    assert values(broker) == list(range(20))


def test_too_many_are_given_up_the_oldest_first_and_counted(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "IN_FLIGHT_MAX", 10)
    monkeypatch.setattr(sender_, "BATCH_MAX", 50)
    bench = start(bytes_max=10_000)
    broker.up = False
    bench.put(5_000)
    wait_until(lambda: bench.outcomes().get("spool_full", 0) > 0, "some are given up")
    wait_until(lambda: bench.gauge("gate_queue_events") == 0, "all are on disk")
    broker.up = True
    wait_until(lambda: sum(bench.outcomes().values()) == 5_000, "each is told of")
    assert values(broker)[-1] == 4_999


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_set_right_makes_nothing_that_waits_old(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    broker.up = False
    bench = start()
    bench.put(10)
    wait_until(lambda: bench.gauge("gate_spool_events") == 10, "they are on disk")
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + hours * 3_600 * 10**9)
    bench.put(10, 10)
    wait_until(lambda: bench.gauge("gate_spool_events") == 20, "all are on disk")
    broker.up = True
    wait_until(lambda: len(broker.taken) == 20, "all are published")
    wait_until(lambda: bench.gauge("gate_spool_events") == 0, "none is left")
    assert bench.outcomes() == {"published": 20}


def test_the_queue_holds_so_many_octets_too_whatever_number_of_events_that_is(
    start: Callable[..., Bench], broker: Broker
) -> None:
    bench = start(queue_bytes_max=1_000_000)
    with hanging_disk() as (hangs, go_on):
        for n in range(12):
            bench.sender.put(b"key", b"%0131072d" % n)
            assert n or hangs.wait(60)
        assert bench.gauge("gate_queue_events") == 6, "and the one that hangs are 917,525 octets"
        assert len(broker.waiting) == 5
        bench.sender.put(b"key", b"small")
        assert bench.gauge("gate_queue_events") == 7, "which there is room for"
        broker.error, broker.up = KafkaError(KafkaError._MSG_TIMED_OUT), True
        go_on.set()
        wait_until(lambda: not bench.sender._in_producer(), "what went past comes back")
    broker.error = None
    wait_until(lambda: bench.outcomes() == {"published": 13}, "each is published")
    assert bench.sender._bytes_put == bench.sender._bytes_left, "and the queue is empty again"


@pytest.fixture
def past_the_queue(start: Callable[..., Bench], broker: Broker) -> Callable[[], Bench]:
    """Ten events in the queue of a sender that comes back to them, and five that went past it."""

    def begin() -> Bench:
        bench = start(queue_max=9)
        with hanging_disk() as (hangs, go_on):
            bench.put(1)
            assert hangs.wait(60)
            bench.put(14, 1)
            assert len(broker.waiting) == 5
            broker.up = False
            go_on.set()
            wait_until(lambda: bench.gauge("gate_queue_events") == 0, "the disk answers again")
        return bench

    return begin


def test_what_went_past_the_queue_and_kafka_did_not_take_in_time_is_kept_and_sent_again(
    past_the_queue: Callable[[], Bench], broker: Broker
) -> None:
    bench = past_the_queue()
    wait_until(lambda: len(broker.waiting) == 15, "all are handed over")
    broker.error = KafkaError(KafkaError._MSG_TIMED_OUT)
    broker.up = True
    wait_until(lambda: not bench.sender._in_producer(), "all wait on disk")
    wait_until(lambda: bench.gauge("gate_spool_events") == 15, "and are told of once each")
    assert bench.outcomes() == {}
    broker.error = None
    wait_until(lambda: bench.outcomes() == {"published": 15}, "each is published")
    assert sorted(values(broker)) == list(range(15))


def test_what_went_past_the_queue_and_is_too_large_for_the_topic_is_refused(
    past_the_queue: Callable[[], Bench], broker: Broker
) -> None:
    bench = past_the_queue()
    broker.error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    broker.up = True
    wait_until(lambda: bench.outcomes() == {"refused": 15}, "each is refused")


def test_the_end_waits_for_what_went_past_the_queue_and_counts_what_is_on_no_disk(
    past_the_queue: Callable[[], Bench],
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sender_, "FLUSH_S", 0.2)
    caplog.set_level("INFO")
    bench = past_the_queue()
    bench.sender.close()
    assert bench.outcomes() == {"disk_failed": 5}
    assert "events are left to the next: 10" in caplog.messages


def test_the_end_waits_for_what_went_past_the_queue(
    past_the_queue: Callable[[], Bench], broker: Broker
) -> None:
    bench = past_the_queue()
    broker.slow = {b"%d" % n for n in range(10, 15)}
    broker.up = True
    wait_until(lambda: bench.outcomes() == {"published": 10}, "the others are published")
    threading.Timer(0.2, broker.slow.clear).start()
    bench.sender.close()
    assert bench.outcomes() == {"published": 10, "bypassed": 5}


def test_what_is_on_no_disk_and_in_flight_at_the_end_is_lost_and_counted(
    start: Callable[..., Bench],
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sender_, "FLUSH_S", 0.2)
    caplog.set_level("INFO")
    bench = start()
    broker.up = False
    bench.put(20)
    wait_until(lambda: len(broker.waiting) == 20, "they are on disk, and handed over")
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", no_room)
        bench.put(10, 20)
        wait_until(lambda: len(broker.waiting) == 30, "those on no disk are handed over too")
        bench.sender.close()
    assert bench.outcomes() == {"disk_failed": 10}
    assert "events are left to the next: 20" in caplog.messages


def test_what_is_given_up_while_kafka_has_it_not_yet_is_lost_at_the_end_and_counted(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "FLUSH_S", 0.2)
    bench = start(age_max_ms=1_500)
    broker.up = False
    bench.put(20)
    wait_until(lambda: len(broker.waiting) == 20, "they are on disk, and handed over")
    wait_until(lambda: not bench.spool.size(), "they are too old")
    bench.sender.close()
    assert bench.outcomes() == {"disk_failed": 20}


def test_what_the_spool_gives_up_at_the_end_is_counted(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "FLUSH_S", 0.1)
    monkeypatch.setattr(sender_, "TRIM_S", 3_600)
    monkeypatch.setattr(sender_, "IN_FLIGHT_MAX", 0)
    bench = start(bytes_max=1)
    broker.up = False
    bench.put(20)
    bench.sender.close()
    assert bench.outcomes() == {"spool_full": 20}


def test_an_event_that_librdkafka_never_takes_is_counted_once_and_hides_no_other(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path
) -> None:
    bench = start()
    bench.put(5)
    bench.sender.put(b"k", b"0" * 1_000_001)
    bench.sender.put(b"k", b"0" * (5 << 20))
    bench.put(5, 5)
    wait_until(lambda: sum(bench.outcomes().values()) == 12, "each is told of")
    assert bench.outcomes() == {"published": 10, "refused": 2}
    assert values(broker) == list(range(10))
    bench.sender.close()
    assert not list(tmp_path.rglob("*.events"))


def test_what_cannot_be_read_for_now_is_published_when_it_can(
    start: Callable[..., Bench], broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = Spool(tmp_path / "spool", 1 << 26, 3_600_000)
    for n in range(2):
        numbers = range(5 * n, 5 * n + 5)
        dead.append([(b"k", b"%d" % each) for each in numbers], time.time_ns() // 1_000_000)
    dead.close()
    readable, real = threading.Event(), Spool.take

    def fails(self: Spool) -> list[tuple[TakenBatch, Pair]]:
        if broker.taken and not readable.is_set():
            raise OSError(5, "Input/output error")
        return real(self)

    monkeypatch.setattr(sender_, "IN_FLIGHT_MAX", 1)
    monkeypatch.setattr(Spool, "take", fails)
    bench = start()
    wait_until(lambda: len(broker.taken) == 5, "those before it are published")
    wait_until(lambda: bench.gauge("gate_spool_up") == 0, "it shows")
    readable.set()
    wait_until(lambda: bench.outcomes() == {"published": 10}, "all are published")
    assert values(broker) == list(range(10))


@pytest.mark.parametrize(
    "code", [KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER]
)
def test_a_producer_at_its_end_is_replaced_and_what_it_held_is_sent_by_the_next(
    start: Callable[..., Bench], broker: Broker, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start()
    bench.put(10)
    wait_until(lambda: bench.outcomes() == {"published": 10}, "the first one works")
    broker.up = False
    bench.put(20, 10)
    wait_until(lambda: len(broker.waiting) == 20, "they are on their way")
    broker.end(code)
    broker.up = True
    bench.put(20, 30)
    wait_until(lambda: bench.outcomes() == {"published": 50}, "each is published")
    assert broker.made == 2
    assert sorted(values(broker)) == list(range(50))
    wait_until(lambda: bench.gauge("gate_spool_events") == 0, "the gauges go on")
    said = [each for each in caplog.messages if "another producer" in each]
    assert said == [f"events wait for another producer: {KafkaError(code).name()}"]


def test_what_librdkafka_tells_only_when_it_takes_nothing_more_has_it_replaced(
    start: Callable[..., Bench], broker: Broker
) -> None:
    bench = start()
    wait_until(lambda: broker.made == 1, "the first one is made")
    broker.fatal = True
    bench.put(20)
    wait_until(lambda: bench.outcomes() == {"published": 20}, "each is published")
    assert broker.made == 2


def test_while_each_producer_comes_to_its_end_events_wait_on_disk_and_not_in_memory(
    start: Callable[..., Bench], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_, "RENEW_S", 60)
    monkeypatch.setattr(sender_, "BATCH_MAX", 50)
    bench = start()
    wait_until(lambda: broker.made == 1, "the first one is made")
    broker.end(KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    bench.put(1_000)
    wait_until(lambda: bench.spool.waiting() == 1_000, "all are on disk")
    wait_until(lambda: bench.gauge("gate_spool_events") == 1_000, "and are told of")
    assert len(bench.sender._again) <= 50
    assert broker.made == 1
    bench.sender.close()
    assert bench.outcomes() == {}


def test_an_error_of_any_kind_does_not_end_the_thread_and_is_told_by_its_type(
    start: Callable[..., Bench],
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench, real = start(), Broker.poll
    raised = threading.Event()

    def wrong(self: Broker, timeout_s: float) -> int:
        raised.set()
        raise ValueError("441632960042")

    with monkeypatch.context() as patch:
        patch.setattr(Broker, "poll", wrong)
        bench.put(10)
        assert raised.wait(60)
    assert Broker.poll is real
    wait_until(lambda: bench.outcomes() == {"published": 10}, "each is published")
    assert "the sender goes on after an error: ValueError" in caplog.messages
    assert "441632960042" not in caplog.text
