"""Votes of flooded recipients for the platforms that flood them: one each in two weeks.

A vote is cast by what a flood is known by on its own, its pace or its counts, never by the
platforms that are hot already: else a list would confirm itself. Who is throttled day after day has
none.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Sums(NamedTuple):
    """The votes that count, by platform: columns (n,)."""

    platforms: NDArray[np.uint32]  # ids, ascending
    voters: NDArray[np.int64]
    weight: NDArray[np.int64]


class Votes:
    """The votes of a partition."""

    __slots__ = ("day", "held", "voters")

    def __init__(self) -> None:
        self.day = 0  # today: of the last tick
        self.held: dict[int, Vote] = {}  # recipient -> its vote, the oldest first
        self.voters = 0  # whose votes count

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
        if before is None:
            if len(self.held) >= VOTERS_MAX:
                self.voters -= self.counts(self.held.pop(next(iter(self.held))))
            self.voters += 1
        self.held[recipient] = vote
        return True

    def turn(self, day: int) -> None:
        """Begins a new day: old votes stop to count, and who cast one long ago has one again."""
        self.day = day
        self.held = {
            who: vote for who, vote in self.held.items() if 0 <= day - vote.day < HOT_VOTE_DAYS
        }
        self.voters = sum(map(self.counts, self.held.values()))

    def sums(self) -> Sums:
        """Each vote's weight is shared by its platforms."""
        parts = [vote.platforms for vote in self.held.values() if self.counts(vote)]
        ids = np.frombuffer(b"".join(parts), np.uint32)
        sizes = np.array([len(part) // 4 for part in parts], np.int64)
        each = np.repeat(VOTE // np.maximum(sizes, 1), sizes)
        platforms, place, voters = np.unique(ids, return_inverse=True, return_counts=True)
        weight = np.zeros(len(platforms), np.int64)
        np.add.at(weight, place, each)
        return Sums(platforms, voters.astype(np.int64), weight)

    def state(self) -> list[Any]:
        """Plain data, in the order in which votes give way."""
        return [self.day, [[who, *vote] for who, vote in self.held.items()]]


def votes_of(state: Iterable[Any]) -> Votes:
    """The inverse of `Votes.state`."""
    votes = Votes()
    votes.day, held = state
    votes.held = {who: Vote(*vote) for who, *vote in held}
    votes.voters = sum(map(votes.counts, votes.held.values()))
    return votes
