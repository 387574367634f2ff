"""Base counts: how often people outside of floods meet each platform for the first time.

The counts cover about a week: each new day, a seventh of every count is dropped. When a flood is
detected, the first codes of the flood are subtracted again.
"""

from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import find_places, packed
from detectors.model.fields import As, PlatformId
from detectors.thresholds import HOT_DAYS

BASE_MAX: Final = 16_384
"""Maximum number of platforms that are counted, the most frequent ones. This is also the number of
names that are remembered."""

UNIT: Final = 64
"""Units of one sighting. Counts are kept in units, so that a seventh of them is a whole number."""

_LEAST: Final = UNIT // 8  # smaller counts are dropped: two weeks after a platform's only sighting
_NONE: Final = np.zeros(0, np.uint32)


_Met: TypeAlias = Annotated[
    list[NDArray[np.uint32]],
    # Ascending, so that a stored state does not depend on the order of the sightings.
    As(
        bytes,
        lambda met: np.sort(np.concatenate([_NONE, *met])).tobytes(),
        lambda held: [np.frombuffer(held, np.uint32)],
    ),
]
_Back: TypeAlias = Annotated[list[int], As(list[PlatformId], sorted, list)]


@dataclass(slots=True, eq=False)
class Base:
    """The number of novel sightings outside of floods, by platform.

    Call `gather` before this object is copied.
    """

    # Platforms (n,), ascending, and their counts in units (n,).
    ids: Annotated[NDArray[np.uint32], packed("u4")] = field(default_factory=lambda: _NONE)
    units: Annotated[NDArray[np.int64], packed("i8")] = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )
    met: _Met = field(default_factory=list)  # platforms since the last maintenance
    # Platforms of sightings that turned out to be of a flood.
    back: _Back = field(default_factory=list)
    one: list[int] = field(init=False, default_factory=list)  # more of `met`, added one by one
    total: int = field(init=False)  # sum of all counts, in units

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.units) or (self.ids[1:] <= self.ids[:-1]).any():
            raise ValueError("a count for each id, and ids that ascend, make a base")
        self.total = int(self.units.sum())

    @property
    def sightings(self) -> int:
        """Return how many sightings were counted, over all platforms."""
        return self.total // UNIT

    def common(self, platforms: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the counts of platforms (m,), plus one sighting each. A sighting is `UNIT` units.

        The extra sighting avoids zeros: a platform that nobody has met yet may be as common as one
        that was met once.
        """
        place, held = find_places(self.ids, platforms)
        units = np.zeros(len(platforms), np.int64)
        units[held] = self.units[place[held]]
        return units + UNIT

    def fold(self) -> None:
        """Add the sightings since the last fold to the counts, and subtract sightings of floods."""
        self.gather()
        if self.met:
            self._add(np.unique_counts(np.concatenate(self.met)))
        if self.back:
            ids, counts = np.unique_counts(np.array(self.back, np.uint32))
            place, held = find_places(self.ids, ids)
            place = place[held]
            self.units[place] = np.maximum(self.units[place] - counts[held] * UNIT, 0)
            self._keep(self.units > 0)
            self.back.clear()
        self.met.clear()
        self.total = int(self.units.sum())

    def gather(self) -> None:
        """Move the platforms that were added one by one (`one`) to `met`."""
        if self.one:
            self.met.append(np.array(self.one, np.uint32))
            self.one.clear()

    def _add(self, came: tuple[NDArray[np.uint32], NDArray[np.int64]]) -> None:
        ids, counts = came
        place, held = find_places(self.ids, ids)
        self.units[place[held]] += counts[held] * UNIT
        fresh = ~held
        # Until the end of the day, up to twice `BASE_MAX` platforms; then the lowest new ids.
        if fresh.any():
            room = max(2 * BASE_MAX - len(self.ids), 0)
            where = place[fresh][:room]
            self.ids = np.insert(self.ids, where, ids[fresh][:room])
            self.units = np.insert(self.units, where, counts[fresh][:room] * UNIT)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self.ids, self.units = self.ids[kept], self.units[kept]

    def age(self, days: int) -> None:
        """Drop a seventh of each count per day, then the rarest platforms past `BASE_MAX`."""
        for _ in range(min(days, 16 * HOT_DAYS)):  # after so many days all counts are gone
            self.units -= -(-self.units // HOT_DAYS)
            self._keep(self.units >= _LEAST)
        if len(self.ids) > BASE_MAX:
            kept = np.sort(np.argsort(-self.units, kind="stable")[:BASE_MAX])
            self.ids, self.units = self.ids[kept], self.units[kept]
        self.total = int(self.units.sum())
