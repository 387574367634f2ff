"""Campaigns: groups of floods against many recipients that share platforms and open together.

A platform is *crowded* around a flood if several floods that opened within half an hour have it as
a novel platform. A flood belongs to a campaign if most of its platforms are crowded around it.
Floods that share crowded platforms belong to the same campaign. So floods of different tools are
separate, even though a tool with hundreds of platforms uses different ones for each victim.

The result depends only on the set of floods. The order of their records, duplicates, and the
position at which a reader began do not matter. To achieve the last, a campaign of nearly a day or
more is divided at midnight (UTC). A reader knows the floods of today and of the two days before. If
a campaign was active at the first of these midnights, the reader does not know its beginning. If
one of its floods opened after the second midnight, the campaign is long enough to be divided there,
wherever it began. If none did, the campaign is no longer reported: see `final_ms`.

Two simultaneous campaigns by tools that share platforms are reported as one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from detectors.campaigns.floods import Flood, Floods
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS

WINDOW_MS: Final = 30 * MINUTE_MS
"""Maximum time between the openings of two floods that are linked by a platform. This is the
longest pause of the known wave tools."""

CROWD: Final = 4  # Number of floods within a window that make a platform crowded.

LINK: Final = 2  # Number of crowded platforms that two floods must share to be linked.

NEXT: Final = 8
"""Number of floods that each flood is compared with per platform: those that opened next."""

MEMBER_LEAST: Final = 3
"""Minimum number of crowded platforms of a flood in a campaign. At least half of its platforms must
be crowded too."""

VICTIMS_LEAST: Final = 5  # Minimum number of recipients of a campaign.

UNCUT_MS: Final = 22 * HOUR_MS
"""Maximum duration of a campaign that is not divided at midnight. It is more than two windows
shorter than a day: in one window a reader may not see a crowd yet, and one may pass until the next
flood. So every reader divides the same campaigns."""

GROWTH_MS: Final = 10 * MINUTE_MS
"""Time before the newest flood over which new victims are counted."""

PLATFORMS_MAX: Final = 64
"""Maximum number of platforms that a campaign lists, those with most victims."""


@dataclass(frozen=True, slots=True)
class Abused:
    """A platform of a campaign, and the number of floods in which it was novel."""

    platform: str
    platform_id: int
    victims: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. It contains no phone numbers."""

    campaign_id: str  # id of its first episode: by opening time, then by id
    open: bool  # true: at least one of its floods is open
    start_ms: int  # time of the first message
    opened_ms: int  # time at which its first flood was detected
    newest_ms: int  # time at which its newest flood was detected
    end_ms: int  # time of the last message so far
    victims: int  # number of recipients
    victims_open: int  # recipients with an open flood
    victims_throttled: int  # recipients that reached THROTTLE at any time
    messages: int
    pace_per_minute: float  # codes per minute at a victim; median over the floods
    growth_per_minute: float  # new victims per minute in the ten minutes before the newest flood
    platforms: tuple[Abused, ...]  # platforms with most victims first, at most `PLATFORMS_MAX`
    platforms_total: int
    # "surge": first contacts above the usual number, see `detectors.campaigns.surges`. Such a
    # record counts no single recipients, so `victims` is their minimum.
    kind: Literal["floods", "surge"] = "floods"
    # Of the throttled recipients, those with a lease to enforce; the others are only observed.
    # None: not counted (a surge, or a record of an older version).
    victims_refused: int | None = None


def campaigns(floods: Floods, since_ms: int = 0) -> list[Campaign]:
    """Return every campaign whose newest flood opened at `since_ms` or later, by opening time.

    The cost is bounded: each flood is compared with at most `NEXT` others per platform.
    """
    crowds = _crowds(floods.by_id.values())
    found = []
    for members in _together(crowds):
        for part in _parts(members):
            if part[-1].opened_ms >= since_ms and _victims(part) >= VICTIMS_LEAST:
                found.append(_campaign(part, floods.names))  # noqa: PERF401 - reads as it is done
    return sorted(found, key=lambda each: (each.opened_ms, each.campaign_id))


def final_ms(floods: Floods) -> int:
    """Return the time before which no campaign changes any more: midnight of the day before today.

    The result is never before the second midnight of the known floods, however old the newest flood
    is. A reader does not know the beginning of older campaigns.
    """
    return max((floods.newest_ms // DAY_MS - 1) * DAY_MS, floods.horizon_ms + DAY_MS)


class _Crowd:
    """A flood, the platforms that are crowded around it, and its union-find parent (`leader`)."""

    __slots__ = ("flood", "leader", "platforms")

    def __init__(self, flood: Flood) -> None:
        self.flood = flood
        self.platforms: set[int] = set()
        self.leader: _Crowd = self


def _crowds(floods: Iterable[Flood]) -> list[_Crowd]:
    """Return the floods that belong to campaigns, in the order in which they opened."""
    ordered = sorted(floods, key=lambda flood: (flood.opened_ms, flood.episode_id))
    everybody = [_Crowd(flood) for flood in ordered]
    for platform, some in _by_platform(everybody).items():
        for i, (first, last) in enumerate(zip(some, some[CROWD - 1 :], strict=False)):
            if last.flood.opened_ms - first.flood.opened_ms <= WINDOW_MS:
                for each in some[i : i + CROWD]:
                    each.platforms.add(platform)
    return [
        each
        for each in everybody
        if len(each.platforms) >= max(MEMBER_LEAST, len(each.flood.platforms) / 2)
    ]


def _by_platform(crowds: Iterable[_Crowd], *, crowded: bool = False) -> Mapping[int, list[_Crowd]]:
    found: dict[int, list[_Crowd]] = defaultdict(list)
    for each in crowds:
        for platform in each.platforms if crowded else each.flood.platforms:
            found[platform].append(each)
    return found


def _together(crowds: list[_Crowd]) -> Iterator[list[Flood]]:
    """Yield the floods of each campaign, in the order in which they opened."""
    for some in _by_platform(crowds, crowded=True).values():
        for i, each in enumerate(some):
            for other in some[i + 1 : i + 1 + NEXT]:
                if other.flood.opened_ms - each.flood.opened_ms > WINDOW_MS:
                    break
                one, two = _leader(each), _leader(other)
                if one is not two and len(each.platforms & other.platforms) >= LINK:
                    two.leader = one
    members: dict[int, list[Flood]] = defaultdict(list)
    for each in crowds:
        members[id(_leader(each))].append(each.flood)
    yield from members.values()


def _leader(each: _Crowd) -> _Crowd:
    while each.leader is not each:
        each.leader = each.leader.leader  # path halving, for faster later look-ups
        each = each.leader
    return each


def _parts(members: list[Flood]) -> Iterator[list[Flood]]:
    """Yield the campaign; if it is too long, yield one part per day."""
    if members[-1].opened_ms - members[0].opened_ms <= UNCUT_MS:
        yield members
        return
    days: dict[int, list[Flood]] = defaultdict(list)
    for flood in members:
        days[flood.opened_ms // DAY_MS].append(flood)
    yield from days.values()


def _victims(members: Iterable[Flood]) -> int:
    return len({flood.recipient for flood in members})


def _campaign(members: list[Flood], names: Mapping[int, str]) -> Campaign:
    counts = Counter(platform for flood in members for platform in flood.platforms)
    most = sorted(counts, key=lambda platform: (-counts[platform], platform))
    newest_ms = members[-1].opened_ms
    lately = [flood for flood in members if flood.opened_ms > newest_ms - GROWTH_MS]
    paces = [
        flood.messages * MINUTE_MS / max(flood.last_ms - flood.first_ms, MINUTE_MS)
        for flood in members
    ]
    return Campaign(
        campaign_id=members[0].episode_id,
        open=any(flood.open for flood in members),
        start_ms=min(flood.first_ms for flood in members),
        opened_ms=members[0].opened_ms,
        newest_ms=newest_ms,
        end_ms=max(flood.last_ms for flood in members),
        victims=_victims(members),
        victims_open=_victims(flood for flood in members if flood.open),
        victims_throttled=_victims(flood for flood in members if flood.throttled),
        messages=sum(flood.messages for flood in members),
        pace_per_minute=round(median(paces), 2),
        growth_per_minute=round(_victims(lately) * MINUTE_MS / GROWTH_MS, 2),
        platforms=tuple(
            Abused(names.get(each, f"#{each}"), each, counts[each]) for each in most[:PLATFORMS_MAX]
        ),
        platforms_total=len(counts),
        victims_refused=_victims(flood for flood in members if flood.refused),
    )
