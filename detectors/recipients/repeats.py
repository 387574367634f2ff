"""Codes that platforms sent again at a recipient within a day: for the limit on one platform.

A recipient's row (packed memory) has no room for these counts, and most recipients are not
suspects. So a partition keeps the times of repeats for each recipient and platform. The partition
also keeps which known platforms are *young*: the recipient had got codes of them on one day only,
within the last week. The sieve (a fast pass over all recipients) and the judge (exact rules for
suspects) fill and read the same counts. So nothing has to be copied when a recipient becomes a
suspect or is released.
"""

import zlib
from array import array
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

from detectors.model.fields import As, Bounds, PlatformId, Time, Word
from detectors.model.times import DAY_S
from detectors.thresholds import LIMIT_24H, LIMIT_35MIN, REPEAT_TIMES_MAX, REPEATS_MAX

LATE_S: Final = 3600
"""Entries are kept for a day and this many seconds, because messages may come late."""

STEP_S: Final = 600
"""Old entries are dropped when the log's time enters another step of this many seconds."""

_SECONDS: Final = "q"  # type of the times in an array
_NONE: Final = array(_SECONDS)


SPREAD_S: Final = 59  # Number of seconds over which the codes of one whole minute are spread.


def spread_s(message_id: str) -> int:
    """Return the seconds to add to a whole minute before a code is counted as a repeat.

    Some gateways give times in whole minutes. There, all codes of one platform in a minute would
    have the same time and count as one code. So a number from the message id is added, from 1 on,
    because the platform's first code of the day has the minute itself. A code that is delivered
    twice has one id, so it counts once.
    """
    return 1 + zlib.crc32(message_id.encode("utf-8", "surrogatepass")) % SPREAD_S


@dataclass(slots=True, eq=False, repr=False)
class Repeats:
    """The repeats of one partition. Keys are `recipient << 32 | platform`, times are seconds."""

    # Key -> times of codes after the sighting, ascending; a list takes three times the memory
    codes: dict[int, "array[int]"] = field(default_factory=dict)
    # Key of a young platform -> time of its sighting
    young: dict[int, int] = field(default_factory=dict)
    # Key of a sighting on a whole minute -> the time under which a second delivery of it comes
    first: dict[int, int] = field(default_factory=dict)

    def is_young(self, key: int, at_s: int) -> bool:
        """Return true if the platform was young at its sighting of the day around `at_s`."""
        return abs(at_s - self.young.get(key, at_s - DAY_S)) < DAY_S

    def add(self, key: int, at_s: int) -> None:
        """Record one code. Two codes of one second are one code that was delivered twice."""
        times = self.codes.get(key)
        if times is None:
            self.codes[key] = array(_SECONDS, (at_s,))
        elif at_s not in times:
            insort(times, at_s)
            if len(times) > REPEAT_TIMES_MAX:
                del times[0]

    def count(self, key: int, window_s: int) -> int:
        """Return the number of codes in the window that ends with the newest code."""
        times = self.codes[key]
        return len(times) - bisect_right(times, times[-1] - window_s)

    def since(self, key: int, since_s: int) -> Sequence[int]:
        """Return the times of the codes after this time, ascending."""
        times = self.codes.get(key, _NONE)
        return times[bisect_right(times, since_s) :]

    def is_over(self, key: int, at_s: int) -> bool:
        """Return true if one more code at `at_s` would reach a limit."""
        times = self.codes.get(key)
        if times is None or len(times) < LIMIT_35MIN - 1 or at_s in times:
            return False
        newest_s = max(at_s, times[-1])
        return any(
            len(times) - bisect_right(times, newest_s - window_s)
            >= most - (at_s > newest_s - window_s)
            for window_s, most in ((35 * 60, LIMIT_35MIN), (DAY_S, LIMIT_24H))
        )

    def drop(self, recipient: int) -> None:
        """Forget a recipient."""
        for held in (self.codes, self.young, self.first):
            for key in [key for key in held if key >> 32 == recipient]:
                del held[key]

    def drop_old(self, before_s: int, now_s: int, limit_s: int) -> None:
        """Drop entries over a day older than `now_s`, the log's time, and the oldest of too many.

        `REPEATS_MAX` limits their number. Entries with a time after `limit_s` are dropped too,
        because a clock was ahead. Runs only when `before_s` and `now_s` lie in different steps of
        `STEP_S`.
        """
        if before_s // STEP_S == now_s // STEP_S:
            return
        since_s = now_s - DAY_S - LATE_S
        for held, oldest_s in ((self.young, since_s), (self.first, now_s - LATE_S)):
            for key in [key for key, at_s in held.items() if not oldest_s < at_s <= limit_s]:
                del held[key]
        codes = self.codes
        for key in [key for key, times in codes.items() if not since_s < times[-1] <= limit_s]:
            del codes[key]
        if len(codes) > REPEATS_MAX:
            newest = sorted(codes, key=lambda key: (codes[key][-1], key))[-REPEATS_MAX:]
            self.codes = {key: codes[key] for key in newest}
        self.young, self.first = _newest(self.young), _newest(self.first)


def _newest(times_s: dict[int, int]) -> dict[int, int]:
    """Return the newest `REPEATS_MAX` entries."""
    if len(times_s) <= REPEATS_MAX:
        return times_s
    return dict(sorted(times_s.items(), key=lambda each: each[::-1])[-REPEATS_MAX:])


_Split: TypeAlias = tuple[
    list[tuple[Word, PlatformId, Annotated[list[Time], Bounds(1)]]],
    list[tuple[Word, PlatformId, Time]],
    list[tuple[Word, PlatformId, Time]],
]
"""Stored repeats: keys are over 64 bits, so recipient and platform are stored apart."""


def _split(repeats: Repeats) -> _Split:
    low = (1 << 32) - 1
    codes = [(key >> 32, key & low, repeats.codes[key].tolist()) for key in sorted(repeats.codes)]
    young, first = (
        [(key >> 32, key & low, at_s) for key, at_s in sorted(held.items())]
        for held in (repeats.young, repeats.first)
    )
    return codes, young, first


def _joined(state: _Split) -> Repeats:
    codes, *others = state
    young, first = ({whose << 32 | p: at_s for whose, p, at_s in held} for held in others)
    held = {whose << 32 | p: array(_SECONDS, times) for whose, p, times in codes}
    return Repeats(held, young, first)


StoredRepeats: TypeAlias = Annotated[Repeats, As(_Split, _split, _joined)]
"""Repeats as a field of a state that is stored, in an order that depends on nothing else."""
