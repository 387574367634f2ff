"""Runs real workers on a real broker by a plan of faults that one seed determines."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams.cluster import topics
from streams.cluster.admin import Cluster
from streams.common.errors import Exit
from streams.config import Settings, load
from tests.faults.oracle import compute_outcome, read_outcome
from tests.faults.traffic import LIST_KEY, Record, traffic
from tests.faults.watch import READS, UndecidedError, Watch
from tests.nodes import Broker

HOUR_MS = 3_600_000
COMPARED = ("throttle", "episode", "incident", "dead_letters", "platform_parts")
"""Roles of topics whose every record is compared with the oracle's."""
RESTART_S = 0.5  # a supervisor's patience
LINGERS_MS = (20, 200)  # of the two producers
DRAIN_S = 150.0  # without a commit, while records wait: the workers hang
STARVED_S = 150.0  # without a record made or acknowledged, while brokers run: the producers hang
AHEAD_S = 12.0  # faults may be ahead of the traffic by an outage, during which none is made
BEGIN_S = 150.0  # for a worker to read and the producers to be there, before anything else happens
RESTARTS = 3  # where lists come: after each the workers have nothing but their checkpoints
STOP_S = 120.0  # for the workers' own end, which their watchdogs see to


@dataclass(frozen=True)
class Fault:
    """What happens, when, to whom, for how long."""

    at_s: float
    kind: str
    target: int
    lasts_s: float

    def __str__(self) -> str:
        return f"{self.at_s:5.1f} s {self.kind} {self.target} for {self.lasts_s:.1f} s"


WORKER_FAULTS = ("kill", "kill", "term", "freeze", "join", "leave")
BROKER_FAULTS = ("broker kill", "broker freeze", "broker restart")


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    events: int = 60_000
    per_s: int = 4_000
    partitions: int = 4
    faults: int = 8
    cycle_s: float = 2.0
    nodes: int = 1
    stall_s: float = 30  # and a stop takes no longer; generous where nobody starts a worker again
    script: tuple[Fault, ...] | None = None  # instead of faults that the seed draws
    lists: bool = False  # of hot platforms come in between, and workers take them

    @property
    def lasts_s(self) -> float:
        return self.events / self.per_s

    @property
    def part(self) -> int:
        """Records from one restart to the next."""
        return self.events // RESTARTS

    def schedule(self) -> list[Fault]:
        """The faults in the order of their times."""
        if self.script is not None:
            return list(self.script)
        rng = random.Random(self.seed)
        first_s, last_s = 3.0, max(6.0, self.lasts_s)
        return sorted(
            (
                Fault(
                    rng.uniform(first_s, last_s),
                    rng.choice(WORKER_FAULTS if rng.random() < 0.7 else BROKER_FAULTS),
                    rng.randrange(max(2, self.nodes)),
                    rng.choice((0.5, 2.0, 4.0, 9.0)),  # 9 s: over the session timeout
                )
                for _ in range(self.faults)
            ),
            key=lambda fault: fault.at_s,
        )

    def __str__(self) -> str:
        faults = "\n  ".join(map(str, self.schedule()))
        return (
            f"seed {self.seed}: {self.events} events at {self.per_s}/s, "
            f"{self.partitions} partitions, checkpoints every {self.cycle_s:g} s, "
            f"{self.nodes} brokers{', lists' if self.lists else ''}\n  {faults}"
        )


@dataclass
class Slot:
    """A place for a worker, and the supervisor that keeps it filled while it is wanted."""

    name: str
    environment: dict[str, str]
    log: Path
    wanted: bool = False
    process: subprocess.Popen[bytes] | None = None
    exits: list[int] = field(default_factory=list)
    ended_at: float = -RESTART_S
    _said_before: int = 0  # bytes of the log that are of other processes

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def reads(self) -> bool:
        """Whether its process has come so far as to read."""
        return self.alive and READS.encode() in self.log.read_bytes()[self._said_before :]

    def supervise(self) -> None:
        """Note an exit; start the worker if it should run."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.exits.append(code)
            self.process = None
            self.ended_at = time.monotonic()
        if self.wanted and self.process is None and time.monotonic() - self.ended_at > RESTART_S:
            with self.log.open("ab") as log:
                self._said_before = log.tell()
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "streams", "worker", "--wait"],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )

    def send(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass
class Run:
    """A plan at work."""

    plan: Plan
    broker: Broker
    name: str
    folder: Path
    settings: Settings = field(init=False)
    slots: list[Slot] = field(init=False)
    watch: Watch = field(init=False)
    produced: int = 0
    acknowledged: int = 0  # or given up by the client
    records: int = 0  # of the input, as the oracle read them
    outputs: int = 0  # of different identity
    repeated: int = 0  # outputs that came again
    lists: int = 0  # partitions that hold a list of the network in the end
    _stop: threading.Event = field(default_factory=threading.Event)
    _feeding: threading.Event = field(default_factory=threading.Event)
    _fed: threading.Event = field(default_factory=threading.Event)
    _progress: tuple[int, float] = (-1, 0.0)
    _feed_error: BaseException | None = None

    def __post_init__(self) -> None:
        path = self.folder / f"{self.name}.toml"
        replication = min(3, len(self.broker.nodes) or 1)
        network = f"""
[detect]
hot = "network"
hot_key = "{LIST_KEY}"
"""
        path.write_text(
            f"""
app_id = "{self.name}"
[kafka]
bootstrap = "{self.broker.bootstrap}"
[topics]
input = "{self.name}.in"
throttle = "{self.name}.throttle"
episode = "{self.name}.episode"
acks = "{self.name}.acks"
override = "{self.name}.override"
dead_letters = "{self.name}.dlq"
incident = "{self.name}.incident"
counts = "{self.name}.counts"
audit = "{self.name}.audit"
notice = "{self.name}.notice"
platform_parts = "{self.name}.parts"
partitions = {self.plan.partitions}
replication = {replication}
[worker]
checkpoint_cycle_s = {self.plan.cycle_s}
data_dir = "{self.folder / "scratch"}"
stall_s = {self.plan.stall_s}
stop_s = {max(20, self.plan.stall_s)}
[input]
dead_letters_per_s = 1000000
[http]
port = 0
{network if self.plan.lists else ""}""",
            encoding="utf-8",
        )
        self.settings = load(path)
        environment = {**os.environ, "OTPGUARD_CONFIG": str(path), "PYTHONUNBUFFERED": "1"}
        self.slots = [
            Slot(f"worker {i}", environment, self.folder / f"{self.name}-{i}.log") for i in (0, 1)
        ]
        self.watch = Watch(self.broker, self.name, self.settings.topics.input, self.plan.partitions)

    def create_topics(self) -> None:
        """Create the topics. Input and outputs keep every record, so that all are compared."""
        with Cluster(self.settings.kafka) as cluster:
            for topic in topics.topics(self.settings):
                configs = topic.configs
                if topic.role in ("input", *COMPARED):
                    configs = {"cleanup.policy": "delete", "retention.ms": str(30 * 24 * HOUR_MS)}
                cluster.create(topic.name, topic.partitions, topic.replication, configs)

    def execute(self) -> list[str]:
        """Run the plan; return what is wrong in the end.

        Raises UndecidedError if the traffic could not be made, or the brokers do not say what came
        of it.
        """
        self.create_topics()
        self.slots[0].wanted = True
        self.slots[1].wanted = self.plan.script is None and self.plan.seed % 2 == 0
        supervisor = threading.Thread(target=self._supervise)
        feeder = threading.Thread(target=self._feeder, daemon=True)
        supervisor.start()
        self.watch.start()
        try:
            self._await_begun("no worker reads", self._reading)
            feeder.start()
            self._await_begun("the producers do not start", self._feeding.is_set)
            self._play()
            if self.broker.kind != "given":
                self.broker.start()  # what is still down
            while not self._fed.wait(1):
                self._check_traffic()
            if self._feed_error is not None:
                raise UndecidedError("the producers failed") from self._feed_error
            self.slots[0].wanted = True
            return self._settle()
        finally:
            self._stop.set()
            self.watch.stop()
            supervisor.join()
            for slot in self.slots:
                slot.send(signal.SIGCONT)
                slot.send(signal.SIGKILL)
                if slot.process is not None:
                    slot.process.wait()

    def _supervise(self) -> None:
        while not self._stop.is_set():
            for slot in self.slots:
                slot.supervise()
            time.sleep(0.05)

    def _play(self) -> None:
        """Inflict the faults when their time comes, and end each when it has lasted.

        Their time waits for traffic that is late, as on a machine that has other things to do, and
        a script's SIGTERM for a worker that is at work.
        """
        began = time.monotonic()
        waited_s = 0.0
        undo: list[tuple[float, Callable[[], None]]] = []
        todo = self.plan.schedule()
        while todo or undo:
            now_s = time.monotonic() - began
            for due in [each for each in undo if each[0] <= now_s]:
                due[1]()
                undo.remove(due)
                self.watch.disturbed()
            if not self._fed.is_set():
                self._check_traffic()
                latest_s = self.produced / self.plan.per_s + AHEAD_S
                waited_s = max(waited_s, now_s - latest_s)
            if todo and self._too_early(todo[0]) and now_s - todo[0].at_s < BEGIN_S:
                waited_s = max(waited_s, now_s - todo[0].at_s + 0.02)
            while todo and todo[0].at_s <= now_s - waited_s:
                fault = todo.pop(0)
                if (end := self._inflict(fault)) is not None:
                    undo.append((time.monotonic() - began + fault.lasts_s, end))
            time.sleep(0.02)

    def _too_early(self, fault: Fault) -> bool:
        """Whether a script stops a worker that does not work yet, as no rolling restart does.

        Nor before there is any checkpoint: who comes next would have nothing to take over.
        """
        scripted = self.plan.script is not None and fault.kind == "term"
        return scripted and not (self.slots[fault.target % 2].reads and self.watch.begun)

    def _inflict(self, fault: Fault) -> Callable[[], None] | None:
        """Do it; return what ends it, if anything does."""
        self.watch.disturbed()
        slot = self.slots[fault.target % 2]
        nodes = self.broker.nodes
        node = nodes[fault.target % len(nodes)] if fault.kind.startswith("broker") else None
        match fault.kind:
            case "kill":
                slot.send(signal.SIGKILL)
            case "term":
                slot.send(signal.SIGTERM)
            case "freeze":
                slot.send(signal.SIGSTOP)
                return lambda: slot.send(signal.SIGCONT)
            case "join":
                self.slots[1].wanted = True
            case "leave":
                self.slots[1].wanted = False
                self.slots[1].send(signal.SIGTERM)
            case "broker kill" if node and node.alive:
                node.kill()
                return lambda: None if node.alive else node.start()
            case "broker freeze" if node and node.alive:
                node.pause()
                return lambda: node.resume() if node.alive else None
            case "broker restart" if node and node.alive:
                node.stop()
                return lambda: None if node.alive else node.start()
        return None

    def _await_begun(self, otherwise: str, begun: Callable[[], bool]) -> None:
        deadline = time.monotonic() + BEGIN_S
        while not begun():
            if time.monotonic() > deadline:
                raise UndecidedError(f"{otherwise} within {BEGIN_S:g} s")
            time.sleep(0.1)

    def _reading(self) -> bool:
        return any(slot.reads for slot in self.slots)

    def _all_read(self) -> bool:
        return all(slot.reads for slot in self.slots if slot.wanted)

    def _check_traffic(self) -> None:
        """Raise UndecidedError if for long no record was made or done with."""
        now, done = time.monotonic(), self.produced + self.acknowledged
        if done != self._progress[0]:
            self._progress = (done, now)
        if now - self._progress[1] > STARVED_S:
            raise UndecidedError(
                f"the producers stand still: {self.produced} records made, "
                f"{self.acknowledged} done with"
            )

    def _feeder(self) -> None:
        try:
            asyncio.run(self._feed())
        except Exception as error:  # noqa: BLE001 - told by who waits for it
            self._feed_error = error
        self._feeding.set()
        self._fed.set()

    async def _feed(self) -> None:
        """Produce the traffic at its pace; whatever a broken send leaves on the log is the log.

        Two producers share it record by record, and one of them keeps its records back for longer:
        they reach the log in another order than they were made. Where lists come, the workers are
        restarted on the way, with all that was written until then in their checkpoints: however
        slow the machine is, lists are restored in the middle of the log.
        """
        span_ms = 2 * HOUR_MS
        start_ms = int(time.time() * 1000) - span_ms - HOUR_MS
        plan = self.plan
        async with AsyncExitStack() as stack:
            producers = [
                await stack.enter_async_context(
                    AIOKafkaProducer(
                        bootstrap_servers=self.broker.bootstrap,
                        acks="all",
                        linger_ms=linger_ms,
                        max_batch_size=200_000,
                    )
                )
                for linger_ms in LINGERS_MS
            ]
            self._feeding.set()
            rng = random.Random(plan.seed)
            began = time.monotonic()
            pending: list[asyncio.Future[object]] = []
            following = plan.part
            for record in traffic(
                plan.seed,
                plan.events,
                plan.partitions,
                start_ms,
                span_ms,
                lists=plan.lists,
                one_platform=True,
            ):
                if plan.lists and self.produced == following:
                    following += plan.part
                    await self._done(pending)
                    began += await asyncio.to_thread(self._restart)
                pending.append(await self._send(rng.choice(producers), record))
                self.produced += 1
                if self.produced % 200 == 0:
                    ahead_s = self.produced / plan.per_s - (time.monotonic() - began)
                    await asyncio.sleep(max(0, ahead_s))
                if len(pending) > 5_000:
                    await self._done(pending)
            await self._done(pending)

    def _restart(self) -> float:
        """Restart the workers once all is committed; return how long that took."""
        began = time.monotonic()
        if not self.watch.caught_up(DRAIN_S):
            raise UndecidedError(f"no commit for {DRAIN_S:g} s before a restart")
        for slot in self.slots:
            slot.send(signal.SIGCONT)
            slot.send(signal.SIGTERM)
        self.watch.disturbed()
        return time.monotonic() - began

    async def _done(self, pending: list[asyncio.Future[object]]) -> None:
        """Return when these are acknowledged or given up."""
        await asyncio.gather(*pending, return_exceptions=True)
        self.acknowledged += len(pending)
        pending.clear()

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> asyncio.Future[object]:
        while True:
            try:
                sent: asyncio.Future[object] = await producer.send(
                    self.settings.topics.input,
                    record.value,
                    record.key,
                    record.partition,
                    record.timestamp_ms,
                )
            except KafkaError:
                await asyncio.sleep(0.5)
            else:
                return sent

    def _settle(self) -> list[str]:
        """Wait until everything is read, stop the workers, and compare."""
        if not self.watch.caught_up(DRAIN_S):
            return [f"no commit for {DRAIN_S:g} s, and the group is behind: {self.watch.behind}"]
        if self.plan.script:  # what it restarted is back, as after any rolling restart
            self._await_begun("a worker does not read", self._all_read)
        for slot in self.slots:
            slot.wanted = False
            slot.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while any(slot.alive for slot in self.slots) and time.monotonic() < deadline:
            time.sleep(0.1)
        if running := [slot.name for slot in self.slots if slot.alive]:
            return [f"{name} does not end {STOP_S:g} s after SIGTERM" for name in running]
        ours = asyncio.run(read_outcome(self.settings))
        oracle = asyncio.run(compute_outcome(self.settings))
        self.records, self.repeated = oracle.records, ours.repeated
        self.outputs = len(oracle.published)
        self.lists = oracle.lists
        said = ours.differences(oracle)
        if not any(identity.count("/") for identity in oracle.published):
            said.append("the traffic opened no episode: nothing was tested")
        if not any(b'"throttle_platforms"' in each for each in oracle.published.values()):
            said.append("the traffic caused no lease of single platforms: it was not tested")
        said += [
            f"{slot.name} exited {code}"
            for slot in self.slots
            for code in slot.exits
            if code in (Exit.INVARIANT, Exit.CONFIG, 1)
        ]
        return said

    async def behind(self) -> dict[int, tuple[int | None, int]]:
        """Partition -> committed offset and end of the log, where they differ."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=self.name, enable_auto_commit=False
        )
        await consumer.start()
        try:
            tps = [
                TopicPartition(self.settings.topics.input, p) for p in range(self.plan.partitions)
            ]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            committed = {tp: await consumer.committed(tp) for tp in tps}
            return {
                tp.partition: (committed[tp], end)
                for tp, end in ends.items()
                if end and committed[tp] != end
            }
        finally:
            await consumer.stop()
