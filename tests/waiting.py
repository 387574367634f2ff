"""The one way in which tests wait: for an event, and with an end that only a failure reaches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

import pytest

END_S: Final = 240.0
"""Longest wait for what must come: an answer, an exit, a record. A worker that has read everything
after 10 s on a quiet machine took over 120 s where six programs wanted each core; only a failure
waits so long."""

STILL_S: Final = 2.0
"""How long a test looks on where nothing may happen. On a busy machine it sees less, and passes."""


def wait_until(
    true: Callable[[], object],
    what: str = "it comes about",
    end_s: float = END_S,
    pause_s: float = 0.05,
) -> None:
    """Return as soon as `true()` is; fail with `what` after `end_s`.

    `pause_s` is the time between two looks. It is three times the CPU time of the last look if
    that is longer, up to a second: a look that reads a topic anew, or starts a program, would else
    keep a core busy.
    """
    end, spent_s = time.monotonic() + end_s, _cpu_s()
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"not within {end_s:g} s: {what}")
        time.sleep(max(pause_s, min(1.0, 3 * (_cpu_s() - spent_s))))
        spent_s = _cpu_s()


def _cpu_s() -> float:
    """CPU time of this process and of the programs that it started and that have ended."""
    return sum(os.times()[:4])
