"""`otpguard report`: the figures of a month, for regulator and management."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams import config as configs, wire
from streams.cli.cases import words_of
from streams.cli.shared import JsonOption, SettingsOption, records_shown, write_json
from streams.cluster import admin, read as topic_reader
from streams.common import UsageError, clock, pdf as pdf_files, replace_file, tr, unwritten
from streams.people.evidence import pack, pack_keys, signer
from streams.people.notices import month as months, month_page


def report(
    month: Annotated[str, typer.Option("--month", help="Month, such as 2026-11, in UTC.")],
    settings: SettingsOption,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page, its JSON and its PDF.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF too, for --out.")] = False,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="FILE|URI",
            help="Pack key that signs the files of --out.",
            show_default="that of the section evidence, if it has one",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    r"""Report a month: floods, victims, times, refused codes, releases, platforms.

    The report is made from the topics, so a month is complete only while they retain it; the report
    states what is missing. It contains no number of anybody. With a pack key the files are signed,
    in a folder of their own, which `otpguard evidence verify` and the verifiers in it check.

    \b
    Examples:
      otpguard report --month 2026-11 --json
      otpguard report --month 2026-11 --out /srv/reports --pdf --lang zh-Hans
    """
    from_ms, until_ms = span_of(month)
    if pdf:
        pdf_files.require()

    with admin.working(tr("cannot count the month")):
        found = months.count_month(
            _records(settings, admin.client_arguments(settings.kafka), from_ms), from_ms, until_ms
        )
    if as_json or out is None:
        write_json(months.figures(found))
    if out is None:
        return

    document = month_page.page(found, settings.reports.org or settings.notify.operator)
    written = {".html": document.encode(), ".json": msgspec.json.encode(months.figures(found))}
    if pdf:
        written[".pdf"] = pdf_files.write(document)
    _keep(settings, month, {f"otpguard-{month}{e}": each for e, each in written.items()}, out, key)


def _keep(
    settings: configs.Settings, month: str, written: Mapping[str, bytes], out: Path, key: str
) -> None:
    """Write the files of a month; with a key, signed in their own folder.

    Raise UsageError if they cannot be written, or the month was signed before.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not key and not settings.evidence.has_key:
            for name, content in written.items():
                replace_file(out / name, content)
                typer.echo(str(out / name), err=True)
            typer.echo(tr("not signed: there is no pack key"), err=True)
            return
        own = settings.evidence
        signers = own.signers_file.read_bytes() if own.signers_file else b""
    except OSError as error:
        raise unwritten(Path(error.filename or out), error) from None

    folder, at = out / f"otpguard-{month}", clock.utc(clock.now_ms())
    unit = own.unit or settings.reports.org or settings.notify.operator
    signing = signer.signer(settings, key)
    pack.seal_report(
        month, written, folder, key=signing, at=at, by=unit, config=settings.fingerprint(),
        signers=signers,
    )  # fmt: skip
    typer.echo(str(folder), err=True)
    shown = pack_keys.in_groups(signing.public.fingerprint)
    typer.echo(tr("fingerprint of the signer: {fingerprint}").format(fingerprint=shown), err=True)


def span_of(month: str) -> tuple[int, int]:
    """Return the first millisecond of a month in UTC, and the first of the next.

    >>> span_of("1970-02")
    (2678400000, 5097600000)
    """
    if not re.fullmatch(r"(19[7-9]|2\d\d)\d-(0[1-9]|1[0-2])", month):
        raise UsageError(tr("{written!r} is no month; 2026-11 is").format(written=month))
    year, number = int(month[:4]), int(month[5:])
    first = int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000
    return first, first + calendar.monthrange(year, number)[1] * 86_400_000


def _records(
    settings: configs.Settings, clients: Mapping[str, Any], from_ms: int
) -> months.MonthRecords:
    """Read the topics' records since the month began."""
    topics, reach = settings.topics, dict[str, int | None]()

    def read(role: str, since_ms: int | None = from_ms) -> Iterator[Any]:
        name = getattr(topics, role)
        oldest = next(iter(topic_reader.records(clients, name)), None)
        reach[role] = None if oldest is None else int(oldest.timestamp)
        return records_shown(clients, name, since_ms)

    return months.MonthRecords(
        episodes=list(topic_reader.readable(read("episode"), wire.decode_episode)),
        acks=list(topic_reader.readable(read("acks"), wire.decode_ack)),
        counts=list(topic_reader.readable(read("counts"), wire.decode_counts)),
        incidents=list(topic_reader.readable(read("incident"), wire.decode_incident)),
        words=list({(w.recipient, w.verb, w.platform): w for w in words_of(settings)}.values()),
        notices=list(topic_reader.readable(read("notice"), wire.decode_notice)),
        reach_ms=reach,
    )
