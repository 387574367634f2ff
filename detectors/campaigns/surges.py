"""Surges: many platforms that reach far more new recipients within an hour than they usually do.

A campaign that sends each victim 8 to 15 codes may reach no threshold at any victim. Its platforms
stand out all the same, because each sends to hundreds of recipients that do not know it. A surge is
reported to people, and throttles nobody. The network's sums by platform and hour are compared with
the same hour of the days before. Partitions publish these sums every half hour.

One platform alone is no surge: a new popular app or a sign-up campaign looks the same. Sales days
bring codes to people who know the platforms, so they add fewer first contacts than recipients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.campaigns.campaign import PLATFORMS_MAX, Abused, Campaign
from detectors.model.times import DAY_MS, HOUR_MS
from detectors.platforms.days import KEPT_DAYS
from detectors.platforms.figures import REST, PlatformPart
from detectors.platforms.first_contacts import keep_most, sum_contacts
from detectors.platforms.sweeps import FRESH_DAYS, FRESH_SWAY, FRESH_Z

SURGE_LEAST: Final = 20
"""Minimum number of recipients that a platform reaches for the first time in an hour, to surge."""

SURGE_PLATFORMS: Final = 8
"""Minimum number of platforms that surge in the same hour. With 200 sign-up campaigns a month, each
of which lasts six hours of a day, eight at once come once in a year (Poisson, mean 1.7)."""

SURGE_SHARE: Final = 0.75
"""Minimum ratio of a platform's added first contacts and its added recipients, in both directions.

On a sales day the added recipients know the platform. When the detector forgets its recipients,
first contacts are added but recipients are not.
"""

ROWS_MOST: Final = 1 << 21
"""Maximum number of sums (hour, platform), 64 MB: 12,000 platforms in each hour of a week."""

PENDING_MOST: Final = 1024
"""Number of parts that are collected before they are added to the sums together. One sort of many
rows is cheaper than a sort for each part."""

Sums = NDArray[np.int64]


@dataclass(slots=True, eq=False)
class NetworkSurges:
    """Sums of a week by hour and platform. The result depends only on the parts of that week."""

    # Rows (n, 4), ascending: hour, platform, first contacts, recipients.
    _rows: Sums = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    _pending: list[Sums] = field(default_factory=list)

    def take(self, part: PlatformPart) -> None:
        """Add a part that came for the first time."""
        hour = part.start_ms // HOUR_MS
        rows = [(hour, each.platform_id, each.strangers, each.recipients) for each in part.platforms
                if each.platform_id != REST]  # fmt: skip
        self._pending.append(np.array(rows, np.int64).reshape(-1, 4))
        if len(self._pending) >= PENDING_MOST:
            self._merge()

    def look(self, names: Mapping[int, str]) -> list[Campaign]:
        """Return the surges of today and yesterday (UTC), at most one of each day.

        `names`: platform id -> name. A surge is open if its last hour is one of the two newest.
        """
        self._merge()
        if not len(self._rows):
            return []
        newest = int(self._rows[-1, 0])
        today, first = newest // 24, self._first_hour()
        begins = np.searchsorted(self._rows[:, 0], np.arange(first, newest + 2))
        hours = dict(enumerate(np.split(self._rows, begins)[1:], first))
        found = []
        for day in (today - 1, today):
            counts, seen = Counter[int](), list[int]()
            for hour in range(24 * day, min(24 * day + 24, newest + 1)):
                before = [hours[each] for each in range(hour - 24, first - 1, -24)]
                over = _find_surging(hours[hour], [rows for rows in before if len(rows)])
                if len(over) >= SURGE_PLATFORMS:
                    counts.update(over)
                    seen.append(hour)
            if seen:
                found.append(_surge(seen, counts, names, is_open=seen[-1] >= newest - 1))
        return found

    def _first_hour(self) -> int:
        return (int(self._rows[-1, 0]) // 24 - KEPT_DAYS + 1) * 24

    def _merge(self) -> None:
        self._rows, self._pending = sum_contacts([self._rows, *self._pending]), []
        if len(self._rows):
            first = np.searchsorted(self._rows[:, 0], self._first_hour())
            self._rows = keep_most(self._rows[first:], ROWS_MOST)


def _find_surging(now: Sums, before: list[Sums]) -> dict[int, int]:
    """Return the platforms that surge in an hour, with their first contacts above the usual number.

    `before`: sums of the same hour on earlier days.
    """
    if not len(now) or len(before) < FRESH_DAYS:
        return {}
    past = np.concatenate(before)
    past = past[np.isin(past[:, 1], now[:, 1])]
    usual = np.zeros((len(now), 2))
    np.add.at(usual, np.searchsorted(now[:, 1], past[:, 1]), past[:, 2:] / len(before))
    over, mean = now[:, 2:] - usual, usual[:, 0]
    least = np.maximum(mean + FRESH_Z * np.hypot(np.sqrt(mean), FRESH_SWAY * mean), SURGE_LEAST)
    strange, reached = over.T
    surges = (now[:, 2] >= least) & (strange >= SURGE_SHARE * reached)
    surges &= reached >= SURGE_SHARE * strange
    return dict(zip(now[surges, 1].tolist(), strange[surges].astype(int).tolist(), strict=True))


def _surge(
    hours: list[int], counts: Counter[int], names: Mapping[int, str], *, is_open: bool
) -> Campaign:
    """Return the record of a surge.

    The number of its victims is not known. It is at least the number of the platform that reached
    most of them.
    """
    ends_ms = (hours[-1] + 1) * HOUR_MS
    most = sorted(counts, key=lambda platform: (-counts[platform], platform))
    return Campaign(
        campaign_id=f"surge:{hours[0] // 24 * DAY_MS}",
        open=is_open,
        start_ms=hours[0] * HOUR_MS,
        opened_ms=hours[0] * HOUR_MS,
        newest_ms=ends_ms,
        end_ms=ends_ms,
        victims=counts[most[0]],
        victims_open=0,
        victims_throttled=0,
        messages=counts.total(),
        pace_per_minute=0.0,
        growth_per_minute=0.0,
        platforms=tuple(
            Abused(names.get(each, f"#{each}"), each, counts[each]) for each in most[:PLATFORMS_MAX]
        ),
        platforms_total=len(counts),
        kind="surge",
    )
