"""What a person waits for is written at once, or given up for good.

Where its own broker is stopped until a record is given up, a test is part of `make integration`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasAfterAppendError,
    TopicAuthorizationFailedError,
)

from streams.cluster import prompt as module
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.prompt import SENT_S, PromptProducer, say
from streams.common.errors import ConfigError, OtpguardError, UnavailableError, UncertainError
from streams.config import Kafka
from tests.nodes import Broker
from tests.reading import written


class Deaf:
    """A producer whose partition is never free again after one failure."""

    made: list[Deaf]
    error: KafkaError

    def __init__(self, **_: Any) -> None:
        self.closed: list[float] = []
        self.deaf = not self.made
        self.made.append(self)

    def send(self, *_: Any, **__: Any) -> Any:
        return self

    offset = 41

    def get(self, timeout: float) -> Any:
        if self.deaf:
            raise self.error
        return self

    def close(self, timeout: float) -> None:
        self.closed.append(timeout)
        if self.deaf and not timeout:
            raise KafkaTimeoutError("a record is held")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> type[Deaf]:
    made = type("Deaf", (Deaf,), {"made": [], "error": KafkaTimeoutError("after 10 s")})
    monkeypatch.setattr(module, "KafkaProducer", made)
    return made


def test_after_a_failure_the_next_record_has_another_producer(deaf: type[Deaf]) -> None:
    with closing(PromptProducer({})) as producer:
        with pytest.raises(UncertainError):
            say(producer, "t", b"v", b"k")
        assert [say(producer, "t", b"v", b"k") for _ in range(3)] == [41, 41, 41]
    assert [each.closed for each in deaf.made] == [[0, SENT_S], [SENT_S]]


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (KafkaTimeoutError("nobody there"), UncertainError, "not known whether t has the override"),
        (
            NotEnoughReplicasAfterAppendError(),
            UncertainError,
            "not known whether t has the override",
        ),
        (MessageSizeTooLargeError(), UnavailableError, "cannot publish to t"),
        (TopicAuthorizationFailedError(), ConfigError, "cannot publish to t"),
    ],
)
def test_a_word_that_may_be_obeyed_is_not_said_to_have_failed(
    error: KafkaError, kind: type[OtpguardError], told: str, deaf: type[Deaf]
) -> None:
    deaf.error = error
    with closing(PromptProducer({})) as producer, pytest.raises(kind, match=told) as raised:
        say(producer, "t", b"v", b"k")
    assert raised.value.outcome == ("unknown" if kind is UncertainError else "failed")
    assert deaf.made[0].closed[0] == 0, "given up with all that it holds"


@pytest.mark.integration
@pytest.mark.kafka
def test_what_was_given_up_is_not_written_once_the_broker_is_back(
    own_kafka: Callable[..., Broker], unique: str
) -> None:
    """It was tried for two minutes more, after somebody had been told that it did not go out."""
    kafka = own_kafka()
    settings = Kafka(bootstrap=kafka.bootstrap)
    clients = client_arguments(settings)
    with Cluster(settings) as cluster:
        cluster.create(unique, 1, 1, {})
    with closing(PromptProducer(clients)) as producer:
        assert say(producer, unique, b"before", b"key") == 0
        kafka.kill()
        with pytest.raises(UncertainError):
            say(producer, unique, b"given up", b"key")
        kafka.restart()
        assert say(producer, unique, b"after", b"key") == 1
    assert [each.value for each in written(clients, unique)] == [b"before", b"after"]
