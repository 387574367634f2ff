"""`otpguard doctor`: finds what is wrong in an installation, and names the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich import cells

from streams.cli.shared import ConfigOption, JsonOption, settings_of, write_json
from streams.cluster import kafka_rights
from streams.common import clock
from streams.common.errors import ConfigError, Exit, UsageError
from streams.common.language import tr
from streams.tools.operate import diagnosis, local_checks

MARKS: Final = {"ok": "ok", "warn": "look", "bad": "WRONG", "unknown": "unknown"}


def doctor(
    config: ConfigOption = None,
    *,
    role: Annotated[
        str, typer.Option(help="Role whose rights this user should have, as in `topics acls`.")
    ] = "worker",
    as_json: JsonOption = False,
) -> None:
    r"""Check settings, brokers, topics, rights, lag, events, keys and clocks; changes nothing.

    Exits with 0 if a worker may start, with 78 if something is wrong.

    \b
    Examples:
      otpguard doctor --config /etc/otpguard/otpguard.toml
      otpguard doctor --role monitor --json | jq '.[] | select(.state != "ok")'
    """
    if role not in kafka_rights.ROLES:
        raise UsageError(
            tr("{role!r} is none of {roles}").format(role=role, roles=", ".join(kafka_rights.ROLES))
        )
    try:
        settings = settings_of(config)
    except ConfigError as error:
        if as_json:
            write_json(
                [local_checks.Check("settings", "bad", says) for says in str(error).splitlines()]
            )
        raise
    checks = diagnosis.examine(settings, role, clock.now_ms())
    if as_json:
        all_ = list(checks)
        write_json(all_)
        wrong = any(each.state == "bad" for each in all_)
    else:
        wrong = tell(checks)
    if wrong:
        raise typer.Exit(Exit.CONFIG)


def tell(checks: Iterable[local_checks.Check]) -> bool:
    """Print the findings as they come; return True if anything is wrong."""
    wrong = False
    for each in checks:
        wrong |= each.state == "bad"
        told = tr("{mark} {check}: {says}")
        typer.echo(told.format(mark=_mark(each.state), check=tr(each.check), says=each.says))
        if each.remedy:
            typer.echo(f"        -> {each.remedy}")
    return wrong


def _mark(state: str) -> str:
    marks = {each: tr(mark) for each, mark in MARKS.items()}
    return cells.set_cell_size(marks[state], max(map(cells.cell_len, marks.values())))
