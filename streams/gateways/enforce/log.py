"""A gateway for dry runs: writes one JSON line for each order instead of sending the order."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from detectors.model.event import platform_print
from streams.gateways.enforce.gateway import Gateway, Order, Refusals


class LogGateway(Gateway):
    """Writes orders to a stream.

    Phone numbers are written only if `numbers` is true, because many people read logs.
    """

    again = False

    def __init__(self, stream: TextIO, *, numbers: bool = False) -> None:
        self._stream = stream
        self._numbers = numbers

    def list_recipients(self) -> Iterable[str]:
        """Return no recipients: a log throttles nobody."""
        return ()

    def apply(self, orders: Sequence[Order]) -> Refusals:
        for order in orders:
            lease = order.lease
            self._say(
                "throttle_platforms" if lease.narrow else "throttle",
                order.recipient,
                action_id=lease.action_id,
                expires_at_ms=lease.expires_at_ms,
                trust=[trust.name.lower() for trust in lease.scope.trust],
                passes=len({*lease.scope.pass_prints, *map(platform_print, lease.scope.pass_ids)}),
                refused_ids=sorted(lease.refused_ids),
            )
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        for recipient in recipients:
            self._say("release", recipient)
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        for recipient in recipients:
            self._say("expire", recipient)
        return {}

    def health(self) -> str:
        """Return a constant id: a log does not lose leases."""
        return "log"

    def close(self) -> None:
        self._stream.flush()

    def _say(self, order: str, recipient: str, **more: object) -> None:
        who: Mapping[str, object] = {"recipient": recipient} if self._numbers else {}
        self._stream.write(json.dumps({"order": order, **who, **more}) + "\n")
        self._stream.flush()
