"""The signal as a process: TLS, the audit's producer, metrics, and an end within seconds."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal as signals
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from confluent_kafka import KafkaError, KafkaException, Producer

from streams.clock import now_ms
from streams.cluster.admin import Cluster
from streams.cluster.librdkafka import arguments, is_fatal
from streams.connections import Bounded, ServerLoop
from streams.desk.store import CaseStore
from streams.desk.store.tokens import tokens as tokens_of
from streams.errors import ConfigError, UnavailableError
from streams.language import tr
from streams.signal.app import Signal, SignalParts
from streams.signal.clients import SignalClient, read
from streams.signal.ledger import Publish, SignalLedger
from streams.signal.lookup import Lookup
from streams.signal.push import Pusher, pusher_of
from streams.signal.tokens import AccessTokens, JwksFile, JwksUrl
from streams.telemetry import http
from streams.telemetry.metrics import Metrics
from streams.tls import check_own

if TYPE_CHECKING:
    from streams.config import Settings

log = logging.getLogger(__name__)

SENT_S: Final = 10.0
RENEW_S: Final = 5.0  # from one producer to the next, where each comes to its end at once
GRACE_S: Final = 3
LINGER_MS: Final = 1
BACKLOG: Final = 512
CONCURRENT_MAX: Final = 512
"""Requests at a time; more get 503 at once, which is better than all of them late."""

try:  # the parser of the gate, if it is there, takes a third of the time
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Protocol
except ImportError:  # pragma: no cover
    from uvicorn.protocols.http.h11_impl import (  # type: ignore[assignment]
        H11Protocol as _Protocol,
    )


class CertifiedProtocol(Bounded, _Protocol):
    """HTTP of uvicorn, which tells the application whose certificate a client has shown."""

    def connection_made(self, transport: Any) -> None:
        """Note the SHA-256 of the client's certificate, if the handshake asked for one."""
        shown = transport.get_extra_info("ssl_object")
        der = shown.getpeercert(binary_form=True) if shown is not None else None
        inner = self.app
        if der:
            told = {"client_sha256": hashlib.sha256(der).hexdigest()}

            async def certified(scope: Any, receive: Any, send: Any) -> None:
                scope.setdefault("extensions", {})["otpguard.tls"] = told
                await inner(scope, receive, send)

            self.app = certified
        super().connection_made(transport)


class EndingServer(uvicorn.Server):
    """Ends with 0 when it is asked to: uvicorn's own raises the signal again at its end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT while it serves, if this is the thread that gets them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signals.signal(number, self.handle_exit)
            for number in (signals.SIGTERM, signals.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signals.signal(number, handler)


@contextmanager
def publishing(settings: Settings) -> Iterator[Publish]:
    """Give what writes to the audit's topic. Raise UnavailableError if no broker answers."""
    with Cluster(settings.kafka):
        pass  # librdkafka would wait in silence for a broker that is not there
    publisher = _Publisher(settings)
    try:
        yield publisher.publish
    finally:
        publisher.close()


class _Publisher:
    """Publishes the audit by one producer; by another one where that came to its end."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.audit
        # In C, without Python's lock: a producer in Python made answers wait for its turns.
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
        """Make a producer. Raise UnavailableError where the last one is too young for another."""
        now = time.monotonic()
        if now < self._renew_at:
            raise UnavailableError(self._ended_by)
        self._renew_at = now + RENEW_S
        self._producer = Producer(self._arguments, logger=logging.getLogger("librdkafka"))

    def publish(self, records: list[tuple[bytes, bytes]]) -> None:
        """Publish records, and return when all are safe. Raise UnavailableError if one is not.

        A lacking right, or a broker that lost what it acknowledged, ends an idempotent producer
        for good. It is dropped with all that it held: the chain of these records ends there.
        """
        if self._producer is None:
            self._make()
        failed: list[KafkaError] = []
        try:
            self._publish(self._producer, records, failed)
        except KafkaException as raised:
            failed.append(raised.args[0])
        if not failed:
            return
        why = str(failed[-1].name())
        if any(map(is_fatal, failed)):
            self._producer, self._ended_by = None, why
        raise UnavailableError(why)

    def _publish(
        self, producer: Any, records: list[tuple[bytes, bytes]], failed: list[KafkaError]
    ) -> None:
        waiting = len(records)

        def delivered(error: KafkaError | None, _: Any) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                failed.append(error)

        for key, value in records:
            producer.produce(self._topic, value, key=key, on_delivery=delivered)
        while waiting:
            producer.poll(SENT_S)

    def close(self) -> None:
        """Wait a moment for what is on its way still."""
        if self._producer is not None:
            with suppress(KafkaException):  # it came to its end: nothing is on its way
                self._producer.flush(SENT_S)


def askers(settings: Settings) -> tuple[dict[str, SignalClient], Callable[[], bytes] | None]:
    """Return who may ask, and where keys of tokens come from. Raise ConfigError if nobody may."""
    own = settings.signal
    if own.clients_file is None:
        raise ConfigError(tr("signal.clients_file: nobody may ask without one"))
    clients = read(own.clients_file, settings.registry()[0])
    fetch: Callable[[], bytes] | None = None
    if own.jwks_file is not None:
        fetch = JwksFile(own.jwks_file)
    elif own.jwks_url:
        fetch = JwksUrl(own.jwks_url)
    if fetch is None and not any(each.certificate_sha256 for each in clients.values()):
        raise ConfigError(tr("signal: neither jwks_file, jwks_url nor a client's certificate"))
    return clients, fetch


def parts_of(
    settings: Settings, store: CaseStore, publish: Publish, metrics: Metrics
) -> SignalParts:
    """Put the service together. Raise ConfigError for settings by which nobody could ask."""
    own = settings.signal
    clients, fetch = askers(settings)
    tokens = fetch and AccessTokens(fetch, own.issuer, own.audience, number_claim=own.number_claim)
    return SignalParts(
        lookup=Lookup(store, tokens_of(settings.desk.token_key_files)),
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
    """Return uvicorn's server by the settings; with a client CA certificates are asked for."""
    own = settings.signal
    config = uvicorn.Config(
        signal.app(),
        host=own.host,
        port=own.port,
        http=CertifiedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,  # it would log addresses, and nothing that the audit has not
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
    return EndingServer(config)


async def run(signal: Signal, server: uvicorn.Server, pusher: Pusher | None = None) -> None:
    """Serve until SIGTERM or SIGINT, and tell sinks meanwhile."""
    pushing = None if pusher is None else asyncio.create_task(pusher.run())
    if pushing is not None:
        pushing.add_done_callback(_tell_end)
    try:
        await server.serve()
    finally:
        try:
            if pushing is not None:
                pushing.cancel()
                await asyncio.wait({pushing})  # raises nothing of its own
        finally:
            await signal.parts.ledger.close()


def _tell_end(pushing: asyncio.Task[None]) -> None:
    """Log by type that the pusher has ended, unless it was told to: a message may hold a number."""
    if not pushing.cancelled():
        error = pushing.exception()
        met = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        names = ", ".join(type(each).__name__ for each in met)
        log.error("banks are pushed no floods any more: %s", names)


def unready(signal: Signal) -> str:
    """Return why the signal cannot answer, empty if it can, and say so in the metrics."""
    parts = signal.parts
    try:
        stale = parts.lookup.age().stale(parts.stale_ms)
        why = tr("the case store's index is stale") if stale else ""
    except UnavailableError as error:
        why = str(error)
    parts.metrics.put("signal_index_stale", int(bool(why)))
    return why


def serve(settings: Settings) -> None:
    """Serve banks. Raise ConfigError or UnavailableError if that cannot begin."""
    own = settings.signal
    askers(settings)  # what a restart cannot help is said before anything is waited for
    check_own("signal", own.cert_file, own.key_file, own.client_ca_file)
    store = CaseStore(
        settings.desk.store,
        password=settings.desk.password.get_secret_value(),
        tokens=tokens_of(settings.desk.token_key_files),
    )
    metrics = Metrics("signal")
    with closing(store), publishing(settings) as publish:
        signal = Signal(parts_of(settings, store, publish, metrics))
        signal.parts.lookup.age()  # a store that is away is said before anybody asks
        pusher = pusher_of(signal.parts, tokens_of(settings.desk.token_key_files))
        unready(signal)  # says it in the metrics
        where = settings.http
        with (
            http.serve(where.host, where.port_of("signal"), metrics.registry,
                       live=lambda: "", ready=lambda: unready(signal)),
            asyncio.Runner(loop_factory=ServerLoop) as runner,
        ):  # fmt: skip
            runner.run(run(signal, server_of(settings, signal), pusher))
