"""`otpguard calibrate`: runs the detector over a carrier's own history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path
from typing import Annotated, Any

import pydantic
import typer

from streams import config as configs, wire
from streams.cases import explanation
from streams.cli import feed_csv
from streams.cli.feed import MapOption, SetOption, TimeOption, ZoneOption
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
    writing,
)
from streams.cluster import admin, read
from streams.common import (
    MASK,
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
    rehearse,
    result as results,
    survey as surveys,
)

MARGINS = (0.0, 1.0, 2.0, 3.0)
"""Values of `detect.burst_margin` for which the report shows how fast an attack is throttled."""

Source = Callable[[Callable[[int], None]], Iterator["wire.Records"]]

FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE…|-", help="JSON lines or .csv (.gz too), or - for stdin.", show_default=False
    ),
]
ColumnsOption = Annotated[
    str | None, typer.Option(help="CSV: names of the fields, if the file has no header line.")
]
DelimiterOption = Annotated[str, typer.Option(help="CSV: character between fields.")]
EncodingOption = Annotated[str, typer.Option(help="CSV: encoding, such as gb18030.")]
SinceOption = Annotated[
    str | None,
    typer.Option(help="With --kafka: start of the period, such as 30d or 2026-03-01T00:00Z."),
]
UntilOption = Annotated[
    str | None, typer.Option(help="With --kafka: end of the period; default: now.")
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
    until: UntilOption = None,
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
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the proposed settings here (TOML).")
    ] = None,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    columns: ColumnsOption = None,
    delimiter: DelimiterOption = ",",
    encoding: EncodingOption = "utf-8",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    r"""Run the detector over history, recommend settings, and state what is unproved.

    Measures codes per subscriber-day, the pace of log-ins, how many platforms are new to a person,
    the time stamps of each gateway; counts alarms per subscriber-day, with intervals; proposes
    settings and runs them too; shows who came nearest to a throttle, for a person to judge.
    Enforces nothing and writes to no topic.

    \b
    Examples:
      otpguard calibrate march.jsonl.gz --subscribers 2000000
      otpguard calibrate --kafka --since 30d --write otpguard.proposed.toml
      otpguard calibrate cdr/*.csv.gz --map recipient=called \
        --map sender=calling --map event_time_ms=time \
        --time '%Y%m%d%H%M%S' --zone Asia/Shanghai
      otpguard calibrate march.jsonl.gz --judged attacks.txt --json | jq .rates
    """
    if bool(files) == kafka:
        raise UsageError(tr("name files, or - for stdin, or --kafka: one of them"))
    if (since or until) and not kafka:
        raise UsageError(tr("--since and --until go with --kafka; a file is read whole"))
    settings, names = settings_of(config), files or []
    if kafka:
        history = _topic(settings, since, until)
    else:
        options = guess_options.FeedOptions(
            tuple(maps or ()), tuple(constants or ()), time_format, zone, columns, delimiter,
            encoding,
        )  # fmt: skip
        history = file_history(settings, names, options)
    result = _run_passes(
        settings,
        history,
        subscribers=subscribers,
        judged=_names(judged, settings.intake().numbers),
        misses=misses,
        show_recipients=show_recipients,
        quiet=quiet,
    )
    _tell(result, config, write, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _History:
    """The messages of the calibration."""

    source: Source
    name: str
    total: int | None  # of `unit`; None where nobody knows
    unit: str
    again: bool = True  # it can be read twice


def _topic(settings: configs.Settings, since: str | None, until: str | None) -> _History:
    name = settings.topics.input
    clients = admin.client_arguments(settings.kafka)
    with read.reading(clients, name) as reader:
        spans = reader.spans(_moment(since), _moment(until))
    total = sum(max(0, end - first) for first, end in spans.values())
    source = partial(histories.from_topic, clients, name, spans)
    return _History(source, f"topic {name}", total or None, "records")


def file_history(
    settings: configs.Settings, names: list[str], options: guess_options.FeedOptions
) -> _History:
    """Return these files as a history. Raises UsageError for a mixture of CSV and JSON lines."""
    csv = [name.removesuffix(".gz").endswith(".csv") for name in names]
    if any(csv) and not all(csv):
        raise UsageError(tr("either CSV files or JSON lines, not both"))
    most = settings.input.value_bytes_max
    source: Source = partial(histories.from_lines, names, most, open_lines)
    if all(csv):
        # A mark at the beginning of a file is skipped in UTF-8 anyway.
        if (options.encoding or "").lower().replace("_", "-") == "utf-8-sig":
            options = replace(options, encoding="utf-8")
        rules = feed_csv.row_rules(settings, options, presets.Preset(), ())
        source = partial(histories.from_csv, names, rules, open_lines)
    return _History(source, ", ".join(names), plain_bytes(names), "bytes", again="-" not in names)


def _tell(
    result: results.Result, config: Path | None, write: Path | None, *, as_json: bool
) -> None:
    found = results.document(result)
    if write is not None:
        _write(write, config, result)
    if as_json:
        write_json(found)
        return
    _say(found)
    if write is not None:
        what = tr("proposed settings") if found["changes"] else tr("settings, as they are now")
        typer.echo(tr("{what}: {path}").format(what=what, path=write.resolve()))


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
    incidents = rehearse.Incidents(settings.intake())
    margins = list(_rehearsals(settings, incidents))
    result = results.Result(
        history.name, settings, current, subscribers, judged, [], None, margins, None, [], refused,
        show_recipients,
    )  # fmt: skip
    throttles = result.rates(current)[1]
    result.changes = list(propose.propose(settings, current, throttles))
    result.unreached = list(propose.find_unreached(current, throttles, judged))
    if result.changes:
        better = propose.apply_changes(settings, result.changes)
        result.proposed_rehearsal = rehearse.rehearse(
            better.params(), better.recogniser(), incidents
        )
        if history.again:
            result.proposed, _ = survey_of(better, measure=False)
    return result


def _rehearsals(
    settings: configs.Settings, incidents: rehearse.Incidents
) -> Iterator[tuple[float, rehearse.Rehearsal]]:
    """Yield the results of rehearsed attacks for each margin, the current one included."""
    params, recogniser = settings.params(), settings.recogniser()
    for margin in sorted({*MARGINS, settings.detect.burst_margin}):
        chosen = replace(params, judge=replace(params.judge, burst_margin=margin))
        yield margin, rehearse.rehearse(chosen, recogniser, incidents)


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
                gateway=gateway["gateway"], kind=tr(gateway["class"].replace("_", " "))
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
                sender=number["sender"],
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
                "judge the throttled (--report shows them), name attacks and test numbers with "
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


def _write(path: Path, config: Path | None, result: results.Result) -> None:
    """Write the current settings with the changes, without defaults and secrets."""
    changed = {change.name: change for change in result.changes}
    did = "proposed" if changed else "left as they were"
    lines = [
        f"# {did} by `otpguard calibrate` on {datetime.now(UTC):%Y-%m-%d}",
        f"# from {result.source}: {result.days:,.0f} subscriber-days",
    ]
    kept = [
        setting
        for setting in configs.effective(result.settings, config)
        if setting["name"] in changed
        or (setting["source"] != "default" and not setting["source"].startswith("OTPGUARD_"))
    ]
    section = ""
    for setting in sorted(kept, key=lambda s: "." in s["name"]):
        head, _, name = setting["name"].rpartition(".")
        if (why := _withheld(result.settings, head, name, setting)) is not None:
            lines.append(f"# {setting['name']} is left out: {why}")
            continue
        if head != section:
            lines += ["", f"[{head}]"]
            section = head
        change = changed.get(setting["name"])
        if change is not None:
            lines += [f"# was {toml_value(change.was) or 'not set'}; {change.because}"]
        value = toml_value(change.value if change is not None else setting["value"])
        if value is not None:
            lines.append(f"{name} = {value}")
    with writing(path):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _withheld(
    settings: configs.Settings, head: str, name: str, setting: Mapping[str, Any]
) -> str | None:
    """Return why a setting is left out of a proposal, or None.

    A secret is masked; a copied mask would become the secret.
    """
    section = reduce(getattr, filter(None, head.split(".")), settings)
    if isinstance(getattr(section, name), pydantic.SecretStr):
        return f"name a file with {name}_file"
    if MASK in str(setting["value"]):
        return f"it lets in whoever reads it; it stands in {setting['source']}"
    return None


def _moment(text: str | None) -> int | None:
    """Return milliseconds UTC of "30d" ago or of an ISO time; earlier times become 1970.

    >>> _moment("2026-03-02T03:33:00"), _moment("1900-01-01")
    (1772422380000, 0)
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ago_ms(text)
    told = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round(told.timestamp() * 1000))


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
