"""Sums up the results of a set of runs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.tools.scenarios import Role
from tests.scenarios.play import Found, Outcome


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """In other units."""
        return Interval(*(value * factor for value in self))


def wilson(hits: int, of: int) -> Interval:
    """The share of `hits` in `of` trials, with Wilson's interval (1927), which holds for none too.

    >>> [round(bound, 4) for bound in wilson(0, 1000)], [round(b, 2) for b in wilson(5, 10)]
    ([0.0, 0.0, 0.0038], [0.5, 0.24, 0.76])
    """
    z = 1.959964
    share, scale = hits / of, 1 + z * z / of
    centre = (share + z * z / (2 * of)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(share, max(0.0, centre - half) if hits else 0.0, centre + half)


def quantile(values: list[float], of: int, q: float) -> float:
    """The q-quantile of `of` values of which those not in the list are infinite."""
    at = max(0, math.ceil(q * of) - 1)
    return sorted(values)[at] if at < len(values) else math.inf


def order_interval(values: list[float], of: int, q: float) -> Interval:
    """The q-quantile with its 95 % interval, between two of the values: free of any distribution.

    How many of `of` values lie under the quantile is binomial (here: nearly normal).

    >>> order_interval([float(n) for n in range(1, 101)], 100, 0.5)
    Interval(estimate=50.0, low=40.0, high=60.0)
    """
    half = 1.959964 * math.sqrt(q * (1 - q) / of)
    low, high = max(0.0, q - half), min(1.0, q + half)
    return Interval(*(quantile(values, of, share) for share in (q, low, high)))


@dataclass(slots=True)
class Figures:
    """Sums over recipients. Two add up."""

    recipients: int = 0
    watch: list[Found] = field(default_factory=list)
    throttle: list[Found] = field(default_factory=list)
    shadow: int = 0
    flood: int = 0
    after: int = 0
    sent: Counter[Role] = field(default_factory=Counter)
    recognised: Counter[Role] = field(default_factory=Counter)
    refused: Counter[Role] = field(default_factory=Counter)
    again: Counter[Role] = field(default_factory=Counter)  # passed, being asked for again
    extra: list[int] = field(default_factory=list)  # of the flood's, by recipient
    held_new: int = 0  # own new platforms whose first code was refused,
    came_new: int = 0  # and of which one came later
    flood_by_day: Counter[int] = field(default_factory=Counter)
    refused_by_day: Counter[int] = field(default_factory=Counter)
    throttled_by_day: Counter[int] = field(default_factory=Counter)  # recipients

    def take(self, outcome: Outcome) -> None:
        """Adds one recipient."""
        self.recipients += 1
        self.watch += [outcome.watch] if outcome.watch else []
        self.throttle += [outcome.throttle] if outcome.throttle else []
        self.shadow += outcome.shadow
        self.flood += outcome.flood
        self.after += outcome.after
        self.sent.update(outcome.sent)
        self.recognised.update(outcome.recognised)
        self.refused.update(outcome.refused)
        self.again.update(outcome.again)
        self.extra.append(outcome.again[Role.ATTACK])
        self.held_new += len(outcome.held_new)
        self.came_new += len(outcome.came_new)
        self.flood_by_day.update(outcome.flood_by_day)
        self.refused_by_day.update(outcome.refused_by_day)
        self.throttled_by_day.update(outcome.throttled_by_day.keys())

    def add(self, other: Figures) -> None:
        """Adds what another part of the runs came to."""
        for name in self.__slots__:
            held, more = getattr(self, name), getattr(other, name)
            if isinstance(held, Counter):
                held.update(more)
            else:
                setattr(self, name, held + more)

    def minutes(self, found: list[Found], q: float) -> float:
        """A quantile over all recipients of minutes to a level; infinite where it never came."""
        return self.minutes_interval(found, q).estimate

    def minutes_interval(self, found: list[Found], q: float) -> Interval:
        """The same with its interval."""
        return order_interval([f.delay_ms / 60_000 for f in found], self.recipients, q)

    def messages(self, found: list[Found], q: float) -> float:
        """The same of the messages of the flood up to the one that raised the level."""
        return self.messages_interval(found, q).estimate

    def messages_interval(self, found: list[Found], q: float) -> Interval:
        """The same with its interval."""
        return order_interval([float(f.messages) for f in found], self.recipients, q)

    @property
    def missed(self) -> float:
        """Share of recipients that were never throttled."""
        return 1 - len(self.throttle) / self.recipients

    @property
    def share_came(self) -> float:
        """Of own new platforms whose first code was refused, the share that came after all."""
        return self.came_new / self.held_new if self.held_new else math.nan

    def share_refused(self, role: Role) -> float:
        """Share of the messages of a role that were refused; nan if there were none."""
        return self.refused[role] / self.sent[role] if self.sent[role] else math.nan
