"""Daily figures of platforms in the whole network: sums over the parts that partitions publish.

Each part counts once, even if it was written several times: a partition publishes parts in the
order of their offsets, so parts that are not newer are ignored. When offsets start again, the
epoch is higher.
"""

from dataclasses import dataclass
from typing import Final

from detectors.model.times import DAY_MS
from detectors.platforms.figures import REST, PlatformPart
from detectors.platforms.sweeps import Sweep

KEPT_DAYS: Final = 7  # Number of days for which figures are retained, including today.

NETWORK_MOST: Final = 50_000
"""Maximum number of platforms that are retained. Those with the fewest codes are dropped at
midnight."""

TREND_LEAST: Final = 20
"""Minimum mean number of codes a day for a trend. Chosen: with fewer, differences of a tenth are
chance."""


@dataclass(frozen=True, slots=True)
class PlatformDay:
    """One platform on one day (UTC)."""

    day_ms: int  # beginning of the day
    codes: int
    recipients: int  # recipients that got the platform's first code in 24 hours on this day
    strangers: int  # first contacts: such recipients that did not know the platform
    flood_codes: int  # codes that were evidence of a flood


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """One platform in the last days."""

    platform: str
    platform_id: int
    newest_ms: int  # beginning of the newest of these days
    days: tuple[PlatformDay, ...]  # days on which the platform sent codes, oldest first
    codes: int  # number of codes on all these days
    flood_share: float  # share of its codes that were evidence of floods, 0 to 1
    strangers_share: float  # share of its recipients that did not know the platform, 0 to 1
    # Codes of yesterday divided by the mean of the days before. None: too few codes.
    trend: float | None
    sweeps: tuple[Sweep, ...] = ()  # sweeps of the last day, at most one per rule


class NetworkDays:
    """Sums by day and platform. `KEPT_DAYS` and `NETWORK_MOST` bound the size."""

    __slots__ = ("ahead", "changed", "days", "first_day", "names", "newest_day", "read", "stale")

    def __init__(self, first_day: int = 0) -> None:
        self.days: dict[int, dict[int, list[int]]] = {}  # day -> platform -> sums
        self.names: dict[int, str] = {}
        self.changed: set[int] = set()  # platforms changed since the reader emptied this set
        # Partition -> (epoch, offset) of its newest part.
        self.read: dict[int, tuple[int, int]] = {}
        self.first_day = first_day  # first day that is retained
        self.newest_day = first_day
        self.stale = 0  # number of parts from before the first day
        self.ahead = 0  # number of parts from after the limit

    def take(self, part: PlatformPart, limit_ms: int) -> bool:
        """Add a partition's part; return false if the part is not new, too old, or past `limit_ms`.

        `limit_ms` protects against a partition whose clock is ahead. The part of such a partition
        would begin a new day, and the days of all other partitions would be dropped.
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
        """Begin a new day: drop days past `KEPT_DAYS`, and mark all platforms as changed."""
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
        """Return one platform's figures.

        Returns None if the platform sent nothing in these days, or is `REST`.
        """
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
        whole = range(self.first_day, self.newest_day)  # complete days: without today
        codes = [self.days.get(day, {}).get(platform, [0])[0] for day in whole]
        before = codes[:-1]
        if not before or sum(before) < TREND_LEAST * len(before):
            return None
        return round(codes[-1] * len(before) / sum(before), 2)

    def flood_share(self) -> float:
        """Return the share of all codes of these days that were evidence of floods; 0 if no codes.

        Platforms that are counted together as `REST` are included.
        """
        sums = [held for day in self.days.values() for held in day.values()]
        codes = sum(held[0] for held in sums)
        return sum(held[3] for held in sums) / codes if codes else 0.0
