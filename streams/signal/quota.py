"""Quotas of clients: so many questions a minute, and so many about one number an hour. Pure.

The second is the more important: a bank asks about a customer who does something; who asks about
one person again and again watches her.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Literal

from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.signal.clients import SignalClient

NUMBERS_MAX: Final = 200_000
"""Numbers remembered over all clients; the one asked about longest ago goes first."""

Over = Literal["", "TOO_MANY_REQUESTS", "QUOTA_EXCEEDED"]


class Quotas:
    """Counts within fixed minutes and hours of a clock that is given."""

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[int, int]] = {}  # client -> minute, asked in it
        self._hours: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def take(self, client: SignalClient, number: str, now_ms: int) -> Over:
        """Count one question; return why it is one too many, empty if it is not."""
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
