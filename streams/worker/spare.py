"""Long work in the event loop's own thread, in the time that events leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

TURN_S: Final = 0.005
PAUSE_S: Final = 0.05
"""An idle loop gives such work a tenth of its time, in turns that no event waits for long."""

LATE: Final = 20
"""A loop that comes late to the end of a pause has events to see to: the pause is then so many
times as much longer. Without that a worker that caught up gave 16 % of its time to patterns, and
cost a tenth more for each event."""


async def between_events(steps: Iterable[object]) -> None:
    """Take all steps, each of some milliseconds at most, a few at a time."""
    until = 0.0
    for _ in steps:
        if (now := time.monotonic()) >= until:
            await asyncio.sleep(PAUSE_S)
            late_s = max(0.0, time.monotonic() - now - PAUSE_S)
            await asyncio.sleep(LATE * late_s)
            until = time.monotonic() + TURN_S
