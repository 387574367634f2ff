"""Compares otpguard with other programs on one broker, by turns: CPU per event, and equal results.

Two jobs. *Bare*: codes per recipient in 60 s tumbling windows of event time, durable, at least
once; the events say themselves whether they are codes. *Whole*: otpguard's chain on events that do
not: recognition, platforms, memory, judge, episodes, leases, checkpoints. The *ceiling* only reads.
"""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests import clusters
from tests.bench import worker
from tests.bench.harness import BROKER_CPU, Cost, PeerError, pin, run
from tests.bench.traffic import Traffic, fill
from tests.clusters import run_tool
from tests.nodes import Broker, BrokerError

HERE: Final = Path(__file__).parent
BUILT: Final = Path(".cache/bench")

BARE_CYCLE_S: Final = 1
"""Between checkpoints or commits in the bare job, for every peer alike: several in each run."""
WHOLE_CYCLE_S: Final = 5
"""Between checkpoints in the whole job: one or two in a run of 2 million events. An operator's
worker has 60 s, which takes a run of 12 million to see."""

PATHWAY: Final = "0.33.0"
OUTPUT: Final = "OUTPUT"
"""Stands for the name of a run's own topic among the arguments of a program."""

Job = Literal["ceiling", "bare", "whole"]


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of a peer needs to know."""

    broker: Broker
    traffic: Traffic
    events: int  # how many of the topic's events to read
    group: str  # a name that no other run has
    log: Path
    live: bool = False  # it reads what comes until it is stopped, and writes what it can write

    @property
    def output(self) -> str:
        """The topic for those that write their counts where they are told to."""
        return f"{self.group}-counts"


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a peer gave. Raises nothing: a wrong sum is caught before."""

    cost: Cost
    seen: int
    codes: int
    counted: int  # sum of the peer's durable state, or of its windows


@dataclass(frozen=True, slots=True)
class Program:
    """How a peer is started for one run."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    asked: worker.Worker | None = None  # one that is asked how far it is; others say it


Start = Callable[[Round], AbstractContextManager[Program]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to measure."""

    name: str
    job: Job
    version: str
    settings: str  # what was set, and why if it is not what its documentation recommends
    start: Start
    share: float = 1.0  # of the events; slow peers read fewer
    needs: Callable[[], str] = field(default=lambda: "")  # why it cannot run here
    writes: str = ""  # what it writes to Kafka about a recipient soon after an event


def program(command: Callable[[], Sequence[str]], *more: str, live: Sequence[str] = ()) -> Start:
    """A peer with the protocol of `harness`; `live` are its arguments for a run without an end."""

    @contextmanager
    def start(turn: Round) -> Iterator[Program]:
        arguments = [turn.broker.bootstrap, turn.traffic.topic, turn.group, str(turn.events), *more]
        if turn.live:
            arguments += [turn.output if word == OUTPUT else word for word in live]
        yield Program([*command(), *arguments])

    return start


def measured(start: Start, turn: Round) -> Result:
    """One run of a peer over the topic."""
    with start(turn) as one:
        asked = one.asked
        finished = run(
            one.command, turn.broker, warm=turn.events // 3, log=turn.log, env=dict(one.env),
            progress=asked.progress if asked else None, total=turn.events,
        )  # fmt: skip
    if asked:
        outcomes = {k: v for k, v in asked.series.items() if k.startswith("otpguard_events_total")}
        codes = int(asked.series["otpguard_codes_total"])
        return Result(finished.cost, int(sum(outcomes.values())), codes, codes)
    said = finished.said
    held = said["sum"] if "sum" in said else newest_sum(turn.broker, said["changelog"])
    return Result(finished.cost, said["events"], said["codes"], held)


def python(name: str) -> list[str]:
    return [sys.executable, str(HERE / "peers" / name)]


def java(name: str) -> list[str]:
    """The command of a Java peer; built when its source is newer than what was built."""
    target = (BUILT / name).resolve()
    newest = max(file.stat().st_mtime for file in (HERE / "peers" / name).rglob("*.*"))
    built = target / f"{name}-1.jar"
    if not (target / "libs").is_dir() or not built.is_file() or built.stat().st_mtime < newest:
        pom = str(HERE / "peers" / name / "pom.xml")
        goals = ["package", "dependency:copy-dependencies"]
        folders = [f"-Dbench.target={target}", f"-DoutputDirectory={target}/libs"]
        run_tool(["mvn", "-q", "-B", "-f", pom, *goals, *folders])
    opens = [f"--add-opens=java.base/java.{one}=ALL-UNNAMED" for one in ("lang", "util", "time")]
    path = f"{built}:{target}/libs/*"
    # on one core the JVM would choose the serial collector
    return ["java", "-Xmx3g", "-XX:+UseG1GC", *opens, "-cp", path, "CountCodes"]


def pathway() -> list[str]:
    """The command of Pathway, in an environment of its own: its licence is not an open one, and
    what it needs does not choose our versions. Made anew when its lock is newer."""
    lock = HERE / "peers" / "pathway" / "requirements.txt"
    python_there = (BUILT / "pathway" / "bin" / "python").absolute()
    stamp = BUILT / "pathway" / ".installed"
    if not stamp.is_file() or stamp.stat().st_mtime < lock.stat().st_mtime:
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            run_tool([sys.executable, "-m", "venv", "--clear", str(BUILT / "pathway")])
            run_tool([str(python_there), *install, "--no-deps", "-r", str(lock)])
        except BrokerError as error:
            raise PeerError(f"not installed: {error}") from None
        stamp.touch()
    return [str(python_there), str(HERE / "peers" / "pathway" / "count_codes.py")]


def newest_sum(broker: Broker, topic: str) -> int:
    """The sum over all keys of the newest 8-byte number of each: what a changelog table holds."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": uuid.uuid4().hex})
    found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p))[1] for p in found}
    consumer.assign([TopicPartition(topic, p, 0) for p, end in ends.items() if end])
    newest: dict[bytes, bytes | None] = {}
    left = {p for p, end in ends.items() if end}
    quiet_s = time.monotonic()
    while left:
        for message in consumer.consume(50_000, 0.5):
            quiet_s = time.monotonic()
            newest[message.key()] = message.value()
            if message.offset() + 1 >= ends[message.partition()]:
                left.discard(message.partition())
        if time.monotonic() - quiet_s > 10:
            break  # the last offsets hold a transaction's marker, which no consumer is given
    consumer.close()
    return sum(int.from_bytes(number, "big") for number in newest.values() if number)


def otpguard(cycle_s: int) -> Start:
    """The worker itself, as an operator starts it."""

    @contextmanager
    def start(turn: Round) -> Iterator[Program]:
        with worker.configured(
            turn.broker, turn.traffic, turn.group, checkpoint_cycle_s=cycle_s
        ) as one:
            yield Program(one.command, one.env, one)

    return start


def otpguard_bare(cycle_s: int) -> Start:
    """The worker's parts around a count, with the worker's settings."""

    @contextmanager
    def start(turn: Round) -> Iterator[Program]:
        with worker.configured(
            turn.broker, turn.traffic, turn.group, checkpoint_cycle_s=cycle_s
        ) as one:
            yield Program([*python("otpguard_bare.py"), str(turn.events)], one.env)

    return start


def faust(turn: Round) -> AbstractContextManager[Program]:
    """Stock Faust has to know the partitions."""
    partitions = str(turn.traffic.partitions)
    return program(lambda: python("faust_table.py"), partitions)(turn)


def installed(package: str) -> str:
    """Its version; nothing if it is not here."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def peers(whole_cycle_s: int) -> list[Peer]:
    """All of them."""
    no_java = clusters.why_no_kafka
    cycle = str(BARE_CYCLE_S)
    every_s = f"every {cycle} s"
    checkpoints = f"checkpoints {every_s}"
    changelog = "its changelog"
    ours, quix = version("otpguard"), installed("quixstreams")
    return [
        Peer("librdkafka + msgspec", "ceiling", version("confluent-kafka"),
             "fetch.queue.backoff.ms 10, queued.min.messages 1,000,000; three fields decoded",
             program(lambda: python("ceiling.py"))),
        Peer("otpguard", "bare", ours, f"{checkpoints}; transport, table and checkpoints of the "
             "worker around a count; no detector", otpguard_bare(BARE_CYCLE_S)),
        Peer("otpguard", "whole", ours, f"checkpoints every {whole_cycle_s} s; otherwise as "
             "shipped", otpguard(whole_cycle_s), writes="leases"),
        Peer("Flink, heap state", "bare", "2.2.1", f"{checkpoints} to a folder, object reuse, "
             "parallelism 1, G1, 3 GB; recipients as integers",
             program(lambda: java("flink"), cycle, live=["live"]), needs=no_java),
        Peer("Pathway, in memory", "bare", PATHWAY, "epochs of 100 ms, one thread; nothing is "
             "durable", program(pathway, cycle, "memory", live=[OUTPUT]), writes="its counts"),
        Peer("Pathway, persistence", "bare", PATHWAY, f"epochs of 100 ms, one thread; what it "
             f"reads is written to a folder {every_s}",
             program(pathway, cycle, "persistence", live=[OUTPUT]), writes="its counts"),
        Peer("Kafka Streams, in memory", "bare", "4.3.1", f"commits {every_s}, 256 MB of cache, "
             "1 thread, G1, 3 GB",
             program(lambda: java("kafka-streams"), "memory", cycle), needs=no_java,
             writes=changelog),
        Peer("Kafka Streams, RocksDB", "bare", "4.3.1", f"commits {every_s}, 256 MB of cache, "
             "1 thread, G1, 3 GB",
             program(lambda: java("kafka-streams"), "rocksdb", cycle), needs=no_java,
             writes=changelog),
        Peer("Quix Streams", "bare", quix, f"commits {every_s}, changelog on",
             program(lambda: python("quix.py"), cycle), share=0.1, writes=changelog,
             needs=lambda: "" if quix else "quixstreams is not installed: make bench does it"),
        Peer("stock Faust", "bare", version("faust-streaming"), "in-memory tumbling table with "
             "changelog, raw codec, polls of 5,000", faust, share=0.05, writes=changelog),
    ]  # fmt: skip


def those(only: str, whole_cycle_s: int) -> list[Peer]:
    """The peers whose name or job has one of these words."""
    words = only.lower().split(",")
    called = {f"{peer.name}, {peer.job}".lower(): peer for peer in peers(whole_cycle_s)}
    return [peer for name, peer in called.items() if any(word in name for word in words)]


def check(peer: Peer, turn: Round, result: Result) -> None:
    """Hold a result against what was sent. A peer that read the whole topic must have all of it."""
    if result.seen < turn.events:
        raise PeerError(f"{peer.name} read {result.seen} of {turn.events} events")
    if peer.job == "whole":  # recognised, so nearly all; recognition has tests of its own
        if abs(result.codes / turn.traffic.codes - 1) > 0.02:
            raise PeerError(f"{peer.name}: {result.codes} codes, sent {turn.traffic.codes}")
        return
    if result.counted != result.codes:
        raise PeerError(f"{peer.name}: windows hold {result.counted} of {result.codes} codes")
    if result.seen == turn.traffic.events and result.codes != turn.traffic.codes:
        raise PeerError(f"{peer.name}: {result.codes} codes, sent {turn.traffic.codes}")


def make_topics(broker: Broker, partitions: int, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    keep = {"retention.ms": "-1"}  # the events' times are a day old
    new = [NewTopic(name, partitions, 1, config=keep) for name in names]
    for made in admin.create_topics(new).values():
        made.result(30)


def drop_topics(broker: Broker, prefix: str) -> None:
    """Delete every topic whose name begins so: what a run leaves is not the next one's burden."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    if names:
        for gone in admin.delete_topics(names).values():
            gone.result(30)


def compare(
    broker: Broker,
    *,
    events: int,
    runs: int,
    partitions: int,
    only: str,
    whole_cycle_s: int,
    folder: Path,
) -> dict[str, Any]:
    """Measure all peers `runs` times in turn; return their costs, or why they could not run."""
    pin(broker.pids, BROKER_CPU)
    chosen = those(only, whole_cycle_s)
    make_topics(broker, partitions, "bench.bare", "bench.whole")
    traffic: dict[str, Traffic] = {}
    for job in {"whole" if peer.job == "whole" else "bare" for peer in chosen}:
        say(f"sending {events:,} events for the {job} job")
        traffic[job] = fill(
            broker.bootstrap, f"bench.{job}", partitions, events, category=job == "bare"
        )
    costs: dict[int, list[Cost]] = {i: [] for i in range(len(chosen))}
    failed: dict[int, str] = {}
    for lap in range(runs):
        for i, peer in enumerate(chosen):
            if i in failed:
                continue
            source = traffic["whole" if peer.job == "whole" else "bare"]
            group = f"bench-{lap}-{i}-{uuid.uuid4().hex[:6]}"
            log = folder / f"{group}.log"
            turn = Round(broker, source, round(events * peer.share), group, log)
            if why := peer.needs():
                failed[i] = why
                continue
            try:
                result = measured(peer.start, turn)
                check(peer, turn, result)
            except PeerError as error:
                failed[i] = str(error)
                say(f"{peer.name}, {peer.job}: {error}")
                continue
            finally:
                drop_topics(broker, group)
            costs[i].append(result.cost)
            say(
                f"{peer.name}, {peer.job}: {result.cost.client_us:.2f} us CPU per event, "
                f"{result.cost.events_per_s:,.0f} events/s"
            )
    size = next(iter(traffic.values()))
    return {
        "events": events,
        "bytes_per_event": round(size.bytes / size.events),
        "partitions": partitions,
        "peers": [
            {
                "name": peer.name,
                "job": peer.job,
                "version": peer.version,
                "settings": peer.settings,
                "events_read": round(events * peer.share),
                "failed": failed.get(i, ""),
                "missing": peer.needs(),  # not a failure: the program cannot run here
                **summary(costs[i]),
            }
            for i, peer in enumerate(chosen)
        ],
    }


def summary(costs: Sequence[Cost]) -> Mapping[str, Any]:
    """Medians with ranges."""
    if not costs:
        return {}

    def spread(numbers: Sequence[float]) -> dict[str, float]:
        return {"median": statistics.median(numbers), "min": min(numbers), "max": max(numbers)}

    return {
        "client_us": spread([cost.client_us for cost in costs]),
        "broker_us": spread([cost.broker_us for cost in costs]),
        "events_per_s": spread([cost.events_per_s for cost in costs]),
        "rss_mb": spread([cost.rss / 1e6 for cost in costs]),
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
