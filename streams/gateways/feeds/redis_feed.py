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
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
from confluent_kafka import KafkaException

from streams.gateways.feeds.kafka_feed import BatchPublisher, Rekeyer, to_error
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers

log = logging.getLogger(__name__)

GROUP: Final = "otpguard-feed"
READ_COUNT: Final = 1_000
BLOCK_MS: Final = 500
# Milliseconds after which unfinished entries of another consumer are claimed.
CLAIM_MS: Final = 60_000
PAUSE_S: Final = 1.0
SOCKET_S: Final = 5.0  # Seconds; must exceed BLOCK_MS.

Entries = Sequence[tuple[bytes, dict[bytes, bytes] | None]]
"""Ids and fields of entries. The fields are None if the stream was trimmed before the feed had
finished the entry."""


class RedisFeed:
    """One consumer of the consumer group; several may share a stream."""

    def __init__(
        self,
        client: redis.Redis,
        clients: Mapping[str, Any],
        topic: str,
        numbers: Numbers,
        metrics: Metrics,
        *,
        stream: str,
        consumer: str,
    ) -> None:
        """`clients` are librdkafka's connection arguments."""
        self._client = client
        self._publisher = BatchPublisher(clients, topic)
        self._rekeyer = Rekeyer(numbers, None)
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

        Raises UnavailableError if Kafka accepts nothing, or nothing more.
        """
        if not entries:
            return
        whole = {identity: fields for identity, fields in entries if fields}
        values = [fields.get(b"value", b"") for fields in whole.values()]
        batch = self._rekeyer.convert(values, list(whole))
        try:
            self._publisher.publish(batch)
            self._publisher.settle()
        except KafkaException as error:
            raise to_error(error, self._stream, self._publisher.topic) from None
        for at in sorted(batch.refused):
            log.error(
                "the entry %s of %s is too large for %s: passed over",
                batch.records[at].decode(), self._stream, self._publisher.topic,
            )  # fmt: skip
        batch.count(self._metrics)
        self._acknowledge([identity for identity, _ in entries])

    def _acknowledge(self, ids: Sequence[bytes]) -> None:
        with self._client.pipeline() as pipe:
            pipe.xack(self._stream, GROUP, *ids)
            pipe.xdel(self._stream, *ids)
            pipe.execute()
