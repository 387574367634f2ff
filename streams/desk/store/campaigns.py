"""Floods that share platforms and time: campaigns, as far as one can tell. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from detectors.model.times import HOUR_MS

SHARE: Final = 0.5
"""Share of a flood's platforms that a campaign has to have: lists of one attacker are alike by far
more, two attackers' by the few dozen platforms that everybody abuses. Chosen."""

APART_MS: Final = 2 * HOUR_MS
"""Between the last message of a campaign and the first of its next victim, at most. Chosen."""

VICTIMS_MIN: Final = 2
PLATFORMS_MIN: Final = 5
"""Floods of fewer platforms say too little about who sends them: THROTTLE asks for five."""


@dataclass(frozen=True, slots=True)
class Flood:
    """The parts of a case that are compared."""

    episode_id: str
    recipient: str
    first_ms: int
    last_ms: int
    open: bool
    messages: int
    platform_ids: frozenset[int]


@dataclass(slots=True)
class Campaign:
    """Floods that were found to belong together, in the order in which they began."""

    episode_ids: tuple[str, ...] = ()
    recipients: set[str] = field(default_factory=set)
    first_ms: int = 0
    last_ms: int = 0
    open: int = 0
    messages: int = 0
    seen: Counter[int] = field(default_factory=Counter)  # platform id -> floods

    @property
    def victims(self) -> int:
        """Recipients."""
        return len(self.recipients)

    @property
    def platform_ids(self) -> tuple[int, ...]:
        """Platforms of at least half of its floods, most first."""
        least = len(self.episode_ids) * SHARE
        return tuple(
            one
            for one, n in sorted(self.seen.items(), key=lambda each: (-each[1], each[0]))
            if n >= least
        )


def campaigns(floods: Iterable[Flood]) -> list[Campaign]:
    """Campaigns of at least two victims, most victims first.

    A flood joins the campaign that has most of its platforms, if that is half of them or more and
    it began in time; else it begins one. Each is compared with the campaigns that share a platform
    with it and are not over, so the cost is that of the lists.
    """
    going: list[Campaign] = []
    by_platform: dict[int, list[int]] = {}  # platform -> indices in `going`
    for flood in sorted(floods, key=lambda each: (each.first_ms, each.episode_id)):
        if len(flood.platform_ids) < PLATFORMS_MIN:
            continue
        shared: Counter[int] = Counter()
        for one in flood.platform_ids:
            shared.update(by_platform.get(one, ()))
        found = None
        for at, n in shared.most_common():
            if n < SHARE * len(flood.platform_ids):
                break
            campaign = going[at]
            alike = sum(campaign.seen[p] >= SHARE * len(campaign.episode_ids)
                        for p in flood.platform_ids)  # fmt: skip
            in_time = flood.first_ms <= campaign.last_ms + APART_MS
            if in_time and alike >= SHARE * len(flood.platform_ids):
                found = at
                break
        if found is None:
            found = len(going)
            going.append(Campaign(first_ms=flood.first_ms))
        _join(going[found], flood)
        for one in flood.platform_ids:
            places = by_platform.setdefault(one, [])
            if found not in places[-64:]:
                places.append(found)
                del places[:-64]  # the newest: of the others the time is over
    some = [each for each in going if each.victims >= VICTIMS_MIN]
    return sorted(some, key=lambda each: (-each.victims, each.first_ms))


def _join(campaign: Campaign, flood: Flood) -> None:
    campaign.episode_ids = (*campaign.episode_ids, flood.episode_id)
    campaign.recipients.add(flood.recipient)
    campaign.last_ms = max(campaign.last_ms, flood.last_ms)
    campaign.open += flood.open
    campaign.messages += flood.messages
    campaign.seen.update(flood.platform_ids)
