"""The time by which leases are judged: a clock that is set back holds none of them longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from detectors.bars import LEASE_MAX_MS
from streams.enforce.book import REMEMBER_MS

DOUBT_MS: Final = LEASE_MAX_MS + REMEMBER_MS
"""From when a clock is set back until it is believed: then all is over and forgotten that was held.
For ever would be no better: a clock that ran ahead and was put right would end every new lease."""

STEP_NS: Final = 1_000_000_000  # back by so much once more, it is set back anew

_RUNNING: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that nobody sets, and that goes on while the machine sleeps where there is such a one."""


def _running_ns() -> int:
    return time.clock_gettime_ns(_RUNNING)


class LeaseClock:
    """Tells milliseconds UTC. For one thread.

    A wall clock that jumps forward is followed at once; behind one that is set back, time goes on
    by what really went by.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        running_ns: Callable[[], int] = _running_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._running_ns = running_ns
        self._ahead_ns = wall_ns() - running_ns()
        self._doubted: tuple[int, int] | None = None  # how far ahead the wall is, and since when

    def __call__(self) -> int:
        """Return the time."""
        wall_ns = self._wall_ns()  # first: what goes by between the two must not count as ahead
        running_ns = self._running_ns()
        ahead_ns, doubted = wall_ns - running_ns, self._doubted
        if ahead_ns >= self._ahead_ns:
            self._ahead_ns, self._doubted = ahead_ns, None
        elif doubted is None or ahead_ns < doubted[0] - STEP_NS:
            self._doubted = ahead_ns, running_ns
        elif running_ns - doubted[1] >= DOUBT_MS * 1_000_000:
            self._ahead_ns, self._doubted = ahead_ns, None
        return (running_ns + self._ahead_ns) // 1_000_000
