"""`otpguard desk`: the case store, which keeps for people what the topics delete."""

from __future__ import annotations

import getpass
import logging
import sys
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from streams import config as configs
from streams.cases import standing
from streams.cases.store import (
    backup as backups,
    erase as erasing,
    indexer as indexing,
    opening,
    rebuild as rebuilding,
    roles as desk_roles,
    store as stores,
)
from streams.cli.audited import actor, audit_act
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    TicketOption,
    group,
    log_to_stderr,
    recipient_of,
    serving,
    write_json,
    write_list,
)
from streams.common import Exit, UsageError, mask_url, moment, now_ms, tr
from streams.people.desk import console_server
from streams.telemetry import metrics as telemetry
from streams.tools.operate import retention

log = logging.getLogger(__name__)

app = group("Store the cases for support staff, longer than the topics do.")
users = group("Accounts of the desk.\n\n\\b\nExample:\n  otpguard desk user add root --role admin")
app.add_typer(users, name="user")

NameArgument = Annotated[str, typer.Argument(help="Log-in name.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Reason, for the record.")]

CHECKED: Final = ("table", "compared", "missing", "different", "only in the index")
MADE: Final = ("table", "rows")
USERS: Final = ("name", "roles", "source", "may log in", "last log-in")
HOLDS: Final = ("hold", "subject", "document", "since", "by", "reason")


@app.command()
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
    from streams.tools.operate import diagnosis, local_checks  # noqa: PLC0415 - start-up time

    log_to_stderr()
    told = tr("the desk is at {address}")
    console_server.serve(
        settings,
        index=not no_index,
        started=lambda address, _: typer.echo(told.format(address=address), err=True),
        examine=lambda whole: (diagnosis.examine if whole else local_checks.examine_role)(
            settings, "desk", now_ms()
        ),
    )


@app.command()
def index(settings: SettingsOption) -> None:
    r"""Read the topics continuously into the case store; one process for each store.

    Once an hour it also deletes what is older than desk.cases_days, audit_days and papers_days. If
    it is killed it loses nothing, and writes nothing twice.

    \b
    Example:
      otpguard desk index --config /etc/otpguard/otpguard.toml
    """
    log_to_stderr()
    store = opening.open_store(settings)
    metrics = telemetry.Metrics("indexer")

    indexer = indexing.indexer_of(settings, store, metrics)
    started_ms = now_ms()

    def lag_s() -> float:
        return (now_ms() - (indexer.read_ms or started_ms)) / 1000

    def ready() -> str:
        return "" if indexer.read_ms else "reading the topics"

    metrics.follow("index_lag_seconds", lag_s)
    log.info("the case store is %s", mask_url(store.url))
    with closing(store), serving(settings, metrics, ready) as stop:
        indexer.run(stop, indexing.Chores(settings, store))


@app.command()
def rebuild(
    settings: SettingsOption,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare the index with the topics.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Rebuild the index from the topics, or compare it with them.

    Records that the topics no longer have are copied from the old index. People can read meanwhile;
    a running indexer ends, and its supervisor starts it again. With --check nothing is changed, and
    the exit code is 1 if something is missing or different.

    \b
    Examples:
      otpguard desk rebuild --check
      otpguard desk rebuild
    """
    arguments = (settings, partial(opening.open_store, settings), now_ms)
    if not check:
        rows = rebuilding.rebuild(*arguments)
        write_list(rows, MADE, sorted(rows.items()), as_json=as_json)
        return
    found = rebuilding.check(*arguments)
    document = [asdict(each) for each in found]
    write_list(document, CHECKED, [tuple(each.values()) for each in document], as_json=as_json)
    if any(each.missing or each.different for each in found):
        raise typer.Exit(Exit.NO)


@app.command()
def erase(
    number: Annotated[str, typer.Argument(help="Number in any format, or token.")],
    settings: SettingsOption,
    *,
    even_open: Annotated[
        bool, typer.Option("--even-open", help="Erase the number even if it has an open case.")
    ] = False,
    reason: ReasonOption = "",
    ticket: TicketOption = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Erase a number from the case store, and list the topics that still have it.

    Afterwards the bytes of the store's files are searched for the number. A legal hold forbids
    erasure. The audit records who erased and why, but not whose number.

    \b
    Example:
      otpguard desk erase 13900000001 --ticket T-4711
    """
    recipient = recipient_of(settings, number)
    store = opening.open_store(settings)
    if not yes:
        typer.confirm(tr("Erase everything about {number}?").format(number=number), abort=True)
    # The number itself would stay in the audit for as long as that is kept.
    with (
        closing(store),
        audit_act(settings, "erase", reason=reason, ticket=ticket) as more,
    ):
        done = erasing.erase(store, recipient, even_open=even_open)
        more["detail"] = f"rows={sum(done.rows.values())}"
    held = retention.still_held(settings, done.newest_ms)
    if as_json:
        write_json(
            {
                "rows": dict(done.rows),
                "searched": [{"file": str(p), "bytes": n} for p, n in done.searched],
                "topics": [{"topic": topic, "until": until} for topic, until in held],
            }
        )
        return
    rows = sum(done.rows.values())
    typer.echo(tr("erased: {rows} rows of the case store").format(rows=rows))
    for path, size in done.searched:
        typer.echo(tr("  {path}: {n} bytes searched, not there").format(path=path, n=size))
    if not done.searched:
        typer.echo(tr("  PostgreSQL: its own log and backups go by its administrator's rules"))
    typer.echo(tr("records cannot be erased from topics; these topics still have it"))
    for topic, until in held:
        typer.echo(f"  {topic}: {until}")
    typer.echo(tr("earlier backups have it too: delete them, or erase it again after a restore"))


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="File to write, such as desk.jsonl.gz.")],
    settings: SettingsOption,
    *,
    people_only: Annotated[
        bool,
        typer.Option(
            "--people-only", help="Leave the index out; it can be rebuilt from the topics."
        ),
    ] = False,
) -> None:
    r"""Save the case store to a file, while it is in use.

    The file contains numbers and password digests: protect it like the store.

    \b
    Example:
      otpguard desk backup /var/backups/otpguard/desk-$(date +%F).jsonl.gz
    """
    store = opening.open_store(settings)
    with closing(store), audit_act(settings, "backup", detail=str(path)):
        rows = backups.save(store, path, now_ms(), people_only=people_only)
    typer.echo(tr("{path}: {n} rows").format(path=path, n=sum(rows.values())))


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="File that `desk backup` wrote.")],
    settings: SettingsOption,
) -> None:
    r"""Fill an empty case store from a file: SQLite or PostgreSQL, whichever it came from.

    \b
    Example:
      otpguard desk restore /var/backups/otpguard/desk-2026-11-26.jsonl.gz
    """
    store = opening.open_store(settings)
    with closing(store), audit_act(settings, "restore", detail=str(path)):
        rows = backups.restore(store, path)
    typer.echo(tr("{path}: {n} rows").format(path=path, n=sum(rows.values())))
    typer.echo(
        tr("what was erased after {time} is in it again: erase it once more").format(
            time=moment(backups.saved_ms(path))
        )
    )
    if not rows.get("cases"):
        typer.echo(tr("without an index: `otpguard desk index` makes it of the topics"))


@app.command()
def hold(
    subject: Annotated[str, typer.Argument(help="Number, token or episode.")] = "",
    *,
    settings: SettingsOption,
    document: Annotated[
        str, typer.Option("--document", help="Number of the authority's request.")
    ] = "",
    reason: ReasonOption = "",
    lift: Annotated[
        int | None, typer.Option("--lift", help="Lift the hold of this number.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Keep a case or a number until the hold is lifted; without a subject, list the holds.

    \b
    Examples:
      otpguard desk hold 13900000001 --document 调证2026-17 \
        --reason "police, case 4711"
      otpguard desk hold --lift 3
      otpguard desk hold
    """
    with closing(opening.open_store(settings)) as store:
        if lift is not None:
            with audit_act(settings, "lift", detail=f"hold={lift}", reason=reason):
                store.papers.lift(actor(), lift)
        elif subject:
            if not (document and reason):
                raise UsageError(tr("a hold needs --document and --reason"))
            about = _subject(settings, subject)
            with audit_act(settings, "hold", subject=about, detail=document, reason=reason):
                store.papers.hold(actor(), about, document, reason)
        found = store.papers.holds()
    rows = [
        (h.hold_id, h.subject, h.document_no, moment(h.at_ms), h.actor, h.reason) for h in found
    ]
    write_list([each._asdict() for each in found], HOLDS, rows, as_json=as_json)


def _subject(settings: configs.Settings, named: str) -> str:
    return named if standing.ID.fullmatch(named) else recipient_of(settings, named)


@users.command()
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


@users.command()
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


@users.command("ls")
def list_(settings: SettingsOption, *, as_json: JsonOption = False) -> None:
    r"""List the accounts.

    \b
    Example:
      otpguard desk user ls --json
    """
    found = [_row(each) for each in _store(settings).accounts.all()]
    write_list(found, USERS, [list(row.values()) for row in found], as_json=as_json)


@users.command()
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
