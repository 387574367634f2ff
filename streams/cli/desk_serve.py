"""`otpguard desk serve`: the console."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.shared import SettingsOption, log_to_stderr
from streams.common.language import tr
from streams.people.desk import console_server


def serve(
    settings: SettingsOption,
    *,
    no_index: Annotated[
        bool,
        typer.Option("--no-index", help="Another process follows the topics for this store."),
    ] = False,
) -> None:
    r"""Serve the desk's pages, and keep its index up to date.

    Listens on loopback by default (console.host). Make the first administrator with `otpguard desk
    user add`.

    \b
    Examples:
      otpguard desk serve
      otpguard desk serve --config /etc/otpguard/otpguard.toml --no-index
    """
    log_to_stderr()
    told = tr("the desk is at {address}")
    console_server.serve(
        settings,
        index=not no_index,
        started=lambda address: typer.echo(told.format(address=address), err=True),
    )
