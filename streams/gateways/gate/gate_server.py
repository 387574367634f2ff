"""The gate's process: an event loop for requests, a thread for leases, a thread for events.

The adapter of `streams.gateways.enforce` writes leases into the gate's memory. If the adapter fails
(broker down, permission missing), it is restarted without limit. Meanwhile the gate keeps answering
with the leases it has, and these expire by themselves.

SIGTERM stops the process. SIGHUP replaces it: a new process with the same command takes over the
sockets, and this process exits when the new one is ready.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

import uvloop

from streams.cluster.admin import client_arguments, in_a_sentence
from streams.cluster.librdkafka import arguments
from streams.common import OtpguardError, UnavailableError, heap, tr
from streams.config import GateSettings, Settings
from streams.gateways.enforce.adapter import Adapter
from streams.gateways.enforce.lease_clock import LeaseClock
from streams.gateways.enforce.reconcile import Reconciler
from streams.gateways.gate import contract
from streams.gateways.gate.gate_events import Reporter
from streams.gateways.gate.http_requests import Limits
from streams.gateways.gate.http_server import Handler, Reply, Server
from streams.gateways.gate.leases import LeaseMemory
from streams.gateways.gate.sender import EventSender
from streams.gateways.gate.sockets import HANDED, Address, listeners, names
from streams.gateways.gate.spool import Spool
from streams.gateways.gate.submissions import FAILED, Gate
from streams.telemetry import metrics_server as http
from streams.telemetry.metrics import Metrics
from streams.wire.desired_state import DesiredState

log = logging.getLogger(__name__)

READY: Final = "GATE_READY_FD"
"""Variable with the descriptor on which a successor reports that it is ready."""
KNOWING: Final = "GATE_PREDECESSOR_KNOWS"
"""Variable set if the predecessor has read all leases. Its successor then waits until it has read
them too."""
AGAIN_S: Final = 2.0  # pause before the adapter is restarted
TAKE_OVER_S: Final = 300.0
"""Time limit for a successor to become ready; then the successor is killed. The limit is long
because the old process answers meanwhile. On a machine with ten times more work than cores, a
successor got 6 s of CPU per minute, and it needs 8 s."""
# time that a successor waits for its leases before it takes over without them
REBUILD_S: Final = 30.0
SWITCH_S: Final = 0.0005
"""Switch interval of Python threads, instead of 5 ms. The adapter thread may be decoding when a
request arrives."""
BEAT_S: Final = 0.02
SOURCE_CHARS: Final = 128  # maximum length of `reported_by` in the contract


class LeaseKeeper:
    """Runs an adapter and restarts it after failures, until `close` is called."""

    def __init__(
        self, settings: Settings, gateway_id: str, memory: LeaseMemory, metrics: Metrics
    ) -> None:
        # set once and never cleared: after a restart the gate still has its leases
        self.rebuilt = threading.Event()
        self.state = "reading the leases"
        self._settings = settings
        self._gateway_id = gateway_id
        self._memory = memory
        self._metrics = metrics
        self._lease_ms = LeaseClock()  # shared by all adapters of this process
        self._current_at = time.monotonic()  # when the leases were last current
        self._unready: Callable[[], str] = lambda: ""  # `unready` of the running adapter
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        began = self._current_at  # used until an adapter reports when it last reached a broker
        for name in ("broker_silence_seconds", "leases_age_seconds"):
            self._metrics.follow(name, lambda: time.monotonic() - began)
        self._thread.start()

    def unready(self) -> str:
        """Return why the leases are not current, or an empty string if they are. Thread-safe."""
        return self.state or self._unready()

    def close(self, timeout_s: float) -> None:
        """Stop the adapter, which acknowledges and commits what it can within `timeout_s`."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with in_a_sentence(tr("read the leases"), self._settings.kafka.bootstrap):
                    self._adapt()
            except Exception as error:  # noqa: BLE001 - the gate survives any error of an adapter
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
            on_ready=self._note_ready,
        )
        self._unready = adapter.unready
        try:
            adapter.run(self._stop)
        finally:
            self._current_at = adapter.current_at

    def _note_ready(self) -> None:
        """Record that an adapter has read all leases."""
        self.state = ""
        self.rebuilt.set()


@dataclass(slots=True)
class Parts:
    """All components of a gate's process."""

    gate: Gate
    keeper: LeaseKeeper
    sender: EventSender
    memory: LeaseMemory
    metrics: Metrics
    sockets: list[socket.socket] = field(default_factory=list)


def serve(settings: Settings, gateway_id: str, argv: Sequence[str]) -> None:
    """Run a gate until SIGTERM, Ctrl-C, or a successor that is ready.

    `argv` is the command that starts a successor. Raise ConfigError or UnavailableError if the gate
    cannot listen.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # ignored during start and shutdown
    metrics = Metrics("gate")
    section = settings.gate
    address = Address(section.socket, int(section.socket_mode, 8), section.host, section.port)
    parts = _parts(settings, gateway_id, metrics)
    # Listen only after the slow start: a client that connects must get an answer.
    parts.sockets = listeners(address, os.environ)
    sys.setswitchinterval(SWITCH_S)
    heap.collect_rarely()
    with ExitStack() as stack:
        _serve_health(stack, settings, metrics, parts.keeper.unready)
        parts.sender.start()
        parts.keeper.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_answer(settings, parts, argv))
        finally:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the event loop has removed its handler
            parts.keeper.close(10.0)
            parts.sender.close()
            parts.memory.leave()


def _parts(settings: Settings, gateway_id: str, metrics: Metrics) -> Parts:
    section = settings.gate
    recogniser = settings.recogniser()
    for _ in recogniser.prepare():
        pass  # prepare everything now: a gateway waits only 20 ms for an answer
    folder = section.spool_dir
    with suppress(OSError):  # without the folder, events bypass the disk, and a metric shows this
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
    """Return this gate's name as a source of events: host name and listening address.

    A second gate of the same gateway on the same host thus gets another name, and `doctor` can
    report it. A successor that takes over the sockets keeps the name.
    """
    return f"gate@{socket.gethostname()}:{section.socket or section.port}"[:SOURCE_CHARS]


def routes(gate: Gate, state: Callable[[], str]) -> Mapping[tuple[bytes, bytes], Handler]:
    """Return the handlers of the gate's API, by method and path."""
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
    """Serve until asked to stop, then close each connection after its next response."""
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
        parts.gate.count_broken,
        parts.gate.count_unasked,
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
    if os.environ.pop(KNOWING, ""):  # the predecessor answers meanwhile
        await asyncio.to_thread(parts.keeper.rebuilt.wait, REBUILD_S)
    served = [await loop.create_server(server.connection, sock=each) for each in parts.sockets]
    log.info("asked at %s", ", ".join(names(parts.sockets)))
    _tell_ready()
    beat = loop.create_task(_beat(parts, section.timeout_ms / 1000))
    await stop.wait()
    _notify("STOPPING=1")
    for each in served:
        each.close()
    server.draining = True
    end = loop.time() + section.drain_s
    # there is no event for the last connection's end
    while server.connections and loop.time() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    server.cut_all()
    beat.cancel()
    parts.gate.tell()


async def _beat(parts: Parts, timeout_s: float) -> None:
    """Update the metrics regularly, and count stalls of the event loop longer than the timeout."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(BEAT_S)
        if time.monotonic() - began - BEAT_S > timeout_s:
            parts.metrics.add("gate_stalls_total")
        parts.gate.tell()


async def _replace(argv: Sequence[str], parts: Parts, stop: asyncio.Event) -> None:
    """Start a successor with our sockets. Stop when it is ready; continue if it never is."""
    ours, theirs = socket.socketpair()
    told, writer = await asyncio.open_connection(sock=ours)
    fds = [each.fileno() for each in parts.sockets]
    environment = {**os.environ, HANDED: ",".join(map(str, fds)), READY: str(theirs.fileno())}
    if parts.keeper.rebuilt.is_set():
        environment[KNOWING] = "1"
    try:
        with theirs:
            child = await asyncio.create_subprocess_exec(
                *argv, env=environment, pass_fds=(*fds, theirs.fileno())
            )
        answer = await asyncio.wait_for(told.read(1), TAKE_OVER_S)
    except TimeoutError:
        answer = b""
    except OSError as error:
        log.error("no successor can be started: %s", error.strerror)  # noqa: TRY400
        return
    finally:
        writer.close()
    if answer:
        log.info("process %d answers from now on", child.pid)
        stop.set()
        return
    log.error("the successor is not ready; this process goes on")
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def _tell_ready() -> None:
    """Report to the predecessor and the supervisor that this process answers requests."""
    if writer := os.environ.pop(READY, ""):
        with suppress(OSError):  # the predecessor has exited
            os.write(int(writer), b"1")
            os.close(int(writer))
    os.environ.pop(HANDED, None)
    _notify(f"READY=1\nMAINPID={os.getpid()}")


def _notify(state: str) -> None:
    """Send a state to systemd if it expects one (`Type=notify`)."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    path = f"\0{where[1:]}" if where.startswith("@") else where
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
        out.sendto(state.encode(), path)


def _serve_health(
    stack: ExitStack, settings: Settings, metrics: Metrics, ready: Callable[[], str]
) -> None:
    """Serve metrics and health checks. If the port is taken, the gate runs without this server."""
    where = settings.http
    served = http.serve(
        where.host, where.port_of(metrics.role), metrics.registry, live=lambda: "", ready=ready,
        share=True,
    )  # fmt: skip
    try:
        stack.enter_context(served)
    except UnavailableError as error:
        log.error("%s", error)  # noqa: TRY400
