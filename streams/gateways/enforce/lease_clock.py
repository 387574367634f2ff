"""The clock for leases. A wall clock that is set back does not make leases last longer."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from detectors.thresholds import LEASE_MAX_MS
from streams.wire.desired_state import REMEMBER_MS

DOUBT_MS: Final = LEASE_MAX_MS + REMEMBER_MS
"""Time after which a wall clock that was set back is trusted again. By then every lease that was in
force has ended and is forgotten. Never trusting it would be wrong too: after a clock that ran ahead
is corrected, every new lease would look expired."""

# a further step back of at least this size restarts the waiting time
STEP_NS: Final = 1_000_000_000

_running_ns: Final = partial(
    time.clock_gettime_ns, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)
"""A clock that nobody sets. CLOCK_BOOTTIME also counts while the machine sleeps; where the system
lacks it, CLOCK_MONOTONIC is used."""


class LeaseClock:
    """Callable that returns milliseconds UTC. Not thread-safe.

    If the wall clock jumps forward, this clock follows at once. If the wall clock is set back, this
    clock continues with the elapsed time, until DOUBT_MS have passed.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        running_ns: Callable[[], int] = _running_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._running_ns = running_ns
        self._ahead_ns = wall_ns() - running_ns()
        # the wall clock's offset after it was set back, and since when
        self._doubted: tuple[int, int] | None = None

    def __call__(self) -> int:
        # Read the wall clock first: the time between the two reads must not count as an advance.
        wall_ns = self._wall_ns()
        running_ns = self._running_ns()
        ahead_ns, doubted = wall_ns - running_ns, self._doubted
        if ahead_ns >= self._ahead_ns:
            self._ahead_ns, self._doubted = ahead_ns, None
        elif doubted is None or ahead_ns < doubted[0] - STEP_NS:
            self._doubted = ahead_ns, running_ns
        elif running_ns - doubted[1] >= DOUBT_MS * 1_000_000:
            self._ahead_ns, self._doubted = ahead_ns, None
        return (running_ns + self._ahead_ns) // 1_000_000
