"""The desk's chain of the audit: never forked, whatever the broker did with the record before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from streams.cluster.admin import client_arguments
from streams.cluster.topics import create
from streams.common.errors import UnavailableError
from streams.config import Settings, Topics
from streams.config.sections.kafka import Kafka
from streams.people.desk.desk_audit import DeskLedger, Tail, ledger_on, tail_of
from streams.wire import chain_start, decode_audit, hash_record
from tests.nodes import Broker

FIELDS: dict[str, Any] = {
    "actor": "li", "channel": "desk", "verb": "search", "outcome": "done", "address": "127.0.0.1",
}  # fmt: skip


class Log:
    """A topic in memory that may lose a record, keep one and say nothing, or keep it later."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.fate = "kept"
        self.late: list[bytes] = []

    def send(self, key: bytes, value: bytes) -> None:
        assert key.decode() == decode_audit(value).chain
        if self.fate == "late":
            self.late.append(value)
        elif self.fate != "lost":
            self.values.append(value)
        if self.fate != "kept":
            raise UnavailableError("no answer")

    def tail(self) -> Tail:
        if not self.values:
            return 0, chain_start("desk/a")
        return decode_audit(self.values[-1]).seq + 1, hash_record(self.values[-1])

    def whole(self) -> bool:
        """Tell if no chain has a gap, or two records at one place."""
        ends: dict[str, Tail] = {}
        for value in self.values:
            record = decode_audit(value)
            end = ends.get(record.chain, (0, chain_start(record.chain)))
            if (record.seq, record.prev) != end:
                return False
            ends[record.chain] = record.seq + 1, hash_record(value)
        return True


def ledger(log: Log) -> DeskLedger:
    return DeskLedger(log.send, log.tail, "desk/a", lambda: 7)


def test_records_are_chained() -> None:
    log = Log()
    made = ledger(log)
    for _ in range(3):
        made.write(**FIELDS)
    assert len(log.values) == 3
    assert log.whole()


@pytest.mark.parametrize("fate", ["lost", "silent"])
def test_a_record_whose_fate_is_unknown_forks_nothing(fate: str) -> None:
    log = Log()
    made = ledger(log)
    made.write(**FIELDS)
    log.fate = fate
    with pytest.raises(UnavailableError):
        made.write(**FIELDS)
    log.fate = "kept"
    made.write(**FIELDS)
    assert len(log.values) == (2 if fate == "lost" else 3)
    assert log.whole()


def test_a_record_that_comes_to_the_log_after_the_next_one_forks_nothing() -> None:
    log = Log()
    made = ledger(log)
    made.write(**FIELDS)
    for _ in range(2):
        log.fate = "late"
        with pytest.raises(UnavailableError):
            made.write(**FIELDS)
        log.fate = "kept"
        made.write(**FIELDS)
        made.write(**FIELDS)
        log.values += log.late
        log.late.clear()
    assert len(log.values) == 7
    assert log.whole()


def test_a_chain_after_a_doubt_has_a_name_that_a_record_may_have() -> None:
    log = Log()
    made = DeskLedger(log.send, lambda: (0, chain_start("x")), "d" * 128, lambda: 1_800_000_000_000)
    log.fate = "lost"
    for _ in range(2):
        with pytest.raises(UnavailableError):
            made.write(**FIELDS)
    log.fate = "kept"
    made.write(**FIELDS)
    assert decode_audit(log.values[0]).chain == "d" * 96 + "/1800000000000.2"


def test_a_process_that_starts_again_goes_on_with_the_chain() -> None:
    log = Log()
    ledger(log).write(**FIELDS)
    ledger(log).write(**FIELDS)
    assert log.whole()


def test_many_threads_write_one_chain() -> None:
    log = Log()
    made = ledger(log)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: made.write(**FIELDS), range(100)))
    assert len(log.values) == 100
    assert log.whole()


def test_a_long_word_is_cut_and_a_wrong_one_is_an_error() -> None:
    log = Log()
    ledger(log).write(**{**FIELDS, "reason": "x" * 10_000})
    assert len(decode_audit(log.values[0]).reason) == 256
    with pytest.raises(msgspec.ValidationError):
        ledger(log).write(**{**FIELDS, "verb": "NOT A VERB"})


@pytest.mark.broker
def test_on_kafka_a_chain_goes_on_behind_those_of_others(broker: Broker, unique: str) -> None:
    names = {name: f"{unique}.{name}" for name in Topics.model_fields if name not in _COUNTS}
    topics = Topics.model_validate({**names, "partitions": 1, "replication": 1})
    settings = Settings(
        app_id=unique, kafka=Kafka.model_validate({"bootstrap": broker.bootstrap}), topics=topics
    )
    create(settings)
    clients = client_arguments(settings.kafka)
    assert tail_of(clients, topics.audit, "desk/a") == (0, chain_start("desk/a"))
    with ledger_on(settings, "desk/a", lambda: 7) as mine:
        mine.write(**FIELDS)
        with ledger_on(settings, "desk/b", lambda: 7) as other:
            for _ in range(5):
                other.write(**FIELDS)
        mine.write(**FIELDS)
    assert tail_of(clients, topics.audit, "desk/a")[0] == 2
    assert tail_of(clients, topics.audit, "desk/b")[0] == 5


_COUNTS = {"partitions", "replication"}
