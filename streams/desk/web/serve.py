"""The console as a process: pages, the indexer beside them, metrics, and a quick end."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.clock import now_ms
from streams.connections import Bounded
from streams.desk.store import CaseStore
from streams.desk.store.chores import Chores
from streams.desk.store.indexer import indexer_of
from streams.desk.store.opening import opened
from streams.desk.web.app import application
from streams.desk.web.desk import Desk, Paces
from streams.desk.web.guard import Site
from streams.desk.web.ledger import ledger_on
from streams.desk.web.once import LoginTicket
from streams.desk.web.words import speaking_on
from streams.errors import OtpguardError, UnavailableError
from streams.language import tr
from streams.telemetry import http
from streams.telemetry.metrics import Metrics
from streams.tls import check_own

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.config import Settings

log = logging.getLogger(__name__)

GRACE_S: Final = 3
"""For pages that are being answered as the process ends."""

AGAIN_S: Final = 2.0  # until the indexer begins again, whatever stopped it
HEADERS_MAX: Final = 16_384
CONNECTIONS_MAX: Final = 512
"""Connections until the longest idle has to go: half of the files that a process may have open."""


class ConsoleProtocol(Bounded, H11Protocol):
    """HTTP of uvicorn, with an end for whoever asks nothing."""

    connections_max = CONNECTIONS_MAX


def listening(settings: Settings) -> socket.socket:
    """A socket on the console's address. Raise UnavailableError if it is taken."""
    console = settings.console
    family = socket.AF_INET6 if ":" in console.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((console.host, console.port))
    except OSError as error:
        made.close()
        raise UnavailableError(
            tr("cannot serve the desk on {host}:{port}: {strerror}").format(
                host=console.host, port=console.port, strerror=error.strerror
            )
        ) from None
    made.listen(128)
    return made


def address_of(settings: Settings, port: int) -> str:
    """The address by which browsers come."""
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
        proxy_headers=False,  # the guard believes listed peers alone
        server_header=False,
        access_log=False,  # paths hold no number; what people do is in the audit
        log_config=None,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEADERS_MAX,
        http=ConsoleProtocol,
        loop="streams.connections:ServerLoop",
        ws="none",
    )


def serve(
    settings: Settings,
    *,
    index: bool = True,
    started: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
    clock: Callable[[], int] = now_ms,
    ticket: LoginTicket | None = None,
) -> None:
    """Serve until SIGTERM, Ctrl-C, or `stop`; `started` hears the address.

    `index`: follow the topics too; of several consoles on one store one process does. `clock` is
    the time at which cases stand; `ticket` opens the desk once, without a password: both for the
    demo alone. Raise UnavailableError for what is away at the start, ConfigError for what is wrong.
    """
    console = settings.console
    check_own("console", console.cert_file, console.key_file)
    with ExitStack() as stack:
        sock = stack.enter_context(listening(settings))
        port = int(sock.getsockname()[1])
        store = opened(settings, clock=clock, wall=now_ms)
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
            limits=Paces.of(settings),
            ticket=ticket,
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
        if stop is not None:
            stack.enter_context(_stopped_by(server, stop))
        started(desk.place.url)
        server.run(sockets=[sock])


@contextmanager
def _indexing(settings: Settings, store: CaseStore, metrics: Metrics) -> Iterator[None]:
    """Follow the topics in a thread; whatever stops it, it begins again, and pages say how old."""
    stop = threading.Event()

    def run() -> None:
        chores = Chores(settings, store)
        while not stop.is_set():
            try:
                indexer_of(settings, store, metrics).run(stop, chores)
            except Exception as error:  # noqa: BLE001 - or the pages would show an old index for ever
                # The text of any other error may hold what was to be written.
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


@contextmanager
def _stopped_by(server: Any, stop: threading.Event) -> Iterator[None]:
    """End a server that has no signals of its own: one in a thread of another program."""

    def wait() -> None:
        stop.wait()
        server.should_exit = True

    thread = threading.Thread(target=wait, name="desk-stop", daemon=True)
    thread.start()
    yield
