"""`otpguard feed`: bring a carrier's own events into the input topic."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from difflib import get_close_matches
from typing import Annotated

import kafka
import typer

from streams import config as configs
from streams.cli.feed_csv import (
    confirm,
    field_map,
    guesser_of,
    in_utf_8,
    look,
    preset_named,
    row_rules,
    sample_events,
    send,
    understand,
    unmarked,
)
from streams.cli.shared import (
    SettingsOption,
    group,
    log_to_stderr,
    no_whole_gzip,
    open_lines,
    serving,
    stopping,
)
from streams.cluster import admin, librdkafka
from streams.common import ConfigError, UsageError, heap, tr
from streams.gateways.enforce import redis as redis_gateway
from streams.gateways.feeds import (
    guess,
    guess_options,
    jsonl as json_lines,
    kafka_feed,
    redis_feed,
)
from streams.telemetry import metrics as telemetry

app = group("Bring a carrier's own events into the input topic, at least once.")


@app.command()
def redis(
    settings: SettingsOption,
    *,
    consumer: Annotated[
        str,
        typer.Option(
            help="Name in the stream's group; stable, so that a restart finishes its own work."
        ),
    ] = socket.gethostname(),
) -> None:
    r"""Publish the events that gateways write to a Redis stream (deploy/gateways/jasmin).

    \b
    Example:
      otpguard feed redis --config /etc/otpguard/otpguard.toml --consumer feed-1
    """
    with _running(settings) as (stop, metrics):
        admin.require_topic(settings.kafka, settings.topics.input)
        redis_feed.RedisFeed(
            redis_gateway.connect(settings.redis, timeout_s=redis_feed.SOCKET_S),
            librdkafka.arguments(settings.kafka),
            settings.topics.input,
            settings.intake().numbers,
            metrics,
            stream=f"{settings.redis.prefix}submissions",
            consumer=consumer,
        ).run(stop)


MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="target=source, as often as needed; equal names need none."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="target=value: the same for all records.")
]
TimeOption = Annotated[
    str | None,
    typer.Option(
        "--time", help="Form of event_time_ms: s, ms, us, ns, iso, or like %Y%m%d%H%M%S.",
        show_default="ms",
    ),
]  # fmt: skip
ZoneOption = Annotated[
    str | None,
    typer.Option(
        "--zone", help="Time zone of times that name none.",
        show_default="that of input.country, if it has one clock",
    ),
]  # fmt: skip


TextOption = Annotated[
    str | None,
    typer.Option(
        "--text", help="Form of texts: plain, hex (UCS-2 in hexadecimal) or base64.",
        show_default=False,
    ),
]  # fmt: skip


YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Publish as it is guessed, and ask nothing.")
]


@app.command("csv")
def csv_(
    files: Annotated[list[str], typer.Argument(help="CSV files; .gz is unpacked, - is stdin.")],
    settings: SettingsOption,
    *,
    preset: Annotated[
        str | None, typer.Option(help="Common layout of the file: restcomm, jasmin or kannel.")
    ] = None,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="column=value: leave out other rows, such as receipts."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of the fields, for files without a header line.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Character between fields.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding, such as gb18030.")] = None,
    text_form: TextOption = None,
    yes: YesOption = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Read everything, publish nothing, and report what was found."
        ),
    ] = False,
    sample: Annotated[
        int, typer.Option(min=0, help="Like --dry-run, and print this many events as JSON lines.")
    ] = 0,
    finished: Annotated[
        bool,
        typer.Option("--whole", help="The file is complete, so the last line needs no line end."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Try rejected rows once more.")] = False,
) -> None:
    r"""Publish call detail records. If called again, it continues where it stopped.

    Guesses what no option says. Shows three rows as it understands them, with the options, and
    asks; without a terminal it ends with 2 and the command line to copy, unless --yes is given.

    Writes FILE.progress beside each file, and FILE.rejects with line, byte and reason of each
    invalid row. Exits with 2 if there were such rows, with 75 if a last line has no end yet.
    Rejected rows are tried again when the mapping changes.

    \b
    Examples:
      otpguard feed csv cdr.csv
      otpguard feed csv cdr.csv --map recipient=called --sample 5
      otpguard feed csv *.csv.gz --time '%Y%m%d%H%M%S' --yes
      otpguard feed csv cdr.log --preset restcomm --whole
    """
    usual = preset_named(preset)
    said = guess_options.FeedOptions(
        (*usual.maps, *(maps or ())), (*usual.constants, *(constants or ())),
        time_format or usual.time_format, zone,
        columns or (",".join(usual.columns) if usual.columns else None), delimiter,
        unmarked(encoding), text_form,
    )  # fmt: skip
    options = understand(settings, files, said, yes=yes)
    rules = row_rules(settings, options, usual, only or ())
    if dry_run or sample:
        look(settings, files, rules, sample, finished=finished)
        confirm(said, options, lambda: iter(()), yes=True)
        return
    confirm(said, options, lambda: sample_events(files[0], rules), yes=yes)
    with _running(settings, ends=True) as (stop, metrics), closing(_producer(settings)) as producer:
        send(settings, files, rules, producer, metrics, stop, finished=finished, again=again)


@app.command()
def jsonl(
    file: Annotated[str, typer.Argument(help="JSON lines; .gz is unpacked, - is stdin.")],
    settings: SettingsOption,
    *,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    text_form: TextOption = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Events a second at most.", show_default="none")
    ] = None,
    now: Annotated[
        bool,
        typer.Option("--now", help="Move all times alike, so that the newest event is of now."),
    ] = False,
    yes: YesOption = False,
) -> None:
    r"""Publish JSON lines: a rehearsal, or the output of kcat, Vector and others.

    Lines that are sms.delivery.v1 events are published unchanged. The keys of others are guessed,
    shown and asked for as by `feed csv`; a.b names the key b within a. Invalid lines are listed,
    not published, and lead to exit code 2. A file is always published from its beginning.

    \b
    Examples:
      otpguard scenario A1 | otpguard feed jsonl - --now
      otpguard scenario A1 | otpguard feed jsonl - --now --rate 20
      kcat -C -b old:9092 -t cdr -e | otpguard feed jsonl - --yes
    """
    said = guess_options.FeedOptions(
        tuple(maps or ()), tuple(constants or ()), time_format, zone, text_form=text_form
    )
    with open_lines(file) as packed, in_utf_8(packed) as stream:
        data = guess.sample(stream)
        options = guesser_of(settings, yes=yes).json(said, data)
        rules = None
        if options != guess_options.FeedOptions():
            rules = field_map(settings, options)
        confirm(said, options, lambda: json_lines.events(data, rules), yes=yes)
        with (
            _running(settings, ends=True) as (stop, metrics),
            closing(_producer(settings)) as producer,
        ):
            report = json_lines.publish(
                stream, producer, settings.topics.input, settings.intake().numbers, rules, metrics,
                stop, rate=rate, now=now,
            )  # fmt: skip
    typer.echo(tr("published {published}").format(published=report.published), err=True)
    if report.is_cut:
        raise no_whole_gzip(file)
    if report.unreadable:
        raise UsageError(
            tr("{file}: {unreadable} lines are no events: {first}").format(
                file=file, unreadable=report.unreadable, first="; ".join(report.first)
            )
        )


@app.command("kafka")
def copy_kafka(
    source: Annotated[str, typer.Argument(help="The carrier's own topic.")],
    settings: SettingsOption,
    *,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = None,
    zone: ZoneOption = None,
    text_form: TextOption = None,
    avro_schemas: Annotated[
        list[str] | None,
        typer.Option(
            "--avro-schema",
            help="Values are Avro: ID=FILE for each schema id in Confluent's head, "
            "FILE (.avsc) for values without that head.",
        ),
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the end of the topic.")
    ] = False,
) -> None:
    r"""Re-key a topic by recipient, and map its fields if they have other names.

    Without a mapping, values must be sms.delivery.v1 events and are published byte for byte.

    \b
    Examples:
      otpguard feed kafka sms.all
      otpguard feed kafka cdr --map recipient=dst --map event_time_ms=ts --time s
      otpguard feed kafka cdr --avro-schema 7=cdr.avsc --set gateway_id=smsc-1
    """
    schemas = (
        settings.feed.avro_schemas
        if avro_schemas is None
        else kafka_feed.schema_files(avro_schemas)
    )
    rules = None
    if maps or constants or time_format or text_form or schemas:
        said = guess_options.FeedOptions(
            tuple(maps or ()), tuple(constants or ()), time_format, zone, text_form=text_form
        )
        rules = field_map(settings, said)
    _check_topics(settings, source)
    heap.collect_rarely()
    with _running(settings, ends=until_end) as (stop, metrics):
        read = kafka_feed.avro_reader(schemas) if schemas else kafka_feed.json_reader
        count = kafka_feed.run(
            librdkafka.arguments(settings.kafka),
            source,
            settings.topics.input,
            f"{settings.app_id}-feed-{source}",
            kafka_feed.Rekeyer(settings.intake().numbers, rules, read),
            metrics,
            stop,
            until_end=until_end,
        )
    typer.echo(tr("published {count}").format(count=count), err=True)


def _check_topics(settings: configs.Settings, source: str) -> None:
    """Return if both topics exist; librdkafka would wait for them silently."""
    target = settings.topics.input
    if source == target:
        raise UsageError(
            tr("{source} is what is written to: it would be read again, without end").format(
                source=source
            )
        )
    with admin.Cluster(settings.kafka) as cluster:
        there = cluster.names()
    if source not in there:
        like = "".join(get_close_matches(source, sorted(there), 1))
        more = tr("`kafka-topics.sh --list` names what there is")
        if like:
            more = tr("did you mean {like}?").format(like=like)
        raise ConfigError(
            tr("no topic {source}, or no right to see it; {more}").format(source=source, more=more)
        )
    if target not in there:
        raise admin.no_topic(target)


@contextmanager
def _running(
    settings: configs.Settings, *, ends: bool = False
) -> Iterator[tuple[threading.Event, telemetry.Metrics]]:
    """Set up logs and metrics, and yield an event that SIGTERM and Ctrl-C set.

    A feed that `ends` by itself opens no port, because it ends before anybody scrapes it.
    """
    log_to_stderr()
    metrics = telemetry.Metrics("feed")
    if ends:
        yield stopping(), metrics
        return
    with serving(settings, metrics) as stop:
        yield stop, metrics


def _producer(settings: configs.Settings):  # type: ignore[no-untyped-def]  # kafka-python has no types
    admin.require_topic(settings.kafka, settings.topics.input)
    return kafka.KafkaProducer(
        **admin.client_arguments(settings.kafka), client_id=f"{settings.app_id}-feed", acks="all",
        linger_ms=5,
    )  # fmt: skip
