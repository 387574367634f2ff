"""Keeps what an adapter tells until Kafka has it, and tells it again where Kafka fails a while.

Nobody need know what became of a lease for it to be in force, and to end. So an outage, or a topic
that is gone, ends no adapter: what could not be told waits, and its offsets are not committed
before it is told, so that a successor tells it where this process dies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from kafka.errors import KafkaError

from streams.cluster.admin import unusable
from streams.errors import UnavailableError
from streams.language import tr

log = logging.getLogger(__name__)

PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0)
"""From one try to the next; the last for as long as it fails. A try may block for BLOCK_MS."""
BLOCK_MS: Final = 500
"""The client waits so long for a topic of which it knows nothing: no lease ends meanwhile."""
RECORDS_MAX: Final = 100_000
"""The most that wait, of some 300 bytes. Leases come from the broker that does not take these, so
most of them are the ends of those in force. Past it the process ends, and its successor tells."""


@dataclass(frozen=True, slots=True, eq=False)
class UntoldRecord:
    """One record to be told."""

    number: int
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class AckOutbox:
    """Records on their way, and those that wait for another try."""

    producer: Any
    _sent: list[tuple[UntoldRecord, Any]] = field(default_factory=list)
    _again: list[UntoldRecord] = field(default_factory=list)
    _number: int = 0
    _failures: int = 0  # tries in a row
    _again_at: float = 0.0  # monotonic

    @property
    def waiting(self) -> int:
        """Return how many Kafka does not have, as far as is known."""
        return len(self._sent) + len(self._again)

    @property
    def late(self) -> int:
        """Return how many of them it did not take at first."""
        return len(self._again)

    def put(
        self, topic: str, key: bytes, value: bytes, headers: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        """Tell a record, or keep it for the next try.

        Raise ConfigError where trying again cannot help, UnavailableError where too many wait.
        """
        self._number += 1
        record = UntoldRecord(self._number, topic, key, value, list(headers))
        if self._again:
            self._keep(record)
        else:
            self._tell(record)

    def look(self) -> bool:
        """Hear what became of them, and try again what is due; True if Kafka took any.

        Raise as `put` does.
        """
        ended = [each for each in self._sent if each[1].is_done]
        self._sent = [each for each in self._sent if not each[1].is_done]
        for record, future in ended:
            if future.failed():
                self._failed(record, future.exception)
        took = any(not future.failed() for _, future in ended)
        if took and self._failures and not self._again:
            self._failures = 0
            log.info("acknowledgements are taken again")
        if self._again and time.monotonic() >= self._again_at:
            due, self._again = sorted(self._again, key=attrgetter("number")), []
            for record in due:
                if self._again:
                    self._keep(record)
                else:
                    self._tell(record)
        return took

    def _tell(self, record: UntoldRecord) -> None:
        try:
            sent = self.producer.send(
                record.topic, record.value, key=record.key, headers=record.headers
            )
        except KafkaError as error:
            self._failed(record, error)
        else:
            self._sent.append((record, sent))

    def _failed(self, record: UntoldRecord, error: BaseException) -> None:
        if not (isinstance(error, KafkaError) and error.retriable):
            what = tr("cannot publish to {topic}").format(topic=record.topic)
            raise unusable(what, error) from None
        if not self._failures:
            log.warning(
                "acknowledgements wait, leases are kept: cannot publish to %s: %s",
                record.topic, type(error).__name__,
            )  # fmt: skip
        if not self._again:  # else the try is counted already
            self._again_at = time.monotonic() + PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
            self._failures += 1
        self._keep(record)

    def _keep(self, record: UntoldRecord) -> None:
        if len(self._again) >= RECORDS_MAX:
            raise UnavailableError(
                tr("cannot publish to {topic}: too many acknowledgements wait").format(
                    topic=record.topic
                )
            )
        self._again.append(record)
