"""`otpguard campaigns` and `otpguard platforms`: what the agents report of the whole network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from streams import wire
from streams.cases import network_views
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    group,
    records_shown,
    save_page,
    write_json,
    write_lines,
    write_table,
)
from streams.cluster import admin, read
from streams.common import UsageError, clock, join_list, tr, trc

campaigns = group("List campaigns: floods of many recipients that belong together.")
platforms = group("List the platforms that floods abuse, and how much each sends.")

CAMPAIGN_COLUMNS: Final = {
    "campaign": "campaign",
    "state": "state",
    "start": "since",
    "last": "last",
    "victims": "victims",
    "refused": "refused",
    "observed": "observed",
    "messages": "messages",
    "platforms": "platforms",
    "pace": "codes a minute",
    "growth": "new victims a minute",
}

PLATFORM_COLUMNS: Final = {
    "platform": "platform",
    "codes": "codes",
    "recipients": "recipients",
    "strangers": "strangers",
    "floods": "in floods",
    "trend": "trend",
    "sweep": "sweep",
}

SPARED: Final = ("pace", "platforms", "messages", "last", "growth", "observed", "refused")
"""Columns of campaigns that are left out on a narrow screen, in this order."""


@campaigns.command("ls")
def list_campaigns(
    settings: SettingsOption,
    *,
    since: Annotated[str, typer.Option("--since", help="How far back, such as 6h or 7d.")] = "24h",
    all_: Annotated[bool, typer.Option("--all", help="Include those that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""List open campaigns: how many victims, how fast they grow. No number is in them.

    \b
    Examples:
      otpguard campaigns ls
      otpguard campaigns ls --all --since 7d --json
    """
    since_ms = ago_ms(since)
    every = network_views.newest(admin.client_arguments(settings.kafka), settings.topics.campaign)
    rows = [
        network_views.campaign_row(each)
        for each in every
        if each.end_ms >= since_ms and (all_ or each.open)
    ]
    if as_json:
        write_json(rows)
    elif rows:
        names = list(CAMPAIGN_COLUMNS)
        for row in rows:
            row["state"] = trc("campaign", row["state"])
        cells = [["" if row[name] is None else row[name] for name in names] for row in rows]
        write_table(
            [tr(heading) for heading in CAMPAIGN_COLUMNS.values()],
            cells,
            drop=[names.index(name) for name in SPARED],
            styles={trc("campaign", "open"): "bold red"},
        )
    elif not every:
        typer.echo(
            tr("no campaign was ever reported; perhaps `otpguard agent campaigns` does not run")
        )
    else:
        typer.echo(tr("no campaigns") if all_ else tr("no open campaigns"))


@campaigns.command("show")
def show_campaign(
    campaign: Annotated[str, typer.Argument(help="Id of the campaign, from `campaigns ls`.")],
    settings: SettingsOption,
    *,
    page: Annotated[
        Path | None,
        typer.Option("--html", help="Write a page, with its floods by time and platform."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show one campaign: pace, growth, and the platforms that it abuses. No number is in it.

    \b
    Examples:
      otpguard campaigns show 1:sms.delivery.v1:7:123456
      otpguard campaigns show 1:sms.delivery.v1:7:123456 --html campaign.html
    """
    clients = admin.client_arguments(settings.kafka)
    told = network_views.newest(clients, settings.topics.campaign)
    found = next((each for each in told if each.campaign_id == campaign), None)
    if found is None:
        raise UsageError(
            tr(
                "no campaign {named!r}; `otpguard campaigns ls --all --since 90d` lists them"
            ).format(named=campaign)
        )
    lines = network_views.campaign_lines(found)
    if page is not None:
        from streams.people.desk import render  # noqa: PLC0415 - an extra, and heavy

        records = records_shown(clients, settings.topics.episode, found.start_ms)
        floods = network_views.map_floods(found, read.readable(records, wire.decode_episode))
        save_page(
            page,
            render.page_file(
                "campaign_file",
                clock.now_ms(),
                campaign=found,
                map=floods,
                lines=[line for line in lines if not line.startswith("  ")],  # without platforms
            ),
        )
        return
    document = msgspec.json.decode(wire.encode_campaign(found))
    write_lines(document, lines, as_json=as_json)


@platforms.command("ls")
def list_platforms(
    settings: SettingsOption,
    *,
    by: Annotated[
        str,
        typer.Option("--by", help="floods, flood-codes, strangers, codes, trend or sweeps."),
    ] = "floods",
    least: Annotated[
        int, typer.Option("--least", min=0, help="Minimum number of codes a week.")
    ] = 100,
    most: Annotated[int, typer.Option("--most", min=1, help="Number of platforms to list.")] = 30,
    as_json: JsonOption = False,
) -> None:
    r"""Rank platforms by the share of their codes that was part of floods, in the last week.

    A platform is its signature, port or sender as submitted, which others can forge. Codes are
    counted, not other messages. Each half hour is counted when it is over, so a flood is in the
    figures up to an hour later.

    \b
    Examples:
      otpguard platforms ls
      otpguard platforms ls --by trend --least 1000 --json
      otpguard platforms ls --by sweeps
    """
    if by not in network_views.ORDERS:
        raise typer.BadParameter(
            tr("{given!r} is none of {known}").format(
                given=by, known=join_list(list(network_views.ORDERS))
            )
        )
    found = network_views.read_platforms(
        admin.client_arguments(settings.kafka), settings.topics.platform
    )
    ranked = network_views.rank_platforms(found, by, least, most)
    rows = [network_views.platform_row(each) for each in ranked]
    if as_json:
        write_json(rows)
    elif rows:
        young = network_views.is_young(found)
        for row, each in zip(rows, ranked, strict=True):
            row["strangers"] = network_views.strangers(each, young=young)
            row["floods"] = network_views.percent(each.flood_share)
            row["trend"] = "" if row["trend"] is None else f"x {row['trend']:g}"
        write_table(
            [tr(heading) for heading in PLATFORM_COLUMNS.values()],
            [[row[name] for name in PLATFORM_COLUMNS] for row in rows],
        )
    elif not found:
        typer.echo(
            tr("no platform was ever reported; perhaps `otpguard agent platforms` does not run")
        )
    else:
        typer.echo(tr("no figures of platforms"))


@platforms.command("show")
def show_platform(
    platform: Annotated[
        str, typer.Argument(help="Key, such as sig:某校 or port:106…; a bare name is a signature.")
    ],
    settings: SettingsOption,
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Show one platform day by day.

    \b
    Example:
      otpguard platforms show sig:某校
    """
    key = network_views.platform_key(settings.registry()[0], platform)
    told = network_views.read_platforms(
        admin.client_arguments(settings.kafka), settings.topics.platform
    )
    found = next((each for each in told if each.platform == key), None)
    if found is None:
        raise UsageError(tr("no figures of {platform} in the last week").format(platform=key))
    document = msgspec.json.decode(wire.encode_platform(found))
    lines = network_views.platform_lines(found, young=network_views.is_young(told))
    write_lines(document, lines, as_json=as_json)
