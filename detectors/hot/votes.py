"""Votes of flooded recipients for the platforms whose codes they receive.

Each recipient has one vote, from its newest episode. A vote is cast only if the flood was detected
by its pace or its counts. Floods that were detected only by listed platforms cast no vote, because
the list would then confirm itself. Recipients that are throttled day after day have no vote.
"""

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from detectors.model.fields import Count, Time, Word
from detectors.thresholds import HOT_DAYS, HOT_VOTE_DAYS

VOTERS_MAX: Final = 1024
"""Maximum number of votes kept per partition. When the limit is reached, the oldest vote is
dropped. 1,024 is enough for a campaign against 30,000 recipients over 32 partitions (about 940
votes each)."""

SPENT_MAX: Final = 8 * VOTERS_MAX
"""Maximum number of recipients that are remembered because their vote was dropped. They may not
vote again. Without this memory, each renewal of a lease in a large campaign would be another vote.
Enough for a campaign against 260,000 recipients over 32 partitions."""

FEW_VOTES: Final = 32
"""Number of votes of a day that each cause the list to be made again at once. Otherwise older
votes, which an attacker may have cast, would delay the list of a new campaign."""

NEWEST_VOTES: Final = 32
"""Number of newest votes that are also counted separately: a platform's share of these may replace
its share of all votes. Otherwise the votes that an attacker cast before a campaign would outweigh
the first votes of the campaign."""

VOTE: Final = 1 << 20
"""Weight of one vote. The vote's platforms share it equally, in whole numbers."""

HOT_RULES: Final = frozenset({"hot", "hot_burst"})
"""Rules based on hot platforms, whose THROTTLE casts no vote."""


class Vote(NamedTuple):
    """One recipient's vote."""

    day: Time  # day on which it was cast
    opened: Count  # offset at which its episode opened; the same episode may add platforms later
    platforms: bytes  # platform ids as u32


_VOTER: Final = 1 << 40  # factor of the number of voters in a platform's sum, above the weight
_ID_BYTES: Final = 4


@dataclass(slots=True, eq=False, repr=False)
class Votes:
    """The votes of a partition, and sums over the votes that are young enough to count."""

    day: Time = 0  # today, as of the last maintenance
    # Recipient -> its vote, the oldest first: in the order in which votes will be dropped.
    held: dict[Word, Vote] = field(default_factory=dict)
    spent: dict[Word, Time] = field(default_factory=dict)  # recipient -> day of its dropped vote
    voters: int = field(init=False)  # number of votes that count
    total: int = field(init=False)  # weight of the votes that count
    # Platform -> number of voters * _VOTER + weight.
    _sums: dict[int, int] = field(init=False)
    # Pending changes of the sums: (platform ids, amount to add to the sum of each).
    _changes: list[tuple[bytes, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.sum_up()

    def counts(self, vote: Vote) -> bool:
        """Return true if a vote is young enough to count."""
        return 0 <= self.day - vote.day < HOT_DAYS

    def wants(self, recipient: int, opened: int, most: int) -> bool:
        """Return true if `cast` could change this recipient's vote.

        A recipient votes for the platforms of its newest flood. `opened`: offset at which the
        flood's episode opened. `most`: largest number of platforms that the vote can have.

        The result is false in three cases. The recipient's vote was dropped because there were too
        many votes (`spent`). Or its vote is from a later episode. Or its vote is from the same
        episode, and has `most` platforms or more already.
        """
        before = self.held.get(recipient)
        if before is None:
            return recipient not in self.spent
        return before.opened < opened or (
            before.opened == opened and len(before.platforms) < most * _ID_BYTES
        )

    def cast(self, recipient: int, opened: int, platforms: Collection[int]) -> bool:
        """Record a vote, or more platforms of the same episode; return false if nothing changed.

        A new episode replaces the vote of an earlier one. Otherwise an attacker could use up the
        victims' votes with a few codes on the day before a campaign.
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
        """Drop the oldest vote, and remember its recipient in `spent`."""
        who = next(iter(self.held))
        vote = self.held.pop(who)
        self._add(vote, -1)
        if len(self.spent) >= SPENT_MAX:
            del self.spent[next(iter(self.spent))]
        self.spent[who] = vote.day

    def has_few_today(self) -> bool:
        """Return true if at most `FEW_VOTES` votes were cast today."""
        newest = islice(reversed(self.held.values()), FEW_VOTES + 1)
        return sum(vote.day == self.day for vote in newest) <= FEW_VOTES

    def turn(self, day: int) -> None:
        """Begin a new day: drop votes, and memories of dropped votes, past `HOT_VOTE_DAYS`."""
        self.day = day
        self.held = {
            who: vote for who, vote in self.held.items() if 0 <= day - vote.day < HOT_VOTE_DAYS
        }
        self.spent = {who: at for who, at in self.spent.items() if 0 <= day - at < HOT_VOTE_DAYS}
        self.sum_up()

    def sum_up(self) -> None:
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

    def _apply_pending(self) -> dict[int, int]:
        """Return the sums after applying all pending changes.

        Changes are applied in bulk, only when the sums are needed: in a campaign, each renewal
        changes the sums of about thirty platforms twice.
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
        """Yield (platform, weight) for each platform with at least `least` voters."""
        bar = least * _VOTER
        return ((p, held % _VOTER) for p, held in self._apply_pending().items() if held >= bar)

    def newest(self, least: int) -> Iterator[tuple[int, int]]:
        """Yield (platform, weight) by the newest votes, for platforms with at least `least` votes.

        The weight is the platform's share of the newest votes times the weight of all votes.
        """
        sums, total, bar = dict[int, int](), 0, least * _VOTER
        for vote in islice(reversed(self.held.values()), NEWEST_VOTES):
            if self.counts(vote):
                platforms = np.frombuffer(vote.platforms, np.uint32).tolist()
                each = VOTE // len(platforms)
                total += each * len(platforms)
                for platform in platforms:
                    sums[platform] = sums.get(platform, 0) + _VOTER + each
        return ((p, n % _VOTER * self.total // total) for p, n in sums.items() if n >= bar)

    def sums(self) -> Iterator[tuple[int, int, int]]:
        """Yield (platform, number of voters, weight) for each platform with votes that count."""
        return ((p, held // _VOTER, held % _VOTER) for p, held in self._apply_pending().items())
