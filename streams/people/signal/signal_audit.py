"""Audit log of the signal. Each run of the process has its own hash chain.

An answer waits until its audit record is written. Records that arrive during a write are sent
together in the next write. So hundreds of records per second need only a few round trips. If it is
unknown whether a record was written, its chain ends, and the next record begins a new chain. So a
chain never forks.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from streams.common import UnavailableError, tr
from streams.wire import audit_record, chain_start, encode_audit, hash_record

log = logging.getLogger(__name__)

PENDING_MAX: Final = 5_000

Publish = Callable[[list[tuple[bytes, bytes]]], None]
"""Publishes (key, value) pairs in order. Returns when all are acknowledged, otherwise raises."""


class SignalLedger:
    """Write the audit log. `publish` runs in a thread, one call at a time."""

    def __init__(self, publish: Publish, chain: str, now_ms: Callable[[], int]) -> None:
        self._publish, self._name, self._now_ms = publish, chain, now_ms
        self._pending: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._run = 0
        self._begin()

    def _begin(self) -> None:
        self._run += 1
        self._chain = f"{self._name}/{self._run}"
        self._seq, self._prev = 0, chain_start(self._chain)

    async def write(self, **fields: Any) -> None:
        """Write a record and wait for its acknowledgement. Raise UnavailableError if it fails."""
        if len(self._pending) >= PENDING_MAX:
            raise UnavailableError(tr("the audit is behind"))
        if self._task is None:
            self._task = asyncio.create_task(self._send_on())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((fields, done))
        self._wake.set()
        await done

    async def close(self) -> None:
        """Stop sending. Records that are still waiting get no result."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _send_on(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = self._pending, []
            try:
                records = [self._record(fields) for fields, _ in batch]
                await asyncio.to_thread(self._publish, records)
            except Exception as error:  # noqa: BLE001 - after any error the chain may be broken
                log.warning("the audit was not written, so nobody is answered: %s", error)
                self._begin()
                for _, done in batch:
                    if not done.done():
                        done.set_exception(UnavailableError(type(error).__name__))
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _record(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        place = {"chain": self._chain, "seq": self._seq, "prev": self._prev}
        value = encode_audit(audit_record({**place, "at_ms": self._now_ms(), **fields}))
        self._seq, self._prev = self._seq + 1, hash_record(value)
        return self._chain.encode(), value
