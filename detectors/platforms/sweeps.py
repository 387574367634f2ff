"""Sweeps: one platform that sends to many neighbouring numbers, detected across all partitions.

An attacker who is paid per delivered message (artificial traffic), or who collects which numbers
are in use, makes one platform send to many neighbouring numbers. A sweep is reported to operators,
and throttles nobody, because each recipient gets only one code. A thousand is a range of 1,000
numbers: a number without its last three digits. A first contact ("stranger") is a recipient that
did not know the platform. There are two rules, each about one platform:

- `range`: several neighbouring thousands have many first contacts within an hour, and many more
  than the platform's other thousands. A marketing campaign in a city takes a day for as many. Also,
  within 24 hours, a single thousand that is nearly complete.
- `fresh`: many first contacts in an hour are numbers for which no code was ever seen. A sweep also
  reaches numbers that nobody uses. People who sign up are seldom new to all platforms.

A company that signs up several hundred consecutive numbers touches at most two thousands. So
`range` requires five thousands within one hundred thousand numbers. `fresh` ignores the six
thousands with most fresh numbers, enough for three companies.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.platforms.first_contacts import NO_THOUSAND, SLOT_S, SweepPart, sum_contacts

SweepRule = Literal["range", "fresh"]
SWEEP_RULES: Final[tuple[SweepRule, ...]] = ("range", "fresh")

SLOT_MS: Final = SLOT_S * 1000
HOUR_SLOTS: Final = HOUR_MS // SLOT_MS
DAY_SLOTS: Final = DAY_MS // SLOT_MS

RANGE_LEAST: Final = 20
"""Rule `range`: minimum number of first contacts within an hour in each of `RANGE_THOUSANDS`
thousands. This is ten times the number of a campaign that reaches 5 % of its city in a day."""

RANGE_THOUSANDS: Final = 5
"""Rule `range`: minimum number of such thousands within one hundred thousand numbers. Two companies
touch four. A platform that everybody uses has two companies in one hundred thousand numbers within
an hour every few weeks (simulated)."""

RANGE_FACTOR: Final = 2
"""Rule `range`: minimum ratio to the fullest thousand after the `SPARED` ones. With Poisson
counts, fewer than one in 1,000 of a city's thousands reach this ratio."""

RANGE_ALONE: Final = 600
"""Number of first contacts in a single thousand within 24 hours that is a range by itself: more
than a company signs up."""

SPARED: Final = 22
"""Number of a platform's fullest thousands that are left out of the comparison: two ranges of ten
thousand numbers each, at any position."""

WIDE_FILLED: Final = 50
"""Rule `range`: number of thousands with `WIDE_EACH` first contacts, among the hundred thousands of
one hundred thousand numbers, that is a range too.

This is half of them, because a range at any position fills at least half of one of two neighbouring
hundred thousands. Chosen: a city seldom has five of ten neighbouring ranges of ten thousand.
"""

WIDE_EACH: Final = 5  # First contacts from which a block of 1,000 numbers counts for `WIDE_FILLED`.

WIDE_SPARED: Final = 2
"""Number of fullest hundred thousands that are left out of the comparison, like `SPARED`."""

FRESH_LEAST: Final = 20
"""Rule `fresh`: minimum number of fresh first contacts within an hour. Fresh means that no code of
any platform was seen before."""

FRESH_TOKENS: Final = 600
"""Rule `fresh`: the minimum number if recipients are tokens, which have no neighbours. It is more
than a company signs up in an hour."""

FRESH_SHARE: Final = 0.1
"""Rule `fresh`: minimum share of fresh ones among the platform's first contacts."""

FRESH_LIFT: Final = 5
"""Rule `fresh`: minimum ratio of this share to that of all other platforms. So nothing is reported
while the detector is new in a network, or evicts recipients because its table is full: then
everybody is fresh."""

FRESH_Z: Final = 8.0
"""Rule `fresh`: minimum number of standard deviations above the platform's mean at this hour of the
previous days. The variance is that of Poisson plus (`FRESH_SWAY` times the mean) squared."""

FRESH_SWAY: Final = 0.4  # Standard deviation between days, as a share of the mean.
FRESH_DAYS: Final = 3  # Minimum number of previous days that must be known.

FIRM_THOUSANDS: Final = 6
"""Number of a platform's thousands with most fresh first contacts that do not count. This allows
three companies in an hour; a platform that everybody uses sometimes has two (simulated)."""

BASE_DAYS: Final = 7  # Number of days for which fresh first contacts are remembered.
BASE_PLATFORMS: Final = 4096
"""Maximum number of platforms per hour whose fresh first contacts are remembered, the highest
counts."""

ROWS_MOST: Final = 1 << 22
"""Maximum number of sums (platform, thousand) of a day, 130 MB: first contacts of 40 million
numbers. Past it, sums of a single first contact are dropped from the oldest slots."""

TOLD_MOST: Final = 16
"""Maximum number of thousands that a sweep lists, those with most first contacts."""


class Sweep(NamedTuple):
    """A sweep by one platform."""

    rule: SweepRule
    first_ms: int  # five-minute slot of the log in which the sweep was first seen
    last_ms: int  # slot in which it was last seen
    strangers: int  # first contacts in the detected thousands; for `fresh`, all fresh ones
    thousands: tuple[int, ...]  # some of the thousands: numbers without the last three digits


@dataclass(slots=True, eq=False)
class NetworkSweeps:
    """Sums of first contacts over the last day, by platform and block of 1,000 numbers.

    A first contact is a recipient that did not know the platform. `look` finds sweeps in the sums:
    one platform that sends to many neighbouring numbers. A day has at most `ROWS_MOST` sums.
    """

    # Partition -> (epoch, offset) of its newest part.
    _read: dict[int, tuple[int, int]] = field(default_factory=dict)
    # Number of a five-minute slot -> arrays of sums (n, 4), rows like `Thousand`.
    _slots: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    _newest: int = 0  # number of the newest slot
    _hours: int = 0  # earlier hours are in `_base`, or were before the first part
    # Hour -> platform -> fresh first contacts
    _base: dict[int, dict[int, int]] = field(default_factory=dict)
    # Platform -> sweeps of the last day
    found: dict[int, dict[SweepRule, Sweep]] = field(default_factory=dict)

    def take(self, partition: int, epoch: int, offset: int, part: SweepPart, limit_ms: int) -> bool:
        """Add a partition's part; return false if the part is ignored.

        A part is ignored if it is not newer than the known ones, over a day old, or past
        `limit_ms`.
        """
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
        """Find sweeps in the sums of all parts taken so far, and update `found`."""
        if not self._slots:
            return
        self._look_at_hour()
        self._note("range", _whole(self._since(self._newest - DAY_SLOTS + 1)))

    def _look_at_hour(self) -> None:
        """Find sweeps in the last hour.

        This also runs at the beginning of each five-minute slot, so a reader that starts again
        finds the same sweeps.
        """
        rows = self._since(self._newest - HOUR_SLOTS + 1)
        self._note("range", _ranges(rows))
        self._note("fresh", self._fresh(rows))

    def _turn(self, slot: int) -> None:
        """Begin a newer five-minute slot.

        Adds complete hours to the base: the number of fresh first contacts in each earlier hour,
        with which rule `fresh` compares. Merges the sums of each slot into one array, and drops old
        data.
        """
        if self._newest:
            self._look_at_hour()
        else:
            self._hours = slot // HOUR_SLOTS + 1  # the first hour may be incomplete
        hour = slot // HOUR_SLOTS
        for over in range(max(self._hours, hour - 24), hour - 1):
            self._base[over] = self._fresh_of_hour(over)
        self._hours = max(self._hours, hour - 1)
        oldest = hour - 24 * BASE_DAYS
        self._base = {each: held for each, held in self._base.items() if each >= oldest}
        self._newest = slot
        self._slots = {
            each: rows if len(rows) == 1 else [sum_contacts(rows)]
            for each, rows in self._slots.items()
            if each > slot - DAY_SLOTS
        }
        self._limit_platforms()
        begun_ms = (slot - DAY_SLOTS) * SLOT_MS
        self.found = {
            platform: kept
            for platform, sweeps in self.found.items()
            if (kept := {rule: s for rule, s in sweeps.items() if s.last_ms > begun_ms})
        }

    def _limit_platforms(self) -> None:
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
        return sum_contacts(rows or [np.zeros((0, 4), np.int64)])

    def _fresh_of_hour(self, hour: int) -> dict[int, int]:
        slots = range(hour * HOUR_SLOTS, (hour + 1) * HOUR_SLOTS)
        rows = [each for slot in slots for each in self._slots.get(slot, ())]
        if not rows:
            return {}
        platforms, fresh, _, _ = _without_firms(sum_contacts(rows))
        order = np.argsort(-fresh, kind="stable")[:BASE_PLATFORMS]
        some = order[fresh[order] > 0]
        return dict(zip(platforms[some].tolist(), fresh[some].tolist(), strict=True))

    def _fresh(self, rows: NDArray[np.int64]) -> dict[int, tuple[int, list[int]]]:
        """Return platforms with too many fresh first contacts in the last hour (rule `fresh`).

        Fresh: the recipient never got a code before.

        The value is (number of fresh first contacts, thousands with most of them).
        """
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
            found[platform] = int(held[:, 3].sum()), _list_thousands(held[order, 1])
        return found

    def _share_of_others(self, platform: int) -> float:
        """Return the share of fresh contacts among all other platforms' first contacts of a day."""
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


def _list_thousands(thousands: Iterable[int]) -> list[int]:
    return [int(each) for each in thousands if each != NO_THOUSAND]


def _without_firms(
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return, by platform (n,): its id, fresh first contacts, first contacts, and the minimum.

    For each platform, the `FIRM_THOUSANDS` thousands with most fresh first contacts are left out.
    The minimum is the number of fresh first contacts that the rule `fresh` requires.
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
    """Return platforms with a swept range: platform -> (its first contacts, fullest thousands)."""
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
            found[platform] = (
                int(strangers[swept].sum()),
                _list_thousands(thousands[order[:TOLD_MOST]]),
            )
    return found


def _whole(total: NDArray[np.int64]) -> dict[int, tuple[int, list[int]]]:
    """Return platforms with nearly complete thousands, in the form of `_ranges`."""
    found = {}
    for platform in np.unique(total[total[:, 2] >= RANGE_ALONE, 0]).tolist():
        first, last = np.searchsorted(total[:, 0], [platform, platform + 1])
        rows = total[first:last]
        rows = rows[rows[:, 1] != NO_THOUSAND]
        least = max(RANGE_ALONE, RANGE_FACTOR * _next(rows[:, 2], SPARED))
        whole = rows[rows[:, 2] >= least]
        if len(whole):
            order = np.argsort(-whole[:, 2], kind="stable")[:TOLD_MOST]
            found[platform] = int(whole[:, 2].sum()), _list_thousands(whole[order, 1])
    return found


def swept_of(thousands: NDArray[np.int64], strangers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which thousands (n,) of a platform are swept, by the rule `range`.

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
    """Return the highest count after the `spared` highest counts; 0 if there are no more counts."""
    return int(np.sort(counts)[-spared - 1]) if len(counts) > spared else 0
