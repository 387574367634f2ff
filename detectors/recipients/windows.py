"""Tumbling windows over a whole partition, for metrics: closed once the watermark has passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.times import EPOCH_S
from detectors.recipients.row import prints_of

RUNGS: Final = (2, 5, 10, 20, 50)
"""Messages of one recipient in one window; a closed set, for it labels a metric."""

OPEN_MAX: Final = 48
"""Windows that may be open: four hours. Messages from before or after them are not tallied."""


@dataclass(frozen=True, slots=True)
class Window:
    """One closed window of one partition."""

    start_ms: int
    codes: int
    platforms: int  # distinct prints
    recipients: tuple[tuple[int, int], ...]  # (rung, recipients with so many messages or more)


class Tally:
    """One open window."""

    __slots__ = ("codes", "prints", "rungs")

    def __init__(self) -> None:
        self.codes = 0
        self.prints: NDArray[np.bool_] = np.zeros(1 << 16, np.bool_)
        self.rungs = [0] * len(RUNGS)


class Windows:
    """The open windows, by number; none is before `next`, which is 0 until there was a message."""

    __slots__ = ("next", "open")

    def __init__(self) -> None:
        self.open: dict[int, Tally] = {}
        self.next = 0


def tally(
    windows: Windows,
    number: NDArray[np.int64],
    platform: NDArray[np.uint32],
    run: NDArray[np.int64],
    *,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> None:
    """Adds codes (n,) by window and platform, and runs (r,) as the sieve has them."""
    low, high = int(number.min()), int(number.max())
    windows.next = windows.next or max(1, int(number[0]) - 1)
    for window in np.unique(number).tolist() if low != high else [low]:
        if not windows.next <= window < windows.next + OPEN_MAX:
            continue
        held = windows.open.get(window)
        if held is None:
            held = windows.open[window] = Tally()
        inside = slice(None) if low == high else number == window
        prints = prints_of(platform[inside])
        held.codes += len(prints)
        held.prints[prints] = True
        runs = slice(None) if low == high else run == window
        was, now = before[runs], after[runs]
        if now.max(initial=0) < RUNGS[0]:
            continue
        for i, rung in enumerate(RUNGS):
            held.rungs[i] += int(((was < rung) & (now >= rung)).sum())


def close(windows: Windows, window_s: int, watermark_s: int) -> list[Window]:
    """Closes, at a tick, what lies a whole window behind the watermark.

    Windows that are out of its reach, after it went back, are dropped: a clock was ahead.
    """
    due = watermark_s // window_s - 1
    if windows.next > due + OPEN_MAX:
        windows.open = {n: held for n, held in windows.open.items() if n < due + OPEN_MAX}
        windows.next = due
    windows.next = max(windows.next, due)
    ready = sorted(w for w in windows.open if w < windows.next)
    closed = []
    for number in ready:
        held = windows.open.pop(number)
        closed.append(
            Window(
                (number * window_s + EPOCH_S) * 1000,
                held.codes,
                int(held.prints.sum()),
                tuple(zip(RUNGS, held.rungs, strict=True)),
            )
        )
    return closed
