"""Records that a person waits for: written at once, or given up for good.

What somebody was told did not go out must not go out two minutes later.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaError, RetriableError

from streams.cluster.admin import unusable
from streams.errors import UncertainError
from streams.language import tr

AGREED_S: Final = 0.3
"""No gateway is waited for longer, once all have confirmed that lately confirmed anything. Chosen:
six times what an adapter takes that is at work."""

LATELY: Final = 200
"""Acknowledgements of each partition, the newest, that tell which gateways are at work."""

LATELY_MS: Final = 86_400_000
"""A gateway that acknowledged anything within it is at work."""

SENT_S: Final = 10.0
PROMPT: Final[Mapping[str, Any]] = {
    "linger_ms": 0,
    "request_timeout_ms": 4_000,
    "delivery_timeout_ms": 8_000,
    "max_block_ms": 8_000,
    "bootstrap_timeout_ms": 8_000,
}
"""Of a producer that gives a record up before `SENT_S`: what a person was told did not go out
would otherwise do so for two minutes. A request that the broker has by then is not taken back."""


class PromptProducer:
    """A producer for what a person waits for; safe among threads. Another one after each failure.

    Of an idempotent producer in Python whose request was given up the partition may never be free
    again: each record after it failed, until the desk was started again.
    """

    def __init__(self, clients: Mapping[str, Any]) -> None:
        """Make the first one. Raise KafkaError if no broker answers."""
        self._clients = clients
        self._lock = threading.Lock()
        self._given_up: list[Any] = []  # that hold something still: not even `close` ends those
        self._producer: Any = self._made()

    def _made(self) -> Any:
        return KafkaProducer(**self._clients, **PROMPT, acks="all")

    def send(self, topic: str, value: bytes, key: bytes) -> Any:
        """Hand a record over, and return the future of its place."""
        with self._lock:
            if self._producer is None:
                self._producer = self._made()
            producer = self._producer
        return producer.send(topic, value, key=key)

    def drop(self) -> None:
        """Give up the producer with all that it holds; the next record makes another one."""
        self._end(0)

    def close(self) -> None:
        """Wait a moment for what is on its way still."""
        self._end(SENT_S)

    def _end(self, timeout_s: float) -> None:
        with self._lock:
            if self._producer is not None:
                self._given_up.append(self._producer)
                self._producer = None
            self._given_up = [each for each in self._given_up if not _closed(each, timeout_s)]


def _closed(producer: Any, timeout_s: float) -> bool:
    """Close a producer; False if it holds something still, which it gives up by itself."""
    try:
        producer.close(timeout=timeout_s)
    except KafkaError:
        return False
    return True


def say(producer: PromptProducer, topic: str, value: bytes, key: bytes) -> int:
    """Publish one word, and return its offset.

    Raise UncertainError if no broker answered for it: the word is given up, but may have been on
    its way, and be obeyed. Raise UnavailableError or ConfigError if it was not taken.
    """
    try:
        sent = producer.send(topic, value, key)
    except KafkaError as error:
        producer.drop()
        raise unusable(tr("cannot publish to {topic}").format(topic=topic), error) from None
    try:
        offset: int = sent.get(timeout=SENT_S).offset
    except (RetriableError, IllegalStateError) as error:  # the latter by another one's failure
        producer.drop()
        what = tr("it is not known whether {topic} has the word").format(topic=topic)
        raise UncertainError(f"{what}: {type(error).__name__}") from None
    except KafkaError as error:
        producer.drop()
        raise unusable(tr("cannot publish to {topic}").format(topic=topic), error) from None
    return offset
