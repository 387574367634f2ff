"""Tells the time by the log itself, so that no single clock can say it.

Event times are the word of gateways, and a gateway whose clock is a year ahead writes records that
are as wrong. Nothing here looks at another clock: the many stamps of a partition bear each other
out, and one that none bears out is not believed for long. Times are seconds since `EPOCH_S`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.times import DAY_S

AGREE: Final = 31
"""Codes whose lower median is the time at the last of them. Chosen: fifteen wrong ones in a row do
not move it, and after a pause of the feed the sixteenth does."""

AHEAD_S: Final = 7 * DAY_S
"""An event so far ahead of both the watermark and `AGREE` codes is refused. Chosen: a feed may rest
for a week and lose nothing; after a longer rest a partition's first fifteen codes are refused."""

ASTRAY_S: Final = 2 * DAY_S
"""State of a recipient from so long after an event, and after the log's time, is from a clock that
was ahead. Chosen: an event is late, and decides nothing, from a day on; where codes are few a
backlog of a day and a half must not look like the time. A clock that is one to two days ahead so
keeps its recipient unjudged for the rest of the second day."""

SOON_S: Final = 3600
"""The same for what is merely counted, or said again: a lease, the messages of a window."""

TICKS: Final = 5
"""Ticks whose medians the watermark rests on. Chosen: two may be wrong."""

LEAP_S: Final = 7200
"""A tick's median is believed at once up to so far ahead of the middle one, and four times what
ticks are apart; a feed that rested for longer is believed when three ticks agree. Chosen."""

BACK_S: Final = 900
"""The watermark goes back once it is so far ahead of the middle one, and four times what ticks are
apart. Chosen: half of the time that an episode has to be quiet."""

_STEP_MAX_S: Final = DAY_S // 4
_NO_LIMIT_S: Final = 1 << 62


class LogTime:
    """The codes of one pass, with the times of those before it."""

    __slots__ = ("_all_s", "_at_s", "_before_s", "_gone", "_watermark_s", "newest_s")

    def __init__(self, before_s: Sequence[int], at_s: NDArray[np.int64], watermark_s: int) -> None:
        self._before_s, self._at_s = before_s, at_s
        self._gone: NDArray[np.int64] | None = None  # positions that do not count any more
        self._all_s: NDArray[np.int64] | None = None  # those before, and all of the pass
        self._watermark_s = watermark_s  # 0 before the first tick
        # What the next pass needs.
        self.newest_s: list[int] = [*before_s, *at_s[1 - AGREE :].tolist()][1 - AGREE :]

    def at(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """The time when these codes (m,) of the pass came: the watermark, or what most agree on.

        The lower median of a code and the thirty before it, or as many as there are.
        """
        return np.maximum(self._middle(self._behind(position)), self._watermark_s)

    def _behind(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Up to where the times of all codes reach that came up to these."""
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
        """Up to here no code can be refused."""
        return self._watermark_s + AHEAD_S if self._watermark_s else _NO_LIMIT_S

    def ahead(self) -> NDArray[np.int64]:
        """Positions of the codes that are refused; none before the first tick."""
        own = self._at_s
        if own.max(initial=0) <= self.limit_s:
            return indices(own[:0])
        far = indices(own > self.limit_s)
        far = far[self._behind(far) >= AGREE]
        return far[own[far] > self.at(far) + AHEAD_S]

    def without(self, position: NDArray[np.int64]) -> None:
        """Counts positions without these, which still bear on the time of the others."""
        self._gone = position


class LogTimes:
    """The same for the codes of several partitions, one after the other in one pass."""

    __slots__ = ("_edges", "_logs")

    def __init__(self, logs: Sequence[LogTime], edges: Sequence[int]) -> None:
        """The codes of log i are those from `edges[i]` up to `edges[i + 1]`."""
        self._logs, self._edges = logs, edges

    def at(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """The time when these codes (m,) of the pass came, each by its own log."""
        if len(self._logs) == 1:
            return self._logs[0].at(position)
        which = np.searchsorted(self._edges, position, "right") - 1
        times_s = np.empty(len(position), np.int64)
        for each in sorted(set(which.tolist())):
            here = indices(which == each)
            times_s[here] = self._logs[each].at(position[here] - self._edges[each])
        return times_s


def latest(watermark_s: int, medians_s: Sequence[int], recent_s: Sequence[int]) -> int:
    """The latest time that anything but a single clock says it is, at a tick.

    A watermark lags after a pause, and where a few ticks hold months; the last codes do not.
    """
    order = sorted(recent_s)
    return max(watermark_s, *medians_s, order[(len(order) - 1) // 2] if order else 0)


def watermark(held_s: int, medians_s: Sequence[int]) -> int:
    """The watermark at a tick, from the one before and the last 1 to `TICKS` ticks' medians.

    It is the newest median, or the middle one where the newest is far ahead of that. It goes back
    only where most of three ticks or more agree that it is far ahead of them.

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
