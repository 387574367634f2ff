"""The event clock of the demo, which runs faster than real time, and its text form."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone


@dataclass(slots=True)
class EventClock:
    """A clock that starts now at an event time, and runs `speed` times as fast as real time."""

    start_ms: int
    speed: float
    began: float = field(default_factory=time.monotonic)

    def now_ms(self) -> float:
        return self.start_ms + (time.monotonic() - self.began) * 1000 * self.speed

    async def reach(self, event_time_ms: float) -> None:
        """Wait until the clock reaches this time; yield once even if it has passed."""
        await asyncio.sleep(max((event_time_ms - self.now_ms()) / 1000 / self.speed, 0))


def clock(utc_offset_min: int, event_time_ms: float) -> str:
    """Return the time of day in the time zone of the incident.

    >>> clock(8 * 60, 0)
    '08:00:00'
    """
    zone = timezone(timedelta(minutes=utc_offset_min))
    return f"{datetime.fromtimestamp(event_time_ms / 1000, UTC).astimezone(zone):%H:%M:%S}"
