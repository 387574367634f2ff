"""Ends a process that is stuck, so that a supervisor can restart it.

The watchdog is a separate thread, because the event loop itself may hang. Each exit logs the reason
in one line. The stack traces before this line show what was stuck.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from streams.common import Exit

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5


def end(code: Exit, why: str, *, stacks: bool = False) -> None:
    """End the process at once, without letting any work finish.

    A hanging loop, or a process whose state cannot be trusted, must not write another record.
    """
    if stacks:
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    log.critical("%s (exit %d)", why, code)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@dataclass(slots=True)
class Heartbeats:
    """Signs of life, set by the event loop and read by the watchdog. Times: monotonic seconds."""

    loop_at: float = field(default_factory=time.monotonic)  # When the loop last ran.
    broker_at: float = field(default_factory=time.monotonic)  # When a broker last answered.
    progress: int = 0  # Rises with all completed work.
    checkpoint_steps: int = 0  # Rises with each step of a checkpoint.
    working: bool = True  # There is work: unread records, or a state to load.
    overdue: bool = False  # A checkpoint should have been written some time ago.
    stopping_at: float | None = None  # When a stop was requested.


@dataclass(slots=True)
class Watchdog:
    """Checks the heartbeats, and calls `end` if one has been missing for too long."""

    heartbeats: Heartbeats
    stall_s: float
    stop_s: float
    end: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    _progress: tuple[int, float] = (-1, 0.0)
    _steps: tuple[int, float] = (-1, 0.0)

    def start(self) -> None:
        """Start a daemon thread that watches until the process ends."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            if (why := self.look()) is not None:
                self.end(why)
                return

    def look(self) -> str | None:
        """Return why the process should end, or None."""
        now, heartbeats = self.now(), self.heartbeats
        if self._progress[0] != heartbeats.progress or not heartbeats.working:
            self._progress = (heartbeats.progress, now)
        if self._steps[0] != heartbeats.checkpoint_steps or not heartbeats.overdue:
            self._steps = (heartbeats.checkpoint_steps, now)
        if heartbeats.stopping_at is not None and now - heartbeats.stopping_at > self.stop_s:
            return f"stopping took over {self.stop_s:g} s"
        for what, since in (
            ("the event loop was silent", heartbeats.loop_at),
            ("no broker answered", heartbeats.broker_at),
            ("nothing was done although there is work", self._progress[1]),
            ("no checkpoint could be written", self._steps[1]),
        ):
            if now - since > self.stall_s:
                return f"{what} for {self.stall_s:g} s"
        return None
