"""What an adapter tells is told in the end, and nothing that fails for a while ends it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)

from streams.common.errors import ConfigError, UnavailableError
from streams.gateways.enforce import ack_outbox as module
from streams.gateways.enforce.ack_outbox import AckOutbox


class Sent:
    """What a client gives back for a record: nothing is known of it yet."""

    def __init__(self) -> None:
        self.is_done = False
        self.exception: KafkaError | None = None

    def failed(self) -> bool:
        return self.exception is not None

    def end(self, exception: KafkaError | None = None) -> None:
        self.is_done, self.exception = True, exception


class Producer:
    """A client that refuses while it has an error, and else takes."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None
        self.tries = 0
        self.sent: list[tuple[bytes, Sent]] = []

    def send(self, topic: str, value: bytes, **_: Any) -> Sent:
        self.tries += 1
        if self.error is not None:
            raise self.error
        sent = Sent()
        self.sent.append((value, sent))
        return sent

    def end(self, exception: KafkaError | None = None) -> None:
        for _, sent in self.sent:
            if not sent.is_done:
                sent.end(exception)

    def values(self) -> list[bytes]:
        return [value for value, _ in self.sent]


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def outbox(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> AckOutbox:
    monkeypatch.setattr(module, "PAUSES_S", (0.0,))
    return AckOutbox(lambda: producer)


def put(outbox: AckOutbox, *values: bytes) -> None:
    for value in values:
        outbox.put("acks", b"key", value)


def test_what_kafka_takes_waits_no_more(outbox: AckOutbox, producer: Producer) -> None:
    put(outbox, b"1", b"2")
    assert not outbox.look()
    assert (outbox.waiting, outbox.late) == (2, 0)
    producer.end()
    assert outbox.look()
    assert outbox.waiting == 0


def test_what_cannot_be_sent_is_sent_later_in_its_order_and_the_reason_said_once(
    outbox: AckOutbox, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    """The adapter ended, after a minute in which no lease did."""
    caplog.set_level(logging.INFO)
    producer.error = KafkaTimeoutError("no such topic")
    put(outbox, b"1", b"2", b"3")
    assert producer.tries == 1, "each may wait for the same topic"
    outbox.look()
    assert producer.tries == 2
    assert (outbox.waiting, outbox.late) == (3, 3)
    producer.error = None
    outbox.look()
    put(outbox, b"4")
    producer.end()
    assert outbox.look()
    assert producer.values() == [b"1", b"2", b"3", b"4"]
    assert outbox.waiting == 0
    assert [each.getMessage() for each in caplog.records] == [
        "acknowledgements wait, leases are kept: cannot publish to acks: KafkaTimeoutError",
        "acknowledgements are taken again",
    ]


def test_what_was_sent_and_lost_is_sent_again(outbox: AckOutbox, producer: Producer) -> None:
    put(outbox, b"1", b"2")
    producer.end(KafkaTimeoutError("nobody there"))
    outbox.look()
    assert producer.values() == [b"1", b"2"] * 2
    assert outbox.waiting == 2


def test_tries_are_apart(
    outbox: AckOutbox, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (60.0,))
    producer.error = KafkaTimeoutError("no such topic")
    put(outbox, b"1")
    for _ in range(10):
        outbox.look()
    assert producer.tries == 1


def test_a_right_that_is_lacking_ends_it_at_once_and_is_named(
    outbox: AckOutbox, producer: Producer
) -> None:
    put(outbox, b"1")
    producer.end(TopicAuthorizationFailedError("acks"))
    with pytest.raises(ConfigError, match=r"cannot publish to acks.*lists the rights"):
        outbox.look()


def test_too_many_that_wait_end_it(
    outbox: AckOutbox, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORDS_MAX", 3)
    producer.error = KafkaTimeoutError("no such topic")
    put(outbox, b"1", b"2", b"3")
    with pytest.raises(UnavailableError, match="too many acknowledgements wait"):
        put(outbox, b"4")
