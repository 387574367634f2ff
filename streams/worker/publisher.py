"""Hands records to the app's producer: what events made for the world, and checkpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from streams.state.manager import Appended

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from streams.state.checkpoint import PutRecord
    from streams.state.outbox import Output
    from streams.telemetry.metrics import Metrics
    from streams.transport.driver import App


@dataclass(frozen=True, slots=True)
class Publisher:
    """The one writer of a worker. Its methods raise KafkaError; callers try again."""

    app: App
    changelog: str  # topic of the checkpoints
    metrics: Metrics

    async def send(self, output: Output) -> Awaitable[object]:
        """Hand an output over; what that returns is done when the broker has acknowledged it."""
        topic, key, value, headers, caused_ms = output
        sent: asyncio.Future[object] = await self.app.producer.send(
            topic, key, value, None, None, list(headers)
        )
        if caused_ms is not None:
            sent.add_done_callback(partial(self._sent, caused_ms))
        return sent

    async def append(self, partition: int, write: PutRecord) -> Appended:
        """Write a record to the changelog of a partition, and return when it is acknowledged."""
        sent = await self.app.producer.send(
            self.changelog, write.key, write.value, partition, None, None
        )
        return Appended((await sent).offset)

    def _sent(self, caused_ms: int, sent: asyncio.Future[object]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            delay_s = max(0.0, time.time() - caused_ms / 1000)
            self.metrics.observe("decision_delay_seconds", delay_s)
