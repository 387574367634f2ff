"""Votes of flooded recipients for the platforms that flood them: one each, of the newest episode.

A vote is cast by what a flood is known by on its own, its pace or its counts, never by the
platforms that are hot already: else a list would confirm itself. Who is throttled day after day has
none.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from detectors.bars import HOT_DAYS, HOT_VOTE_DAYS

VOTERS_MAX: Final = 1024
"""Votes of a partition; the oldest gives way. Chosen: of a campaign against 30,000 in 32."""

SPENT_MAX: Final = 8 * VOTERS_MAX
"""Recipients whose vote gave way that are remembered. Of a campaign against 260,000 in 32
partitions; who is forgotten may vote again. Without any, each renewal of a lease in a large
campaign is a vote."""

FEW_VOTES: Final = 32
"""The first votes of a day, each of which makes the list anew at once. Otherwise older votes, which
an attacker may have cast, delay the list of a new campaign."""

NEWEST_VOTES: Final = 32
"""The newest votes, in which a platform's share may stand for its share of all: otherwise the votes
that an attacker cast before a campaign outweigh the first votes of the campaign."""

VOTE: Final = 1 << 20
"""A vote's weight, which its platforms share in whole numbers."""

HOT_RULES: Final = frozenset({"hot", "hot_burst"})
"""Rules that cast no vote."""


class Vote(NamedTuple):
    """One recipient's vote."""

    day: int  # on which it was cast
    opened: int  # offset at which its episode opened: later records of that make it better
    platforms: bytes  # ids, u32


_VOTER: Final = 1 << 40  # above the weight of all votes, in the sum of a platform
_ID_BYTES: Final = 4


class Votes:
    """The votes of a partition, and the sums of those that count."""

    __slots__ = ("_changes", "_sums", "day", "held", "spent", "total", "voters")

    def __init__(self) -> None:
        self.day = 0  # today: of the last tick
        self.held: dict[int, Vote] = {}  # recipient -> its vote, the oldest first
        self.spent: dict[int, int] = {}  # recipient -> day of its vote, which gave way since
        self.voters = 0  # whose votes count,
        self.total = 0  # and their weight
        self._sums: dict[int, int] = {}  # by platform: its voters, times _VOTER, and their weight
        self._changes: list[tuple[bytes, int]] = []  # platforms, and what each adds to its sum

    def counts(self, vote: Vote) -> bool:
        """Tell if a vote is young enough."""
        return 0 <= self.day - vote.day < HOT_DAYS

    def wants(self, recipient: int, opened: int, most: int) -> bool:
        """Tell if a vote of so many platforms at most may still change anything."""
        before = self.held.get(recipient)
        if before is None:
            return recipient not in self.spent
        return before.opened < opened or (
            before.opened == opened and len(before.platforms) < most * _ID_BYTES
        )

    def cast(self, recipient: int, opened: int, platforms: Collection[int]) -> bool:
        """Take a vote, or more platforms of the same flood; False if nothing came of it.

        A new episode replaces the vote of an earlier one. Otherwise a few codes on the day before a
        campaign would use up the votes of its victims.
        """
        if not platforms or not self.wants(recipient, opened, len(platforms)):
            return False
        before = self.held.get(recipient)
        day = self.day
        if before is None:
            if len(self.held) >= VOTERS_MAX:
                self._make_way()
        else:
            self._add(before, -1)
            if before.opened == opened:
                day = before.day
            else:
                del self.held[recipient]  # the new vote is the newest
        vote = Vote(day, opened, array("I", sorted(platforms)).tobytes())
        self.held[recipient] = vote
        self._add(vote, 1)
        return True

    def _make_way(self) -> None:
        """Drop the oldest vote, and remember whose it was."""
        who = next(iter(self.held))
        vote = self.held.pop(who)
        self._add(vote, -1)
        if len(self.spent) >= SPENT_MAX:
            del self.spent[next(iter(self.spent))]
        self.spent[who] = vote.day

    def has_few_today(self) -> bool:
        """Tell if so few votes were cast today that each makes the list anew."""
        newest = islice(reversed(self.held.values()), FEW_VOTES + 1)
        return sum(vote.day == self.day for vote in newest) <= FEW_VOTES

    def turn(self, day: int) -> None:
        """Begins a new day: old votes stop to count, and who cast one long ago has one again."""
        self.day = day
        self.held = {
            who: vote for who, vote in self.held.items() if 0 <= day - vote.day < HOT_VOTE_DAYS
        }
        self.spent = {who: at for who, at in self.spent.items() if 0 <= day - at < HOT_VOTE_DAYS}
        self.sum_up()

    def sum_up(self) -> None:
        """Counts all votes anew."""
        self._sums, self.total, self.voters = {}, 0, 0
        self._changes.clear()
        for vote in self.held.values():
            self._add(vote, 1)

    def _add(self, vote: Vote, sign: int) -> None:
        if not self.counts(vote):
            return
        number = len(vote.platforms) // _ID_BYTES
        each = VOTE // number
        self._changes.append((vote.platforms, sign * (_VOTER + each)))
        self.total += sign * each * number
        self.voters += sign

    def _settled(self) -> dict[int, int]:
        """The sums with all changes: these are added together when somebody asks, not one by one.

        In a campaign each renewal changes some thirty platforms' sums twice.
        """
        if not self._changes:
            return self._sums
        ids, inverse = np.unique(
            np.frombuffer(b"".join(ids for ids, _ in self._changes), np.uint32), return_inverse=True
        )
        numbers = [len(ids) // _ID_BYTES for ids, _ in self._changes]
        steps = np.zeros(len(ids), np.int64)
        np.add.at(steps, inverse, np.repeat([step for _, step in self._changes], numbers))
        self._changes.clear()
        for platform, step in zip(ids.tolist(), steps.tolist(), strict=True):
            held = self._sums.pop(platform, 0) + step
            if held:
                self._sums[platform] = held
        return self._sums

    def several(self, least: int) -> Iterator[tuple[int, int]]:
        """Each platform that so many voted for, and its weight."""
        bar = least * _VOTER
        return ((p, held % _VOTER) for p, held in self._settled().items() if held >= bar)

    def newest(self, least: int) -> Iterator[tuple[int, int]]:
        """Each platform that so many of the newest votes name, and its share of them.

        The share is in the units of the weight of all votes.
        """
        votes = [v for v in islice(reversed(self.held.values()), NEWEST_VOTES) if self.counts(v)]
        voters: Counter[int] = Counter()
        weights: Counter[int] = Counter()
        for vote in votes:
            platforms = np.frombuffer(vote.platforms, np.uint32).tolist()
            voters.update(platforms)
            weights.update(dict.fromkeys(platforms, VOTE // len(platforms)))
        total = weights.total()
        return ((p, weights[p] * self.total // total) for p, n in voters.items() if n >= least)

    def sums(self) -> Iterator[tuple[int, int, int]]:
        """Each platform with votes that count, who voted for it, and their weight."""
        return ((p, held // _VOTER, held % _VOTER) for p, held in self._settled().items())

    def state(self) -> list[Any]:
        """Plain data, in the order in which votes give way and spent ones are forgotten."""
        held = [[who, *vote] for who, vote in self.held.items()]
        return [self.day, held, list(self.spent.items())]


def votes_of(state: Iterable[Any]) -> Votes:
    """The inverse of `Votes.state`."""
    votes = Votes()
    votes.day, held, spent = state
    votes.spent = dict(spent)
    votes.held = {who: Vote(*vote) for who, *vote in held}
    votes.sum_up()
    return votes
