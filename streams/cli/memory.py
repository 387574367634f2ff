"""`otpguard memory`: takes what is known about subscribers to another cluster or topic."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from detectors import chain, memory_records
from detectors.model.times import DAY_MS
from streams import wire
from streams.cli import calibrate
from streams.cli.calibrate import ColumnsOption, DelimiterOption, EncodingOption
from streams.cli.feed import MapOption, SetOption, TextOption, TimeOption, ZoneOption
from streams.cli.replay import FilesArgument, QuietOption
from streams.cli.shared import (
    SettingsOption,
    format_counts,
    group,
    progress,
    stopping,
    writing,
)
from streams.cluster import admin
from streams.common import ConfigError, UnavailableError, UsageError, tr
from streams.gateways.feeds import guess_options
from streams.tools.calibrate import result as results, survey
from streams.tools.operate import memory_file

app = group("Take what is known about subscribers to another cluster or topic.")

OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Write the file here (JSON lines, gzip).")
]
EncryptOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AGE1...",
        help="Encrypt the file with age for the owner of this key.",
        show_default=False,
    ),
]


@app.callback()
def memory() -> None:
    """Take what is known about subscribers to another cluster or topic."""


@app.command("export")
def export_(
    settings: SettingsOption,
    out: OutOption,
    *,
    tokens: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="KEYID FILE",
            help="Write tokens made with the key in this file, in place of numbers.",
            show_default=False,
        ),
    ] = None,
    encrypt_to: EncryptOption = None,
    quiet: QuietOption = False,
) -> None:
    r"""Write what the newest checkpoints know to a file; no worker is stopped.

    Left out is what a flood brought, and what came for the first time within a day. The file has
    phone numbers, unless --tokens replaces them.

    \b
    Examples:
      otpguard memory export --out memory.jsonl.gz
      otpguard memory export --out memory.jsonl.gz --tokens k1 token.key
      otpguard memory export --out memory.age --encrypt-to age1...
    """
    params, keys = (
        memory_file.reading_params(settings), memory_file.age_recipients(encrypt_to or ())
    )  # fmt: skip
    name: memory_file.Name = memory_file.reduced_name
    if tokens is not None:
        from streams.cases.store import opening  # noqa: PLC0415 - an extra

        token_of = opening.tokens(dict([tokens]))

        def name(recipient: int) -> str:
            known = memory_file.reduced_name(recipient)
            return next(iter(token_of(known)), known)

    found = memory_file.export(
        admin.client_arguments(settings.kafka), settings.changelog, params, settings.epoch
    )
    told = tr("checkpoints of {changelog}").format(changelog=settings.changelog)
    found = _not_empty(found, told)
    with progress(str(out), None, quiet=quiet) as show, writing(out):
        n = memory_file.write(out, settings.topics.partitions, found, name, show, keys)
    typer.echo(tr("{path}: {n} recipients").format(path=out, n=f"{n:,}"), err=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A memory file.", exists=True, dir_okay=False)],
    settings: SettingsOption,
    *,
    rate: Annotated[
        float, typer.Option(min=1, help="Recipients per second; all workers share them.")
    ] = 2000,
    key_file: Annotated[
        Path | None,
        typer.Option(help="File with the age identity that decrypts FILE.", show_default=False),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    r"""Append a memory file to the input topic, for the workers to adopt.

    The topic may have any number of partitions. Each recipient is signed with the key in
    detect.memory_key_file. After an interruption the same command goes on where it was: the
    position is in FILE.progress. To import a file twice changes nothing.

    \b
    Examples:
      otpguard memory import memory.jsonl.gz --rate 5000
      otpguard memory import memory.age --key-file age.key
    """
    keys = settings.memory_keys()
    if not keys:
        raise ConfigError(tr("memory records need detect.memory_key_file"))
    intake = settings.intake()
    checked = memory_file.check(file, intake, key_file)
    topic = settings.topics.input
    admin.require_topic(settings.kafka, topic)
    producer = memory_file.memory_producer(settings)
    with closing(producer), progress(file.name, checked.end.recipients, quiet=quiet) as show:
        done, whole = memory_file.publish(
            file, checked, producer, topic, keys[0], intake, rate, stopping(), show, key_file
        )
    typer.echo(tr("published {n} of {all}").format(n=f"{done:,}", all=f"{whole:,}"), err=True)
    if done < whole:
        raise UnavailableError(tr("interrupted; the same command goes on from there"))


@app.command()
def learn(
    files: FilesArgument,
    settings: SettingsOption,
    out: OutOption,
    *,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    columns: ColumnsOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    text_form: TextOption = None,
    encrypt_to: EncryptOption = None,
    quiet: QuietOption = False,
) -> None:
    r"""Write what a worker would know that had seen this history, to a memory file.

    Reads JSON lines, .csv or .parquet, as `calibrate` does; several files are one log, in the order
    given. Nothing is enforced or published. If more rows are refused than input.refused_share_max
    allows, or no recipient is known, no file is written or replaced.

    \b
    Examples:
      otpguard memory learn march.jsonl.gz april.jsonl.gz --out memory.jsonl.gz
      otpguard memory learn cdr/*.csv.gz --out memory.jsonl.gz \
        --map recipient=called --time '%Y%m%d%H%M%S'
    """
    keys = memory_file.age_recipients(encrypt_to or ())
    options = guess_options.FeedOptions(
        tuple(maps or ()), tuple(constants or ()), time_format, zone, columns, delimiter, encoding,
        text_form,
    )  # fmt: skip
    history = calibrate.file_history(settings, files, options)
    params = survey.whole(settings.params(), settings.topics.partitions)
    state, recogniser = chain.Partition(params), settings.recogniser()
    intake, named = settings.intake(), dict[int, str]()
    rows, reasons = 0, Counter[str]()
    times_ms: list[int] = []
    with progress(tr("learning"), history.total, of_bytes=True, quiet=quiet) as show:
        for some in history.source(show):
            decoded = wire.decode(
                intake, settings.topics.input, some.partition, some.values, some.keys,
                some.offsets, some.timestamps_ms, some.next_offset,
            )  # fmt: skip
            chain.process(params, state, decoded.batch, recogniser.columns(decoded.batch))
            named |= decoded.batch.tokens
            if len(decoded.batch.event_time_ms):
                times = decoded.batch.event_time_ms
                times_ms += int(times.min()), int(times.max())
                times_ms = [min(times_ms), max(times_ms)]
            rows += len(some.values)
            reasons.update(
                each.reason for each in decoded.rejects if each.value or history.unreadable is None
            )
    reasons += history.unreadable or Counter()
    refused = _describe_refused(rows, reasons)
    if reasons.total() > settings.input.refused_share_max * rows:
        raise UsageError(
            tr("{refused}; input.refused_share_max is {most}, so nothing was written").format(
                refused=refused, most=settings.input.refused_share_max
            )
        )
    found = _not_empty(((0, *each) for each in memory_records.list_memories(state)), refused)
    typer.echo(refused, err=True)
    with writing(out):
        n = memory_file.write(
            out, 0, found, lambda r: named.get(r) or memory_file.reduced_name(r), lambda _: None,
            keys,
        )  # fmt: skip
    typer.echo(tr("{path}: {n} recipients").format(path=out, n=f"{n:,}"), err=True)
    days = (max(times_ms) - min(times_ms)) / DAY_MS if times_ms else 0
    if said := results.too_short(round(days, 1)):
        typer.echo(tr("note: {sentence}").format(sentence=said), err=True)


def _describe_refused(rows: int, reasons: Counter[str]) -> str:
    """Return a line with the number of refused rows, the most frequent reasons first."""
    sentence = tr("refused {refused} of {rows} rows").format(
        refused=f"{reasons.total():,}", rows=f"{rows:,}"
    )
    return tr(": ").join(filter(None, (sentence, format_counts(dict(reasons.most_common(9))))))


def _not_empty(found: Iterator[memory_file.Exported], told: str) -> Iterator[memory_file.Exported]:
    """Return the recipients again. Raises UsageError if there is none, so no file is replaced."""
    first = next(found, None)
    if first is None:
        raise UsageError(
            tr("{told}; no recipient is known, so nothing was written").format(told=told)
        )
    return itertools.chain([first], found)
