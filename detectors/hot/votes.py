"""Votes of flooded recipients for the platforms that flood them: one each in two weeks.

A vote is cast by what a flood is known by on its own, its pace or its counts, never by the
platforms that are hot already: else a list would confirm itself. Who is throttled day after day has
none.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from detectors.bars import HOT_DAYS, HOT_VOTE_DAYS

VOTERS_MAX: Final = 1024
"""Votes of a partition; the oldest gives way. Chosen: of a campaign against 30,000 in 32."""

VOTE: Final = 1 << 20
"""A vote's weight, which its platforms share in whole numbers."""

HOT_RULES: Final = frozenset({"hot", "hot_burst"})
"""Rules that cast no vote."""


class Vote(NamedTuple):
    """One recipient's vote."""

    day: int  # on which it was cast
    opened: int  # offset at which its episode opened: later records of that make it better
    platforms: bytes  # ids, u32

    def ids(self) -> Sequence[int]:
        """Platform ids."""
        return array("I", self.platforms)


class Weight(NamedTuple):
    """The support of one platform."""

    voters: int
    weight: int


class Votes:
    """The votes of a partition, and the sums of those that count."""

    __slots__ = ("day", "held", "total", "voters", "weights")

    def __init__(self) -> None:
        self.day = 0  # today: of the last tick
        self.held: dict[int, Vote] = {}  # recipient -> its vote, the oldest first
        self.weights: dict[int, Weight] = {}  # by platform, of the votes that count
        self.total = 0  # weight of them all
        self.voters = 0

    def counts(self, vote: Vote) -> bool:
        """Tell if a vote is young enough."""
        return 0 <= self.day - vote.day < HOT_DAYS

    def cast(self, recipient: int, opened: int, platforms: Iterable[int]) -> bool:
        """Takes a vote, or more platforms of the same flood; False if nothing came of it."""
        before = self.held.get(recipient)
        if before is not None and before.opened != opened:
            return False
        ids = sorted(platforms)
        day = self.day if before is None else before.day
        vote = Vote(day, opened, array("I", ids).tobytes())
        if not ids or (before is not None and len(before.platforms) >= len(vote.platforms)):
            return False
        if before is not None:
            self._add(before, -1)
        elif len(self.held) >= VOTERS_MAX:
            oldest = next(iter(self.held))
            self._add(self.held.pop(oldest), -1)
        self.held[recipient] = vote
        self._add(vote, 1)
        return True

    def turn(self, day: int) -> None:
        """Begins a new day: old votes stop to count, and who cast one long ago has one again."""
        self.day = day
        self.held = {
            who: vote for who, vote in self.held.items() if 0 <= day - vote.day < HOT_VOTE_DAYS
        }
        self._sum()

    def _sum(self) -> None:
        self.weights, self.total, self.voters = {}, 0, 0
        for vote in self.held.values():
            self._add(vote, 1)

    def _add(self, vote: Vote, sign: int) -> None:
        if not self.counts(vote):
            return
        ids = vote.ids()
        each = VOTE // len(ids)
        for platform in ids:
            held = self.weights.get(platform, Weight(0, 0))
            weight = Weight(held.voters + sign, held.weight + sign * each)
            if weight.voters:
                self.weights[platform] = weight
            else:
                del self.weights[platform]
        self.total += sign * each * len(ids)
        self.voters += sign

    def state(self) -> list[Any]:
        """Plain data, in the order in which votes give way."""
        return [self.day, [[who, *vote] for who, vote in self.held.items()]]


def votes_of(state: Iterable[Any]) -> Votes:
    """The inverse of `Votes.state`."""
    votes = Votes()
    votes.day, held = state
    votes.held = {who: Vote(*vote) for who, *vote in held}
    votes._sum()  # noqa: SLF001 - its own
    return votes
