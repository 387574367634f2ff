"""`otpguard audit`: who saw or did what, and whether the audit is complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    ago_ms,
    group,
    recipient_of,
    settings_of,
    write_json,
    write_table,
)
from streams.errors import ConfigError, UsageError
from streams.language import moment, tr
from streams.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.config import Settings
    from streams.wire import AuditRecord

COLUMNS: Final = ("time", "who", "by", "did", "outcome", "about", "detail", "why")

app = group("List who saw or did what, and check that no record was changed.")


@app.command("ls")
def list_(
    config: ConfigOption = None,
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
    settings = settings_of(config)
    subject = _canonical(settings, about)
    since_ms = ago_ms(since)
    chosen = [
        record
        for record in _records(settings, since_ms)
        if (not actor or record.actor == actor)
        and (not verb or record.verb == verb)
        and (not subject or record.subject == subject)
    ]
    if as_json:
        write_json(chosen)
        return
    rows = [
        (moment(r.at_ms), r.actor, r.channel, r.verb, r.outcome, r.subject, r.detail, _why(r))
        for r in chosen
    ]
    write_table([tr(each) for each in COLUMNS], [tuple(map(shown, row)) for row in rows])


@app.command()
def verify(
    config: ConfigOption = None,
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
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.cluster.read import reading  # noqa: PLC0415
    from streams.operate import audit  # noqa: PLC0415

    settings = settings_of(config)
    anchors = _anchors(against)
    with reading(client_arguments(settings.kafka), settings.topics.audit) as reader:
        spans = reader.spans()
        first = spans[0][0]
        found = ((each.offset, each.value or b"") for each in reader.records({0: spans[0]}))
        done = audit.verify(found, first, anchors)
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
                    offset=each.offset, chain=shown(each.chain), says=each.says
                )
                for each in done.faults
            )
        )


def _records(settings: Settings, since_ms: int) -> Iterator[AuditRecord]:
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.cluster.read import readable, records  # noqa: PLC0415
    from streams.wire import decode_audit  # noqa: PLC0415

    clients = client_arguments(settings.kafka)
    found = records(clients, settings.topics.audit, since_ms=since_ms)
    yield from readable(found, decode_audit)


def _canonical(settings: Settings, number: str) -> str:
    return number if number in ("", "*") else recipient_of(settings, number)


def _why(record: AuditRecord) -> str:
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
