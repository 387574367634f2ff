"""Tumbling windows over a whole partition, for metrics. The watermark closes a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.fields import As, Bounds, Count
from detectors.model.times import EPOCH_S
from detectors.recipients.row import prints_of

if TYPE_CHECKING:
    from detectors.recipients.sieve import Sifted

RUNGS: Final = (2, 5, 10, 20, 50)
"""Message counts of one recipient in one window that are reported. The set is fixed, because the
values are labels of a metric."""

OPEN_MAX: Final = 48
"""Maximum number of open windows: four hours. Messages before or after these are not counted."""


WAITING_MAX: Final = 64
"""Maximum number of batches of a window whose prints (hashes of platform ids) wait. They take 2 us
a batch otherwise."""

_PRINTS: Final = 1 << 16  # number of different prints
_Prints: TypeAlias = Annotated[
    NDArray[np.bool_],  # (_PRINTS,): true if a platform with this print came
    As(
        Annotated[bytes, Bounds(_PRINTS // 8, _PRINTS // 8)],
        lambda prints: np.packbits(prints).tobytes(),
        lambda held: np.unpackbits(np.frombuffer(held, np.uint8)).astype(np.bool_),
    ),
]


@dataclass(frozen=True, slots=True)
class Window:
    """One closed time window of one partition, with its counts."""

    start_ms: int
    codes: int  # number of verification codes
    platforms: int  # number of distinct prints of platforms
    recipients: tuple[tuple[int, int], ...]  # (rung, recipients with at least `rung` messages)


@dataclass(slots=True, eq=False)
class Tally:
    """The counts of one open window."""

    codes: Count = 0
    prints: _Prints = field(default_factory=lambda: np.zeros(_PRINTS, np.bool_))
    rungs: Annotated[list[Count], Bounds(len(RUNGS), len(RUNGS))] = field(
        default_factory=lambda: [0] * len(RUNGS)
    )
    # Prints that are not in `prints` yet: to write a few of them takes as long as to write many.
    waiting: list[NDArray[np.uint16]] = field(init=False, default_factory=list)

    def fold(self) -> None:
        """Write the waiting prints. Call this before the object is copied."""
        if self.waiting:
            self.prints[np.concatenate(self.waiting)] = True
            self.waiting.clear()


@dataclass(slots=True, eq=False)
class Windows:
    """The open windows of a partition, by window number.

    `next` is the lowest number that can be open; 0 before the first message.
    """

    open: dict[int, Tally] = field(default_factory=dict)
    next: int = 0


def tally(
    held: Sequence[Windows],
    edges: Sequence[int],
    number: NDArray[np.int64],
    platform: NDArray[np.uint32],
    sifted: Sifted,
) -> None:
    """Add codes (n,) to the windows, with the runs that the sieve counted.

    `number` and `platform` (n,): window number and platform of each code. The codes from `edges[i]`
    up to `edges[i + 1]`, at least one, belong to `held[i]`.
    """
    starts = edges[:-1]
    prints, first = prints_of(platform), number[starts].tolist()
    low, high = np.minimum.reduceat(number, starts), np.maximum.reduceat(number, starts)
    mixed = (low != high).tolist()
    counted = indices(sifted.after >= RUNGS[0])
    runs = counted.searchsorted(sifted.runs).tolist()
    window = sifted.window[counted]
    risen = sifted.before[counted], sifted.after[counted]
    for windows, several, newest, (a, b), (c, d) in zip(
        held, mixed, first, pairwise(edges), pairwise(runs), strict=True
    ):
        windows.next = windows.next or max(1, newest - 1)
        for each in np.unique(number[a:b]).tolist() if several else [newest]:
            if not windows.next <= each < windows.next + OPEN_MAX:
                continue
            open_ = windows.open.get(each)
            if open_ is None:
                open_ = windows.open[each] = Tally()
            inside = prints[a:b][number[a:b] == each] if several else prints[a:b]
            open_.codes += len(inside)
            open_.waiting.append(inside)
            if len(open_.waiting) == WAITING_MAX:
                open_.fold()
            if c < d:
                here = indices(window[c:d] == each) + c
                _rise(open_.rungs, *(column[here] for column in risen))


def _rise(rungs: list[int], was: NDArray[np.int64], now: NDArray[np.int64]) -> None:
    """Add to `rungs`, for each message count in `RUNGS`, the recipients who reach it now.

    `was` and `now` (r,): the messages of each recipient in the window before and after a run of
    messages.
    """
    most = now.max(initial=0)
    for i, rung in enumerate(RUNGS):
        if most < rung:
            break
        rungs[i] += int(np.count_nonzero((was < rung) & (now >= rung)))


def close(windows: Windows, window_s: int, watermark_s: int) -> list[Window]:
    """Close, at maintenance, all windows that ended at least one window before the watermark.

    If the watermark has gone back, a clock was ahead. Windows too far ahead of the watermark are
    then dropped.
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
        held.fold()
        closed.append(
            Window(
                (number * window_s + EPOCH_S) * 1000,
                held.codes,
                int(np.count_nonzero(held.prints)),
                tuple(zip(RUNGS, held.rungs, strict=True)),
            )
        )
    return closed
