"""Runs the console as a process: web server, indexer thread and metrics server."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.cases.store.indexer import Chores, indexer_of
from streams.cases.store.opening import open_store
from streams.cases.store.store import CaseStore
from streams.common import OtpguardError, UnavailableError, heap, now_ms, tr
from streams.common.connections import Bounded
from streams.common.tls import check_own
from streams.config import Settings
from streams.people.desk.console import application
from streams.people.desk.desk_audit import ledger_on
from streams.people.desk.desk_context import Desk, limits_of
from streams.people.desk.guard import Site
from streams.people.desk.override_publisher import speaking_on
from streams.telemetry import metrics_server as http
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

GRACE_S: Final = 3  # Time in seconds to finish running requests at shutdown.

AGAIN_S: Final = 2.0  # Pause in seconds before the indexer starts again after an error.


class ConsoleProtocol(Bounded, H11Protocol):
    """uvicorn's HTTP protocol with limits for idle connections."""

    connections_max = 512  # half of the usual limit of open files of a process (1,024)


def listening(settings: Settings) -> socket.socket:
    """Return a listening socket on the console's address.

    Raise UnavailableError if the address cannot be used.
    """
    console = settings.console
    family = socket.AF_INET6 if ":" in console.host else socket.AF_INET
    try:
        return socket.create_server((console.host, console.port), family=family)
    except OSError as error:
        raise UnavailableError(
            tr("cannot serve the desk on {host}:{port}: {strerror}").format(
                host=console.host, port=console.port, strerror=os.strerror(error.errno or 0)
            )
        ) from None


def address_of(settings: Settings, port: int) -> str:
    """Return the URL at which browsers reach the console."""
    console = settings.console
    if console.url:
        return console.url
    host = f"[{console.host}]" if ":" in console.host else console.host
    return f"{'https' if console.cert_file else 'http'}://{host}:{port}"


def _config(desk: Desk) -> uvicorn.Config:
    console = desk.settings.console
    return uvicorn.Config(
        application(desk),
        ssl_certfile=console.cert_file,
        ssl_keyfile=console.key_file,
        proxy_headers=False,  # the guard handles X-Forwarded-For
        server_header=False,
        access_log=False,  # the audit log records what people do
        log_config=None,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=16_384,
        http=ConsoleProtocol,
        loop="streams.common.connections:ServerLoop",
        ws="none",
    )


def serve(
    settings: Settings,
    *,
    index: bool = True,
    started: Callable[[str, uvicorn.Server], None] = lambda _url, _server: None,
    clock: Callable[[], int] = now_ms,
    examine: Callable[[bool], Iterable[Any]] = lambda _: (),
) -> None:
    """Run the console until SIGTERM, Ctrl-C, or until somebody sets the server's `should_exit`.

    `started` is called with the URL and the server. `index`: run the indexer too; if several
    consoles share a store, only one process may do so. Only the demo passes `clock` (the time for
    evaluating cases). Raise UnavailableError if a service does not answer at the start, and
    ConfigError for an invalid setting. `examine` returns the checks of the health page.
    """
    console = settings.console
    check_own("console", console.cert_file, console.key_file)
    with ExitStack() as stack:
        sock = stack.enter_context(listening(settings))
        port = int(sock.getsockname()[1])
        store = open_store(settings, clock=clock, wall=now_ms)
        stack.callback(store.close)
        metrics = Metrics("desk")
        chain = f"desk/{socket.gethostname()}:{port}"[:128]
        desk = Desk(
            settings=settings,
            place=Site(address_of(settings, port), console.proxies),
            store=store,
            voice=stack.enter_context(speaking_on(settings, clock)),
            auditor=stack.enter_context(ledger_on(settings, chain, clock)),
            metrics=metrics,
            now_ms=clock,
            now_s=time.monotonic,
            limits=limits_of(settings),
            examine=examine,
        )
        metrics.follow("index_lag_seconds", lambda: store.freshness().lag_ms / 1000)
        if index:
            stack.enter_context(_indexing(settings, store, metrics))
        server = uvicorn.Server(_config(desk))
        where = settings.http
        stack.enter_context(
            http.serve(
                where.host, where.port_of("desk"), metrics.registry, live=lambda: "",
                ready=lambda: "" if server.started else "starting",
            )
        )  # fmt: skip
        started(desk.place.url, server)
        heap.collect_rarely()  # a page of 5,000 live floods takes a third of the CPU less
        server.run(sockets=[sock])


@contextmanager
def _indexing(settings: Settings, store: CaseStore, metrics: Metrics) -> Iterator[None]:
    """Run the indexer in a thread. After an error it starts again.

    Meanwhile the pages show the age of the index.
    """
    stop = threading.Event()

    def run() -> None:
        chores = Chores(settings, store)
        while not stop.is_set():
            try:
                indexer_of(settings, store, metrics).run(stop, chores)
            except Exception as error:  # noqa: BLE001 - the indexer must start again
                # Texts of other errors may contain record data, so only their type is logged.
                says = error if isinstance(error, OtpguardError) else type(error).__name__
                log.warning("the index stands still: %s", says)
                stop.wait(AGAIN_S)

    thread = threading.Thread(target=run, name="indexer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
