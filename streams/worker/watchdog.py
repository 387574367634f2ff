"""Ends a process that is stuck, so that a supervisor can start it again.

A thread of its own, because the event loop may be what hangs. Every way out says why in one line;
what was stuck shows in the stacks that go before it.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from streams.errors import Exit

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5


def end(code: Exit, why: str, *, stacks: bool = False) -> None:
    """End the process at once, without letting anything finish.

    State that cannot be trusted, or a loop that hangs, must not write another record.
    """
    if stacks:
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    log.critical("%s (exit %d)", why, code)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


@dataclass(slots=True)
class Heartbeats:
    """Signs of life, written by the event loop, read by the watchdog. Times: monotonic seconds."""

    loop_at: float = field(default_factory=time.monotonic)  # the loop's beat
    broker_at: float = field(default_factory=time.monotonic)  # a broker answered
    progress: int = 0  # grows with whatever gets done
    checkpoint_steps: int = 0  # grows with each step of a checkpoint
    working: bool = True  # there is something to do: records behind, or a state to load
    overdue: bool = False  # a checkpoint should have been there for a while
    stopping_at: float | None = None  # a stop was asked for


@dataclass(slots=True)
class Watchdog:
    """Looks at the heartbeats and calls `end` when one has been missing for too long."""

    heartbeats: Heartbeats
    stall_s: float
    stop_s: float
    end: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    _progress: tuple[int, float] = (-1, 0.0)
    _steps: tuple[int, float] = (-1, 0.0)

    def start(self) -> None:
        """Watch from a daemon thread until the process ends."""
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
