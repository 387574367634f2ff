"""Publishes what a partition's events made for the world, in order, and knows what is acknowledged.

A checkpoint may not cover an event before everything the event made is on the log of its topic.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

log = logging.getLogger(__name__)

RETRY_PAUSE_S: Final = 0.5
"""Between two tries to publish, of outputs and of checkpoints."""


class Output(NamedTuple):
    """A record to publish."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    caused_ms: int | None = None  # event time of what caused it, for those that are urgent


Send = Callable[[Output], Awaitable[asyncio.Future[object]]]
"""Hands a record to the producer; what that returns is done when the broker has acknowledged it."""


@dataclass(slots=True)
class _Entry:
    output: Output
    acknowledged: asyncio.Future[object] | None = None

    @property
    def failed(self) -> bool:
        """True if the broker, or the producer, has refused it."""
        sent = self.acknowledged
        if sent is None or not sent.done() or sent.cancelled():
            return False
        return sent.exception() is not None


class Outbox:
    """Outputs of one partition. `add` does not wait, so it can follow the state's change at once.

    Bounded by its caller, which settles when `len()` grows past its limit.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._entries: deque[_Entry] = deque()  # the oldest that may be unacknowledged first
        self._handed = 0  # of the entries, how many the producer has
        self._settled = 0
        self._handing = asyncio.Lock()
        self._settling = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def waiting(self) -> bool:
        """True while it holds something that the producer does not have."""
        return self._handed < len(self._entries)

    @property
    def mark(self) -> int:
        """Outputs ever added: a point to settle up to."""
        return self._settled + len(self._entries)

    def add(self, outputs: Iterable[Output]) -> None:
        """Outputs in the order of their events."""
        self._entries.extend(map(_Entry, outputs))

    async def push(self) -> None:
        """Hand what is new to the producer."""
        async with self._handing:
            while self._handed < len(self._entries):
                entry = self._entries[self._handed]
                entry.acknowledged = await self._hand(entry.output)
                self._handed += 1

    async def settle(self, mark: int) -> None:
        """Return when everything up to `mark` is acknowledged. Raises MessageSizeTooLargeError.

        Failed ones are published again, for as long as it takes: a watchdog, not this, gives up.
        """
        async with self._settling:
            while self._settled < mark:
                if not self._handed:
                    await self.push()
                await self._acknowledge(self._entries[0])
                self._entries.popleft()
                self._handed -= 1
                self._settled += 1

    async def _acknowledge(self, entry: _Entry) -> None:
        while True:
            assert entry.acknowledged is not None
            try:
                await asyncio.shield(entry.acknowledged)
            except MessageSizeTooLargeError:
                raise
            except KafkaError as error:
                log.warning("publishing to %s again: %r", entry.output.topic, error)
                await asyncio.sleep(RETRY_PAUSE_S)
                await self._hand_again()
            else:
                return

    async def _hand_again(self) -> None:
        """Hand over again, in their order, all that failed by now: records fail by the batch."""
        for entry in list(islice(self._entries, self._handed)):
            if entry.failed:
                entry.acknowledged = await self._hand(entry.output)

    async def _hand(self, output: Output) -> asyncio.Future[object]:
        while True:
            try:
                return await self._send(output)
            except MessageSizeTooLargeError:
                raise
            except KafkaError as error:
                log.warning("publishing to %s again: %r", output.topic, error)
                await asyncio.sleep(RETRY_PAUSE_S)
