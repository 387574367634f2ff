"""Inspects or publishes the files of `otpguard feed csv`."""

from __future__ import annotations

import codecs
import gzip
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import typer

from detectors.recognise import decide
from detectors.recognise.platform import registry as registries
from streams import config as configs
from streams.cli.shared import (
    TOGETHER,
    is_conversation,
    no_whole_gzip,
    open_lines,
    write_table,
)
from streams.common import UnavailableError, UsageError, join_list, moment, now_ms, tr, trn
from streams.gateways.feeds import (
    csv,
    file_records,
    guess,
    guess_options,
    mapping,
    presets,
    text_form,
)
from streams.telemetry import metrics as telemetry

HEADINGS: Final = ("recipient", "sender", "time", "text")
SHOWN: Final = 3  # Events that a person is shown before the first is published.
COPIED: Final = 1 << 16  # Characters of UTF-16 that are converted at once.


def row_rules(
    settings: configs.Settings,
    options: guess_options.FeedOptions,
    preset: presets.Preset,
    only: Sequence[str],
) -> csv.RowRules:
    """Return the rules for the rows of the files. UsageError names a wrong option."""
    intake = settings.intake()
    names = tuple(options.columns.split(",")) if options.columns else None
    mark = "," if options.delimiter is None else options.delimiter.replace("\\t", "\t")
    return csv.RowRules(
        field_map(settings, options),
        file_records.FileLayout(names, mark, options.encoding or "utf-8"),
        intake.numbers,
        intake.ahead_max_ms,
        {**preset.only, **_parse_only(only)},
        preset.escaped,
    )


def field_map(settings: configs.Settings, options: guess_options.FeedOptions) -> mapping.FieldMap:
    """Return the field mapping that the options describe."""
    zone = zone_of(settings, options.time_format, options.zone)
    form = options.time_format or "ms"
    written = options.text_form or "plain"
    return mapping.FieldMap.parse(options.maps, options.constants, form, zone, written)


def zone_of(settings: configs.Settings, time_format: str | None, zone: str | None) -> str | None:
    """Return the time zone of times without one; print it if it is guessed."""
    if zone is not None or time_format in (None, "s", "ms", "us", "ns"):
        return zone
    guessed = guess.zone(settings.input.country)
    if guessed is not None:
        typer.echo(
            tr(
                "times without a zone are read as {guessed} (input.country {country}); "
                "--zone names another"
            ).format(guessed=guessed, country=settings.input.country),
            err=True,
        )
    return guessed


def preset_named(name: str | None) -> presets.Preset:
    """Return the preset with this name; for None, a preset without values.

    Raise UsageError for an unknown name. The error lists all presets.
    """
    if name is None:
        return presets.Preset()
    if name not in presets.PRESETS:
        there = "; ".join(f"{each}: {preset.about}" for each, preset in presets.PRESETS.items())
        raise UsageError(
            tr("no preset {preset!r}; there are {there}").format(preset=name, there=there)
        )
    return presets.PRESETS[name]


def understand(
    settings: configs.Settings,
    files: Sequence[str],
    options: guess_options.FeedOptions,
    *,
    yes: bool,
    opener: Callable[[str], AbstractContextManager[IO[bytes]]] = open_lines,
) -> guess_options.FeedOptions:
    """Return the options; what is missing is filled in from the contents of the files.

    `yes`: ask nobody. Raise UsageError if the files have different layouts, or if a question about
    them has no answer.
    """
    guesser = guesser_of(settings, yes=yes)
    found: dict[guess_options.FeedOptions, str] = {}
    for file in files:
        try:
            with opener(file) as stream:
                data = guess.sample(stream)
        except UsageError:
            if len(files) == 1:
                raise
            continue  # It cannot be opened, which is reported beside what becomes of the others.
        try:
            found.setdefault(guesser.csv(options, data), file)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from None
    if len(found) > 1:
        raise UsageError(
            tr("{files} have different layouts; feed them one after another").format(
                files=join_list(list(found.values()))
            )
        )
    guessed = next(iter(found), options)
    if guessed.text_form not in (None, options.text_form):
        typer.echo(text_form.describe_form(guessed.text_form), err=True)
    return guessed


def unmarked(encoding: str | None) -> str | None:
    """Return the encoding; None if the mark in front of such a file tells it."""
    plain = (encoding or "").lower().replace("_", "-")
    return None if plain in ("utf-8-sig", "utf-16") else encoding


def guesser_of(settings: configs.Settings, *, yes: bool) -> guess_options.Guesser:
    """Return the guesser for the numbers and times of these settings."""
    numbers, country = settings.intake().numbers, settings.input.country
    return guess_options.Guesser(numbers, country, now_ms(), partial(_ask, yes=yes))


def _ask(question: str, option: str, answers: Sequence[str], *, yes: bool) -> str:
    if yes or not is_conversation():
        raise UsageError(
            tr("{question}: {option} says which: {answers}").format(
                question=question,
                option=option,
                answers=tr(" or ").join(map(shlex.quote, answers)) or mapping.ZONE,
            )
        )
    prompt = f"{question}; {option} {join_list(answers)}"
    while (answer := typer.prompt(prompt)) not in (answers or [answer]):
        pass
    return str(answer)


def confirm(
    before: guess_options.FeedOptions,
    options: guess_options.FeedOptions,
    events: Callable[[], Iterator[Mapping[str, Any]]],
    *,
    yes: bool,
) -> None:
    """Show three rows as the guessed options read them, and ask whether that is right.

    `before`: the options that the user gave. If they equal `options`, nothing was guessed and
    nothing is asked. Raise UsageError with the complete command line if there is no terminal to
    ask at, and typer.Abort if the person says no.
    """
    if options == before:
        return
    own = [word for word in sys.argv[1:] if word not in ("--yes", "-y", "--dry-run")]
    command = f"otpguard {shlex.join(own)} {options.added(before)}"
    few = list(islice(events(), SHOWN))
    if yes:
        typer.echo(command, err=True)
        return
    if not is_conversation():
        raise UsageError(
            tr("nobody has said how to read this; what it seems to be, or --yes: {command}").format(
                command=command
            )
        )
    rows = [
        (each["recipient"], each["sender"], moment(each["event_time_ms"]),
         each.get("text") or each.get("text_prefix") or "")
        for each in few
    ]  # fmt: skip
    write_table([tr(name) for name in HEADINGS], rows)
    typer.echo(f"\n  {command}\n")
    typer.confirm(tr("Publish it as it is understood here?"), abort=True)


def sample_events(file: str, rules: csv.RowRules) -> Iterator[dict[str, Any]]:
    """Yield the events of a file from its beginning; none of standard input, which is read once."""
    if file == "-":
        return
    with _stream(file) as (stream, _):
        yield from csv.survey(Path(file), stream, rules, csv.FileReport(), finished=True)


def look(
    settings: configs.Settings,
    files: Sequence[str],
    rules: csv.RowRules,
    sample: int,
    *,
    finished: bool,
) -> None:
    """Report what is in files: `sample` events of each on stdout, the rest on stderr.

    Raise UsageError if any row is no event.
    """
    unreadable = 0
    registry, _ = settings.registry()
    for file in files:
        with _stream(file) as (stream, whole):
            shown = codes = 0
            seen = csv.FileReport()
            found = csv.survey(Path(file), stream, rules, seen, finished=finished or whole)
            while events := list(islice(found, TOGETHER)):
                codes += _codes(registry, settings.recognise.confidence_min, events)
                for event in events[: sample - shown]:
                    shown += 1
                    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        for line in _describe_survey(file, seen, codes, rules):
            typer.echo(line, err=True)
        if seen.waiting and finished:
            raise no_whole_gzip(file)
        unreadable += seen.unreadable
    if unreadable:
        raise UsageError(tr("{rows}; nothing was published").format(rows=_no_events(unreadable)))


def send(
    settings: configs.Settings,
    files: Sequence[str],
    rules: csv.RowRules,
    producer: Any,  # a KafkaProducer, which has no types
    metrics: telemetry.Metrics,
    stop: threading.Event,
    *,
    finished: bool,
    again: bool,
) -> None:
    """Publish files independently of each other; then report errors.

    Raise UsageError for rows that are no events, UnavailableError for lines that have no end yet.
    """
    target = csv.Target(producer, settings.topics.input)
    wrong: list[str] = []
    waiting: list[str] = []
    for file in files:
        try:
            with _stream(file) as (stream, whole):
                report = csv.publish(
                    Path(file), stream, rules, target, metrics, stop,
                    finished=finished or whole, again=again, remember=file != "-",
                )  # fmt: skip
        except UsageError as error:
            wrong.append(str(error))
            continue
        typer.echo(
            tr("{file}: {report} [{encoding}]").format(
                file=file,
                report=_describe_published(report),
                encoding=rules.layout.encoding,
            ),
            err=True,
        )
        if report.unreadable:
            where = tr("; all are in {file}.rejects").format(file=file) if file != "-" else ""
            lines = tr("; ").join(
                tr("line {line}: {reason}").format(line=each.line, reason=tr(each.reason))
                for each in report.first
            )
            wrong.append(
                tr("{file}: {rows}: {lines}{where}").format(
                    file=file, rows=_no_events(report.unreadable), lines=lines, where=where
                )
            )
        if report.waiting and finished:  # only what is packed can show that its end is missing
            wrong.append(str(no_whole_gzip(file)))
        elif report.waiting:
            waiting.append(file)
    if waiting:
        wrong_end = tr(
            "{files}: the last line has no end yet and waits; call again, or with --whole if "
            "nobody writes any more"
        ).format(files=join_list(waiting))
        if not wrong:
            raise UnavailableError(wrong_end)
        typer.echo(wrong_end, err=True)
    if wrong:
        raise UsageError("\n".join(wrong))


def _describe_published(report: csv.FileReport) -> str:
    parts = [f"published {report.published}" if report.published else "nothing new"]
    if report.from_line:
        parts.append(tr("went on after line {from_line}").format(from_line=report.from_line))
    if report.corrected:
        parts.append(tr("{corrected} of them rejected before").format(corrected=report.corrected))
    if report.others:
        parts.append(tr("{others} of another kind left out").format(others=report.others))
    if report.left:
        parts.append(tr("{left} rejected in all").format(left=report.left))
    return join_list(parts)


def _describe_survey(
    file: str, seen: csv.FileReport, codes: int, rules: csv.RowRules
) -> Iterator[str]:
    events = seen.rows - seen.unreadable - seen.others
    yield (
        tr("{file}: {events} in {rows}, {codes} of them codes; encoding {encoding}").format(
            file=file,
            events=trn("{n} event", "{n} events", events),
            rows=trn("{n} row", "{n} rows", seen.rows),
            codes=codes,
            encoding=rules.layout.encoding,
        )
    )
    if seen.others:
        yield "  " + trn(
            "{n} row of another kind is left out",
            "{n} rows of another kind are left out",
            seen.others,
        )
    if events:
        age_h = (time.time() - seen.newest_ms / 1000) / 3600
        newest = datetime.fromtimestamp(seen.newest_ms / 1000, UTC)
        yield tr("  the newest is of {newest:%Y-%m-%d %H:%M:%S}Z, {age_h:.1f} h ago").format(
            newest=newest, age_h=age_h
        )
        if not codes:
            yield tr("  no text reads as a code: is it the right column, and the right encoding?")
    if seen.unreadable:
        yield tr("  {rows}: {reasons}").format(
            rows=_no_events(seen.unreadable), reasons=csv.format_counts(seen.reasons)
        )
        for each in seen.first:
            yield tr("    line {line}: {reason}").format(line=each.line, reason=tr(each.reason))
    if seen.waiting and file.endswith(".gz"):
        yield tr("  the file has no end yet: it was cut off, or somebody still writes it")
    elif seen.waiting:
        yield tr("  the last line has no end yet (--whole takes it)")


def _no_events(rows: int) -> str:
    return trn("{n} row is no event", "{n} rows are no events", rows)


def _codes(
    registry: registries.Registry, confidence_min: float, events: Sequence[dict[str, Any]]
) -> int:
    names = ("sender", "signature", "category", "platform_id", "template_id")
    messages = [
        decide.Message(
            each.get("text") or each.get("text_prefix") or "", *(each.get(n) or "" for n in names)
        )
        for each in events
    ]
    return sum(verdict.otp for verdict in decide.recognise_many(registry, messages, confidence_min))


def _parse_only(only: Sequence[str]) -> dict[str, frozenset[str]]:
    wanted: dict[str, frozenset[str]] = {}
    for word in only:
        column, equals, value = word.partition("=")
        if not (column and equals):
            raise UsageError(tr("{word!r} is not of the form column=value").format(word=word))
        wanted[column] = wanted.get(column, frozenset()) | {value}
    return wanted


@contextmanager
def _stream(file: str) -> Iterator[tuple[IO[bytes], bool]]:
    """Open a file that can be read from any place, and tell whether its end is final."""
    with open_lines(file) as stream, in_utf_8(stream) as text, tempfile.TemporaryFile() as spooled:
        copied = file == "-" and text is stream
        if copied:
            shutil.copyfileobj(stream, spooled)
            spooled.seek(0)
        yield spooled if copied else text, file == "-" or isinstance(stream, gzip.GzipFile)


@contextmanager
def open_text(file: str) -> Iterator[IO[bytes]]:
    """Open a file as `open_lines` does; UTF-16 is converted to UTF-8."""
    with open_lines(file) as stream, in_utf_8(stream) as text:
        yield text


@contextmanager
def in_utf_8(stream: Any) -> Iterator[IO[bytes]]:
    """Yield a stream as it is, or a copy in UTF-8 if it is UTF-16."""
    if not (codec := guess.utf_16(stream.peek(2)) if hasattr(stream, "peek") else ""):
        yield stream
        return
    with tempfile.TemporaryFile() as spooled:
        reader = codecs.getreader(codec)(stream, "replace")
        spooled.writelines(iter(lambda: reader.read(COPIED).encode(), b""))
        spooled.seek(0)
        yield spooled
