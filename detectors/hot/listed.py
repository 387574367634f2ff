"""The list of hot platforms of one partition: a function of its own log, and of nothing else.

A platform is hot if at least two recipients voted for it within a week, and its share of the votes
is three times its share of what people meet for the first time, or more. Those that stand out most
come first, until the list has a twentieth of what people meet: that share bounds what a person's
own codes can look like, whatever an attacker does to the list.
"""

from __future__ import annotations

from collections.abc import Iterable
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
from detectors.hot.votes import Votes, votes_of
from detectors.model.times import DAY_S

_NEWS: Final = 8
"""The list is made anew when so small a part of the votes is new: some fifty times in a campaign
against a thousand, the first times at once."""


class Hot:
    """A partition's knowledge of abused platforms."""

    __slots__ = ("base", "news", "platforms", "version", "votes")

    def __init__(self) -> None:
        self.votes = Votes()
        self.base = Base()
        self.news = 0  # votes since the list was made
        self.platforms: frozenset[int] = frozenset()  # ids: the list
        self.version = 0  # offset at which it was made

    def take(self, recipient: int, opened: int, platforms: Iterable[int], offset: int) -> None:
        """Takes a recipient's vote, of the episode that opened at one offset, at another."""
        if self.votes.day and self.votes.cast(recipient, opened, platforms):
            self.news += 1
            if self.news * _NEWS >= self.votes.voters:
                self.make(offset)

    def make(self, offset: int) -> None:
        """Makes the list anew, at an offset of the log."""
        self.platforms = frozenset(choose(self.votes, self.base))
        self.version = offset
        self.news = 0

    def tick(self, watermark_s: int, offset: int) -> None:
        """Count what came since the last tick; on a new day also forget, and make the list anew."""
        self.base.fold()
        day = watermark_s // DAY_S
        if day != self.votes.day:
            if self.votes.day:
                self.base.age(max(day - self.votes.day, 0))
            self.votes.turn(day)
            self.make(offset)

    def state(self) -> list[Any]:
        """Plain data."""
        lists = [self.version, self.news, sorted(self.platforms)]
        return [self.votes.state(), self.base.state(), lists]


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
    wanted = dict(votes.several(HOT_VOTERS))
    common = base.common(np.array([*wanted], np.uint32)).tolist()
    some = [
        (-weight / met, platform, met)
        for (platform, weight), met in zip(wanted.items(), common, strict=True)
        # Its share of votes against its share of base, in whole numbers.
        if weight * base.total >= HOT_LIFT * met * votes.total
    ]
    chosen, share = [], 0
    for _, platform, met in sorted(some)[:HOT_MAX]:
        share += met
        if share * 1000 > HOT_SHARE_MILLI * base.total:
            break
        chosen.append(platform)
    return chosen
