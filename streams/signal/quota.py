"""Quotas of clients: requests per minute, and requests about one number per hour. Pure.

The quota per number matters more. A bank asks about a customer who is doing something. A client
that asks about the same person again and again is watching that person.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Literal

from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.signal.clients import SignalClient

NUMBERS_MAX: Final = 200_000
"""Maximum number of (client, number) pairs kept. The pair used longest ago is dropped first."""

Over = Literal["", "TOO_MANY_REQUESTS", "QUOTA_EXCEEDED"]


class Quotas:
    """Count requests in fixed minutes and hours. The caller passes the time."""

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[int, int]] = {}  # client -> minute, requests in it
        self._hours: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def take(self, client: SignalClient, number: str, now_ms: int) -> Over:
        """Count one request. Return the error code if a quota is exceeded, otherwise ""."""
        minute = now_ms // MINUTE_MS
        began, asked = self._minutes.get(client.name, (minute, 0))
        asked = asked + 1 if began == minute else 1
        self._minutes[client.name] = minute, asked
        if asked > client.per_minute:
            return "TOO_MANY_REQUESTS"
        key, hour = (client.name, number), now_ms // HOUR_MS
        began, asked = self._hours.pop(key, (hour, 0))
        asked = asked + 1 if began == hour else 1
        self._hours[key] = hour, asked
        if len(self._hours) > NUMBERS_MAX:
            self._hours.popitem(last=False)
        return "QUOTA_EXCEEDED" if asked > client.number_per_hour else ""
