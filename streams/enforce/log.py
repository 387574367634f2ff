"""The dry run: a JSON line for each order that a gateway would have been given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from detectors.model.event import platform_print
from streams.enforce.gateway import CountsNothing, Order, Refusals


class LogGateway(CountsNothing):
    """Writes to a stream. Recipients are named only if `numbers` is set: logs are read by many."""

    batch_max = 1_000
    parallel_max = 1
    tries_max: int | None = None
    again = False

    def __init__(self, stream: TextIO, *, numbers: bool = False) -> None:
        self._stream = stream
        self._numbers = numbers

    def held(self) -> Iterable[str]:
        """Nothing: a log holds nobody back."""
        return ()

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Say which leases would stand."""
        for order in orders:
            lease = order.lease
            self._say(
                "throttle",
                order.recipient,
                action_id=lease.action_id,
                expires_at_ms=lease.expires_at_ms,
                trust=[trust.name.lower() for trust in lease.scope.trust],
                passes=len({*lease.scope.pass_prints, *map(platform_print, lease.scope.pass_ids)}),
            )
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Say which leases would be taken back."""
        for recipient in recipients:
            self._say("release", recipient)
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Say which leases are over."""
        for recipient in recipients:
            self._say("expire", recipient)
        return {}

    def health(self) -> str:
        """Return a constant: a log forgets nothing."""
        return "log"

    def close(self) -> None:
        """Write what is buffered."""
        self._stream.flush()

    def _say(self, order: str, recipient: str, **more: object) -> None:
        who: Mapping[str, object] = {"recipient": recipient} if self._numbers else {}
        self._stream.write(json.dumps({"order": order, **who, **more}) + "\n")
        self._stream.flush()
