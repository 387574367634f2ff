"""Campaigns: floods at many recipients that share platforms and minutes.

A platform is *crowded* around a flood if it is new to the recipients of several floods that opened
within half an hour. A flood belongs to a campaign if most of its platforms are crowded around it;
floods that share crowded platforms belong to the same one. So two floods of different tools stay
apart, though a tool of hundreds of platforms shows every victim others.

All of it is a function of the set of floods: in which order their records came, how often, and
where a reader began changes nothing. For the last, a campaign of nearly a day or more is cut at the
midnights (UTC) in it: a reader knows the floods of today and of the two days before, and of a
campaign that was under way at the first of these midnights it knows no beginning. If a flood of it
opened after the second midnight it is long enough to be cut there, wherever it began; if none did,
nobody tells of it any more: `final_ms`.

Two campaigns at the same minutes by tools that share platforms are told as one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from detectors.campaigns.floods import Flood, Floods
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS

WINDOW_MS: Final = 30 * MINUTE_MS
"""Floods of a campaign that share a platform open so near each other: as long as the longest pause
of the wave tools in view."""

CROWD: Final = 4
"""Floods in a window by which a platform is crowded."""

LINK: Final = 2
"""Crowded platforms that two floods share if they are of one campaign."""

NEXT: Final = 8
"""Floods of a platform that each is compared with: those that opened next."""

MEMBER_LEAST: Final = 3
"""Crowded platforms of a flood of a campaign, at least; and half of all."""

VICTIMS_LEAST: Final = 5
"""Recipients from which floods are a campaign."""

UNCUT_MS: Final = 22 * HOUR_MS
"""A longer campaign is cut at midnights. Less than a day by more than two windows, one in which a
reader may see no crowd yet and one to the next flood: so every reader cuts the same campaigns."""

GROWTH_MS: Final = 10 * MINUTE_MS

PLATFORMS_MAX: Final = 64
"""Platforms that a campaign names, those of most victims."""


@dataclass(frozen=True, slots=True)
class Abused:
    """A platform of a campaign, and at how many of its victims it was new."""

    platform: str
    platform_id: int
    victims: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign, without anybody's number."""

    campaign_id: str  # the first of its episodes: by time opened, then by id
    open: bool  # a flood of it is
    start_ms: int  # of the first message
    opened_ms: int  # when its first flood was noticed, and when the newest was
    newest_ms: int
    end_ms: int  # of the last message so far
    victims: int
    victims_open: int
    victims_throttled: int  # at any time
    messages: int
    pace_per_minute: float  # codes at a victim, of the victim in the middle
    growth_per_minute: float  # new victims, in the ten minutes before the newest
    platforms: tuple[Abused, ...]  # of most victims first, at most `PLATFORMS_MAX`
    platforms_total: int


def campaigns(floods: Floods, since_ms: int = 0) -> list[Campaign]:
    """Every campaign whose newest flood opened at `since_ms` or later, in the order of their ids.

    Bounded by the floods: compares each with at most `NEXT` others for each of its platforms.
    """
    crowds = _crowds(floods.by_id.values())
    found = []
    for members in _together(crowds):
        for part in _parts(members):
            if part[-1].opened_ms >= since_ms and _victims(part) >= VICTIMS_LEAST:
                found.append(_campaign(part, floods.names))  # noqa: PERF401 - reads as it is done
    return sorted(found, key=lambda each: (each.opened_ms, each.campaign_id))


def final_ms(floods: Floods) -> int:
    """The time before which no campaign changes any more: midnight of the day before today.

    Not before the second midnight of what is known, however old the newest flood is: of an older
    campaign a reader knows no beginning, and of most of them nothing.
    """
    return max((floods.newest_ms // DAY_MS - 1) * DAY_MS, floods.horizon_ms + DAY_MS)


class _Crowd:
    """A flood and the platforms that are crowded around it."""

    __slots__ = ("flood", "leader", "platforms")

    def __init__(self, flood: Flood) -> None:
        self.flood = flood
        self.platforms: set[int] = set()
        self.leader: _Crowd = self


def _crowds(floods: Iterable[Flood]) -> list[_Crowd]:
    """The floods of campaigns, in the order in which they opened."""
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
    """The floods of each campaign, in the order in which they opened."""
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
        each.leader = each.leader.leader  # halves the way for whoever asks next
        each = each.leader
    return each


def _parts(members: list[Flood]) -> Iterator[list[Flood]]:
    """One campaign; of one that is too long, one for each day."""
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
    )
