"""`otpguard desk user`: local accounts of the desk, including the first administrator."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer

from streams import config as configs
from streams.cases.store import roles as desk_roles, store as stores
from streams.cli.audited import audit_act
from streams.cli.shared import JsonOption, SettingsOption, group, write_list
from streams.common import UsageError, moment, tr

app = group("Accounts of the desk.\n\n\\b\nExample:\n  otpguard desk user add root --role admin")

NameArgument = Annotated[str, typer.Argument(help="Log-in name.")]
COLUMNS = ("name", "roles", "source", "may log in", "last log-in")


@app.command()
def add(
    name: NameArgument,
    role: Annotated[
        list[str],
        typer.Option(
            "--role", help="agent, lead, analyst, evidence, approver, auditor, admin; repeatable."
        ),
    ],
    settings: SettingsOption,
    *,
    shown_name: Annotated[str, typer.Option("--shown-name", help="Name that colleagues see.")] = "",
) -> None:
    r"""Make a local account; its password is asked for, or is the first line of standard input.

    \b
    Examples:
      otpguard desk user add wang.fang --role admin
      otpguard desk user add li.lei --role agent < password
    """
    roles = _roles(role)
    store, password = _store(settings), _password()
    with audit_act(settings, "account", subject=name, detail=f"add {' '.join(sorted(roles))}"):
        made = store.accounts.add(name, roles, password=password, shown_name=shown_name)
    typer.echo(tr("made {name}").format(name=made.name))


@app.command()
def passwd(name: NameArgument, settings: SettingsOption) -> None:
    r"""Give a local account another password; its sessions end, and a lock is removed.

    \b
    Example:
      otpguard desk user passwd li.lei
    """
    store, password = _store(settings), _password()
    with audit_act(settings, "account", subject=name, detail="reset"):
        store.accounts.change(name, password=password)
    typer.echo(tr("changed; its sessions have ended"))


@app.command("ls")
def list_(settings: SettingsOption, *, as_json: JsonOption = False) -> None:
    r"""List the accounts.

    \b
    Example:
      otpguard desk user ls --json
    """
    found = [_row(each) for each in _store(settings).accounts.all()]
    write_list(found, COLUMNS, [list(row.values()) for row in found], as_json=as_json)


@app.command()
def disable(
    name: NameArgument,
    settings: SettingsOption,
    *,
    enable: Annotated[bool, typer.Option("--enable", help="Enable the account again.")] = False,
) -> None:
    r"""Disable an account; all of its sessions end.

    \b
    Examples:
      otpguard desk user disable li.lei
      otpguard desk user disable li.lei --enable
    """
    store = _store(settings)
    with audit_act(settings, "account", subject=name, detail="enable" if enable else "disable"):
        store.accounts.change(name, disabled=not enable, unlock=enable)
    typer.echo(tr("may log in again") if enable else tr("disabled; its sessions have ended"))


def _store(settings: configs.Settings) -> stores.CaseStore:
    desk = settings.desk
    return stores.CaseStore(desk.store, password=desk.password.get_secret_value())


def _roles(given: list[str]) -> list[Any]:
    wrong = sorted(set(given) - set(desk_roles.DeskRole))
    if wrong:
        raise UsageError(tr("there is no role {role}").format(role=wrong[0]))
    return [desk_roles.DeskRole(each) for each in given]


def _password() -> str:
    """Ask for a password twice at a terminal, or read one line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(tr("Password: "))
    if getpass.getpass(tr("Once more: ")) != password:
        raise UsageError(tr("Both have to be the same."))
    return password


def _row(each: Any) -> dict[str, str]:
    return {
        "name": each.name,
        "roles": " ".join(sorted(each.roles)),
        "source": each.source,
        "may_log_in": "" if each.disabled else tr("yes"),
        "last_login": moment(each.last_login_ms) if each.last_login_ms else "",
    }
