"""Reads campaigns from their topic and shows them to people, in a list or one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detectors.campaigns.campaign import Campaign
from streams.cluster.read import newest_records, readable
from streams.language import listed, moment, tr, trn
from streams.wire import decode_campaign


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
        "state": "open" if campaign.open else "over",
        "start": moment(campaign.start_ms),
        "last": moment(campaign.end_ms),
        "victims": campaign.victims,
        "throttled": campaign.victims_throttled,
        "messages": campaign.messages,
        "platforms": campaign.platforms_total,
        "pace": campaign.pace_per_minute,
        "growth": campaign.growth_per_minute,
    }


def campaign_lines(campaign: Campaign) -> Iterator[str]:
    """Yield the lines that show one campaign to a person."""
    yield campaign.campaign_id
    span = {"start": moment(campaign.start_ms), "last": moment(campaign.end_ms)}
    if campaign.open:
        yield tr("goes on: from {start}, last message {last}").format(**span)
    else:
        yield tr("over: from {start} to {last}").format(**span)
    yield listed(
        [
            trn("{n} victim", "{n} victims", campaign.victims),
            trn("{n} in an open case", "{n} in open cases", campaign.victims_open),
            trn("{n} rose to THROTTLE", "{n} rose to THROTTLE", campaign.victims_throttled),
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


def find_campaign(found: Iterable[Campaign], named: str) -> Campaign | None:
    """Return the campaign with this id, or None."""
    return next((each for each in found if each.campaign_id == named), None)
