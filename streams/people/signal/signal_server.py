"""Run the signal as a process: TLS, audit producer, metrics, and a shutdown within seconds."""

import asyncio
import hashlib
import logging
import signal as signals
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any, Final

import uvicorn
from confluent_kafka import KafkaError, KafkaException, Producer

from streams.cases.store.opening import open_store
from streams.cases.store.store import CaseStore
from streams.cluster.admin import Cluster
from streams.cluster.librdkafka import arguments, is_fatal
from streams.common import ConfigError, UnavailableError, now_ms, read_bytes, tr
from streams.common.connections import Bounded, ServerLoop
from streams.common.tls import check_own
from streams.config import Settings
from streams.people.signal.access_tokens import AccessTokens, jwks_of_url
from streams.people.signal.api import Signal, SignalParts
from streams.people.signal.clients import SignalClient, read
from streams.people.signal.lookup import Lookup
from streams.people.signal.push import Pusher, pusher_of
from streams.people.signal.signal_audit import Publish, SignalLedger
from streams.telemetry import metrics_server as http
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

SENT_S: Final = 10.0
RENEW_S: Final = 5.0  # shortest time between two producers, in case each fails at once
GRACE_S: Final = 3
LINGER_MS: Final = 1
BACKLOG: Final = 512
CONCURRENT_MAX: Final = 512
"""Maximum concurrent requests. Further requests get 503 at once, instead of delaying all others."""

try:  # httptools, if installed, parses in a third of the time
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Protocol
except ImportError:  # pragma: no cover
    from uvicorn.protocols.http.h11_impl import (  # type: ignore[assignment]
        H11Protocol as _Protocol,
    )


class CertifiedProtocol(Bounded, _Protocol):
    """uvicorn's HTTP protocol; it also passes the client's TLS certificate to the application."""

    def connection_made(self, transport: Any) -> None:
        """Record the SHA-256 of the client certificate, if the client sent one."""
        shown = transport.get_extra_info("ssl_object")
        der = shown.getpeercert(binary_form=True) if shown is not None else None
        inner = self.app
        if der:
            told = {"client_sha256": hashlib.sha256(der).hexdigest()}

            async def call_with_certificate(scope: Any, receive: Any, send: Any) -> None:
                scope.setdefault("extensions", {})["otpguard.tls"] = told
                await inner(scope, receive, send)

            self.app = call_with_certificate
        super().connection_made(transport)


@contextmanager
def publishing(settings: Settings) -> Iterator[Publish]:
    """Yield the function that publishes audit records. Raise UnavailableError without a broker."""
    with Cluster(settings.kafka):
        pass  # checks the connection; librdkafka would wait for a missing broker without an error
    with closing(_Publisher(settings)) as publisher:
        yield publisher.publish


class _Publisher:
    """Publish audit records with one producer. After a fatal error a new producer is created."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.audit
        # librdkafka is C code that runs without the GIL. A producer in Python delayed answers.
        self._arguments = {
            **arguments(settings.kafka),
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": LINGER_MS,
            "message.timeout.ms": int(SENT_S * 1000),
        }
        self._producer: Any = None
        self._ended_by = ""
        self._renew_at = 0.0
        self._make()

    def _make(self) -> None:
        """Create a producer. Raise UnavailableError if the last one was created moments ago."""
        now = time.monotonic()
        if now < self._renew_at:
            raise UnavailableError(self._ended_by)
        self._renew_at = now + RENEW_S
        self._producer = Producer(self._arguments, logger=logging.getLogger("librdkafka"))

    def publish(self, records: list[tuple[bytes, bytes]]) -> None:
        """Publish records and wait for all acknowledgements. Raise UnavailableError on failure.

        Some errors are fatal for an idempotent producer: a missing permission, or a broker that
        lost acknowledged records. Then the producer is dropped with its queue, and the chain of
        these records ends.
        """
        if self._producer is None:
            self._make()
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: Any) -> None:
            if error is not None:
                failed.append(error)

        try:
            for key, value in records:
                self._producer.produce(self._topic, value, key=key, on_delivery=on_delivery)
            self._producer.flush()  # each record is delivered, or fails after `SENT_S`
        except KafkaException as raised:
            failed.append(raised.args[0])
        if failed:
            why = str(failed[-1].name())
            if any(map(is_fatal, failed)):
                self._producer, self._ended_by = None, why
            raise UnavailableError(why)

    def close(self) -> None:
        """Wait up to `SENT_S` seconds for records in flight."""
        if self._producer is not None:
            with suppress(KafkaException):  # after a fatal error nothing is in flight
                self._producer.flush(SENT_S)


def askers(settings: Settings) -> tuple[dict[str, SignalClient], Callable[[], bytes] | None]:
    """Return clients and the source of access-token keys. Raise ConfigError if nobody could ask."""
    own = settings.signal
    if own.clients_file is None:
        raise ConfigError(tr("signal.clients_file: nobody may ask without one"))
    clients = read(own.clients_file, settings.registry()[0])
    fetch: Callable[[], bytes] | None = None
    if own.jwks_file is not None:
        fetch = partial(read_bytes, own.jwks_file)
    elif own.jwks_url:
        fetch = partial(jwks_of_url, own.jwks_url)
    if fetch is None and not any(each.certificate_sha256 for each in clients.values()):
        raise ConfigError(tr("signal: neither jwks_file, jwks_url nor a client's certificate"))
    return clients, fetch


def parts_of(
    settings: Settings, store: CaseStore, publish: Publish, metrics: Metrics
) -> SignalParts:
    """Create the parts of the service. Raise ConfigError if no client could use it."""
    own = settings.signal
    clients, fetch = askers(settings)
    tokens = fetch and AccessTokens(fetch, own.issuer, own.audience, number_claim=own.number_claim)
    return SignalParts(
        lookup=Lookup(store),
        clients=clients,
        tokens=tokens,
        ledger=SignalLedger(publish, f"signal/{socket.gethostname()[:64]}/{now_ms()}", now_ms),
        numbers=settings.intake().numbers,
        metrics=metrics,
        stale_ms=own.stale_s * 1000,
        kept_days=settings.desk.cases_days,
        now_ms=now_ms,
    )


def server_of(settings: Settings, signal: Signal) -> uvicorn.Server:
    """Create the uvicorn server. With a client CA, it asks clients for a certificate."""
    own = settings.signal
    config = uvicorn.Config(
        signal.app(),
        host=own.host,
        port=own.port,
        http=CertifiedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,  # would contain addresses, and nothing that the audit log lacks
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=CONCURRENT_MAX,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=own.cert_file,
        ssl_keyfile=own.key_file,
        ssl_ca_certs=None if own.client_ca_file is None else str(own.client_ca_file),
        ssl_cert_reqs=ssl.CERT_NONE if own.client_ca_file is None else ssl.CERT_OPTIONAL,
    )
    return uvicorn.Server(config)


async def run(signal: Signal, server: uvicorn.Server, pusher: Pusher | None = None) -> None:
    """Serve until SIGTERM or SIGINT, and push to webhooks meanwhile."""
    pushing = None if pusher is None else asyncio.create_task(pusher.run())
    if pushing is not None:
        pushing.add_done_callback(_tell_end)
    try:
        await server.serve()
    finally:
        try:
            if pushing is not None:
                pushing.cancel()
                await asyncio.wait({pushing})  # does not raise errors of the task
        finally:
            await signal.parts.ledger.close()


def _tell_end(pushing: asyncio.Task[None]) -> None:
    """Log that the pusher failed, by error type only: a message may contain a phone number."""
    if not pushing.cancelled():
        error = pushing.exception()
        met = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        names = ", ".join(type(each).__name__ for each in met)
        log.error("banks are pushed no floods any more: %s", names)


def serve(settings: Settings) -> None:
    """Run the service. Raise ConfigError or UnavailableError if it cannot start."""
    own = settings.signal
    askers(settings)  # report wrong settings before waiting for store and brokers
    check_own("signal", own.cert_file, own.key_file, own.client_ca_file)
    store = open_store(settings)
    metrics = Metrics("signal")
    with closing(store), publishing(settings) as publish:
        signal = Signal(parts_of(settings, store, publish, metrics))
        signal.parts.lookup.age()  # fail now if the store is unavailable
        pusher = pusher_of(signal.parts)
        signal.why_stale()  # sets the metric
        where = settings.http
        with (
            http.serve(where.host, where.port_of("signal"), metrics.registry,
                       live=lambda: "", ready=signal.why_stale),
            asyncio.Runner(loop_factory=ServerLoop) as runner,
        ):  # fmt: skip
            server = server_of(settings, signal)
            # uvicorn raises a signal again after its end. With this the process still ends with 0.
            for number in (signals.SIGTERM, signals.SIGINT):
                signals.signal(number, server.handle_exit)
            runner.run(run(signal, server, pusher))
