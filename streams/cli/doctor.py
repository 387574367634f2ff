"""`otpguard doctor`: what is wrong here, and what to do."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from streams.cli.shared import ConfigOption, JsonOption, settings_of, write_json
from streams.errors import ConfigError, Exit, UsageError

MARKS = {"ok": "ok     ", "warn": "look   ", "bad": "WRONG  ", "unknown": "unknown"}


def doctor(
    config: ConfigOption = None,
    *,
    role: Annotated[
        str, typer.Option(help="Whose rights this user should have; as in `topics acls`.")
    ] = "worker",
    as_json: JsonOption = False,
) -> None:
    r"""Look at settings, brokers, topics, rights, lag, events, keys and clocks; change nothing.

    Exit 0 if a worker may start, 78 if something is wrong.

    \b
    Examples:
      otpguard doctor --config /etc/otpguard/otpguard.toml
      otpguard doctor --role monitor --json | jq '.[] | select(.state != "ok")'
    """
    from streams.cluster.rights import ROLES  # noqa: PLC0415
    from streams.operate.doctor import Check, examine  # noqa: PLC0415 - start-up time

    if role not in ROLES:
        raise UsageError(f"{role!r} is none of {', '.join(ROLES)}")
    found = []
    try:
        settings = settings_of(config)
    except ConfigError as error:
        if as_json:
            write_json([Check("settings", "bad", says) for says in str(error).splitlines()])
        raise
    for each in examine(settings, role, time.time_ns() // 1_000_000):
        found.append(each)
        if not as_json:
            typer.echo(f"{MARKS[each.state]} {each.check}: {each.says}")
            if each.remedy:
                typer.echo(f"        -> {each.remedy}")
    if as_json:
        write_json(found)
    if any(each.state == "bad" for each in found):
        raise typer.Exit(Exit.CONFIG)
