"""Publish the output records of a partition in order, and track which are acknowledged.

A checkpoint may cover an input event only after the brokers have acknowledged all outputs that the
event caused. Otherwise a crash could lose these outputs.
"""

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
"""Pause between two attempts to publish an output or a checkpoint record, in seconds."""


class Output(NamedTuple):
    """An output record."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    caused_ms: int | None = None  # time of the causing event, for urgent outputs


Send = Callable[[Output], Awaitable[asyncio.Future[object]]]
"""Passes a record to the producer. The returned future is done when the broker acknowledges it."""


@dataclass(slots=True)
class _Entry:
    output: Output
    acknowledged: asyncio.Future[object] | None = None

    @property
    def has_failed(self) -> bool:
        """True if the broker or the producer has refused the record."""
        sent = self.acknowledged
        if sent is None or not sent.done() or sent.cancelled():
            return False
        return sent.exception() is not None


class Outbox:
    """The outputs of one partition that may not be acknowledged yet, in order.

    `add` does not wait, so the state's change and its outputs stay together. The caller bounds the
    size: it calls `settle` when `len()` exceeds its limit.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._entries: deque[_Entry] = deque()  # oldest entry first
        self._handed = 0  # number of entries that the producer has received
        self._settled = 0  # number of outputs that were acknowledged and removed
        self._handing = asyncio.Lock()
        self._settling = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def waiting(self) -> bool:
        """True if the producer has not received all entries."""
        return self._handed < len(self._entries)

    @property
    def mark(self) -> int:
        """Number of outputs ever added; this is the argument that `settle` takes."""
        return self._settled + len(self._entries)

    def add(self, outputs: Iterable[Output]) -> None:
        """Append outputs, in the order of their events."""
        self._entries.extend(map(_Entry, outputs))

    async def push(self) -> None:
        async with self._handing:
            while self._handed < len(self._entries):
                entry = self._entries[self._handed]
                entry.acknowledged = await self._hand(entry.output)
                self._handed += 1

    async def settle(self, mark: int) -> None:
        """Wait until all outputs up to `mark` are acknowledged.

        Failed outputs are published again without limit; a watchdog ends the process if there is no
        progress. Raises MessageSizeTooLargeError.
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
        """Publish all failed outputs again, in order. Usually a whole batch fails together."""
        for entry in list(islice(self._entries, self._handed)):
            if entry.has_failed:
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
