"""Alarm rates per subscriber-day, and what may be claimed about them. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

WATCH_TARGET: Final = 1e-4
THROTTLE_TARGET: Final = 1e-6
"""Targets for false alarms per subscriber-day, from which the thresholds were chosen."""

Standing = Literal["shown", "exceeded", "open"]


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of alarms in a number of subscriber-days, and bounds for the rate.

    >>> rate = Rate(0, 1_000_000)
    >>> rate.standing(1e-6), rate.days_needed(1e-6)
    ('open', 2995733)
    >>> Rate(0, 3_000_000).standing(1e-6), Rate(40, 3_000_000).standing(1e-6)
    ('shown', 'exceeded')
    """

    alarms: int
    days: float  # Subscriber-days.

    @property
    def per_day(self) -> float:
        return self.alarms / self.days if self.days else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The two-sided 95 % interval of the rate; Garwood's (1936), exact for a Poisson count."""
        if not self.days:
            return 0.0, math.inf
        return lower(self.alarms, 0.025) / self.days, upper(self.alarms, 0.025) / self.days

    def standing(self, target: float) -> Standing:
        """Return whether the rate is shown (95 %, one-sided) to be under or over the target.

        "open": neither is shown.
        """
        if not self.days:
            return "open"
        if upper(self.alarms, 0.05) <= target * self.days:
            return "shown"
        return "exceeded" if lower(self.alarms, 0.05) > target * self.days else "open"

    def days_needed(self, target: float) -> int:
        """Return the subscriber-days that would show the target if no further alarm came.

        Without any alarm this is 3 / target: the rule of three (Hanley and Lippman-Hand, JAMA
        1983).
        """
        return math.ceil(upper(self.alarms, 0.05) / target)


def upper(count: int, tail: float) -> float:
    """Return the mean at which a Poisson count is at most `count` with probability `tail`.

    >>> round(upper(0, 0.05), 4), round(upper(3, 0.025), 3), round(upper(5000, 0.025), 1)
    (2.9957, 8.767, 5140.5)
    """
    return _solve(lambda mean: _at_most(count, mean) - tail, count + 10 * math.sqrt(count + 1) + 10)


def lower(count: int, tail: float) -> float:
    """Return the mean at which a Poisson count is at least `count` with probability `tail`.

    For a count of 0 this is 0.

    >>> lower(0, 0.025), round(lower(3, 0.025), 4)
    (0.0, 0.6187)
    """
    if count == 0:
        return 0.0
    return _solve(lambda mean: tail - (1 - _at_most(count - 1, mean)), float(count))


def format_rate(per_million: float) -> str:
    """Return a rate as text: two digits below 100, a whole number with separators above.

    >>> format_rate(0), format_rate(0.4567), format_rate(6), format_rate(1400), format_rate(200_000)
    ('0', '0.46', '6', '1,400', '200,000')
    """
    return f"{per_million:.2g}" if per_million < 99.5 else f"{per_million:,.0f}"


def _at_most(count: int, mean: float) -> float:
    """Return P(X <= count) for a Poisson variable X with this mean, summed in logarithms."""
    if mean <= 0:
        return 1.0
    ratios = mean / np.arange(1, count + 1)  # of the probability of k to that of k - 1
    logs = np.append(0.0, np.cumsum(np.log(ratios))) - mean
    return float(np.exp(logs).sum())


def _solve(falling: Callable[[float], float], high: float) -> float:
    """Return the zero of a falling function of the mean, between 0 and `high`."""
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
