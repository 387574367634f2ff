"""The worker: a Faust app that gets each poll's records at once. Start checks, exit code."""

import asyncio
import logging
import signal
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import faust
import uvloop
from aiokafka.errors import KafkaError

from streams import __version__
from streams.cluster import topics
from streams.cluster.admin import tls
from streams.common import FULL, ConfigError, Exit, OtpguardError, UnavailableError, heap
from streams.config import TABLE, Kafka, Settings
from streams.engine.state.manager import StateManager
from streams.engine.transport.driver import (
    SCHEME,
    STORE_URL,
    App,
    Consumer,
    Producer,
    TableManager,
    crash_of,
)
from streams.engine.transport.envelope import Poll
from streams.engine.worker import acks
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.agents import Detector
from streams.engine.worker.dead_letter_limit import Letters
from streams.engine.worker.observe import Observer
from streams.engine.worker.publisher import Publisher
from streams.engine.worker.reader import Reader
from streams.engine.worker.spare import between_events
from streams.engine.worker.watchdog import Heartbeats, Watchdog, end
from streams.telemetry import metrics_server as http
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

WAIT_S: Final = 2.0
BEAT_S: Final = 0.1
"""Seconds between signs of life of the event loop, and so the precision of
`loop_silence_seconds`."""
REJOIN_S: Final = 15.0
"""Seconds in which a member that wrote its last checkpoints must join the group again. Chosen: a
rebalance may take 30 s at most, and restoring takes up to 10 s of this."""
SHOW_S: Final = 2.0
"""Seconds between updates of the gauges and of what the watchdog reads. Prometheus reads gauges
every 15 s or so, and the watchdog waits for 10 s at least."""
PROBE_S: Final = 5.0
BATCH_BYTES_MAX: Final = 1 << 17
"""Maximum bytes of one partition's outputs that are sent to the broker together. In a campaign,
leases wait for the batch before theirs. With Faust's default of 16 kB, a batch had room for only
nine leases. Chosen: slightly more than a dead letter, so that no topic needs a larger message
limit; it holds 75 leases."""
PREPARED: Final = "all large patterns are compiled"
"""Log message at the end of `_prepare`. From then on, a worker's CPU time depends on its events
only."""
LIVE_S: Final = 15.0
"""Seconds without a beat after which the loop counts as dead. Loading and copying block it for less
than 1 s."""


def run_worker(settings: Settings, *, wait: bool = False, rebuild: bool = False) -> int:
    """Work until SIGTERM or SIGINT; return an exit code of `streams.common.errors.Exit`.

    `wait`: wait for brokers and topics instead of giving up. `rebuild`: discard the checkpoints of
    the partitions that are assigned first, once each, and rebuild their states from the input.
    """
    for library in ("aiokafka", "faust", "kafka", "mode", "streams.engine.transport.driver"):
        logging.getLogger(library).setLevel(logging.ERROR)
    # Before any thread starts, because each thread keeps the memory arena it begins with.
    heap.keep_freed_memory()
    try:
        check_folder(settings.worker.data_dir)
        check_before_start(settings, wait=wait)
        hashed = settings.fingerprint()
        log.info("otpguard %s, mode %s, settings %s", __version__, settings.mode, hashed)
        names = settings.topics
        recorded = is_writable(settings, names.incident, "floods are held, and not recorded")
        figured = is_writable(settings, names.platform_parts, "there are no figures of platforms")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            worker = _Worker(settings, rebuild=rebuild, incidents=recorded, figures=figured)
            with http.serve(
                settings.http.host,
                settings.http.port_of("worker"),
                worker.metrics.registry,
                live=worker.live,
                ready=worker.ready,
            ) as address:
                log.info("metrics and health at http://%s", address)
                return runner.run(worker.run())
    except OtpguardError as error:
        log.critical("%s", error)
        return error.exit_code


def check_folder(path: Path) -> None:
    """Create the folder of the stream engine.

    Raise ConfigError if the folder is not writable. Raise UnavailableError if the disk is full,
    because it may have space at the next start.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        kind = UnavailableError if error.errno in FULL else ConfigError
        raise kind(f"worker.data_dir {path}: {error.strerror}") from None


def check_before_start(settings: Settings, *, wait: bool) -> None:
    """Return when brokers answer and topics have the right shape.

    Raise the error that was found. With `wait`, log the error each time it changes, and try again.
    """
    said = ""
    while True:
        try:
            wrong, _ = topics.review(settings)
            if not wrong:
                return
            error: OtpguardError = ConfigError("; ".join(wrong))
        except UnavailableError as unavailable:
            error = unavailable
        if not wait:
            raise error
        if str(error) != said:
            log.warning("waiting: %s", error)
            said = str(error)
        time.sleep(WAIT_S)


def is_writable(settings: Settings, name: str, without: str) -> bool:
    """Return true if a topic can be written; otherwise log a warning, with the effect `without`.

    Detection and throttling need neither incidents nor figures of platforms. A worker that was
    upgraded before its topics and rights therefore works on.
    """
    if topics.writable(settings, name):
        return True
    log.warning(
        "no topic %s, or no right to write it: %s; `otpguard topics create` makes topics, "
        "`otpguard topics acls` lists the rights",
        name,
        without,
    )
    return False


class _Worker:
    """One run of the app in a running event loop."""

    def __init__(
        self, settings: Settings, *, rebuild: bool, incidents: bool, figures: bool
    ) -> None:
        self.settings = settings
        self.heartbeats = heartbeats = Heartbeats()
        self.metrics = Metrics()
        self.recogniser = recogniser = settings.recogniser()
        self.metrics.set_mode(settings.mode)
        self.app = App(settings.app_id, **faust_settings(settings))
        params = replace(settings.params(), figures=figures)
        if not incidents:
            params = replace(params, episode=replace(params.episode, incidents=False))
        publisher = Publisher(self.app, settings.changelog, self.metrics)
        self.states = self.app.states = StateManager(
            topic=settings.topics.input,
            params=params,
            epoch=settings.epoch,
            cycle_s=settings.worker.checkpoint_cycle_s,
            bytes_per_s=settings.worker.checkpoint_bytes_per_s,
            deadline_s=settings.worker.revoke_deadline_s,
            send=publisher.send,
            append=publisher.append,
            metrics=self.metrics,
            fatal=fatal,
            rebuild=rebuild,
        )
        self.acknowledgements = Acknowledgements(
            self.metrics, settings.topics.input, settings.epoch, self.states
        )
        self.observer = Observer(self.metrics, recogniser, self.acknowledgements)
        self.metrics.follow("loop_silence_seconds", lambda: time.monotonic() - heartbeats.loop_at)
        self.metrics.follow(
            "broker_silence_seconds", lambda: time.monotonic() - heartbeats.broker_at
        )
        self.detector = Detector(
            params=self.states.params,
            reader=Reader(
                replace(settings.intake(), partitions=settings.topics.partitions),
                settings.topics.input,
                recogniser,
                self.metrics,
            ),
            topics=settings.topics,
            states=self.states,
            observer=self.observer,
            letters=Letters(settings.input.dead_letters_per_s, self.metrics),
        )
        self.app.Table(
            TABLE,
            store=STORE_URL,
            key_type=bytes,
            value_type=bytes,
            partitions=settings.topics.partitions,
            recovery_buffer_size=2,  # Number of records, each up to 900 kB.
        )
        # The decorator `app.agent` would look for the source file of each loaded module: 30 ms.
        self.app.agents["detect"] = faust.Agent(
            self._detect,
            name="detect",
            app=self.app,
            channel=self.app.topic(settings.topics.input, value_type=bytes, value_serializer="raw"),
        )

    async def run(self) -> int:
        """Work until a signal requests a stop; return the exit code."""
        heap.collect_rarely()
        settings = self.settings.worker
        Watchdog(
            self.heartbeats,
            stall_s=settings.stall_s,
            stop_s=settings.stop_s,
            end=lambda why: end(Exit.TRY_AGAIN, why, stacks=True),
        ).start()
        acks.start(self.acknowledgements, self.settings.kafka, self.settings.topics.acks)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        background = [
            _supervise(self._prepare()),
            _supervise(self._beat()),
            _supervise(self._probe()),
            _supervise(self.states.write_checkpoints()),
            _supervise(heap.give_freed_memory_back()),
        ]
        started = asyncio.create_task(self.app.start())
        crashed = asyncio.create_task(crash_of(self.app))
        stopped = asyncio.create_task(stop.wait())
        pending: set[asyncio.Task[Any]] = {started, crashed, stopped}
        while stopped in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if crashed in done:
                fatal(crashed.result())
            if started in done and (error := started.exception()) is not None:
                fatal(error)
        self.heartbeats.stopping_at = time.monotonic()
        log.info("stopping")
        self.states.close()
        await self.app.stop()
        self.detector.letters.tell(all_of_it=True)
        for task in (*background, started, crashed):
            task.cancel()
        return Exit.DONE

    async def _detect(self, stream: faust.Stream[Poll]) -> None:
        try:
            async for poll in stream:
                await self.detector.handle(poll, self._consumer)
        except Exception as error:  # noqa: BLE001 - Faust would continue with a half-applied state
            fatal(error)

    @property
    def _consumer(self) -> Consumer:
        consumer = self.app.consumer
        assert isinstance(consumer, Consumer)
        return consumer

    def live(self) -> str:
        """Return the defect for a liveness probe (the loop does not run), or an empty string."""
        silent_s = time.monotonic() - self.heartbeats.loop_at
        return f"the event loop is silent for {silent_s:.0f} s" if silent_s > LIVE_S else ""

    def ready(self) -> str:
        """Return the reason why this worker is not ready, or an empty string."""
        if not self.states.owned:
            return "no partitions assigned"
        return "" if self.states.positioned else "state is being loaded"

    async def _prepare(self) -> None:
        """Compile large patterns in idle time, so that few texts must wait for their pattern.

        This runs in the loop's own thread, because texts compile missing patterns there too; they
        need one pattern in ten. Compiling the large ones at the start would delay a worker by .6 s.
        It begins when the states are loaded, so that nothing delays the first judgement.
        """
        while not self.states.positioned:  # noqa: ASYNC110 - once
            await asyncio.sleep(BEAT_S)
        await between_events(self.recogniser.prepare(rare=False))
        log.info(PREPARED)

    async def _beat(self) -> None:
        states, heartbeats = self.states, self.heartbeats
        late_s = states.cycle_s + self.settings.worker.stall_s / 2
        shown_at = 0.0
        while True:
            now = heartbeats.loop_at = time.monotonic()
            if now - shown_at > SHOW_S:
                shown_at = now
                heartbeats.progress = states.progress
                heartbeats.checkpoint_steps = states.checkpoint_steps
                behind = self._consumer.lags(states.positions())
                heartbeats.working = not states.positioned or any(behind.values())
                heartbeats.overdue = any(
                    p.dirty and now - p.covered_at > late_s for p in states.partitions.values()
                )
                self.detector.letters.tell()
                self.observer.beat(states, behind, self._consumer.held_back(behind))
            await asyncio.sleep(BEAT_S)

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(PROBE_S)
            producer = self.app.producer
            assert isinstance(producer, Producer)
            try:
                async with asyncio.timeout(PROBE_S):
                    if await producer.broker_answers():
                        self.heartbeats.broker_at = time.monotonic()
            except (TimeoutError, KafkaError) as error:
                log.warning("no broker answers: %r", error)


def fatal(error: BaseException) -> None:
    """End the process: after this error, the state may be half changed or the worker half alive."""
    match error:
        case OtpguardError():
            end(error.exit_code, str(error))
        case KafkaError() | OSError():  # TimeoutError is a subclass of OSError.
            end(Exit.TRY_AGAIN, f"Kafka: {error!r}")
        case _:
            log.error("state can no longer be trusted", exc_info=error)
            end(Exit.INVARIANT, f"{type(error).__name__}: {error}")


def _supervise(coroutine: Any) -> asyncio.Task[None]:
    """Start a background task; if it fails, the process ends."""
    task: asyncio.Task[None] = asyncio.create_task(coroutine)

    def report(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            fatal(error)

    task.add_done_callback(report)
    return task


def faust_settings(settings: Settings) -> dict[str, Any]:
    """Return Faust's settings, with the reason for each that is not the default."""
    kafka = settings.kafka
    return {
        "broker": [f"{SCHEME}://{server}" for server in kafka.bootstrap.split(",")],
        "broker_credentials": credentials(kafka),
        "datadir": settings.worker.data_dir,
        # Faust's web server binds 0.0.0.0:6066; metrics and health have their own listener.
        "web_enabled": False,
        "topic_disable_leader": True,  # Faust must not create a topic of its own.
        "topic_allow_declare": False,  # The operator creates topics, with replication and ACLs.
        "TableManager": TableManager,  # Reports when the changelog has been read.
        "table_standby_replicas": 0,  # A standby would need memory for a second state.
        "stream_wait_empty": True,  # Calls `wait_empty`, where the last checkpoint is written.
        "stream_buffer_maxsize": kafka.buffer_envelopes,
        "broker_max_poll_records": kafka.poll_records_max,
        "consumer_max_fetch_size": kafka.fetch_bytes_max,
        "broker_commit_interval": 2.0,  # Commits only advance when a checkpoint is complete.
        "broker_session_timeout": kafka.session_timeout_s,
        "broker_heartbeat_interval": kafka.heartbeat_s,
        # A member that sends heartbeats but does not rejoin delays the others this long; default:
        # 60.
        "broker_rebalance_timeout": settings.worker.revoke_deadline_s + REJOIN_S,
        "consumer_group_instance_id": settings.worker.instance or None,
        "producer_linger": 0,  # Actions are few and urgent.
        # Default: 16 kB, which is nine leases of a campaign.
        "producer_max_batch_size": BATCH_BYTES_MAX,
        "producer_acks": -1,  # Wait for all in-sync replicas.
    }


def credentials(kafka: Kafka) -> Any:
    """Return credentials for the listener, or None; Faust derives the protocol from them."""
    context = tls(kafka) if kafka.security.endswith("ssl") else None
    if kafka.security.startswith("sasl"):
        return faust.SASLCredentials(
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            mechanism=kafka.mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
