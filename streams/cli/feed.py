"""`otpguard feed`: bring a carrier's own events into the input topic."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.shared import ConfigOption, group, settings_of

if TYPE_CHECKING:
    from streams.config import Settings
    from streams.metrics import Metrics

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


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[threading.Event, Metrics]]:
    """Logs, metrics, and an event that SIGTERM and Ctrl-C set."""
    from streams import http  # noqa: PLC0415 - start-up time
    from streams.metrics import Metrics  # noqa: PLC0415

    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO
    )
    logging.getLogger("kafka").setLevel(logging.WARNING)
    metrics = Metrics("feed")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with http.serve(
        settings.http.host,
        settings.http.port,
        metrics.registry,
        live=lambda: "",
        ready=lambda: "",
    ):
        yield stop, metrics


def _producer(settings: Settings):  # type: ignore[no-untyped-def]  # kafka-python has no types
    from kafka import KafkaProducer  # noqa: PLC0415 - start-up time

    from streams.cluster import client_arguments  # noqa: PLC0415

    return KafkaProducer(
        **client_arguments(settings.kafka), client_id=f"{settings.app_id}-feed", acks="all",
        linger_ms=5,
    )  # fmt: skip
