"""`otpguard doctor`: finds what is wrong in an installation, and names the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich import cells

from streams.cli.shared import ConfigOption, JsonOption, fold_line, group, settings_of, write_json
from streams.cluster import kafka_rights
from streams.common import ConfigError, Exit, UsageError, clock, join_list, tr
from streams.tools.operate import diagnosis, local_checks

failover = group("Say whether this standby site can take over.")

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

    A worker may start unless something is wrong.

    \b
    Examples:
      otpguard doctor --config /etc/otpguard/otpguard.toml
      otpguard doctor --role monitor --json | jq '.[] | select(.state != "ok")'

    \b
    Exit codes:
      0    all is well
      1    something should be looked at
      78   something is wrong
    """
    if role not in kafka_rights.ROLES:
        raise UsageError(
            tr("{role!r} is none of {roles}").format(role=role, roles=", ".join(kafka_rights.ROLES))
        )
    _answer(config, lambda it: diagnosis.examine(it, role, clock.now_ms()), as_json=as_json)


@failover.callback()
def _failover() -> None:
    """Say whether this standby site can take over."""


@failover.command("check")
def failover_check(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    r"""Say what this site lacks to take over, and how old everything is; changes nothing.

    Checks epoch, key, age of the memory, overrides, mode, topics and workers. Run it at the standby
    site, on the machine of `otpguard agent memory`, as a user with the role support.

    \b
    Examples:
      otpguard failover check --config /etc/otpguard/otpguard.toml
      otpguard failover check --json | jq '.[] | select(.state != "ok")'

    \b
    Exit codes:
      0    this site can take over
      1    something should be looked at
      78   something is wrong
    """
    _answer(config, lambda it: diagnosis.examine_standby(it, clock.now_ms()), as_json=as_json)


def _answer(
    config: Path | None,
    examine: Callable[[Any], Iterable[local_checks.Check]],
    *,
    as_json: bool,
) -> NoReturn:
    """Load the settings, print what `examine` finds, and end the command with its exit code."""
    try:
        settings = settings_of(config)
    except ConfigError as error:
        if as_json:
            write_json(
                [local_checks.Check("settings", "bad", says) for says in str(error).splitlines()]
            )
        raise
    checks = examine(settings)
    if as_json:
        found = list(checks)
        write_json(found)
    else:
        found = tell(checks)
    raise typer.Exit(exit_code(found))


def exit_code(found: Iterable[local_checks.Check]) -> int:
    """Return 78 if anything is wrong, 1 if anything should be looked at, else 0."""
    states = {each.state for each in found}
    return Exit.CONFIG if "bad" in states else Exit.NO if "warn" in states else Exit.DONE


def tell(checks: Iterable[local_checks.Check]) -> list[local_checks.Check]:
    """Print the findings as they come, then their number by state; return the findings."""
    found = []
    for each in checks:
        found.append(each)
        named = {"mark": _mark(each.state), "check": tr(each.check), "says": each.says}
        typer.echo(fold_line(tr("{mark} {check}: {says}").format(**named)))
        if each.remedy:
            typer.echo(fold_line(f"        -> {each.remedy}"))
    states = Counter[str](each.state for each in found)
    typer.echo(join_list([f"{states[each]} {tr(MARKS[each])}" for each in MARKS if states[each]]))
    return found


def _mark(state: str) -> str:
    return cells.set_cell_size(tr(MARKS[state]), max(map(cells.cell_len, map(tr, MARKS.values()))))
