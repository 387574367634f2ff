"""Sweeps: one platform that goes through numbers which lie together, seen across all partitions.

Whoever earns by each message that is delivered (artificial traffic), or collects which numbers are
in use, has one platform send to many neighbours. It is told to people and throttles nobody: each
recipient gets one code. Two rules, each about one platform:

- `range`: thousands that are full within an hour, and stand out from its next fullest ones. A
  campaign in a city takes a day for as many. Or one, as good as whole, within 24 hours.
- `fresh`: in an hour, strangers of whom no code was ever seen. Numbers that nobody uses are swept
  as well as others; people who sign up are seldom new to all platforms.

A firm that signs up some hundreds of numbers in a row touches two thousands at most: `range` asks
for five of one hundred thousand, and `fresh` leaves six out, three firms'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.platforms.strangers import NO_THOUSAND, SLOT_S, SweepPart, summed

SweepRule = Literal["range", "fresh"]
SWEEP_RULES: Final[tuple[SweepRule, ...]] = ("range", "fresh")

SLOT_MS: Final = SLOT_S * 1000
HOUR_SLOTS: Final = HOUR_MS // SLOT_MS
DAY_SLOTS: Final = DAY_MS // SLOT_MS

RANGE_LEAST: Final = 20
"""Strangers in an hour in each of `RANGE_THOUSANDS`: ten times those of a campaign that reaches
five of a hundred in its city in a day."""

RANGE_THOUSANDS: Final = 5
"""One more than two firms touch: a platform that everybody uses has two in one hundred thousand
numbers within an hour every few weeks (simulated)."""

RANGE_FACTOR: Final = 2
"""Times the fullest thousand that is not spared. Of Poisson's numbers, one in a thousand of a
city's does not come to it."""

RANGE_ALONE: Final = 600
"""Strangers in one thousand, in 24 hours, that need no others: more than a firm signs up."""

SPARED: Final = 22
"""A platform's fullest thousands, which are not compared with: two ranges of ten thousand numbers
that lie anyhow."""

WIDE_FILLED: Final = 50
"""Of the hundred thousands of a hundred thousand numbers, so many with `WIDE_EACH` strangers are a
range too: half, as a range that lies anyhow fills half of one of two. Chosen: a city seldom has
five of ten ranges of ten thousand that lie together."""

WIDE_EACH: Final = 5

WIDE_SPARED: Final = 2
"""As `SPARED`, for hundred thousands."""

FRESH_LEAST: Final = 20
"""Fresh strangers within an hour."""

FRESH_TOKENS: Final = 600
"""The same where recipients are tokens, which have no neighbours: more than a firm signs up."""

FRESH_SHARE: Final = 0.1
"""Of its strangers."""

FRESH_LIFT: Final = 5
"""Times the share of all other platforms. So nothing is told while the detector is new to its
network, or forgets recipients for want of room: then everybody is fresh."""

FRESH_Z: Final = 8.0
"""Standard deviations above what the platform had at this hour on the days before; the deviation is
Poisson's and two fifths of the mean."""

FRESH_SWAY: Final = 0.4
FRESH_DAYS: Final = 3
"""Days that must be known."""

FIRM_THOUSANDS: Final = 6
"""Of a platform those of most fresh strangers, which do not count: of three firms in an hour, as a
platform that everybody uses has two now and then (simulated)."""

BASE_DAYS: Final = 7
BASE_PLATFORMS: Final = 4096
"""Platforms of an hour whose fresh strangers are remembered, those of most."""

ROWS_MOST: Final = 1 << 22
"""Sums of a day that are held, 130 MB: strangers of 40 million numbers. Past it single strangers of
the oldest slots are forgotten."""

TOLD_MOST: Final = 16
"""Thousands that a sweep names, those of most strangers."""


class Sweep(NamedTuple):
    """A sweep by one platform."""

    rule: SweepRule
    first_ms: int  # when it was seen first,
    last_ms: int  # and last: slots of five minutes, by the log
    strangers: int  # in the thousands that stand out, or all fresh ones
    thousands: tuple[int, ...]  # some of these, as numbers without the last three digits


class NetworkSweeps:
    """Sums of a day by platform and thousand, and the sweeps they show. Bounded by `ROWS_MOST`."""

    __slots__ = ("_base", "_hours", "_newest", "_read", "_slots", "found")

    def __init__(self) -> None:
        self._read: dict[int, tuple[int, int]] = {}  # partition -> epoch and offset of its newest
        self._slots: dict[int, list[NDArray[np.int64]]] = {}
        self._newest = 0
        self._hours = 0  # those before are in the base, or were before the first part
        self._base: dict[int, dict[int, int]] = {}  # hour -> platform -> fresh strangers
        self.found: dict[int, dict[SweepRule, Sweep]] = {}  # by platform: those of the last day

    def take(self, partition: int, epoch: int, offset: int, part: SweepPart, limit_ms: int) -> bool:
        """Take a part in; False if it was there, is over a day old, or is past `limit_ms`."""
        place = epoch, offset
        if place <= self._read.get(partition, (-1, -1)):
            return False
        self._read[partition] = place
        slot = part.start_ms // SLOT_MS
        if part.start_ms > limit_ms or slot <= self._newest - DAY_SLOTS:
            return False
        if slot > self._newest:
            self._turn(slot)
        rows = np.array(part.thousands, np.int64).reshape(-1, 4)
        self._slots.setdefault(slot, []).append(rows)
        return True

    def look(self) -> None:
        """Look for sweeps in what is known by now."""
        if not self._slots:
            return
        self._look_at_hour()
        self._note("range", _whole(self._since(self._newest - DAY_SLOTS + 1)))

    def _look_at_hour(self) -> None:
        """Look for what an hour shows; in each slot too, so that who reads again finds it again."""
        rows = self._since(self._newest - HOUR_SLOTS + 1)
        self._note("range", _ranges(rows))
        self._note("fresh", self._fresh(rows))

    def _turn(self, slot: int) -> None:
        """Begin a newer slot; what is over is summed up, or forgotten."""
        if self._newest:
            self._look_at_hour()
        else:
            self._hours = slot // HOUR_SLOTS + 1  # the first may not be whole
        hour = slot // HOUR_SLOTS
        for over in range(max(self._hours, hour - 24), hour - 1):
            self._base[over] = self._fresh_of_hour(over)
        self._hours = max(self._hours, hour - 1)
        oldest = hour - 24 * BASE_DAYS
        self._base = {each: held for each, held in self._base.items() if each >= oldest}
        self._newest = slot
        self._slots = {
            each: rows if len(rows) == 1 else [summed(rows)]
            for each, rows in self._slots.items()
            if each > slot - DAY_SLOTS
        }
        self._bound()
        begun_ms = (slot - DAY_SLOTS) * SLOT_MS
        self.found = {
            platform: kept
            for platform, sweeps in self.found.items()
            if (kept := {rule: s for rule, s in sweeps.items() if s.last_ms > begun_ms})
        }

    def _bound(self) -> None:
        over = sum(len(rows) for (rows,) in self._slots.values()) - ROWS_MOST
        for slot in sorted(self._slots):
            if over <= 0:
                return
            (rows,) = self._slots[slot]
            several = rows[rows[:, 2] > 1]
            self._slots[slot] = [several]
            over -= len(rows) - len(several)

    def _since(self, slot: int) -> NDArray[np.int64]:
        rows = [each for at, held in self._slots.items() if at >= slot for each in held]
        return summed(rows or [np.zeros((0, 4), np.int64)])

    def _fresh_of_hour(self, hour: int) -> dict[int, int]:
        slots = range(hour * HOUR_SLOTS, (hour + 1) * HOUR_SLOTS)
        rows = [each for slot in slots for each in self._slots.get(slot, ())]
        if not rows:
            return {}
        platforms, fresh, _, _ = _without_firms(summed(rows))
        order = np.argsort(-fresh, kind="stable")[:BASE_PLATFORMS]
        some = order[fresh[order] > 0]
        return dict(zip(platforms[some].tolist(), fresh[some].tolist(), strict=True))

    def _fresh(self, rows: NDArray[np.int64]) -> dict[int, tuple[int, list[int]]]:
        """Platforms whose fresh strangers of the last hour are too many."""
        now = self._newest // HOUR_SLOTS
        before = [self._base[hour] for hour in range(now - 24, now - 24 * BASE_DAYS, -24)
                  if hour in self._base]  # fmt: skip
        if len(before) < FRESH_DAYS:
            return {}
        platforms, fresh, strangers, least = _without_firms(rows)
        found = {}
        for i in indices((fresh >= least) & (fresh >= FRESH_SHARE * strangers)).tolist():
            platform = int(platforms[i])
            mean = sum(held.get(platform, 0) for held in before) / len(before)
            spread = math.hypot(math.sqrt(mean), FRESH_SWAY * mean)
            if fresh[i] < mean + FRESH_Z * spread:
                continue
            if fresh[i] < FRESH_LIFT * self._share_of_others(platform) * strangers[i]:
                continue
            held = rows[rows[:, 0] == platform]
            order = np.argsort(-held[:, 3], kind="stable")[:TOLD_MOST]
            found[platform] = int(held[:, 3].sum()), _named(held[order, 1])
        return found

    def _share_of_others(self, platform: int) -> float:
        """Of the strangers of all other platforms in a day, those who were fresh."""
        strangers = fresh = 0
        for held in self._slots.values():
            for rows in held:
                other = rows[:, 0] != platform
                strangers += int(rows[other, 2].sum())
                fresh += int(rows[other, 3].sum())
        return fresh / strangers if strangers else 0.0

    def _note(self, rule: SweepRule, seen: dict[int, tuple[int, list[int]]]) -> None:
        at_ms = self._newest * SLOT_MS
        for platform, (strangers, thousands) in seen.items():
            sweeps = self.found.setdefault(platform, {})
            first_ms = sweeps[rule].first_ms if rule in sweeps else at_ms
            sweeps[rule] = Sweep(rule, first_ms, at_ms, strangers, tuple(thousands))


def _named(thousands: Iterable[int]) -> list[int]:
    return [int(each) for each in thousands if each != NO_THOUSAND]


def _without_firms(
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Platforms (n,) of sums, with their fresh strangers, all strangers, and how many count.

    Without the thousands of most fresh ones of each; how many fresh ones are the least.
    """
    if not len(rows):
        none = np.zeros(0, np.int64)
        return none, none, none, none
    rows = rows[np.lexsort((-rows[:, 3], rows[:, 0]))]
    first = np.ones(len(rows), np.bool_)
    first[1:] = rows[1:, 0] != rows[:-1, 0]
    starts = indices(first)
    rank = np.arange(len(rows)) - starts[first.cumsum() - 1]
    token = rows[:, 1] == NO_THOUSAND
    counts = rows[:, 2:] * ((rank >= FIRM_THOUSANDS) | token)[:, None]
    strangers, fresh = np.add.reduceat(counts, starts, axis=0).T
    tokens = np.logical_or.reduceat(token, starts)
    return rows[starts, 0], fresh, strangers, np.where(tokens, FRESH_TOKENS, FRESH_LEAST)


def _ranges(total: NDArray[np.int64]) -> dict[int, tuple[int, list[int]]]:
    """Platforms with thousands that stand out: the strangers in these, and the fullest."""
    total = total[total[:, 1] != NO_THOUSAND]
    some, counts = np.unique_counts(total[total[:, 2] >= WIDE_EACH, 0])
    few = total[:, 2] >= RANGE_LEAST
    likely = np.union1d(some[counts >= WIDE_FILLED], np.unique(total[few, 0]))
    found = {}
    for platform in likely.tolist():
        first, last = np.searchsorted(total[:, 0], [platform, platform + 1])
        thousands, strangers = total[first:last, 1], total[first:last, 2]
        swept = indices(swept_of(thousands, strangers))
        if len(swept):
            order = swept[np.argsort(-strangers[swept], kind="stable")]
            found[platform] = int(strangers[swept].sum()), _named(thousands[order[:TOLD_MOST]])
    return found


def _whole(total: NDArray[np.int64]) -> dict[int, tuple[int, list[int]]]:
    """Platforms with a thousand that is as good as whole."""
    found = {}
    for platform in np.unique(total[total[:, 2] >= RANGE_ALONE, 0]).tolist():
        first, last = np.searchsorted(total[:, 0], [platform, platform + 1])
        rows = total[first:last]
        rows = rows[rows[:, 1] != NO_THOUSAND]
        least = max(RANGE_ALONE, RANGE_FACTOR * _next(rows[:, 2], SPARED))
        whole = rows[rows[:, 2] >= least]
        if len(whole):
            order = np.argsort(-whole[:, 2], kind="stable")[:TOLD_MOST]
            found[platform] = int(whole[:, 2].sum()), _named(whole[order, 1])
    return found


def swept_of(thousands: NDArray[np.int64], strangers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the thousands (n,) of a platform that stand out, as the rule `range` has it.

    >>> within = np.array([861380013, 861380014, 861380015, 861380016, 861380018, 861390000])
    >>> swept_of(within, np.array([90, 90, 30, 25, 40, 40])).tolist()
    [True, True, True, True, True, False]
    """
    usual = _next(strangers, SPARED)
    stands = strangers >= max(RANGE_LEAST, RANGE_FACTOR * usual)
    hundreds, whose = np.unique_inverse(thousands // 100)
    several = np.bincount(whose[stands], minlength=len(hundreds)) >= RANGE_THOUSANDS
    swept: NDArray[np.bool_] = stands & several[whose]
    filled = np.bincount(whose[strangers >= WIDE_EACH], minlength=len(hundreds)) >= WIDE_FILLED
    if filled.any():
        sums = np.bincount(whose, strangers, minlength=len(hundreds))
        filled &= sums >= RANGE_FACTOR * _next(sums, WIDE_SPARED)
        swept |= filled[whose]
    return swept


def _next(counts: NDArray[np.int64], spared: int) -> int:
    """The fullest behind the spared ones; 0 if there is none."""
    return int(np.sort(counts)[-spared - 1]) if len(counts) > spared else 0
