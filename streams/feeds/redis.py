"""Submissions that gateways report into a Redis stream -> `sms.delivery.v1`.

An entry is acknowledged, and removed, after Kafka has it; a crash in between publishes it twice,
which changes no decision. The stream is bounded by whoever writes it: a feed that is away too long
loses the oldest reports, never a message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import redis
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.cluster.admin import unusable
from streams.language import tr
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers, is_listed
from streams.wire.version import UNDECODABLE

log = logging.getLogger(__name__)

GROUP: Final = "otpguard-feed"
READ_COUNT: Final = 1_000
BLOCK_MS: Final = 500
CLAIM_MS: Final = 60_000  # what another consumer took so long ago and never finished is ours
PAUSE_S: Final = 1.0
SOCKET_S: Final = 5.0  # over BLOCK_MS

Entries = Sequence[tuple[bytes, dict[bytes, bytes] | None]]
"""Ids and fields; None where the stream was cut before we were done with the entry."""


class _Recipient(msgspec.Struct):
    recipient: str


_recipient: Final = msgspec.json.Decoder(_Recipient).decode


class RedisFeed:
    """One consumer of the group; several may share a stream."""

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
        """Until told to stop.

        Raises UnavailableError if Kafka takes nothing: a restart may help, and loses nothing.
        """
        mine: str | None = "0"  # what we took before a crash and did not finish
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
        # RESP2 gives a list of pairs, RESP3 a mapping to lists of lists.
        return answer[0][1] if isinstance(answer, list) else next(iter(answer.values()))[0]

    def _claim(self) -> Entries:
        _, entries, *_ = self._client.xautoclaim(
            self._stream, GROUP, self._consumer, CLAIM_MS, count=READ_COUNT
        )
        return entries

    def _forward(self, entries: Entries) -> None:
        """Publish, wait until Kafka has all of it, then acknowledge."""
        if not entries:
            return
        published = [self._publish(fields.get(b"value", b"")) for _, fields in entries if fields]
        try:
            self._producer.flush(timeout=30)
            for future in published:
                future.get(timeout=1)
        except KafkaError as error:
            raise unusable(tr("cannot publish"), error) from None
        ids = [identity for identity, _ in entries]
        with self._client.pipeline() as pipe:
            pipe.xack(self._stream, GROUP, *ids)
            pipe.xdel(self._stream, *ids)
            pipe.execute()

    def _publish(self, value: bytes) -> Any:
        """Hand over as it is: what is wrong with it the worker says, with a dead letter."""
        outcome = "published"
        if is_listed(value):  # the platform agent's own: not even as it is
            value = b""
        try:
            written = _recipient(value).recipient
            key = (self._numbers.canonical(written) or written).encode()
        except UNDECODABLE:
            key, outcome = b"", "unreadable"
        self._metrics.add("feed_events_total", outcome=outcome)
        try:
            return self._producer.send(self._topic, value, key=key)
        except KafkaError as error:
            raise unusable(tr("cannot publish"), error) from None
