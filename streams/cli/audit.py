"""`otpguard audit`: who saw or did what, and whether the audit is complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from streams import config as configs, wire
from streams.cases import audit_chain
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    batches_shown,
    group,
    recipient_of,
    records_shown,
    write_json,
    write_list,
)
from streams.cluster import admin, read
from streams.common import ConfigError, UsageError, escape_unprintable, moment, tr

COLUMNS: Final = ("time", "who", "by", "did", "outcome", "about", "detail", "why")

app = group("List who saw or did what, and check that no record was changed.")


@app.command("ls")
def list_(
    settings: SettingsOption,
    *,
    since: Annotated[str, typer.Option("--since", help="Period, such as 12h or 30d.")] = "7d",
    actor: Annotated[str, typer.Option("--actor", help="Only records of this person.")] = "",
    verb: Annotated[
        str, typer.Option("--verb", help="Only this action, such as release or search.")
    ] = "",
    about: Annotated[
        str, typer.Option("--about", help="Only records about this number, in any format.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    r"""List who saw or did what, the oldest first.

    \b
    Examples:
      otpguard audit ls --since 1d
      otpguard audit ls --about 13900000001 --json
    """
    subject = _canonical(settings, about)
    since_ms = ago_ms(since)
    chosen = [
        record
        for record in _records(settings, since_ms)
        if (not actor or record.actor == actor)
        and (not verb or record.verb == verb)
        and (not subject or record.subject == subject)
    ]
    rows = [
        (moment(r.at_ms), r.actor, r.channel, r.verb, r.outcome, r.subject, r.detail, _why(r))
        for r in chosen
    ]
    write_list(
        chosen, COLUMNS, [tuple(map(escape_unprintable, row)) for row in rows], as_json=as_json
    )


@app.command()
def verify(
    settings: SettingsOption,
    *,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            help="File with an earlier output of --json; everything in it must still exist.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Check the chains of the whole audit; exits with 78 if a record is missing or was changed.

    Nobody can notice if the newest records of a chain are removed. So store the output of --json
    where the administrators of the topic cannot write, and compare with it later.

    \b
    Examples:
      otpguard audit verify
      otpguard audit verify --json > heads-2026-03-02.json
      otpguard audit verify --against heads-2026-03-02.json
    """
    anchors = _anchors(against)
    with read.reading(admin.client_arguments(settings.kafka), settings.topics.audit) as reader:
        first, end = reader.spans()[0]
        found = (
            (each.offset, each.value or b"")
            for batch in batches_shown(reader, settings.topics.audit, {0: (first, end)})
            for each in batch
        )
        done = audit_chain.verify(found, first, anchors)
    if as_json:
        write_json({"records": done.records, "faults": done.faults, "heads": done.heads})
    elif not done.faults:
        typer.echo(
            tr("{records} records in {chains} chains, nothing is missing or changed").format(
                records=done.records, chains=len(done.heads)
            )
        )
    if done.faults:
        raise ConfigError(
            "\n".join(
                tr("offset {offset}, chain {chain}: {says}").format(
                    offset=each.offset, chain=escape_unprintable(each.chain), says=each.says
                )
                for each in done.faults
            )
        )


def _records(settings: configs.Settings, since_ms: int) -> Iterator[wire.AuditRecord]:
    found = records_shown(admin.client_arguments(settings.kafka), settings.topics.audit, since_ms)
    yield from read.readable(found, wire.decode_audit)


def _canonical(settings: configs.Settings, number: str) -> str:
    return number if number in ("", "*") else recipient_of(settings, number)


def _why(record: wire.AuditRecord) -> str:
    return " ".join(each for each in (record.ticket, record.reason) if each)


def _anchors(path: Path | None) -> dict[str, tuple[int, str]]:
    if path is None:
        return {}
    try:
        heads = json.loads(path.read_bytes())["heads"]
        return {str(chain): (int(seq), str(digest)) for chain, (seq, digest) in heads.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            tr("{path} is not what `otpguard audit verify --json` wrote").format(path=path)
        ) from None
