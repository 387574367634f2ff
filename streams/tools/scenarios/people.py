"""Recipients: people, the platforms that they use, and how often.

Everything about a person is a function of its index alone, so background traffic, look-alikes and
attacks agree about it without any shared state.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.tools.scenarios.numbering import subscriber
from streams.tools.scenarios.platform_profiles import BANKS, PLATFORMS, PlatformProfile

COUNT_MEDIAN: Final = 12
COUNT_SIGMA: Final = 0.81
"""Platforms per person are log-normal. The spread puts the 95th percentile at 45. Assumed."""

COUNT_LEAST: Final = 2
COUNT_MOST: Final = 80

GAP_MOST_DAYS: Final = 182.0
"""Mean days between two codes of the platform that a person uses least: twice a year. Assumed."""

GAP_SHAPE: Final = 3
"""Rates of use follow a Pareto law with the exponent 1.5. One platform in 15 is used monthly or
more often. The most used tenth of a person's platforms brings .1**(1/3) = 46 % of its codes."""

TOGETHER_SHARE: Final = 0.1
TOGETHER: Final = 3
"""One person in ten has three platforms that it always uses within seconds. Assumed."""

IMPATIENT_SHARE: Final = 0.125
"""Share of people who often press the button of a page again, one to six times. Assumed."""

_POPULARITY: Final = 3
"""Rank = platforms x uniform**3, so half of all use falls on the first eighth. Chosen."""

# Slots of the hash that are no platform's. A person's platforms take the slots from 0 on.
_COUNT_SLOTS: Final = (4019, 4020)
_TRAIT_SLOTS: Final = (4092, 4093)
_GAP_SLOT: Final = 3072


def uniforms(indices: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each pair of subscriber and slot; arrays of one length.

    It is a hash (splitmix64, Steele et al. 2014), so a pair always gets the same number.
    """
    x = indices.astype(np.uint64) * np.uint64(4096) + slots.astype(np.uint64)
    x *= np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def platform_counts(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many platforms each subscriber uses, its bank among them: 2 to 80.

    >>> counts = platform_counts(np.arange(100_000))
    >>> np.quantile(counts, [0.5, 0.95]).tolist(), counts.min().item(), counts.max().item()
    ([12.0, 45.0], 2, 80)
    """
    radius, angle = (uniforms(indices, np.full(len(indices), slot)) for slot in _COUNT_SLOTS)
    normal = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)  # Box and Muller 1958
    counts = np.rint(COUNT_MEDIAN * np.exp(COUNT_SIGMA * normal))
    return np.clip(counts, COUNT_LEAST, COUNT_MOST).astype(np.int64)


def habit_ranks(
    indices: NDArray[np.int64], slots: NDArray[np.int64], platforms: int
) -> NDArray[np.int64]:
    """Return the rank (0 the most popular) of the platform in each slot of each subscriber.

    The arrays have one length. Two slots of one subscriber may hold the same platform.
    """
    return (uniforms(indices, slots) ** _POPULARITY * platforms).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Person:
    """A subscriber.

    `known` are the platforms, except the bank, whose codes the carrier saw at this subscriber over
    24 h ago. `gaps_days` are the mean days between two codes of each platform in `known`; the last
    value is for the bank. The first `together` platforms of `known` are always used within seconds
    of each other.
    """

    recipient: str
    known: tuple[PlatformProfile, ...]
    bank: PlatformProfile
    gaps_days: tuple[float, ...]
    together: int
    impatient: bool


def person(index: int, memory: int | None = None, together: int | None = None) -> Person:
    """Return the subscriber with this index, who uses `memory` platforms (0 to 256), bank included.

    The subscriber uses `together` of these platforms within seconds of each other. If `memory` or
    `together` is None, its value follows from the index alone.

    >>> len(person(7, 14).known), person(7, 9).known[:3] == person(7, 4).known
    (13, True)
    """
    here = np.array([index])
    if memory is None:
        memory = int(platform_counts(here)[0])
    others = max(0, memory - 1)
    slots = np.arange(4 * memory + 64)
    ranks = habit_ranks(np.full(len(slots), index), slots, len(PLATFORMS))
    distinct = list(dict.fromkeys(ranks.tolist()))[:others]
    if len(distinct) < others:
        raise ValueError(f"a person cannot know {memory} platforms")
    used = _GAP_SLOT + np.arange(others + 1)
    rates = (1 - uniforms(np.full(len(used), index), used)) ** ((1 - GAP_SHAPE) / GAP_SHAPE)
    succession, impatient = (uniforms(here, np.array([slot]))[0] for slot in _TRAIT_SLOTS)
    if together is None:
        together = TOGETHER if succession < TOGETHER_SHARE else 0
    return Person(
        subscriber(index),
        tuple(PLATFORMS[rank] for rank in distinct),
        BANKS[index % len(BANKS)],
        tuple(np.maximum(1.0, GAP_MOST_DAYS / rates).tolist()),
        together if others >= together else 0,
        bool(impatient < IMPATIENT_SHARE),
    )
