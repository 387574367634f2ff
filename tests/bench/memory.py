"""Measures what it costs to move the memory: export, import, adoption, and what a week forgets.

    python -m tests.bench.memory 10000000    # with a broker; worker and import have a core each
    python -m tests.bench.memory 20000 5000  # of which so many are imported
    python -m tests.bench.memory own         # own codes refused, without a broker
    python -m tests.bench.memory learn 50000000  # memory of 60 days of events, without a broker

Ten million recipients are exported. A part of them is imported and adopted, as the cost of each
record does not depend on their number.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from kafka import KafkaProducer

from detectors import chain
from detectors.leases.gateway_rule import Ruling, lease_of, rule
from detectors.memory_records import list_memories, sign_memory
from detectors.model.event import EventKind, Trust
from detectors.recipients.table import Table
from streams.cluster.admin import client_arguments
from streams.cluster.read import reading
from streams.engine.state.checkpoint import CheckpointWriter, PutRecord
from streams.tools.operate import memory_file
from tests import clusters
from tests.bench import latency, worker
from tests.bench.harness import BROKER_CPU, CLIENT_CPU, PeerError, cpu_s, pin, started
from tests.bench.traffic import Traffic, habitual
from tests.builders.detectors.memory_records import KEY, PARAMS
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run
from tests.nodes import Broker

FIRST: Final = 8_613_000_000_000
TEMPLATE: Final = 20_000
"""Recipients that are made message by message. The others have the same rows."""
PARTITIONS: Final = 32
ADOPTED: Final = 150_000
"""Recipients at most that are imported and adopted."""
RATES: Final = (0, 2000, 5000)
"""Imported recipients a second while leases are timed, in their order."""
LIVE_PER_S: Final = 1_000
LEVEL_S: Final = 20.0


def template(recipients: int) -> np.ndarray:
    """Rows of people with one to twelve platforms each, in two months."""
    rng = random.Random(7)
    events = []
    for i in range(recipients):
        own = [f"p{each}" for each in rng.sample(range(600), 1 + i % 12)]
        for turn in range(2 * len(own)):
            at_ms = START_MS - DAY_MS * (1 + rng.random() * 59)
            events.append(Event(int(at_ms), FIRST + i, own[turn % len(own)]))
    state = chain.Partition(PARAMS)
    run(PARAMS, sorted(events, key=attrgetter("at_ms")), state)
    assert not state.table.overflow.live
    return state.table.words[: state.table.used].copy()


def states(recipients: int) -> Iterator[chain.Partition]:
    """`PARTITIONS` states with so many recipients together."""
    size = recipients // PARTITIONS
    rows = template(min(size, TEMPLATE))
    params = replace(PARAMS, sieve=replace(PARAMS.sieve, rows_max=size + 100_000))
    for number in range(PARTITIONS):
        words = np.tile(rows, (-(-size // len(rows)), 1))[:size]
        words[:, 0] = np.arange(size, dtype=np.uint64) + np.uint64(FIRST + number * size)
        state = chain.Partition(params)
        state.table = Table.over(words, params.sieve.rows_max)
        state.next_offset = 1
        yield state


def fill(clients: dict[str, Any], changelog: str, recipients: int, epoch: int) -> int:
    """Write a checkpoint of each state; return the bytes."""
    size = 0
    with closing(KafkaProducer(**clients, acks=1, linger_ms=5)) as producer:
        for number, state in enumerate(states(recipients)):
            writer = CheckpointWriter(number, "w1", epoch)
            for step in writer.checkpoint(chain.snapshot(state), 1, 0):
                if isinstance(step, PutRecord):
                    size += len(step.value or b"")
                    producer.send(changelog, step.value, step.key, partition=number)
            producer.flush()
    return size


def timed(command: Sequence[str], env: dict[str, str], cpu: int) -> dict[str, float]:
    """Run a command of ours on a core: seconds, and seconds of CPU with its start."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        ["taskset", "-c", str(cpu), sys.executable, "-m", "streams", *command],
        env=os.environ | env, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"s": time.monotonic() - began, "cpu_s": cpu_used}


def rates(found: dict[str, float], n: int) -> dict[str, float]:
    return {
        **{name: round(each, 1) for name, each in found.items()}, "recipients": n,
        "per_s": round(n / found["s"]), "cpu_us_each": round(found["cpu_s"] / n * 1e6, 1),
    }  # fmt: skip


def moved(
    broker: Broker, recipients: int, most: int, folder: Path, tell: Callable[[str, Any], None]
) -> None:
    """Tell what export, import and adoption cost, and what leases wait meanwhile."""
    pin(broker.pids, BROKER_CPU)
    (folder / "memory.key").write_bytes(KEY)
    more = {
        "OTPGUARD_DETECT_MEMORY_KEY_FILE": str(folder / "memory.key"),
        "OTPGUARD_DETECT_RECIPIENTS_MAX": str(max(2_000_000, recipients // 4)),
        "OTPGUARD_INPUT_COUNTRY": "CN",
    }
    file, part = folder / "memory.jsonl.gz", folder / "part.jsonl.gz"
    there = Traffic("there.input", PARTITIONS, 0, 0, 0, 0)
    with worker.configured(broker, there, "there") as one:
        env = one.env | more
        settings = worker.settings_of(env)
        clients = client_arguments(settings.kafka)
        began = time.monotonic()
        size = fill(clients, settings.changelog, recipients, settings.epoch)
        tell("checkpoints", {"s": round(time.monotonic() - began), "bytes_each": size / recipients})
        n = recipients // PARTITIONS * PARTITIONS
        cost = timed(["memory", "export", "--out", str(file), "--quiet"], env, CLIENT_CPU)
        tell("export", rates(cost, n) | {"bytes_each": round(file.stat().st_size / n, 1)})
        params = memory_file.reading_params(settings)
        found = memory_file.export(clients, settings.changelog, params, settings.epoch)
        n = memory_file.write(
            part, PARTITIONS, islice(found, min(n, most)), memory_file.reduced_name,
            lambda _: None,
        )  # fmt: skip
    here = Traffic("here.input", PARTITIONS, 0, 0, 0, 0)
    latency.make_timed(broker, here.topic, PARTITIONS)
    with worker.configured(broker, here, "here", checkpoint_cycle_s=10) as one:
        env = one.env = one.env | more
        cost = timed(
            ["memory", "import", str(part), "--rate", "1e9", "--quiet"], env, BROKER_CPU
        )  # on the broker's core, which acknowledges meanwhile
        tell("import", rates(cost, n))
        with reading(clients, here.topic) as reader:
            sizes = [len(each.value) for each in islice(reader.records(reader.spans()), 10_000)]
        tell("record", {"bytes_each": sum(sizes) / len(sizes)})
        log = folder / "worker.log"
        with started(one.command, log, cpu=CLIENT_CPU, env=env) as process:
            adopted(one, process, n, tell)
            one.await_assigned(PARTITIONS, process)
            waits(broker, one, process, part, log, tell)


def adopted(
    one: worker.Worker, process: subprocess.Popen[bytes], n: int, tell: Callable[[str, Any], None]
) -> None:
    """Tell how fast a worker adopts that begins with a topic full of records."""
    import psutil

    name = 'otpguard_memory_records_total{outcome="adopted"}'
    watched, found = psutil.Process(process.pid), list[tuple[float, float, float]]()
    while not found or found[-1][2] < n:
        if process.poll() is not None:
            raise PeerError(f"the worker ended (exit code {process.returncode})")
        one.progress()
        found.append((time.monotonic(), cpu_s(watched), one.series.get(name, 0)))
        time.sleep(0.05)
    first_s, first_cpu_s, first = next(each for each in reversed(found) if not each[2])
    last_s, last_cpu_s, last = found[-1]
    cost = {"s": last_s - first_s, "cpu_s": last_cpu_s - first_cpu_s}
    tell("adoption, with what is left of the start", rates(cost, int(last - first)))


def waits(
    broker: Broker, one: worker.Worker, process: subprocess.Popen[bytes], part: Path, log: Path,
    tell: Callable[[str, Any], None],
) -> None:  # fmt: skip
    """Tell how long leases take while nothing is imported, and while something is."""
    reader = latency.Reader(broker.bootstrap, "here.throttle")
    try:
        for rate in RATES:
            over = threading.Event()

            def bring(rate: int = rate, over: threading.Event = over) -> None:
                while rate and not over.is_set():
                    part.with_name(f"{part.name}.progress").unlink(missing_ok=True)
                    command = ["memory", "import", str(part), "--rate", str(rate), "--quiet"]
                    with subprocess.Popen(
                        ["taskset", "-c", str(BROKER_CPU), sys.executable, "-m", "streams",
                         *command], env=os.environ | one.env,
                    ) as running:  # fmt: skip
                        while running.poll() is None and not over.wait(0.2):
                            pass
                        running.terminate()

            thread = threading.Thread(target=bring)
            thread.start()
            try:
                (level,) = latency._levels(
                    broker, "here.input", one, process, reader, [LIVE_PER_S], LEVEL_S, log
                )
            finally:
                over.set()
                thread.join()
            kept = ("leases", "p50_ms", "p95_ms", "p99_ms", "max_ms", "core_used")
            tell(f"leases, {rate} imported a second", {name: level[name] for name in kept})
    finally:
        reader.close()


# --- learning from history ------------------------------------------------------------------------

DAYS: Final = 60
CODES_OF_ONE: Final = 80
"""Codes of one recipient in `DAYS`. With ten times as many each recipient becomes a suspect, and
an event costs three times as much."""


def learned(events: int, folder: Path, tell: Callable[[str, Any], None]) -> None:
    """Tell what `memory learn` costs for the first half of the days, and for all.

    No file holds the events. Memory depends on the events a day, and not on the number of days.
    """
    people = events // CODES_OF_ONE | 1  # odd, so that the codes of each go round four platforms
    for n, days in ((events // 2, DAYS // 2), (events, DAYS)):
        began = time.monotonic()
        learning = subprocess.Popen(
            [sys.executable, "-m", "streams", "memory", "learn", "-", "--quiet",
             "--out", str(folder / "learned.jsonl.gz")],
            env=os.environ | {"OTPGUARD_INPUT_COUNTRY": "CN"}, stdin=subprocess.PIPE,
        )  # fmt: skip
        assert learning.stdin is not None
        with learning.stdin as out:
            for i in range(n):
                at_ms = START_MS - DAYS * DAY_MS + i * days * DAY_MS // n
                out.write(habitual(i % people, at_ms, i, 4).value + b"\n")
        _, status, used = os.wait4(learning.pid, 0)
        if status:
            raise PeerError(f"learning ended (status {status})")
        found = {"s": time.monotonic() - began, "cpu_s": used.ru_utime + used.ru_stime}
        tell("learn", {
            "events": n, "days": days, "s": round(found["s"]), "mb": used.ru_maxrss >> 10,
            "per_s_of_cpu": round(n / found["cpu_s"]),
            "cpu_us_each": round(found["cpu_s"] / n * 1e6, 2),
        })  # fmt: skip


# --- own codes in a flood, by where the memory is from --------------------------------------------

PEOPLE: Final = 2_000
WEEKS: Final = 8
FLOOD: Final = 60
OWN_CODES: Final = 4


def own_codes() -> dict[str, Any]:
    """Own codes refused in a flood: by the worker that saw eight weeks, one that adopted its
    memory, and ones that read only the last week or day again."""
    rng = random.Random(47)
    histories: list[Event] = []
    floods: list[Event] = []
    wanted: dict[int, list[tuple[int, str]]] = {}
    young = set[tuple[int, str]]()
    for person in range(FIRST, FIRST + PEOPLE):
        own = [f"p{each}" for each in rng.sample(range(600), rng.choice([5, 8, 14, 20, 30]))]
        weights = [1 / (1 + rank) for rank in range(len(own))]
        for _ in range(rng.randrange(20, 60)):
            at_ms = START_MS - int(rng.random() * WEEKS * 7 * DAY_MS)
            histories.append(Event(at_ms, person, rng.choices(own, weights)[0]))
        old_ms = START_MS - 2 * DAY_MS
        old = {e.platform for e in histories[-60:] if e.recipient == person and e.at_ms < old_ms}
        used = {each.platform for each in histories[-60:] if each.recipient == person}
        young |= {(person, each) for each in used - old}
        start_ms = START_MS + MINUTE_MS + rng.randrange(DAY_MS // 2)
        names = rng.sample(range(1000, 3000), FLOOD)
        floods += [Event(start_ms + i * 35_000, person, f"f{n}") for i, n in enumerate(names)]
        # The person asks for codes of platforms that the whole history knows, after the throttle.
        wanted[person] = [
            (start_ms + 8 * MINUTE_MS + i * 6 * MINUTE_MS, rng.choice(sorted(used)))
            for i in range(OWN_CODES)
        ]
    asked = [(person, *each) for person, some in wanted.items() for each in some]
    codes = [Event(at_ms, person, name) for person, at_ms, name in asked]
    flood: list[Event] = sorted([*floods, *codes], key=attrgetter("at_ms"))
    histories.sort(key=attrgetter("at_ms"))
    params = replace(PARAMS, sieve=replace(PARAMS.sieve, rows_max=100_000))
    whole = chain.Partition(params)
    run(params, histories, whole)
    told = [
        Event(START_MS, r, "", kind=EventKind.MEMORY, memory=sign_memory(KEY, r, each))
        for r, each in list_memories(whole)
    ]
    return {
        "eight weeks": _refused(params, whole, [], flood, wanted, young),
        "adopted": _refused(params, chain.Partition(params), told, flood, wanted, young),
        "adopted, and the last day mirrored": _refused(
            params, chain.Partition(params),
            [*told, *(each for each in histories if each.at_ms > START_MS - DAY_MS)],
            flood, wanted, young,
        ),
        **{
            f"the last {days} days": _refused(
                params, chain.Partition(params),
                [each for each in histories if each.at_ms > START_MS - days * DAY_MS],
                flood, wanted, young,
            )
            for days in (7, 1)
        },
    }  # fmt: skip


def _refused(
    params: chain.Params, state: chain.Partition, before: list[Event], flood: list[Event],
    wanted: dict[int, list[tuple[int, str]]], young: set[tuple[int, str]],
) -> dict[str, Any]:  # fmt: skip
    run(params, before, state)
    leases: dict[int, list[Any]] = {}
    for action in run(params, flood, state).actions:
        leases.setdefault(int(action.recipient), []).append(action)
    found = Counter[str]()
    for person, asked in wanted.items():
        first = [each for each in leases.get(person, []) if each.verb == "throttle"][:1]
        found["floods throttled"] += bool(first)
        found["in shadow only, as cold starts"] += bool(first) and first[0].mode != "enforce"
        for at_ms, name in asked:
            current = [a for a in leases.get(person, []) if a.issued_at_ms <= at_ms]
            if not current or current[-1].mode != "enforce" or current[-1].verb == "release":
                continue
            ruling = rule(
                lease_of(current[-1]), otp=True, platform=name, trust=Trust.NONE, now_ms=at_ms
            )
            found["own codes refused"] += ruling is Ruling.REFUSE
            found["of platforms in their first two days"] += (
                ruling is Ruling.REFUSE and (person, name) in young
            )
    share = found["own codes refused"] / (len(wanted) * OWN_CODES)
    return {**found, "of floods": len(wanted), "share of own codes refused": f"{share:.2%}"}


def main() -> None:
    """Print a line of JSON for each figure."""
    if sys.argv[1] == "own":
        for name, found in own_codes().items():
            print(json.dumps({name: found}), flush=True)
        return
    began = time.monotonic()
    scratch = tempfile.TemporaryDirectory(prefix="otpguard-memory-")
    folder = Path(scratch.name)

    def tell(name: str, found: Any) -> None:
        said = {name: found, "at_s": round(time.monotonic() - began), "load": os.getloadavg()[0]}
        print(json.dumps(said), flush=True)

    with scratch:
        if sys.argv[1] == "learn":
            learned(int(sys.argv[2]), folder, tell)
            return
        with clusters.broker("kafka") as broker, patch.object(latency, "WARM_S", 8.0):
            moved(broker, int(sys.argv[1]), int([*sys.argv, str(ADOPTED)][2]), folder, tell)


if __name__ == "__main__":
    main()
