"""Recipients: people with the platforms that they use.

What a subscriber uses is a function of its index alone, so background traffic, look-alikes and
attacks agree about it without any shared state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.numbering import subscriber
from streams.scenarios.platforms import BANKS, PLATFORMS, PlatformProfile

HABITS: Final = 14
"""Platforms that a subscriber uses: as many as a row of the detector remembers."""

_SPREAD: Final = 3
"""Popularity: rank = platforms x uniform**3, half of all use falls on the first eighth. Chosen."""


def habit_ranks(
    indices: NDArray[np.int64], slots: NDArray[np.int64], platforms: int
) -> NDArray[np.int64]:
    """Rank (0 the most popular) of the platform in each slot of each subscriber's habits.

    The three arrays have one length; it is a hash (splitmix64, Steele et al. 2014), not a draw.
    Two slots of one subscriber may hold the same platform.
    """
    x = indices.astype(np.uint64) * np.uint64(4096) + slots.astype(np.uint64)
    x *= np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (uniform**_SPREAD * platforms).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Person:
    """A subscriber."""

    recipient: str
    known: tuple[PlatformProfile, ...]  # those that reached it over 24 h ago, but for its bank
    bank: PlatformProfile


def person(index: int, memory: int = HABITS) -> Person:
    """The subscriber with this index, of whom the carrier knows `memory` platforms (0 to 256).

    Its bank is one of them, unless there is none.

    >>> len(person(7).known), person(7) == person(7), person(7).known[:3] == person(7, 4).known
    (13, True, True)
    """
    others = max(0, memory - 1)
    slots = np.arange(4 * memory + 64)
    ranks = habit_ranks(np.full(len(slots), index), slots, len(PLATFORMS))
    distinct = list(dict.fromkeys(ranks.tolist()))[:others]
    if len(distinct) < others:
        raise ValueError(f"a person cannot know {memory} platforms")
    known = tuple(PLATFORMS[rank] for rank in distinct)
    return Person(subscriber(index), known, BANKS[index % len(BANKS)])
