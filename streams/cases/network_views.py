"""Shows what the network agents publish to people: platforms and campaigns."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from detectors.campaigns.campaign import MEMBER_LEAST, Campaign
from detectors.model.records import EpisodeRecord
from detectors.model.times import DAY_MS, MINUTE_MS
from detectors.platforms.days import KEPT_DAYS, PlatformFigures
from detectors.platforms.sweeps import Sweep
from detectors.recognise.platform.registry import Registry
from streams.cluster.read import newest_records, readable
from streams.common import UsageError, join_list, moment, tr, trn
from streams.wire import decode_campaign, decode_platform

ORDERS: Final[Mapping[str, Callable[[PlatformFigures], float]]] = {
    "floods": lambda each: each.flood_share,
    "flood-codes": lambda each: sum(day.flood_codes for day in each.days),
    "strangers": lambda each: each.strangers_share,
    "codes": lambda each: each.codes,
    "trend": lambda each: each.trend or 0.0,
    "sweeps": lambda each: sum(sweep.strangers for sweep in each.sweeps),
}
"""Sort keys of a ranking; the highest values come first."""


_KEY: Final = re.compile("(?:sig|text|host|from|port|id):.{1,200}")


def platform_key(registry: Registry, written: str) -> str:
    """Return a platform's key from a key or a name as a person writes it.

    Raise UsageError if a name has no letter and no digit.

    >>> registry = Registry.load_shipped()
    >>> [platform_key(registry, written) for written in ("port:95588", "【ICBC】")]
    ['sig:工商银行', 'sig:工商银行']
    """
    # Here, because the lists of names take long to load and few commands need them.
    from detectors.recognise.platform import keys  # noqa: PLC0415
    from detectors.recognise.text import fold  # noqa: PLC0415

    if _KEY.fullmatch(written):
        return keys.current_key(registry, written)
    if not fold.name_key(written):
        raise UsageError(tr("{written!r} names no platform").format(written=written))
    return keys.brand_key(registry, written)


def read_platforms(clients: Mapping[str, Any], topic: str) -> list[PlatformFigures]:
    """Return the newest record of every platform.

    Raises what `streams.cluster.read.reading` raises.
    """
    return list(readable(newest_records(clients, topic).values(), decode_platform))


def rank_platforms(
    found: Iterable[PlatformFigures], order: str, least_codes: int, most: int
) -> list[PlatformFigures]:
    """Return the first `most` platforms of a ranking, without those of fewer codes.

    Platforms with equal values are sorted by name.
    """
    some = [each for each in found if each.codes >= least_codes]
    return sorted(some, key=lambda each: (-ORDERS[order](each), each.platform))[:most]


def platform_row(figures: PlatformFigures) -> dict[str, Any]:
    """Return one row of a ranking."""
    return {
        "platform": figures.platform,
        "codes": figures.codes,
        "recipients": sum(day.recipients for day in figures.days),
        "strangers": figures.strangers_share,
        "floods": figures.flood_share,
        "trend": figures.trend,
        "sweep": " ".join(sweep.rule for sweep in figures.sweeps),
    }


def is_young(found: Iterable[PlatformFigures]) -> bool:
    """Return true if all figures together are of less than a week.

    The share of strangers then means nothing yet: nobody has met a platform before.
    """
    days_ms = [day.day_ms for each in found for day in each.days]
    return max(days_ms, default=0) - min(days_ms, default=0) < (KEPT_DAYS - 1) * DAY_MS


def strangers(figures: PlatformFigures, *, young: bool) -> str:
    """Return the share of strangers as text for people; `young` is that of `is_young`."""
    return tr("not known yet") if young else percent(figures.strangers_share)


def percent(share: float) -> str:
    """Return a share as text for people.

    >>> percent(0.1234)
    '12.3 %'
    """
    return f"{share * 100:.1f} %"


def _sweep_lines(sweep: Sweep) -> Iterator[str]:
    said = {
        "range": tr("sweep of neighbouring numbers, {first} to {last}: {strangers} strangers"),
        "fresh": tr("sweep of unused numbers, {first} to {last}: {strangers} strangers in an hour"),
    }
    yield said[sweep.rule].format(
        first=moment(sweep.first_ms), last=moment(sweep.last_ms), strangers=f"{sweep.strangers:,}"
    )
    if sweep.thousands:
        blocks = " ".join(f"{thousand}xxx" for thousand in sweep.thousands)
        yield "  " + tr("among {blocks}").format(blocks=blocks)


def platform_lines(figures: PlatformFigures, *, young: bool) -> Iterator[str]:
    """Yield the lines that show one platform to a person; `young` is that of `is_young`."""
    yield f"{figures.platform}  #{figures.platform_id}"
    yield tr(
        "{codes} in {days}; {floods} of them were part of floods; recipients that did not know "
        "it: {strangers}"
    ).format(
        codes=trn("{n} code", "{n} codes", figures.codes),
        days=trn("{n} day", "{n} days", len(figures.days)),
        floods=percent(figures.flood_share),
        strangers=strangers(figures, young=young),
    )
    if figures.trend is not None:
        yield tr("yesterday {times} times as many as on the days before").format(
            times=f"{figures.trend:g}"
        )
    for sweep in figures.sweeps:
        yield from _sweep_lines(sweep)
    for day in figures.days:
        yield "  " + tr(
            "{day}  {codes}, {recipients}, {strangers} of them strangers, {floods} in floods"
        ).format(
            day=moment(day.day_ms)[:10],
            codes=trn("{n} code", "{n} codes", day.codes),
            recipients=trn("{n} recipient", "{n} recipients", day.recipients),
            strangers=f"{day.strangers:,}",
            floods=trn("{n} code", "{n} codes", day.flood_codes),
        )


def newest(clients: Mapping[str, Any], topic: str) -> list[Campaign]:
    """Return the newest record of every campaign, in the order in which they began.

    Raises what `streams.cluster.read.reading` raises.
    """
    found = readable(newest_records(clients, topic).values(), decode_campaign)
    return sorted(found, key=lambda each: (each.opened_ms, each.campaign_id))


def campaign_row(campaign: Campaign) -> dict[str, Any]:
    """Return one row of a list of campaigns."""
    return {
        "campaign": campaign.campaign_id,
        "kind": campaign.kind,
        "state": "open" if campaign.open else "over",
        "start": moment(campaign.start_ms),
        "last": moment(campaign.end_ms),
        "victims": campaign.victims,
        "throttled": campaign.victims_throttled,
        "refused": campaign.victims_refused,
        "observed": count_observed(campaign),
        "messages": campaign.messages,
        "platforms": campaign.platforms_total,
        "pace": campaign.pace_per_minute,
        "growth": campaign.growth_per_minute,
    }


def count_observed(campaign: Campaign) -> int | None:
    """Return how many throttled victims are only observed; None: not known."""
    refused = campaign.victims_refused
    return None if refused is None else campaign.victims_throttled - refused


def campaign_lines(campaign: Campaign) -> Iterator[str]:
    """Yield the lines that show one campaign to a person."""
    yield campaign.campaign_id
    if campaign.kind == "surge":
        yield tr(
            "surge: within an hour many platforms sent codes to far more recipients that do not "
            "know them than usual; the numbers are those above the usual ones"
        )
    throttled = campaign.victims_throttled
    split = [trn("{n} rose to THROTTLE", "{n} rose to THROTTLE", throttled)]
    if campaign.victims_refused is not None:
        found = {"n": campaign.victims_refused, "m": count_observed(campaign)}
        split = [tr("{n} refused, {m} observed").format(**found)]
    span = {"start": moment(campaign.start_ms), "last": moment(campaign.end_ms)}
    if campaign.open:
        yield tr("goes on: from {start}, last message {last}").format(**span)
    else:
        yield tr("over: from {start} to {last}").format(**span)
    yield join_list(
        [
            trn("{n} victim", "{n} victims", campaign.victims),
            trn("{n} in an open case", "{n} in open cases", campaign.victims_open),
            *split,
        ]
    )
    yield tr(
        "{messages} messages, {pace} a minute at the victim in the middle; {growth} new victims a "
        "minute when the newest came"
    ).format(
        messages=campaign.messages,
        pace=f"{campaign.pace_per_minute:g}",
        growth=f"{campaign.growth_per_minute:g}",
    )
    named = len(campaign.platforms)
    yield trn(
        "{n} platform is abused, at how many victims:",
        "{n} platforms are abused, at how many victims:",
        campaign.platforms_total,
    )
    width = len(str(max((each.victims for each in campaign.platforms), default=0)))
    for each in campaign.platforms:
        yield f"  {each.victims:{width}}  {each.platform}"
    if campaign.platforms_total > named:
        left = campaign.platforms_total - named
        yield "  " + trn("{n} more", "{n} more", left)


MAP_ROWS: Final = 24
MAP_COLUMNS: Final = 60


def map_floods(campaign: Campaign, records: Iterable[EpisodeRecord]) -> dict[str, Any]:
    """Count a campaign's floods by time and platform.

    A flood counts once for each platform of the campaign that was new to its victim, at the time of
    the first code. A flood belongs to the campaign if it shares `MEMBER_LEAST` platforms with it
    within the campaign's time. Returns `rows` (platform, and floods by column), the number of
    `columns`, `begin_ms` of the first, `step_ms` of each (whole minutes), and `most` of all cells.
    """
    named = {each.platform_id: each.platform for each in campaign.platforms}
    seen: dict[str, dict[int, int]] = defaultdict(dict)
    for record in records:
        for at in record.sightings:
            in_time = campaign.start_ms <= at.at_ms <= campaign.end_ms
            if in_time and at.novel and at.platform_id in named:
                seen[record.episode_id].setdefault(at.platform_id, at.at_ms)
    begin_ms = campaign.start_ms // MINUTE_MS * MINUTE_MS
    minutes = (campaign.end_ms - begin_ms) // MINUTE_MS + 1
    step_ms = -(-minutes // MAP_COLUMNS) * MINUTE_MS
    cells: dict[int, Counter[int]] = {platform_id: Counter() for platform_id in named}
    for some in seen.values():
        if len(some) >= MEMBER_LEAST:
            for platform_id, at_ms in some.items():
                cells[platform_id][(at_ms - begin_ms) // step_ms] += 1
    rows = [(named[each], counts) for each, counts in cells.items() if counts][:MAP_ROWS]
    return {
        "rows": [{"platform": platform, "floods": counts} for platform, counts in rows],
        "columns": -(-minutes * MINUTE_MS // step_ms),
        "begin_ms": begin_ms,
        "step_ms": step_ms,
        "most": max((max(counts.values()) for _, counts in rows), default=0),
    }
