"""Figures of platforms in the whole network, by day: the sums of all partitions' parts.

A function of the parts: each counts once, however often it was written, because a partition gives
them out in the order of their offsets. A partition that begins anew has a higher epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detectors.model.times import DAY_MS
from detectors.platforms.figures import REST, PlatformPart
from detectors.platforms.sweeps import Sweep

KEPT_DAYS: Final = 7
"""Days of which figures are known, today among them."""

NETWORK_MOST: Final = 50_000
"""Platforms that are known at a time; those of fewest codes give way, at midnight."""

TREND_LEAST: Final = 20
"""Codes a day before which a trend says nothing. Chosen: a tenth more or less is chance then."""


@dataclass(frozen=True, slots=True)
class PlatformDay:
    """One platform on one day (UTC)."""

    day_ms: int  # when it began
    codes: int
    recipients: int  # whose first code of it in 24 hours came on this day
    strangers: int  # of these, those who did not know it
    flood_codes: int  # codes that were evidence of a flood


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """One platform in the last days."""

    platform: str
    platform_id: int
    newest_ms: int  # when the newest of these days began
    days: tuple[PlatformDay, ...]  # that it sent anything on, oldest first
    codes: int  # of all these days
    flood_share: float  # of its codes, those that were evidence of floods, 0 to 1
    strangers_share: float  # of its recipients, those who did not know it, 0 to 1
    trend: float | None  # codes of yesterday by the mean of the days before; None: too few
    sweeps: tuple[Sweep, ...] = ()  # of the last day, one of each rule at most


class NetworkDays:
    """The sums by day and platform. Bounded by `KEPT_DAYS` and `NETWORK_MOST`."""

    __slots__ = ("ahead", "changed", "days", "first_day", "names", "newest_day", "read", "stale")

    def __init__(self, first_day: int = 0) -> None:
        self.days: dict[int, dict[int, list[int]]] = {}  # day -> platform -> sums
        self.names: dict[int, str] = {}
        self.changed: set[int] = set()  # platforms, since somebody emptied it
        self.read: dict[int, tuple[int, int]] = {}  # partition -> epoch and offset of its newest
        self.first_day = first_day  # what is older is not known
        self.newest_day = first_day
        self.stale = 0  # parts of before the first day
        self.ahead = 0  # parts of after the limit

    def take(self, part: PlatformPart, limit_ms: int) -> bool:
        """Add a part; False if it was there already, is too old, or is past `limit_ms`.

        A partition whose clock is ahead would have all others' days forgotten.
        """
        if part.start_ms > limit_ms:
            self.ahead += 1
            return False
        place = (part.epoch, part.offset)
        if place <= self.read.get(part.partition, (-1, -1)):
            return False
        self.read[part.partition] = place
        day = part.start_ms // DAY_MS
        if day < self.first_day:
            self.stale += 1
            return False
        if day > self.newest_day:
            self._turn(day)
        sums = self.days.setdefault(day, {})
        for each in part.platforms:
            held = sums.setdefault(each.platform_id, [0, 0, 0, 0])
            held[0] += each.codes
            held[1] += each.recipients
            held[2] += each.strangers
            held[3] += each.flood_codes
            if each.platform_id != REST:
                self.changed.add(each.platform_id)
                if not each.platform.startswith("#") or each.platform_id not in self.names:
                    self.names[each.platform_id] = each.platform
        return True

    def _turn(self, day: int) -> None:
        """Begin a new day: what is a week old is forgotten, and trends are others."""
        self.newest_day = day
        self.first_day = max(self.first_day, day - KEPT_DAYS + 1)
        self.days = {d: sums for d, sums in self.days.items() if d >= self.first_day}
        totals: dict[int, int] = {}
        for sums in self.days.values():
            for platform, held in sums.items():
                totals[platform] = totals.get(platform, 0) + held[0]
        if len(totals) > NETWORK_MOST:
            most = sorted(totals, key=lambda p: (p != REST, -totals[p], p))
            for sums in self.days.values():
                for platform in most[NETWORK_MOST:]:
                    sums.pop(platform, None)
            totals = dict.fromkeys(most[:NETWORK_MOST], 0)
        self.changed |= self.names.keys() | totals.keys()
        self.changed.discard(REST)
        self.names = {p: name for p, name in self.names.items() if p in totals}

    def figures(self, platform: int) -> PlatformFigures | None:
        """One platform's, or None if it sent nothing in these days, or is the rest."""
        if platform == REST:
            return None
        days = tuple(
            PlatformDay(day * DAY_MS, *self.days[day][platform])
            for day in sorted(self.days)
            if platform in self.days[day]
        )
        if not days:
            return None
        codes, recipients = sum(d.codes for d in days), sum(d.recipients for d in days)
        flooded, strangers = sum(d.flood_codes for d in days), sum(d.strangers for d in days)
        return PlatformFigures(
            self.names[platform],
            platform,
            days[-1].day_ms,
            days,
            codes,
            round(flooded / codes, 4) if codes else 0.0,
            round(strangers / recipients, 4) if recipients else 0.0,
            self._trend(platform),
        )

    def _trend(self, platform: int) -> float | None:
        whole = range(self.first_day, self.newest_day)  # today is not over
        codes = [self.days.get(day, {}).get(platform, [0])[0] for day in whole]
        before = codes[:-1]
        if not before or sum(before) < TREND_LEAST * len(before):
            return None
        return round(codes[-1] * len(before) / sum(before), 2)

    def flood_share(self) -> float:
        """Of all codes of these days, those that were evidence of floods; 0 where there are none.

        The rest, which is told by no name, counts too.
        """
        sums = [held for day in self.days.values() for held in day.values()]
        codes = sum(held[0] for held in sums)
        return sum(held[3] for held in sums) / codes if codes else 0.0
