"""Sums of one partition, of its votes and of what people meet, for the network's list.

Whole sums, so that the newest are all that counts: what comes twice or never changes nothing for
long. Who voted stays in the partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from detectors.hot.base import Base
from detectors.hot.votes import Votes
from detectors.model.times import HOUR_MS

TOLD_MOST: Final = 4096
"""Platforms that a partition tells of, those of most votes, and those that most people meet: under
200 kB. Of the rest the sum is told."""

VOTES_S: Final = 30
"""New votes are told so often at most. Simulated: with 10, 30 and 60 s a list refuses the same."""

BASE_S: Final = 2 * HOUR_MS // 1000
"""The base is told so often: it is of a week, and changes slowly."""


class VoteSum(NamedTuple):
    """The votes for one platform in one partition."""

    platform_id: int
    voters: int
    weight: int  # of `detectors.hot.votes.VOTE`


class HotPart(NamedTuple):
    """One partition's sums at a tick."""

    weight: int  # of all votes
    votes: tuple[VoteSum, ...]  # in the order of their ids
    base_total: int  # units of `detectors.hot.base`, of all platforms
    base: tuple[tuple[int, int], ...] | None  # platform and units, likewise; None: as told before


class HotTelling:
    """The moments at which one partition tells: a part of its state."""

    __slots__ = ("base_number", "news", "told_s")

    def __init__(self) -> None:
        self.news = False  # votes have changed since they were told
        self.told_s = 0
        self.base_number = 0  # of the span of `BASE_S` in which that was told

    def due(self, now_s: int, votes: Votes, base: Base) -> HotPart | None:
        """At a tick: what there is to tell, or None."""
        number = now_s // BASE_S
        if not now_s or (
            number == self.base_number and not (self.news and now_s - self.told_s >= VOTES_S)
        ):
            return None
        whole, self.base_number = number != self.base_number, number
        self.news, self.told_s = False, now_s
        return HotPart(votes.total, _votes(votes), base.total, _base(base) if whole else None)

    def state(self) -> list[Any]:
        """Plain data."""
        return [self.news, self.told_s, self.base_number]


def telling_of(state: Sequence[Any]) -> HotTelling:
    """The inverse of `HotTelling.state`."""
    telling = HotTelling()
    telling.news, telling.told_s, telling.base_number = state
    return telling


def _votes(votes: Votes) -> tuple[VoteSum, ...]:
    sums = list(map(VoteSum._make, votes.sums()))
    sums.sort(key=lambda each: (-each.voters, -each.weight, each.platform_id))
    return tuple(sorted(sums[:TOLD_MOST]))


def _base(base: Base) -> tuple[tuple[int, int], ...]:
    most = np.sort(np.argsort(-base.units, kind="stable")[:TOLD_MOST])
    return tuple(zip(base.ids[most].tolist(), base.units[most].tolist(), strict=True))
