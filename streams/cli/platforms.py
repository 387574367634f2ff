"""`otpguard platforms`: lists abused platforms, and how much each sends."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import typer

from streams import wire
from streams.cases import network_views
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    group,
    write_json,
    write_lines,
    write_table,
)
from streams.cluster import admin
from streams.common import UsageError, join_list, tr

app = group("List the platforms that floods abuse, and how much each sends.")

PLATFORM_COLUMNS: Final = {
    "platform": "platform",
    "codes": "codes",
    "recipients": "recipients",
    "strangers": "strangers",
    "floods": "in floods",
    "trend": "trend",
    "sweep": "sweep",
}


@app.command("ls")
def ls(
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
    counted, not other messages.

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
    rows = [
        network_views.platform_row(each)
        for each in network_views.rank_platforms(found, by, least, most)
    ]
    if as_json:
        write_json(rows)
    elif rows:
        for row in rows:
            row |= {name: network_views.percent(row[name]) for name in ("strangers", "floods")}
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


@app.command()
def show(
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
    write_lines(document, network_views.platform_lines(found), as_json=as_json)
