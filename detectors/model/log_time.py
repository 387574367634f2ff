"""Computes the time from the event times in the log, robust against single wrong clocks.

Event times come from gateways. If a gateway's clock is a year ahead, the event times of this
gateway are too. No other clock is used here. The many event times of a partition confirm each
other, and a time that no other confirms is soon ignored. Times are seconds since `EPOCH_S`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.times import DAY_S

AGREE: Final = 31
"""Number of latest codes whose lower median is the log's time. Chosen: fifteen wrong event times in
a row do not move the median. After a pause of the feed, the sixteenth code moves it."""

AHEAD_S: Final = 7 * DAY_S
"""A code that is this far ahead of both the watermark and the median of `AGREE` codes is rejected.
Chosen: a feed may pause for a week without any loss. After a longer pause, a partition's first
fifteen codes are rejected."""

ASTRAY_S: Final = 2 * DAY_S
"""State that is this far after both an event and the log's time came from a clock that was ahead.

Chosen: an event that is a day late decides nothing anyway, and with few codes a backlog of a day
and a half must not look like the current time. The cost: if a clock is one to two days ahead, its
recipient is not judged for the rest of the second day.
"""

SOON_S: Final = 3600
"""Maximum distance, in seconds, for state that is only counted or is published again: leases, and
the messages of a window."""

TICKS: Final = 5
"""Number of ticks whose medians determine the watermark. Chosen: two of them may be wrong."""

LEAP_S: Final = 7200
"""Maximum distance of a tick's median ahead of the middle median at which it is accepted at once.
Four times the distance between ticks is added. After a longer pause of the feed, the time is
accepted when three ticks agree. Chosen."""

BACK_S: Final = 900
"""The watermark goes back if it is this far ahead of the middle median. Four times the distance
between ticks is added. Chosen: half of the quiet time that ends an episode."""

_STEP_MAX_S: Final = DAY_S // 4
_NO_LIMIT_S: Final = 1 << 62


class LogTime:
    """The log's time at each code of one pass. Uses the codes before the pass too."""

    __slots__ = ("_all_s", "_at_s", "_before_s", "_gone", "_watermark_s", "newest_s")

    def __init__(self, before_s: Sequence[int], at_s: NDArray[np.int64], watermark_s: int) -> None:
        self._before_s, self._at_s = before_s, at_s
        self._gone: NDArray[np.int64] | None = None  # positions of rejected codes
        self._all_s: NDArray[np.int64] | None = None  # times before the pass, then of the pass
        self._watermark_s = watermark_s  # 0 before the first tick
        # The newest event times: `before_s` of the next pass.
        self.newest_s: list[int] = [*before_s, *at_s[1 - AGREE :].tolist()][1 - AGREE :]

    def at(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the log's time when these codes (m,) of the pass came.

        This is the lower median of a code and the thirty codes before it (fewer if there are not so
        many), but at least the watermark.
        """
        return np.maximum(self._middle(self._behind(position)), self._watermark_s)

    def _behind(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return, for each code, how many times of `_all_s` came up to and including this code."""
        if self._gone is not None:
            position = np.delete(np.arange(len(self._at_s)), self._gone)[position]
        return position + len(self._before_s) + 1

    def _middle(self, behind: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._all_s is None:
            self._all_s = np.concatenate((np.asarray(self._before_s, np.int64), self._at_s))
        middle = np.empty(len(behind), np.int64)
        few = indices(behind < AGREE)
        for i in few.tolist():
            middle[i] = np.sort(self._all_s[: behind[i]])[(behind[i] - 1) // 2]
        many = indices(behind >= AGREE)
        if len(many):
            windows = np.lib.stride_tricks.sliding_window_view(self._all_s, AGREE)
            half = AGREE // 2
            middle[many] = np.partition(windows[behind[many] - AGREE], half, axis=1)[:, half]
        return middle

    @property
    def limit_s(self) -> int:
        """Return the time up to which no code can be rejected (fast check)."""
        return self._watermark_s + AHEAD_S if self._watermark_s else _NO_LIMIT_S

    def ahead(self) -> NDArray[np.int64]:
        """Return the positions of codes that are over `AHEAD_S` (7 days) ahead of the log's time.

        These codes are rejected.
        Before the first tick, no code is rejected.
        """
        own = self._at_s
        if own.max(initial=0) <= self.limit_s:
            return indices(own[:0])
        far = indices(own > self.limit_s)
        far = far[self._behind(far) >= AGREE]
        return far[own[far] > self.at(far) + AHEAD_S]

    def without(self, position: NDArray[np.int64]) -> None:
        """Number the positions without these codes from now on.

        The event times of the removed codes still take part in the medians.
        """
        self._gone = position


class LogTimes:
    """The log's time at the codes of several partitions, one after the other in one pass."""

    __slots__ = ("_edges", "_logs")

    def __init__(self, logs: Sequence[LogTime], edges: Sequence[int]) -> None:
        """The codes from `edges[i]` up to `edges[i + 1]` belong to log i."""
        self._logs, self._edges = logs, edges

    def at(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the time when these codes (m,) of the pass came, each by its own log."""
        if len(self._logs) == 1:
            return self._logs[0].at(position)
        which = np.searchsorted(self._edges, position, "right") - 1
        times_s = np.empty(len(position), np.int64)
        for each in sorted(set(which.tolist())):
            here = indices(which == each)
            times_s[here] = self._logs[each].at(position[here] - self._edges[each])
        return times_s


def latest(watermark_s: int, medians_s: Sequence[int], recent_s: Sequence[int]) -> int:
    """Return, at a tick, the latest time that is confirmed by more than a single clock.

    The watermark may be too old after a pause, or if a few ticks cover months. The median of the
    last codes is not too old in these cases. A tick is every `TICK_OFFSETS`-th offset of the log.
    """
    order = sorted(recent_s)
    return max(watermark_s, *medians_s, order[(len(order) - 1) // 2] if order else 0)


def watermark(held_s: int, medians_s: Sequence[int]) -> int:
    """Return the watermark at a tick, from the previous watermark and recent ticks' medians.

    `medians_s`: the medians of the last 1 to `TICKS` ticks. The watermark moves to the newest
    median, or to the middle one if the newest is far ahead of it. The watermark goes back only if
    most of at least three ticks show that it is far ahead.

    >>> watermark(0, [100]), watermark(100, [100, 200]), watermark(200, [100, 200, 150])
    (100, 200, 200)
    >>> watermark(200, [100, 200, 9_000_000]), watermark(9_000_000, [9_000_000, 100, 200])
    (200, 200)
    """
    order = sorted(medians_s)
    middle = (len(order) - 1) // 2
    apart_s = 4 * min(order[middle] - order[max(middle - 1, 0)], _STEP_MAX_S)
    newest_s = medians_s[-1]
    told_s = newest_s if newest_s <= order[middle] + LEAP_S + apart_s else order[middle]
    if len(order) > 2 and held_s > order[len(order) // 2] + BACK_S + apart_s:
        return told_s
    return max(held_s, told_s)
