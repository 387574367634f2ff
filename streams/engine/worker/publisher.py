"""Sends records through the app's producer: the outputs of events, and checkpoints."""

import asyncio
import time
from dataclasses import dataclass, field

from streams.engine.state.checkpoint import PutRecord
from streams.engine.state.outbox import Output
from streams.engine.transport.driver import App
from streams.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Publisher:
    """The only object of a worker that writes to Kafka.

    Its methods raise KafkaError, and callers try again.
    """

    app: App
    changelog: str  # Topic of the checkpoints.
    metrics: Metrics
    _caused_ms: dict[asyncio.Future[object], list[int]] = field(default_factory=dict, init=False)
    """Times (ms UTC) of the causes of each record that waits for its acknowledgement."""

    async def send(self, output: Output) -> asyncio.Future[object]:
        """Send an output; the returned future is done when the broker has acknowledged it."""
        topic, key, value, headers, caused_ms = output
        producer = self.app.producer
        sent: asyncio.Future[object] | None = producer.append(topic, key, value, headers)
        if sent is None:
            sent = await producer.send(topic, key, value, None, None, list(headers))
        if caused_ms is not None:
            if sent not in self._caused_ms:
                self._caused_ms[sent] = []
                sent.add_done_callback(self._on_sent)
            self._caused_ms[sent].append(caused_ms)
        return sent

    async def append(self, partition: int, write: PutRecord) -> int:
        """Write a record to a changelog partition; return its offset after its acknowledgement."""
        sent = await self.app.producer.send(
            self.changelog, write.key, write.value, partition, None, None
        )
        return (await sent).offset

    def _on_sent(self, sent: asyncio.Future[object]) -> None:
        caused_ms = self._caused_ms.pop(sent)
        if not sent.cancelled() and sent.exception() is None:
            now_s, observe = time.time(), self.metrics.histogram("decision_delay_seconds")
            for each_ms in caused_ms:
                observe(max(0.0, now_s - each_ms / 1000))
