"""The list of hot platforms of one partition: a function of its own log, and of nothing else.

Where an agent appends the network's list to that log, it is the greater part of it.

A platform is hot if at least five recipients voted for it within a week, and its share of the votes
is three times its share of what people meet for the first time, or more. Those that stand out most
come first, until the list has a twentieth of what people meet: that share bounds what a person's
own codes can look like, whatever an attacker does to the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from detectors.bars import (
    HOT_BASE_LEAST,
    HOT_LIFT,
    HOT_MAX,
    HOT_SHARE_MILLI,
    HOT_VOTERS,
)
from detectors.hot.base import Base, base_of
from detectors.hot.network import ListOutcome, joined, judged, list_of, list_state
from detectors.hot.telling import HotTelling, telling_of
from detectors.hot.votes import Votes, votes_of
from detectors.model.event import HotList
from detectors.model.records import utc_ms
from detectors.model.times import DAY_S

_NEWS: Final = 8
"""The list is made anew when so small a part of the votes is new: some fifty times in a campaign
against a thousand, the first times at once."""


class Hot:
    """A partition's knowledge of abused platforms."""

    __slots__ = ("base", "network", "news", "platforms", "telling", "version", "votes")

    def __init__(self) -> None:
        self.votes = Votes()
        self.base = Base()
        self.news = 0  # votes since the list was made
        self.platforms: frozenset[int] = frozenset()  # ids: the list
        self.version = 0  # offset at which it was made
        self.network: HotList | None = None  # the network's, from the log; None: none that holds
        self.telling = HotTelling()  # of an agent that makes it

    def take(self, recipient: int, opened: int, platforms: Collection[int], offset: int) -> None:
        """Takes a recipient's vote, of the episode that opened at one offset, at another."""
        if self.votes.day and self.votes.cast(recipient, opened, platforms):
            self.news += 1
            self.telling.news = True
            if self.news * _NEWS >= self.votes.voters or self.votes.has_few_today():
                self.make(offset)

    def make(self, offset: int) -> None:
        """Makes the list anew, at an offset of the log."""
        own = choose(self.votes, self.base)
        told = self.network
        self.platforms = frozenset(own) if told is None else joined(told, own, self.base)
        self.version = offset
        self.news = 0

    def adopt(
        self, told: HotList | None, keys: Sequence[bytes], now_ms: int, offset: int
    ) -> ListOutcome:
        """Takes the network's list in from the log, at an offset; None: one that nobody can read.

        `now_ms` is the log's time. What is refused changes nothing.
        """
        outcome = judged(told, keys, self.network, self.base, now_ms)
        if outcome == "adopted":
            self.network = told
            self.make(offset)
        return outcome

    def tick(self, watermark_s: int, offset: int) -> None:
        """Count what came since the last tick; on a new day also forget, and make the list anew."""
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

    def state(self) -> list[Any]:
        """Plain data."""
        lists = [self.version, self.news, sorted(self.platforms)]
        return [self.votes.state(), self.base.state(), lists]

    def network_state(self) -> list[Any]:
        """Plain data of what it has from the network, and tells it: a part that may be absent."""
        return [list_state(self.network), self.telling.state()]

    def take_network(self, state: Sequence[Any]) -> None:
        """Goes on from there."""
        told, telling = state
        self.network, self.telling = list_of(told), telling_of(telling)


def hot_of(state: list[Any]) -> Hot:
    """The inverse of `Hot.state`."""
    votes, base, (version, news, platforms) = state
    hot = Hot()
    hot.votes, hot.base = votes_of(votes), base_of(base)
    hot.version, hot.news, hot.platforms = version, news, frozenset(platforms)
    return hot


def choose(votes: Votes, base: Base) -> list[int]:
    """The hot platforms, those that stand out most first; none while too little is known."""
    if base.sightings < HOT_BASE_LEAST:
        return []
    wanted = Counter(dict(votes.several(HOT_VOTERS)))
    wanted |= Counter(dict(votes.newest(HOT_VOTERS)))  # the greater share of the two
    common = base.common(np.array([*wanted], np.uint32)).tolist()
    return stand_out(wanted, common, votes.total, base.total)


def stand_out(
    wanted: Mapping[int, int], common: Iterable[int], weight: int, total: int
) -> list[int]:
    """Of platforms with votes those that are hot, those that stand out most first.

    `wanted` has the weight of each one's votes, of `weight` in all; `common` the units of each that
    people meet, of `total` in all.
    """
    some = [
        (-votes / met, platform, met)
        for (platform, votes), met in zip(wanted.items(), common, strict=True)
        # Its share of votes against its share of base, in whole numbers.
        if votes * total >= HOT_LIFT * met * weight
    ]
    chosen, share = [], 0
    for _, platform, met in sorted(some)[:HOT_MAX]:
        share += met
        if share * 1000 > HOT_SHARE_MILLI * total:
            break
        chosen.append(platform)
    return chosen
