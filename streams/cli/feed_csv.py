"""Inspects or publishes the files of `otpguard feed csv`."""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Self

import msgspec
import typer

from detectors.recognise import decide
from detectors.recognise import registry as registries
from streams import config as configs
from streams.cli.shared import TOGETHER, no_whole_gzip, open_lines
from streams.common.errors import UnavailableError, UsageError
from streams.common.language import join_list, tr, trn
from streams.gateways.feeds import csv, file_records, guess, mapping, presets
from streams.telemetry import metrics as telemetry


@dataclass(frozen=True, slots=True)
class Given:
    """The options. Without `encoding` each file must be valid UTF-8."""

    rules: csv.RowRules
    encoding: str | None
    zone: str  # and where it is from, for people

    @classmethod
    def parse(
        cls,
        settings: configs.Settings,
        preset: str | None,
        maps: Sequence[str],
        constants: Sequence[str],
        time_format: str | None,
        zone: str | None,
        only: Sequence[str],
        columns: str | None,
        delimiter: str,
        encoding: str | None,
    ) -> Self:
        """Make it from the command line's options; UsageError names a wrong one."""
        if preset is not None and preset not in presets.PRESETS:
            there = "; ".join(f"{name}: {each.about}" for name, each in presets.PRESETS.items())
            raise UsageError(
                tr("no preset {preset!r}; there are {there}").format(preset=preset, there=there)
            )
        usual = presets.PRESETS[preset] if preset else presets.Preset("", (), "ms")
        form = time_format or usual.time_format
        told = tr("given")
        if zone is None and form not in ("s", "ms", "us", "ns"):
            zone, told = (
                guess.zone(settings.input.country),
                tr("country {country}").format(country=settings.input.country),
            )
        elif zone is None:
            told = tr("times are numbers")
        if encoding is not None and encoding.lower().replace("_", "-") == "utf-8-sig":
            encoding = "utf-8"  # a mark in front of the first line is passed over anyway
        intake = settings.intake()
        names = tuple(columns.split(",")) if columns else usual.columns
        rules = csv.RowRules(
            mapping.FieldMap.parse(
                (*usual.maps, *maps), (*usual.constants, *constants), form, zone
            ),
            file_records.FileLayout(names, delimiter.replace("\\t", "\t"), encoding or "utf-8"),
            intake.numbers,
            intake.ahead_max_ms,
            {**usual.only, **_parse_only(only)},
            usual.escaped,
        )
        return cls(rules, encoding, f"{zone or tr('none')} ({told})")

    def of(self, file: str, stream: IO[bytes]) -> tuple[csv.RowRules, str]:
        """Return the rules for one file, and its encoding with its source."""
        if self.encoding is not None:
            return self.rules, f"{self.encoding} ({tr('given')})"
        try:
            found = guess.encoding(stream)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from None
        layout = replace(self.rules.layout, encoding=found)
        known = tr("as its content shows")
        return replace(self.rules, layout=layout), f"{found} ({known})"


def look(
    settings: configs.Settings, files: Sequence[str], given: Given, sample: int, *, finished: bool
) -> None:
    """Report what is in files: `sample` events of each on stdout, the rest on stderr.

    Raise UsageError if any row is no event.
    """
    unreadable = 0
    registry, _ = settings.registry()
    for file in files:
        with _stream(file) as (stream, whole):
            rules, encoding = given.of(file, stream)
            shown = codes = 0
            seen = csv.FileReport()
            found = csv.survey(Path(file), stream, rules, seen, finished=finished or whole)
            while events := list(islice(found, TOGETHER)):
                codes += _codes(registry, settings.recognise.confidence_min, events)
                for event in events[: sample - shown]:
                    shown += 1
                    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        for line in _describe_survey(file, seen, codes, encoding, given.zone):
            typer.echo(line, err=True)
        if seen.waiting and finished:
            raise no_whole_gzip(file)
        unreadable += seen.unreadable
    if unreadable:
        raise UsageError(tr("{rows}; nothing was published").format(rows=_no_events(unreadable)))


def send(
    settings: configs.Settings,
    files: Sequence[str],
    given: Given,
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
                rules, encoding = given.of(file, stream)
                report = csv.publish(
                    Path(file), stream, rules, target, metrics, stop,
                    finished=finished or whole, again=again, remember=file != "-",
                )  # fmt: skip
        except UsageError as error:
            wrong.append(str(error))
            continue
        typer.echo(
            tr("{file}: {report} [{encoding}, zone {zone}]").format(
                file=file, report=_describe_published(report), encoding=encoding, zone=given.zone
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
    file: str, seen: csv.FileReport, codes: int, encoding: str, zone: str
) -> Iterator[str]:
    events = seen.rows - seen.unreadable - seen.others
    yield (
        tr(
            "{file}: {events} events in {rows} rows, {codes} of them codes; encoding "
            "{encoding}, zone {zone}"
        ).format(
            file=file, events=events, rows=seen.rows, codes=codes, encoding=encoding, zone=zone
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
    with open_lines(file) as stream:
        if file == "-":
            with tempfile.TemporaryFile() as spooled:
                shutil.copyfileobj(stream, spooled)
                spooled.seek(0)
                yield spooled, True
        else:
            yield stream, isinstance(stream, gzip.GzipFile)
