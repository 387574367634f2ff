"""Ordinary traffic of a carrier: endless, in order, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.times import DAY_MS
from streams.tools.scenarios.labelled_events import Labelled, Role, Truth, message
from streams.tools.scenarios.numbering import COUNT, port, subscriber
from streams.tools.scenarios.people import COUNT_MOST, GAP_SHAPE, habit_ranks, platform_counts
from streams.tools.scenarios.platform_profiles import BANKS, PLATFORMS
from streams.tools.scenarios.wording import COURIER, MARKETING, NOTICES, PERSONAL

BLOCK: Final = 4096  # Number of events that are drawn at once.


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages per subscriber-day.

    The rate of codes, 0.15-0.2 in all, is published; the others are chosen: codes are then a tenth
    of the traffic.
    """

    codes: float = 0.16
    bank_codes: float = 0.02
    marketing: float = 0.5
    courier: float = 0.3
    notices: float = 0.5
    personal: float = 0.5

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or self.total <= 0:
            raise ValueError("rates must not be negative, nor all zero")

    @property
    def weights(self) -> tuple[float, ...]:
        """Every rate, in the order of the fields."""
        return (
            self.codes,
            self.bank_codes,
            self.marketing,
            self.courier,
            self.notices,
            self.personal,
        )

    @property
    def total(self) -> float:
        return sum(self.weights)


NEW_SHARE: Final = 0.1
"""Share of ordinary codes that come from a platform outside the subscriber's habits. Chosen."""


def ordinary(
    subscribers: int,
    start_ms: int,
    seed: int,
    *,
    duration_ms: int = DAY_MS,
    first: int = 0,
    rates: Rates = Rates(),
) -> Iterator[Labelled]:
    """The messages of `subscribers` people, from the index `first` on, for that long.

    A Poisson stream at the rates given. Who uses more platforms gets more codes. All but NEW_SHARE
    of a subscriber's codes come from its own platforms (see `people`). Memory: one block of draws.
    """
    if not 0 < subscribers <= COUNT - first:
        raise ValueError(f"subscribers must be in 1..{COUNT - first}")
    rng = np.random.default_rng(seed)
    gap_ms = DAY_MS / (rates.total * subscribers)
    bounds = np.cumsum(rates.weights) / rates.total
    at, end_ms, number = float(start_ms), start_ms + duration_ms, 0
    while True:
        times = at + np.cumsum(rng.exponential(gap_ms, BLOCK))
        at = float(times[-1])
        kinds = np.minimum(np.searchsorted(bounds, rng.random(BLOCK), "right"), len(bounds) - 1)
        people = rng.integers(first, first + subscribers, BLOCK)
        ranks = rng.integers(0, len(PLATFORMS), BLOCK)
        codes = np.flatnonzero(kinds == 0)
        people[codes], slots = _users(rng, len(codes), first, first + subscribers)
        known = habit_ranks(people[codes], slots, len(PLATFORMS))
        new = np.ones(BLOCK, np.bool_)
        new[codes] = rng.random(len(codes)) < NEW_SHARE
        ranks[codes] = np.where(new[codes], ranks[codes], known)
        free = rng.integers(0, 10**12, BLOCK)
        for time_ms, who, rank, is_new, kind, n in zip(
            times.astype(np.int64).tolist(),
            people.tolist(),
            ranks.tolist(),
            new.tolist(),
            kinds.tolist(),
            free.tolist(),
            strict=True,
        ):
            if time_ms >= end_ms:
                return
            number += 1
            sender, text, truth = _compose(kind, rank, Role.NEW if is_new else Role.KNOWN, who, n)
            yield Labelled(
                message(subscriber(who), sender, text, time_ms, f"ordinary-{seed}-{number}"), truth
            )


_TRIES: Final = 16


def _users(
    rng: np.random.Generator, number: int, first: int, last: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw people, in proportion to the number of their platforms, and one platform slot of each.

    The method is rejection sampling, because the numbers of platforms of all people are not stored.
    `_TRIES` people are drawn, each with a slot below `COUNT_MOST`. The first person who has a
    platform in this slot is taken. In 3 % of the cases nobody has; then the last person is taken.
    """
    people = rng.integers(first, last, (number, _TRIES))
    counts = platform_counts(people.ravel()).reshape(people.shape)
    taken = rng.integers(0, COUNT_MOST, people.shape) < counts
    taken[:, -1] = True
    at = np.arange(number), taken.argmax(axis=1)
    slots = rng.random(number) ** GAP_SHAPE * counts[at]
    return people[at], slots.astype(np.int64)


_TRUTHS: Final = {
    (role, platform.name): Truth(role, "ordinary", platform.name)
    for role in (Role.KNOWN, Role.NEW, Role.OTHER, Role.BANK)
    for platform in (*PLATFORMS, *BANKS)
}
_PERSON: Final = Truth(Role.OTHER, "ordinary", "")
_PORTS: Final = tuple(port(platform.name, 1) for platform in PLATFORMS)


def _compose(kind: int, rank: int, role: Role, who: int, n: int) -> tuple[str, str, Truth]:
    """Sender, text and truth of one message; `n` below 10**12 chooses its words and numbers."""
    if kind <= 1:
        platform = BANKS[who % len(BANKS)] if kind else PLATFORMS[rank]
        code = f"{n:012d}"[: platform.digits]
        role = Role.BANK if kind else role
        wording = platform.wordings[n // 7 % platform.usual]
        text = wording.text.format(name=platform.name, code=code)
        return wording.sender, text, _TRUTHS[role, platform.name]
    if kind == 5:
        sender = "+" + subscriber((who * 7 + n % 5) % COUNT)
        return sender, PERSONAL[n % len(PERSONAL)].format(a=n % 10_000), _PERSON
    a, b, c = n % 9000 + 1000, n % 900_000 + 100_000, f"{n:012d}"
    if kind == 4:
        bank = BANKS[who % len(BANKS)]
        text = NOTICES[n % len(NOTICES)].format(name=bank.name, a=a, b=b)
        return bank.sender, text, _TRUTHS[Role.OTHER, bank.name]
    platform = PLATFORMS[rank]
    formats = MARKETING if kind == 2 else COURIER
    text = formats[n % len(formats)].format(name=platform.name, a=a, b=b, c=c)
    return _PORTS[rank], text, _TRUTHS[Role.OTHER, platform.name]
