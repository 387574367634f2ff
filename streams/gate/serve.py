"""The process of a gate: an event loop that answers, a thread for leases, a thread for events.

The adapter of `streams.enforce` fills the gate's memory. When it ends (its broker is away, a right
is missing) it is begun anew, for ever: the gate answers meanwhile, under the leases that it holds,
and these end by themselves.

SIGTERM ends it; SIGHUP replaces it: a process of the same command takes over the sockets, and this
one leaves when that one is ready.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop

from streams import heap
from streams.cluster.admin import client_arguments, in_a_sentence
from streams.cluster.librdkafka import arguments
from streams.config import GateSettings, Settings
from streams.enforce.adapter import Adapter
from streams.enforce.book import DesiredState
from streams.enforce.clock import LeaseClock
from streams.enforce.reconcile import Reconciler
from streams.errors import OtpguardError, UnavailableError
from streams.gate import contract
from streams.gate.events import Reporter
from streams.gate.gate import FAILED, Gate
from streams.gate.http import Handler, Limits, Reply, Server
from streams.gate.leases import LeaseMemory
from streams.gate.sender import EventSender
from streams.gate.sockets import HANDED, Address, listeners, names
from streams.gate.spool import Spool
from streams.language import tr
from streams.telemetry import http
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

READY: Final = "GATE_READY_FD"
"""The descriptor on which a successor says that it is ready."""
KNOWING: Final = "GATE_PREDECESSOR_KNOWS"
"""Set where the predecessor has read all leases: then its successor waits until it has, too."""
AGAIN_S: Final = 2.0  # between two tries of the adapter
FOLLOW_S: Final = 0.2  # between two looks whether an adapter is ready, or has ended
TAKE_OVER_S: Final = 300.0
"""For a successor to be ready, or it is ended. Long, since the old one answers meanwhile: a machine
with ten times more work than it has cores gave one 6 s of CPU a minute, of the 8 that it needs."""
REBUILD_S: Final = 30.0  # that a successor waits for its leases before it takes over without
SWITCH_S: Final = 0.0005
"""Of Python's threads, in place of 5 ms: the adapter may be decoding when a question comes."""
BEAT_S: Final = 0.02
SOURCE_CHARS: Final = 128  # of `reported_by`: what the contract has at most


class LeaseKeeper:
    """Runs adapters, one after another, until told to stop."""

    def __init__(
        self, settings: Settings, gateway_id: str, memory: LeaseMemory, metrics: Metrics
    ) -> None:
        self.rebuilt = threading.Event()  # once: later the gate knows what it knew
        self.state = "reading the leases"
        self._settings = settings
        self._gateway_id = gateway_id
        self._memory = memory
        self._metrics = metrics
        self._lease_ms = LeaseClock()  # of all adapters, one after another
        self._current_at = time.monotonic()  # when their leases were last current
        self._unready: Callable[[], str] = lambda: ""  # of the adapter that runs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Begin to read the leases."""
        began = self._current_at  # until an adapter says when it last heard from a broker
        for name in ("broker_silence_seconds", "leases_age_seconds"):
            self._metrics.follow(name, lambda: time.monotonic() - began)
        self._thread.start()

    def unready(self) -> str:
        """Return why the leases are not current, empty if they are. For any thread."""
        return self.state or self._unready()

    def close(self, timeout_s: float) -> None:
        """Stop the adapter, which acknowledges and commits what it can; wait for so long."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with in_a_sentence(tr("read the leases"), self._settings.kafka.bootstrap):
                    self._adapt()
            except Exception as error:  # noqa: BLE001 - whatever ends an adapter, the gate goes on
                self._metrics.add("gate_adapter_restarts_total")
                sentence = str(error) if isinstance(error, OtpguardError) else type(error).__name__
                if sentence != self.state:
                    log.warning("leases are not followed: %s", sentence)
                self.state = sentence
                self._stop.wait(AGAIN_S)

    def _adapt(self) -> None:
        settings = self._settings
        adapter = Adapter(
            Reconciler(self._memory, DesiredState(settings.enforce.rails()), self._gateway_id),
            client_arguments(settings.kafka),
            settings.topics,
            f"{settings.app_id}-enforce-{self._gateway_id}",
            self._metrics,
            self._lease_ms,
            self._current_at,
        )
        self._unready = adapter.unready
        ended = threading.Event()
        threading.Thread(target=self._follow, args=(adapter.ready, ended), daemon=True).start()
        try:
            adapter.run(self._stop)
        finally:
            ended.set()
            self._current_at = adapter.current_at

    def _follow(self, ready: threading.Event, ended: threading.Event) -> None:
        """Set `rebuilt` when an adapter knows all leases."""
        while not ended.is_set():
            if ready.wait(FOLLOW_S):
                self.state = ""
                self.rebuilt.set()
                return


@dataclass(slots=True)
class Parts:
    """Everything that runs in a gate's process."""

    gate: Gate
    keeper: LeaseKeeper
    sender: EventSender
    memory: LeaseMemory
    metrics: Metrics
    sockets: list[socket.socket] = field(default_factory=list)


def serve(settings: Settings, gateway_id: str, argv: Sequence[str]) -> None:
    """Run a gate until SIGTERM, Ctrl-C, or a successor that is ready; `argv` starts that one.

    Raise ConfigError or UnavailableError if it cannot listen.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # while it begins, and while it ends
    metrics = Metrics("gate")
    section = settings.gate
    address = Address(section.socket, int(section.socket_mode, 8), section.host, section.port)
    parts = _parts(settings, gateway_id, metrics)
    # Now, and not before some seconds of start-up: whoever connects is to be answered.
    parts.sockets = listeners(address, os.environ)
    sys.setswitchinterval(SWITCH_S)
    heap.collect_rarely()
    with _health(settings, metrics, parts.keeper.unready):
        parts.sender.start()
        parts.keeper.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_answer(settings, parts, argv))
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the loop took its handler away
            parts.keeper.close(10.0)
            parts.sender.close()
            parts.memory.leave()


def _parts(settings: Settings, gateway_id: str, metrics: Metrics) -> Parts:
    section = settings.gate
    recogniser = settings.recogniser()
    for _ in recogniser.prepare():
        pass  # all of it at once: a gateway waits for 20 ms
    folder = section.spool_dir
    with suppress(OSError):  # without it events go past the disk, and the metrics say so
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory = LeaseMemory(folder)
    spool = Spool(folder, section.spool_bytes_max, round(section.spool_age_s * 1000))
    sender = EventSender(
        arguments(settings.kafka) | {"client.id": f"{settings.app_id}-gate-{gateway_id}"},
        settings.topics.input,
        spool,
        metrics,
        section.queue_max,
        section.queue_bytes_max,
    )
    keeper = LeaseKeeper(settings, gateway_id, memory, metrics)
    gate = Gate(
        settings.intake().numbers,
        Reporter(recogniser, gateway_id, source_name(section), section.text),
        memory,
        sender.put,
        metrics,
        rebuilt=keeper.rebuilt.is_set,
        timeout_s=section.timeout_ms / 1000,
        lease_ms=LeaseClock(),
    )
    return Parts(gate, keeper, sender, memory, metrics)


def source_name(section: GateSettings) -> str:
    """Return the name of this gate as a source of events: the machine, and where it listens.

    A second gate of one gateway on the same machine is another source by it, which `doctor` names;
    a successor that takes over the sockets is the same.
    """
    name = f"gate@{socket.gethostname()}:{section.socket or section.port}"
    return name[:SOURCE_CHARS]


def routes(gate: Gate, state: Callable[[], str]) -> Mapping[tuple[bytes, bytes], Handler]:
    """Return what a gate answers, by method and path."""
    described = contract.openapi()

    def about(_: bytes) -> Reply:
        return Reply(200, described, b"application/yaml")

    def ready(_: bytes) -> Reply:
        why = state()
        return Reply(200, contract.encode({"ready": not why, "why": why}))

    return {
        (b"POST", b"/v1/submit"): gate.submit,
        (b"POST", b"/v1/submit/bulk"): gate.submit_bulk,
        (b"POST", b"/v1/report"): gate.report,
        (b"GET", b"/v1/openapi.yaml"): about,
        (b"GET", b"/v1/ready"): ready,
    }


async def _answer(settings: Settings, parts: Parts, argv: Sequence[str]) -> None:
    """Answer until told to stop, then let every connection go after its next answer."""
    loop = asyncio.get_running_loop()
    section = settings.gate
    server = Server(
        routes(parts.gate, parts.keeper.unready),
        Limits(
            section.connections_max,
            contract.BODY_BYTES_MAX,
            section.token.get_secret_value().encode(),
            FAILED,
        ),
        parts.gate.broken,
        parts.gate.unasked,
    )
    parts.metrics.follow("gate_connections", lambda: len(server.connections))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    replacing: set[asyncio.Task[None]] = set()

    def replace() -> None:
        if not (replacing or stop.is_set()):
            task = loop.create_task(_replace(argv, parts, stop))
            replacing.add(task)
            task.add_done_callback(replacing.discard)

    loop.add_signal_handler(signal.SIGHUP, replace)
    if os.environ.pop(KNOWING, ""):  # it answers meanwhile
        await asyncio.to_thread(parts.keeper.rebuilt.wait, REBUILD_S)
    served = [await loop.create_server(server.connection, sock=each) for each in parts.sockets]
    log.info("asked at %s", ", ".join(names(parts.sockets)))
    _tell_ready()
    beat = loop.create_task(_beat(parts, section.timeout_ms / 1000))
    await stop.wait()
    _notify("STOPPING=1")
    for each in served:
        each.close()
    server.drain()
    end = loop.time() + section.drain_s
    while server.connections and loop.time() < end:  # noqa: ASYNC110 - no event tells of the last
        await asyncio.sleep(0.05)
    server.cut_all()
    beat.cancel()
    parts.gate.tell()


async def _beat(parts: Parts, timeout_s: float) -> None:
    """Have answers counted, and the moments in which nobody was answered in time."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(BEAT_S)
        if time.monotonic() - began - BEAT_S > timeout_s:
            parts.metrics.add("gate_stalls_total")
        parts.gate.tell()


async def _replace(argv: Sequence[str], parts: Parts, stop: asyncio.Event) -> None:
    """Start a successor with our sockets; leave when it is ready, go on if it never is."""
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    fds = [each.fileno() for each in parts.sockets]
    environment = {**os.environ, HANDED: ",".join(map(str, fds)), READY: str(writer)}
    if parts.keeper.rebuilt.is_set():
        environment[KNOWING] = "1"
    for name in ("LISTEN_PID", "LISTEN_FDS"):
        environment.pop(name, None)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, env=environment, pass_fds=(*fds, writer)
        )
    except OSError as error:
        log.error("no successor can be started: %s", error.strerror)  # noqa: TRY400
        os.close(reader)
        return
    finally:
        os.close(writer)
    said = loop.create_future()

    def heard() -> None:
        if not said.done():
            said.set_result(os.read(reader, 1))

    loop.add_reader(reader, heard)
    try:
        answer = await asyncio.wait_for(said, TAKE_OVER_S)
    except TimeoutError:
        answer = b""
    finally:
        loop.remove_reader(reader)
        os.close(reader)
    if answer:
        log.info("process %d answers from now on", child.pid)
        stop.set()
        return
    log.error("the successor is not ready; this process goes on")
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def _tell_ready() -> None:
    """Tell a predecessor and a supervisor that questions are answered."""
    if writer := os.environ.pop(READY, ""):
        with suppress(OSError):  # it is gone
            os.write(int(writer), b"1")
            os.close(int(writer))
    os.environ.pop(HANDED, None)
    _notify(f"READY=1\nMAINPID={os.getpid()}")


def _notify(state: str) -> None:
    """Tell systemd, where it asks to be told (`Type=notify`)."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    path = f"\0{where[1:]}" if where.startswith("@") else where
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
        out.sendto(state.encode(), path)


@contextmanager
def _health(settings: Settings, metrics: Metrics, ready: Callable[[], str]) -> Iterator[None]:
    """Serve metrics and health; a gate that cannot goes on without."""
    where = settings.http
    port = where.port_of(metrics.role)
    try:
        served: Any = http.serve(
            where.host, port, metrics.registry, live=lambda: "", ready=ready, share=True
        )
        served.__enter__()
    except UnavailableError as error:
        log.error("%s", error)  # noqa: TRY400
        yield
        return
    try:
        yield
    finally:
        served.__exit__(None, None, None)
