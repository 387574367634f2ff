"""`otpguard calibrate`: runs the detector over a carrier's own history."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import IO, Annotated, Any, Final

import typer

from streams import config as configs, wire
from streams.cases import explanation
from streams.cli import feed_csv
from streams.cli.feed import MapOption, SetOption, TextOption, TimeOption, ZoneOption
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    ago_ms,
    open_lines,
    plain_bytes,
    progress,
    settings_of,
    write_json,
    write_table,
)
from streams.cluster import admin, read
from streams.common import (
    UsageError,
    escape_unprintable,
    toml_value,
    tr,
    trn,
)
from streams.gateways.feeds import guess_options, presets
from streams.tools.calibrate import (
    alarm_rates,
    history as histories,
    propose,
    result as results,
    survey as surveys,
)

Source = Callable[[Callable[[int], None]], Iterator["wire.Records"]]

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE…|-",
        help="JSON lines, .csv (.gz too), .parquet, or -: stdin.",
        show_default=False,
    ),
]
ColumnsOption = Annotated[
    str | None, typer.Option(help="CSV: names of the fields, if the file has no header line.")
]
DelimiterOption = Annotated[str | None, typer.Option(help="CSV: character between fields.")]
EncodingOption = Annotated[str | None, typer.Option(help="CSV: encoding, such as gb18030.")]
LINES: Final = frozenset({"", ".json", ".jsonl", ".ndjson"})  # endings of JSON lines; "" is stdin
SinceOption = Annotated[
    str | None, typer.Option(help="With --kafka: how far back, such as 30d; default: everything.")
]
SubscribersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Subscribers behind the history; default: those seen in it."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def calibrate(
    files: FilesArgument = None,
    config: ConfigOption = None,
    *,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Read the input topic; no group, no commits.")
    ] = False,
    since: SinceOption = None,
    subscribers: SubscribersOption = None,
    judged: Annotated[
        Path | None,
        typer.Option(
            help="Recipients or episodes, one a line, that were attacks or test numbers.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    misses: Annotated[int, typer.Option(min=0, max=1000, help="Nearest misses to show.")] = 20,
    show_recipients: Annotated[
        bool, typer.Option("--show-recipients", help="Show whole numbers instead of masked ones.")
    ] = False,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    columns: ColumnsOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    text_form: TextOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    r"""Run the detector over history, recommend settings, and state what is unproved.

    Measures codes per subscriber-day, the pace of log-ins, how many platforms are new to a person,
    the time stamps of each gateway; counts alarms per subscriber-day, with intervals; proposes
    settings and runs them too; shows who came nearest to a throttle, for a person to judge.
    Does not measure hot platforms: detect.hot_lead and detect.hot_cold_half stay as they are.
    Enforces nothing and writes to no topic.

    \b
    Examples:
      otpguard calibrate march.jsonl.gz --subscribers 2000000
      otpguard calibrate --kafka --since 30d
      otpguard calibrate cdr/*.csv.gz --map recipient=called \
        --map sender=calling --map event_time_ms=time \
        --time '%Y%m%d%H%M%S' --zone Asia/Shanghai
      otpguard calibrate march.jsonl.gz --judged attacks.txt --json | jq .rates
    """
    if bool(files) == kafka:
        raise UsageError(tr("name files, or - for stdin, or --kafka: one of them"))
    if since and not kafka:
        raise UsageError(tr("--since goes with --kafka; a file is read whole"))
    settings, names = settings_of(config), files or []
    if kafka:
        history = _topic(settings, since)
    else:
        options = guess_options.FeedOptions(
            tuple(maps or ()), tuple(constants or ()), time_format, zone, columns, delimiter,
            encoding, text_form,
        )  # fmt: skip
        history = file_history(settings, names, options)
    result = _run_passes(
        settings, history, subscribers=subscribers, misses=misses, quiet=quiet,
        judged=_names(judged, settings.intake().numbers), show_recipients=show_recipients,
    )  # fmt: skip
    found = results.document(result)
    if as_json:
        write_json(found)
    else:
        _say(found)


@dataclass(frozen=True, slots=True)
class _History:
    """The messages of the calibration."""

    source: Source
    name: str
    total: int | None  # of `unit`; None where nobody knows
    unit: str
    again: bool = True  # it can be read twice
    # CSV and Parquet: why rows were no events. The decoder sees them as empty values.
    unreadable: Counter[str] | None = None


def _topic(settings: configs.Settings, since: str | None) -> _History:
    name = settings.topics.input
    clients = admin.client_arguments(settings.kafka)
    with read.reading(clients, name) as reader:
        spans = reader.spans(None if since is None else ago_ms(since))
    total = sum(max(0, end - first) for first, end in spans.values())
    source = partial(histories.from_topic, clients, name, spans)
    return _History(source, f"topic {name}", total or None, "records")


def file_history(
    settings: configs.Settings, names: list[str], options: guess_options.FeedOptions
) -> _History:
    """Return these files as a history. Raises UsageError for a mixture of forms."""
    forms = {Path(name.removesuffix(".gz")).suffix for name in names}
    most, tell = settings.input.value_bytes_max, cache(partial(typer.echo, err=True))
    source: Source = partial(histories.from_lines, names, most, open_lines, tell=tell)
    unreadable: Counter[str] | None = None
    if forms - LINES:
        if forms & LINES or (".parquet" in forms and len(forms) > 1):
            raise UsageError(tr("either CSV files, Parquet files or JSON lines"))
        opener = _open_parquet if ".parquet" in forms else feed_csv.open_text
        if opener is _open_parquet:
            options = replace(options, columns=None, delimiter=",", encoding="utf-8")
            options = _times_of_parquet(names, options)
        said = replace(options, encoding=feed_csv.unmarked(options.encoding))
        options = feed_csv.understand(settings, names, said, yes=False, opener=opener)
        if added := options.added(said):
            tell(tr("read with {options}").format(options=added))
        rules = feed_csv.row_rules(settings, options, presets.Preset(), ())
        unreadable = Counter()
        source = partial(histories.from_csv, names, rules, opener, reasons=unreadable)
    total = None if ".parquet" in forms else plain_bytes(names)
    return _History(
        source, ", ".join(names), total, "bytes", again="-" not in names, unreadable=unreadable
    )


def _times_of_parquet(
    names: list[str], options: guess_options.FeedOptions
) -> guess_options.FeedOptions:
    """Return the options for these Parquet files. A time column of Parquet needs no --time.

    Times without a zone are read with --zone. Raises UsageError if only some files have such a
    column.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra

    column = dict(word.partition("=")[::2] for word in options.maps).get("event_time_ms")
    kinds: dict[str, Any] = {}
    for name in names:
        with _parquet(name) as (_, schema):
            at = schema.get_field_index(column or "event_time_ms")
            if at >= 0 and pa.types.is_timestamp(schema.field(at).type):
                kinds[name] = schema.field(at).type
    if not kinds:
        return options
    if other := [name for name in names if name not in kinds]:
        raise UsageError(
            tr("{first} has times of Parquet, {other} has not; read them apart").format(
                first=next(iter(kinds)), other=other[0]
            )
        )
    is_local = any(kind.tz is None for kind in kinds.values())
    return replace(options, time_format="iso", zone=options.zone if is_local else "UTC")


@contextmanager
def _parquet(name: str) -> Iterator[tuple[Any, Any]]:
    """Yield a Parquet file and its schema. Times of the old type INT96 are UTC."""
    import pyarrow.parquet  # noqa: PLC0415 - an extra

    try:
        with pyarrow.parquet.ParquetFile(name) as table:
            columns = [table.schema.column(i) for i in range(len(table.schema))]
            old = {each.path for each in columns if each.physical_type == "INT96"}
            schema = pyarrow.schema(
                field.with_type(pyarrow.timestamp("ns", "UTC")) if field.name in old else field
                for field in table.schema_arrow
            )
            yield table, schema
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # a name that is not UTF-8
        raise UsageError(f"{name}: {error}") from None


@contextmanager
def _open_parquet(name: str) -> Iterator[IO[bytes]]:
    """Yield the rows of a Parquet file as CSV, from a temporary file without a name."""
    import pyarrow.csv  # noqa: PLC0415 - an extra

    with tempfile.TemporaryFile() as rows:
        with _parquet(name) as (table, schema), pyarrow.csv.CSVWriter(rows, schema) as out:
            for batch in table.iter_batches():
                out.write_table(pyarrow.Table.from_batches([batch]).cast(schema))
        rows.seek(0)
        yield rows


def _run_passes(
    settings: configs.Settings,
    history: _History,
    *,
    subscribers: int | None,
    judged: frozenset[str],
    misses: int,
    show_recipients: bool,
    quiet: bool,
) -> results.Result:
    def survey_of(chosen: configs.Settings, *, measure: bool) -> tuple[surveys.Survey, int]:
        params = chosen.params()
        if history.unit == "bytes":
            params = surveys.whole(params, chosen.topics.partitions)
        survey = surveys.Survey(params, chosen.recogniser(), judged=judged, measure=measure)
        survey.peaks.misses_max = misses
        label = tr("measuring") if measure else tr("at the proposed settings")
        of_bytes = history.unit == "bytes"
        with progress(label, history.total, of_bytes=of_bytes, quiet=quiet) as show:
            refused = _run(survey, chosen, history.source(show))
        survey.close()
        return survey, refused

    current, refused = survey_of(settings, measure=True)
    if not current.messages:
        raise UsageError(
            tr(
                "{said}: no event that counts; refused: {refused:,}. `otpguard topics "
                "schema sms.delivery.v1` says what an event is; for CSV, --map and --time say "
                "which column is which field"
            ).format(said=history.name, refused=refused)
        )
    result = results.Result(
        history.name, current, subscribers, judged, [], None, [], refused, show_recipients
    )  # fmt: skip
    throttles = result.rates(current)[1]
    result.changes = list(propose.propose(settings, current, throttles))
    result.unreached = list(propose.find_unreached(current, throttles, judged))
    if result.changes and history.again:
        better = propose.apply_changes(settings, result.changes)
        result.proposed, _ = survey_of(better, measure=False)
    return result


def _run(survey: surveys.Survey, settings: configs.Settings, slices: Iterator[wire.Records]) -> int:
    """Feed everything to the detector; return the number of refused values."""
    intake, refused = settings.intake(), 0
    for each in slices:
        decoded = wire.decode(
            intake=intake,
            topic=settings.topics.input,
            partition=each.partition,
            values=each.values,
            keys=each.keys,
            offsets=each.offsets,
            timestamps_ms=each.timestamps_ms,
            next_offset=each.next_offset,
        )
        refused += len(decoded.rejects)
        survey.take(decoded.batch)
    return refused


def _say(found: dict[str, Any]) -> None:
    _say_history(found)
    _say_rates(found)
    _say_named(found)
    _say_throttled(found)
    _say_misses(found["nearest_misses"])
    _say_near(found["near_limits"])
    _say_left_out(found["history"])
    typer.echo("")
    _say_changes(found)


def _say_history(found: dict[str, Any]) -> None:
    history = found["history"]
    typer.echo(
        tr(
            "{first} to {last} UTC: {messages} messages, {codes} codes; {subscribers} subscribers "
            "({source}) x {days} days = {subscriber_days} subscriber-days"
        ).format(
            first=history["from"],
            last=history["to"],
            messages=f"{history['messages']:,}",
            codes=f"{history['codes']:,}",
            subscribers=f"{history['subscribers']:,}",
            source=tr(history["subscribers_source"]),
            days=history["days"],
            subscriber_days=f"{history['subscriber_days']:,}",
        )
    )
    if said := results.too_short(history["days"]):
        typer.echo(tr("note: {sentence}").format(sentence=said))
    if said := results.outside(history):
        typer.echo(tr("note: {sentence}").format(sentence=said))
    typer.echo(
        tr("codes per subscriber-day {codes}; {habits}").format(
            codes=history["codes_per_subscriber_day"], habits=_habits(found)
        )
        + "\n"
    )


def _say_rates(found: dict[str, Any]) -> None:
    """Print alarms per million subscriber-days, what they prove, and coarse time stamps."""
    rows = [
        (tr(which), level.upper(), f"{rate['episodes']:,}",
         alarm_rates.format_rate(rate["per_million"]),
         "-".join(map(alarm_rates.format_rate, rate["per_million_95"])),
         tr(rate["standing"]))
        for which, rates in found["rates"].items()
        for level, rate in rates.items()
    ]  # fmt: skip
    write_table(
        (
            tr("settings"),
            tr("level"),
            tr("episodes"),
            tr("per million"),
            "95 %",
            tr("target is"),
        ),
        rows,
    )
    if found["rules"]:
        write_table(
            (tr("rule"), tr("what it counts"), tr("episodes"), tr("per million")),
            [(each["rule"], tr(explanation.RULES[each["rule"]]), f"{each['episodes']:,}",
              alarm_rates.format_rate(each["per_million"])) for each in found["rules"]],
        )  # fmt: skip
    for rate in found["rates"]["current"].values():
        if rate["standing"] != "shown":
            typer.echo(tr("note: {sentence}").format(sentence=rate["sentence"]))
    for gateway in [g for g in found["gateways"] if g["class"] != "exact"]:
        typer.echo(
            tr("stamps of {gateway}: {kind}").format(
                gateway=escape_unprintable(gateway["gateway"]),
                kind=tr(gateway["class"].replace("_", " ")),
            )
        )


def _say_misses(misses: list[dict[str, Any]]) -> None:
    _write_shares(
        tr("platforms"),
        [(m["share_of_bar"], m["rule"], m["score"], m["bar"], m["recipient"], m["at"],
          len(m["sightings"])) for m in misses],
    )  # fmt: skip


def _say_near(near: list[dict[str, Any]]) -> None:
    """Print recipients near a limit that counts messages: candidates for `otpguard exempt`."""
    if near:
        typer.echo(
            "\n"
            + tr(
                "within a fifth of a limit on messages; if these are shared or test numbers, "
                "exempt them (otpguard exempt)"
            )
        )
    _write_shares(
        tr("platform"),
        [(n["share"], n["rule"], n["score"], n["threshold"], n["recipient"], n["at"],
          escape_unprintable(n["platform"])) for n in near],
    )  # fmt: skip


def _write_shares(last: str, rows: list[tuple[Any, ...]]) -> None:
    """Print up to ten rows as a table. `last` is the heading of their last column."""
    if rows:
        heads = (tr("share of the threshold"), tr("rule"), tr("score"), tr("bar"), tr("recipient"),
                 tr("at (UTC)"), last)  # fmt: skip
        write_table(heads, [(f"{row[0]:.0%}", *row[1:]) for row in rows[:10]])


def _say_left_out(history: dict[str, Any]) -> None:
    if history["refused"]:
        typer.echo(
            tr(
                "warning: {n} values were no events and are not counted; for CSV, check "
                "--map, --time and --encoding"
            ).format(n=f"{history['refused']:,}")
        )
    if history["evicted"]:
        typer.echo(
            tr(
                "warning: {n} recipients were forgotten for want of room: raise "
                "detect.recipients_max, or rates read too low"
            ).format(n=f"{history['evicted']:,}")
        )


def _say_changes(found: dict[str, Any]) -> None:
    """Print proposed settings, and what prevents reaching the target."""
    for change in found["changes"]:
        typer.echo(
            tr("propose {name} = {value} (now {was}): {because}").format(
                name=change["name"],
                value=toml_value(change["value"]),
                was=toml_value(change["was"]) or tr("none"),
                because=change["because"],
            )
        )
    if not found["changes"]:
        typer.echo(tr("proposes no change"))
    for number in found["bank_like"]:
        typer.echo(
            tr(
                "{sender} behaves like a bank's number ({name}): it wrote to {again} % of "
                "{recipients} recipients on two days or more, and {money} % of its texts name an "
                "amount. Look it up. If it is a bank's, add it to recognise.registry_file "
                "(deploy/README.md, Countries)"
            ).format(
                sender=escape_unprintable(number["sender"]),
                name=escape_unprintable(number["name"]) or tr("no signature"),
                recipients=number["recipients"],
                again=f"{100 * number['again']:.0f}",
                money=f"{100 * number['money']:.0f}",
            )
        )
    for reason in found["unreached"]:
        typer.echo(tr("warning: the target is out of reach: {reason}").format(reason=reason))
    if found["unreached"]:
        typer.echo(
            tr(
                "judge the throttled (--json lists them), name attacks and test numbers with "
                "--judged, exempt shared numbers, and run again; until then stay in shadow"
            )
        )


def _say_throttled(found: dict[str, Any]) -> None:
    """Print who would have been throttled, with likely attacks marked, and explain near misses."""
    form = tr("{n} recipients throttled")
    if found["set_aside"]:
        form = tr("{n} recipients throttled ({aside} set aside: chronic or judged)")
    typer.echo("\n" + form.format(n=found["throttled_recipients"], aside=found["set_aside"]))
    marks = {
        "judged": tr("judged"),
        "chronic": tr("chronic"),
        "looks_like_attack": tr("looks like an attack"),
        "unclear": tr("unclear: look"),
    }
    if found["throttled"]:
        write_table(
            (
                tr("recipient"),
                tr("at (UTC)"),
                tr("rule"),
                tr("new platforms"),
                tr("episode"),
                tr("what it is"),
            ),
            [
                (case["recipient"], case["at"], case["rule"], case["novel_most"],
                 case["episode_id"], marks[case["verdict"]])
                for case in found["throttled"][:10]
            ],
        )  # fmt: skip
    if found["looks_like_attack"]:
        typer.echo(
            tr(
                "{n} look like attacks: more new platforms in one episode than anybody else "
                "met in a sitting ({most}); if you name them with --judged, they are no "
                "false alarms"
            ).format(n=found["looks_like_attack"], most=found["longest_spree"])
        )
    if found["nearest_misses"]:
        said = tr("nearest misses, as a share of the threshold that would throttle")
        typer.echo(f"\n{said}")
    else:
        typer.echo(tr("nobody else came within half of what would throttle"))


def _habits(found: dict[str, Any]) -> str:
    pace, sprees = found["pace"], found["novelty"]["last_week_spree"]
    said = tr("too few log-ins to tell how fast they follow one another")
    if pace["sightings"]:
        said = tr("log-ins: half follow within {median} s, 5 % within {p5} s").format(
            median=pace["median_s"], p5=pace["p5_s"]
        )
    if not sprees["of"]:
        return tr(
            "{said}; no log-in spree in the last week to tell how many platforms are new"
        ).format(said=said)
    return tr(
        "{said}; new to the person in log-in sprees of the last week: {share} % of {n} platforms "
        "(at most {upper} %)"
    ).format(
        said=said,
        share=f"{100 * sprees['p_novel']:.1f}",
        n=f"{sprees['of']:,}",
        upper=f"{100 * sprees['upper']:.1f}",
    )


def _say_named(found: dict[str, Any]) -> None:
    """Print chronic numbers, and names from --judged that match nobody."""
    for number in found["chronic"]:
        said = tr(
            "chronic: {recipient}, {throttles}, {days} with limits on single platforms: "
            "a disposable or test number, or somebody who is flooded every day"
        ).format(
            recipient=number["recipient"],
            throttles=trn("{n} throttle", "{n} throttles", number["throttles"]),
            days=trn("{n} day", "{n} days", number["limits"]),
        )
        command = number["command"]
        form = tr("{said}; if it is no victim: {command}")
        typer.echo(form.format(said=said, command=command) if command else said)
    if any(number["command"] is None for number in found["chronic"]):
        typer.echo(tr("(--show-recipients writes the commands that exempt them)"))
    judged = found["judged"]
    if judged["without_alarm"]:
        typer.echo(
            tr(
                "note: {n} of {all} names given by --judged are of no recipient with an alarm, and "
                "of no throttled episode"
            ).format(n=judged["without_alarm"], all=judged["named"])
        )


def _names(path: Path | None, numbers: wire.Numbers) -> frozenset[str]:
    """Return the recipients in canonical form; other lines stay as they are: episode ids."""
    if path is None:
        return frozenset()
    try:
        written = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(tr("{path}: no UTF-8 text").format(path=path)) from None
    lines = (line.partition("#")[0].strip() for line in written.splitlines())
    return frozenset(numbers.canonical(line) or line for line in lines if line)
