"""Computes the network's hot platforms (abused by floods) from the sums that partitions publish."""

from dataclasses import dataclass, field

from detectors.hot.base import UNIT
from detectors.hot.listed import stand_out
from detectors.hot.published_sums import HotPart
from detectors.thresholds import HOT_BASE_LEAST, HOT_VOTERS


@dataclass(slots=True, eq=False)
class NetworkSums:
    """The newest sums of all partitions. Each has at most `published_sums.TOLD_MOST` platforms."""

    # Partition -> (epoch, offset) of its newest sums.
    _read: dict[int, tuple[int, int]] = field(default_factory=dict)
    _votes: dict[int, HotPart] = field(default_factory=dict)  # partition -> its newest sums
    # Partition -> (total of its base counts, platform -> base count), in units.
    _base: dict[int, tuple[int, dict[int, int]]] = field(default_factory=dict)

    def take(self, partition: int, epoch: int, offset: int, part: HotPart) -> bool:
        """Record a partition's sums; return false if the known sums are as new."""
        place = epoch, offset
        if place <= self._read.get(partition, (-1, -1)):
            return False
        self._read[partition] = place
        self._votes[partition] = part
        if part.base is not None:
            self._base[partition] = part.base_total, dict(part.base)
        return True

    def choose_hot(self) -> list[int]:
        """Return the hot platforms of the network, highest ratio first.

        The rule is that of a partition's own list. Empty while there are too few base counts.
        """
        total = sum(of_all for of_all, _ in self._base.values())
        if total < HOT_BASE_LEAST * UNIT:
            return []
        voters: dict[int, int] = {}
        weights: dict[int, int] = {}
        for part in self._votes.values():
            for platform, number, weight in part.votes:
                voters[platform] = voters.get(platform, 0) + number
                weights[platform] = weights.get(platform, 0) + weight
        wanted = {p: weights[p] for p, number in voters.items() if number >= HOT_VOTERS}
        common = [
            sum(units.get(platform, 0) for _, units in self._base.values()) + UNIT
            for platform in wanted
        ]
        of_votes = sum(part.weight for part in self._votes.values())
        return stand_out(wanted, common, of_votes, total)
