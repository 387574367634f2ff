"""Runs long work in the event loop's thread, in the time that events leave free."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

TURN_S: Final = 0.005
PAUSE_S: Final = 0.05
"""Seconds of a pause. The work runs in turns of `TURN_S` seconds between the pauses. An idle loop
therefore gives it a tenth of its time, and no event waits long for a turn to end."""

LATE: Final = 20
"""Factor for longer pauses. If the loop is late at the end of a pause, it has events to process.
The pause is then extended by 20 times the delay. Without this, a worker that was catching up spent
16 % of its time on compiling patterns, and each event cost a tenth more."""


async def between_events(steps: Iterable[object]) -> None:
    """Execute all steps, a few at a time, while there are no events.

    Each step lasts some milliseconds at most.
    """
    until = 0.0
    for _ in steps:
        if (now := time.monotonic()) >= until:
            await asyncio.sleep(PAUSE_S)
            late_s = max(0.0, time.monotonic() - now - PAUSE_S)
            await asyncio.sleep(LATE * late_s)
            until = time.monotonic() + TURN_S
