"""`otpguard feed`: bring a carrier's own events into the input topic."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import (
    ConfigOption,
    group,
    log_to_stderr,
    opened,
    said,
    serving,
    settings_of,
)
from streams.errors import UsageError

if TYPE_CHECKING:
    from streams.config import Settings
    from streams.telemetry.metrics import Metrics

app = group("Bring a carrier's own events into the input topic, at least once.")


@app.command()
def redis(
    config: ConfigOption = None,
    *,
    consumer: Annotated[
        str,
        typer.Option(
            help="Name in the stream's group; stable, so that a restart finishes its own work."
        ),
    ] = socket.gethostname(),
) -> None:
    r"""Publish what gateways report into a Redis stream (deploy/gateways/jasmin).

    \b
    Example:
      otpguard feed redis --config /etc/otpguard/otpguard.toml --consumer feed-1
    """
    from streams.enforce.redis import connect  # noqa: PLC0415 - start-up time
    from streams.feeds.redis import SOCKET_S, RedisFeed  # noqa: PLC0415

    settings = settings_of(config)
    with _running(settings) as (stop, metrics), closing(_producer(settings)) as producer:
        feed = RedisFeed(
            connect(settings.redis, timeout_s=SOCKET_S),
            producer,
            settings.topics.input,
            settings.intake().numbers,
            metrics,
            stream=f"{settings.redis.prefix}submissions",
            consumer=consumer,
        )
        feed.run(stop)


MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="target=source, as often as needed; equal names need none."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="target=value: the same for all records.")
]
TimeOption = Annotated[
    str,
    typer.Option("--time", help="Form of event_time_ms: s, ms, us, ns, iso, or like %Y%m%d%H%M%S."),
]
ZoneOption = Annotated[str, typer.Option("--zone", help="Of times that name none.")]


@app.command("csv")
def csv_(
    files: Annotated[list[str], typer.Argument(help="CSV files; .gz is unpacked.")],
    config: ConfigOption = None,
    *,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = "ms",
    zone: ZoneOption = "UTC",
    columns: Annotated[
        str | None, typer.Option(help="Names of the fields, for files without a head line.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Between fields.")] = ",",
    encoding: Annotated[str, typer.Option(help="Such as gb18030.")] = "utf-8",
) -> None:
    r"""Publish call detail records. Called again, it goes on where it stopped.

    \b
    Examples:
      otpguard feed csv cdr.csv --map recipient=called --map sender=calling
      otpguard feed csv *.csv.gz --map event_time_ms=time --time '%Y%m%d%H%M%S' --zone Asia/Shanghai
    """
    from streams.feeds.csv import publish  # noqa: PLC0415 - start-up time
    from streams.feeds.mapping import FieldMap  # noqa: PLC0415

    rules = FieldMap.parse(maps or (), constants or (), time_format, zone)
    settings = settings_of(config)
    with _running(settings) as (stop, metrics), closing(_producer(settings)) as producer:
        for name in files:
            with opened(name) as stream:
                counts = publish(
                    Path(name),
                    stream,
                    producer,
                    settings.topics.input,
                    settings.intake().numbers,
                    rules,
                    metrics,
                    stop,
                    columns=columns.split(",") if columns else None,
                    delimiter=delimiter,
                    encoding=encoding,
                )
            typer.echo(f"{name}: {said(counts) or 'nothing new'}", err=True)


@app.command()
def kafka(
    source: Annotated[str, typer.Argument(help="The carrier's own topic.")],
    config: ConfigOption = None,
    *,
    maps: MapOption = None,
    constants: SetOption = None,
    time_format: TimeOption = "ms",
    zone: ZoneOption = "UTC",
    avro_schema: Annotated[
        Path | None, typer.Option(help="Values are Avro of this writer's schema (.avsc).")
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the end.")] = False,
) -> None:
    r"""Re-key a topic by recipient, and map its fields if they have other names.

    Without a mapping, values are sms.delivery.v1 already and stay as they are, byte for byte.

    \b
    Examples:
      otpguard feed kafka sms.all
      otpguard feed kafka cdr --map recipient=dst --map event_time_ms=ts --time s
      otpguard feed kafka cdr --avro-schema cdr.avsc --set gateway_id=smsc-1
    """
    try:
        from streams.feeds.kafka import (  # noqa: PLC0415 - an extra
            GC_THRESHOLDS,
            Rekeyer,
            arguments,
            avro_reader,
            json_reader,
            run,
        )
    except ImportError:
        raise UsageError("this feed needs `pip install otpguard[feed]`") from None
    from streams.feeds.mapping import FieldMap  # noqa: PLC0415

    mapped = maps or constants or avro_schema
    rules = FieldMap.parse(maps or (), constants or (), time_format, zone) if mapped else None
    read = avro_reader(avro_schema) if avro_schema else json_reader
    settings = settings_of(config)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with _running(settings) as (stop, metrics):
        count = run(
            arguments(settings.kafka),
            source,
            settings.topics.input,
            f"{settings.app_id}-feed-{source}",
            Rekeyer(settings.intake().numbers, rules, read),
            metrics,
            stop,
            until_end=until_end,
        )
    typer.echo(f"published {count}", err=True)


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[threading.Event, Metrics]]:
    """Logs, metrics, and an event that SIGTERM and Ctrl-C set."""
    from streams.telemetry.metrics import Metrics  # noqa: PLC0415 - start-up time

    log_to_stderr()
    metrics = Metrics("feed")
    with serving(settings, metrics) as stop:
        yield stop, metrics


def _producer(settings: Settings):  # type: ignore[no-untyped-def]  # kafka-python has no types
    from kafka import KafkaProducer  # noqa: PLC0415 - start-up time

    from streams.cluster.admin import client_arguments  # noqa: PLC0415

    return KafkaProducer(
        **client_arguments(settings.kafka), client_id=f"{settings.app_id}-feed", acks="all",
        linger_ms=5,
    )  # fmt: skip
