"""Sums of one partition's votes and base counts, published for the network's list.

Each publication has complete sums, so only the newest publication matters. A duplicate has no
effect, and a lost publication is soon replaced. The identity of the voters stays in the partition.
Sums are published at ticks. A tick is every `TICK_OFFSETS`-th offset of the log.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from detectors.hot.base import Base
from detectors.hot.votes import Votes
from detectors.model.fields import Time
from detectors.model.times import HOUR_MS

TOLD_MOST: Final = 4096
"""Maximum number of platforms in a publication: those with most votes, and those that most people
meet. It is then below 200 kB. For all other platforms only the total is published."""

VOTES_S: Final = 30
"""Minimum time in seconds between publications of new votes. Simulated: with 10, 30 and 60 s, the
same number of codes is refused."""

BASE_S: Final = 2 * HOUR_MS // 1000
"""Interval in seconds at which base counts are published. They cover a week and change slowly."""


class VoteSum(NamedTuple):
    """The votes for one platform in one partition."""

    platform_id: int
    voters: int
    weight: int  # sum of its shares of votes; a whole vote is `detectors.hot.votes.VOTE`


class HotPart(NamedTuple):
    """The sums that one partition publishes at a tick: votes and base counts of platforms.

    A base count says how often people outside of floods met a platform for the first time.
    """

    weight: int  # weight of all votes
    votes: tuple[VoteSum, ...]  # ascending by platform id
    base_total: int  # sum of all base counts, in units of `detectors.hot.base`
    # (platform, base count in units), ascending by platform. None: as in the last publication.
    base: tuple[tuple[int, int], ...] | None


@dataclass(slots=True)
class HotTelling:
    """State that decides when one partition publishes its sums."""

    news: bool = False  # true: votes have changed since the last publication
    told_s: Time = 0  # time of the last publication
    base_number: Time = 0  # number of the `BASE_S` interval of the last base counts published

    def due(self, now_s: int, votes: Votes, base: Base) -> HotPart | None:
        """Return, at a tick, the sums to publish now, or None if nothing is due."""
        number = now_s // BASE_S
        if not now_s or (
            number == self.base_number and not (self.news and now_s - self.told_s >= VOTES_S)
        ):
            return None
        whole, self.base_number = number != self.base_number, number
        self.news, self.told_s = False, now_s
        return HotPart(votes.total, _votes(votes), base.total, _base(base) if whole else None)


def _votes(votes: Votes) -> tuple[VoteSum, ...]:
    sums = list(map(VoteSum._make, votes.sums()))
    sums.sort(key=lambda each: (-each.voters, -each.weight, each.platform_id))
    return tuple(sorted(sums[:TOLD_MOST]))


def _base(base: Base) -> tuple[tuple[int, int], ...]:
    most = np.sort(np.argsort(-base.units, kind="stable")[:TOLD_MOST])
    return tuple(zip(base.ids[most].tolist(), base.units[most].tolist(), strict=True))
