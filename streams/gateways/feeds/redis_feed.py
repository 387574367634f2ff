"""Publishes the submissions that gateways write to a Redis stream as `sms.delivery.v1`.

An entry is acknowledged and removed after Kafka has it. A crash in between publishes the entry
twice, which changes no decision. An entry that is too large for Kafka would fail again at each new
start. Therefore it is counted as unreadable, logged by its id, and skipped. The writers bound the
length of the stream. A feed that is down too long loses the oldest reports, but no message to a
subscriber is lost.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import redis
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streams.cluster.admin import unusable
from streams.common.language import tr
from streams.gateways.feeds.record_keys import decode_recipient
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers, is_listed
from streams.wire.version import UNDECODABLE

log = logging.getLogger(__name__)

GROUP: Final = "otpguard-feed"
READ_COUNT: Final = 1_000
BLOCK_MS: Final = 500
# Milliseconds after which unfinished entries of another consumer are claimed.
CLAIM_MS: Final = 60_000
PAUSE_S: Final = 1.0
SOCKET_S: Final = 5.0  # Seconds; must exceed BLOCK_MS.

_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors that concern one record only. If several records are too large together, the client sends
them in parts."""

Entries = Sequence[tuple[bytes, dict[bytes, bytes] | None]]
"""Ids and fields of entries. The fields are None if the stream was trimmed before the feed had
finished the entry."""


class _Sent(NamedTuple):
    """An entry that was given to the producer."""

    identity: bytes
    octets: int  # Bytes of key and value together.
    outcome: str  # The outcome to count after Kafka has acknowledged the entry.
    answer: Any  # The producer's future; None if the client refused the entry.


class RedisFeed:
    """One consumer of the consumer group; several may share a stream."""

    def __init__(
        self,
        client: redis.Redis,
        producer: KafkaProducer,
        topic: str,
        numbers: Numbers,
        metrics: Metrics,
        *,
        stream: str,
        consumer: str,
    ) -> None:
        self._client = client
        self._producer = producer
        self._topic = topic
        self._numbers = numbers
        self._metrics = metrics
        self._stream = stream
        self._consumer = consumer
        self._claim_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Forward entries until `stop` is set.

        Raises UnavailableError if Kafka accepts nothing: a restart may help, and loses nothing.
        """
        # First read the entries that this consumer took before a crash and did not finish.
        mine: str | None = "0"
        while not stop.is_set():
            try:
                if mine is not None:
                    self._join()
                    while entries := self._read(mine):
                        self._forward(entries)
                    mine = None
                if time.monotonic() >= self._claim_at:
                    self._claim_at = time.monotonic() + CLAIM_MS / 1000
                    self._forward(self._claim())
                self._forward(self._read(">"))
                self._metrics.put("feed_backlog_events", self._client.xlen(self._stream))
            except redis.RedisError as error:
                log.warning("redis is away (%s)", type(error).__name__)
                mine = "0"
                stop.wait(PAUSE_S)

    def _join(self) -> None:
        try:
            self._client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _read(self, start: str) -> Entries:
        answer: Any = self._client.xreadgroup(
            GROUP, self._consumer, {self._stream: start}, count=READ_COUNT, block=BLOCK_MS
        )
        if not answer:
            return ()
        # RESP2 returns a list of pairs, RESP3 a mapping to lists of lists.
        return answer[0][1] if isinstance(answer, list) else next(iter(answer.values()))[0]

    def _claim(self) -> Entries:
        _, entries, *_ = self._client.xautoclaim(
            self._stream, GROUP, self._consumer, CLAIM_MS, count=READ_COUNT
        )
        return entries

    def _forward(self, entries: Entries) -> None:
        """Publish entries, wait until Kafka has all it can accept, then acknowledge the entries.

        Raises UnavailableError if Kafka accepts nothing, or nothing more. If the topic refuses a
        record as too large, an idempotent producer fails: all its pending records get the same
        error. Only the largest of these records is certainly too large. That record is skipped, and
        the next start continues after it.
        """
        if not entries:
            return
        done = [identity for identity, fields in entries if not fields]
        large: list[tuple[_Sent, KafkaError]] = []
        outcomes: Counter[str] = Counter()
        try:
            sent = [self._publish(identity, fields) for identity, fields in entries if fields]
            self._producer.flush(timeout=30)
            for each in sent:
                try:
                    if each.answer is not None:
                        each.answer.get(timeout=1)
                except _TOO_LARGE as error:
                    large.append((each, error))
                else:
                    done.append(each.identity)
                    outcomes[each.outcome] += 1
        except KafkaError as error:
            raise unusable(tr("cannot publish"), error) from None
        if large:
            largest, _ = max(large, key=lambda pair: pair[0].octets)
            self._pass_over(largest.identity)
            done.append(largest.identity)
            outcomes["unreadable"] += 1
        for outcome, count in outcomes.items():
            self._metrics.add("feed_events_total", count, outcome=outcome)
        if large:
            # The producer has failed, so further records would fail too.
            with suppress(redis.RedisError):
                self._acknowledge(done)
            raise unusable(tr("cannot publish"), large[0][1])
        self._acknowledge(done)

    def _acknowledge(self, ids: Sequence[bytes]) -> None:
        with self._client.pipeline() as pipe:
            pipe.xack(self._stream, GROUP, *ids)
            pipe.xdel(self._stream, *ids)
            pipe.execute()

    def _publish(self, identity: bytes, fields: Mapping[bytes, bytes]) -> _Sent:
        """Publish an entry unchanged: the worker writes a dead letter for an invalid one."""
        value, outcome = fields.get(b"value", b""), "published"
        # Only the platform agent may publish hot lists, so the value is dropped.
        if is_listed(value):
            value = b""
        try:
            written = decode_recipient(value).recipient
            key = (self._numbers.canonical(written) or written).encode()
        except UNDECODABLE:
            key, outcome = b"", "unreadable"
        try:
            answer = self._producer.send(self._topic, value, key=key)
        except _TOO_LARGE:
            self._pass_over(identity)
            return _Sent(identity, len(key) + len(value), "unreadable", None)
        return _Sent(identity, len(key) + len(value), outcome, answer)

    def _pass_over(self, identity: bytes) -> None:
        log.error(
            "the entry %s of %s is too large for %s: passed over",
            identity.decode(), self._stream, self._topic,
        )  # fmt: skip
