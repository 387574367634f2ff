"""Hot platforms (abused by floods) of one partition. The list depends only on its own log.

An agent may append lists of the whole network to that log. Then most of the platforms come from the
network's list.

A platform is hot under two conditions. At least five recipients voted for it within a week, and its
share of the votes is at least three times its share of the platforms that people meet. Platforms
with the highest ratio come first, until the list covers a twentieth of what people meet. This limit
bounds how much a person's own codes can look like a flood, whatever an attacker does to the list.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from detectors.hot.base import Base
from detectors.hot.network import ListOutcome, check_list, join_lists
from detectors.hot.published_sums import HotTelling
from detectors.hot.votes import Votes
from detectors.model.event import HotList
from detectors.model.fields import Count, PlatformId
from detectors.model.records import utc_ms
from detectors.model.times import DAY_S
from detectors.thresholds import HOT_BASE_LEAST, HOT_LIFT, HOT_MAX, HOT_SHARE_MILLI, HOT_VOTERS

_NEWS: Final = 8
"""The list is made again when at least one vote in eight is new. In a campaign against a thousand
recipients this happens about fifty times, at first with every vote."""


@dataclass(slots=True, eq=False)
class Hot:
    """A partition's state about hot platforms: votes, base counts, and the current list.

    A base count says how often people met a platform first outside of floods.
    """

    votes: Votes = field(default_factory=Votes)
    base: Base = field(default_factory=Base)
    version: Count = 0  # offset at which the list was made
    news: Count = 0  # number of votes since the list was made
    platforms: frozenset[PlatformId] = frozenset()  # platform ids of the list
    # A valid list of the network, from the log. It is stored with `telling`, if the network is on.
    network: HotList | None = field(init=False, default=None)
    # When to publish sums for the agent that makes that list.
    telling: HotTelling = field(init=False, default_factory=HotTelling)

    def take(self, recipient: int, opened: int, platforms: Collection[int], offset: int) -> None:
        """Record a recipient's vote at `offset`. Its episode opened at the offset `opened`."""
        if self.votes.day and self.votes.cast(recipient, opened, platforms):
            self.news += 1
            self.telling.news = True
            if self.news * _NEWS >= self.votes.voters or self.votes.has_few_today():
                self.make(offset)

    def make(self, offset: int) -> None:
        """Make the list of hot platforms again, at this offset of the log."""
        own = choose(self.votes, self.base)
        told = self.network
        self.platforms = frozenset(own) if told is None else join_lists(told, own, self.base)
        self.version = offset
        self.news = 0

    def adopt(
        self, told: HotList | None, keys: Sequence[bytes], now_ms: int, offset: int
    ) -> ListOutcome:
        """Check a list of the network, adopt it if it is valid, and return the outcome.

        `told`: the list; None if it could not be parsed. `now_ms`: the log's time. A rejected list
        changes nothing.
        """
        outcome = check_list(told, keys, self.network, self.base, now_ms)
        if outcome == "adopted":
            self.network = told
            self.make(offset)
        return outcome

    def tick(self, watermark_s: int, offset: int) -> None:
        """Update the base counts; on a new day, also drop old data and make the list again."""
        self.base.fold()
        day = watermark_s // DAY_S
        if day != self.votes.day:
            if self.votes.day:
                self.base.age(max(day - self.votes.day, 0))
            self.votes.turn(day)
            self.telling.news = True
            self.make(offset)
        if self.network is not None and utc_ms(watermark_s) >= self.network.valid_until_ms:
            self.network = None
            self.make(offset)


def choose(votes: Votes, base: Base) -> list[int]:
    """Return the hot platforms; empty while there are too few base counts.

    The platform with the highest ratio comes first: its share of the votes, divided by its share of
    the base counts.
    """
    if base.sightings < HOT_BASE_LEAST:
        return []
    wanted = dict(votes.several(HOT_VOTERS))
    for platform, weight in votes.newest(HOT_VOTERS):
        wanted[platform] = max(weight, wanted.get(platform, 0))
    common = base.common(np.array([*wanted], np.uint32)).tolist()
    return stand_out(wanted, common, votes.total, base.total)


def stand_out(
    wanted: Mapping[int, int], common: Iterable[int], weight: int, total: int
) -> list[int]:
    """Return which of the platforms with votes are hot.

    The platform with the highest ratio comes first: its share of the votes, divided by its share of
    the base counts.

    `wanted`: platform -> weight of its votes. `weight`: weight of all votes. `common`: the base
    count of each of these platforms, in units. `total`: the sum of all base counts.
    """
    some = [
        (-votes / met, platform, met)
        for (platform, votes), met in zip(wanted.items(), common, strict=True)
        # Compares the share of the votes with the share of the base counts, in integers.
        if votes * total >= HOT_LIFT * met * weight
    ]
    chosen, share = [], 0
    for _, platform, met in sorted(some)[:HOT_MAX]:
        share += met
        if share * 1000 > HOT_SHARE_MILLI * total:
            break
        chosen.append(platform)
    return chosen
