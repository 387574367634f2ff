"""Outbox of an adapter: acknowledgements wait here until Kafka has confirmed them.

A lease works and ends without its acknowledgement. So the adapter survives a broker outage or a
missing topic: records that cannot be published wait here and are sent again. Their offsets in the
input topics are committed only after they are published. If this process dies, its successor reads
the input again and publishes them.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from kafka.errors import AuthorizationError, KafkaError

from streams.cluster.admin import unusable
from streams.common import UnavailableError, tr

log = logging.getLogger(__name__)

PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0)
"""Pauses between attempts, in seconds. The last pause repeats while attempts fail. One attempt may
block for BLOCK_MS."""
BLOCK_MS: Final = 500
"""Maximum time that the Kafka client blocks for a topic without metadata. It must be short because
no lease ends while the client blocks."""
RECORDS_MAX: Final = 100_000
"""Maximum number of waiting records, about 300 bytes each. While this broker is down it also
delivers no new leases, so most waiting records report the ends of existing leases. Beyond this
number the process exits; its successor publishes the records."""


@dataclass(frozen=True, slots=True, eq=False)
class UntoldRecord:
    """One record that Kafka has not confirmed yet."""

    number: int
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class AckOutbox:
    """Records that are being sent, and records that wait for another attempt.

    `make` makes a Kafka producer. It is called again after a missing right: that ends a producer.
    """

    make: Callable[[], Any]
    producer: Any = field(init=False)
    _sent: list[tuple[UntoldRecord, Any]] = field(default_factory=list)
    _again: list[UntoldRecord] = field(default_factory=list)
    _number: int = 0
    _failures: int = 0  # consecutive failed attempts
    # Kafka has confirmed a record: a right that is missing later may come back.
    _had_rights: bool = False
    _denied: bool = False  # a right was missing since the producer was made
    _again_at: float = 0.0  # time of the next attempt, on the monotonic clock

    def __post_init__(self) -> None:
        self.producer = self.make()

    @property
    def waiting(self) -> int:
        return len(self._sent) + len(self._again)

    @property
    def late(self) -> int:
        """Return the number of records that are waiting for another attempt after a failure."""
        return len(self._again)

    def put(
        self, topic: str, key: bytes, value: bytes, headers: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        """Send a record, or queue it if earlier records wait.

        Raise ConfigError if another attempt cannot help, and UnavailableError if too many records
        wait.
        """
        self._number += 1
        record = UntoldRecord(self._number, topic, key, value, list(headers))
        if self._again:
            self._keep(record)
        else:
            self._tell(record)

    def look(self) -> bool:
        """Check the results of sent records, and send the queued records if their time has come.

        Return True if Kafka confirmed any record. Raise the same errors as `put`.
        """
        ended = [each for each in self._sent if each[1].is_done]
        self._sent = [each for each in self._sent if not each[1].is_done]
        took = any(not future.failed() for _, future in ended)
        self._had_rights = self._had_rights or took
        for record, future in ended:
            if future.failed():
                self._on_failure(record, future.exception)
        if took and self._failures and not self._again:
            self._failures = 0
            log.info("acknowledgements are taken again")
        if self._again and time.monotonic() >= self._again_at:
            due, self._again = sorted(self._again, key=attrgetter("number")), []
            if self._denied:
                self._replace_producer()
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
            self._on_failure(record, error)
        else:
            self._sent.append((record, sent))

    def _replace_producer(self) -> None:
        """Make a new producer, unless no broker answers: then the old one fails once more."""
        try:
            made = self.make()
        except KafkaError:
            return
        with suppress(KafkaError):
            self.producer.close(timeout=0)
        self.producer, self._denied = made, False

    def _on_failure(self, record: UntoldRecord, error: BaseException) -> None:
        may_pass = isinstance(error, KafkaError) and error.retriable
        denied = self._had_rights and isinstance(error, AuthorizationError)
        self._denied |= denied
        if not (may_pass or denied):
            what = tr("cannot publish to {topic}").format(topic=record.topic)
            raise unusable(what, error) from None
        if not self._failures:
            log.warning(
                "acknowledgements wait, leases are kept: cannot publish to %s: %s",
                record.topic, type(error).__name__,
            )  # fmt: skip
        if not self._again:  # Records that fail in the same attempt count as one failure.
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
