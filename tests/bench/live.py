"""What each peer costs, and how late its output is, at the rates of live traffic.

On a backlog a peer reads in large batches. Live it gets a few events of each partition at a time,
and what it pays for each of them is what an operator pays. Each peer has a topic of its own, to
which the generator offers one rate after the other, until the peer falls behind.

All that is offered are codes. A peer's output is whatever it writes to Kafka about a recipient:
a lease, a count, a record of its changelog. How late it is, is timed by floods, whose recipients
had no code before: of the bare job from the append of a recipient's first code to the reading of
the first record about it; of the whole job from the append of the code that crosses the bar to the
reading of its lease.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from confluent_kafka import Consumer, TopicPartition

from tests.bench import compare
from tests.bench.harness import BROKER_CPU, CLIENT_CPU, PeerError, cpu_s, pin, started
from tests.bench.latency import (
    SETTLE_S,
    WARM_PER_S,
    WARM_S,
    Reader,
    begin,
    delays_of,
    ended,
    make_timed,
    offering,
    percentiles,
)
from tests.bench.offer import VICTIMS_FROM
from tests.bench.traffic import Traffic
from tests.nodes import Broker

FOREVER: Final = 10**12
"""Events that a program is told to read: more than there will be."""
LATE_S: Final = 3.0
"""A peer keeps up if it has read all within so long of the end of a rate."""
SAID_EACH: Final = 100
"""A program says how far it is at least so often, so the last events of a rate may go unsaid."""
READY_S: Final = 60
POLL_S: Final = 0.1
WARM_PEER_S: Final = 10.0
"""Ahead of its levels each peer gets so long of the lowest rate, not measured."""

_RECIPIENT: Final = re.compile(rb"86\d{11}")


def said(log: Path) -> int:
    """The events that a program has read, by the newest line in which it says so."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4_096))
        whole = file.read().splitlines(keepends=True)
    for line in reversed(whole):
        if line.startswith(b'{"events"') and line.endswith(b"}\n"):
            return int(json.loads(line)["events"])
    return 0


def victim(key: bytes | None) -> int:
    """The recipient of a flood that this key names, in whatever form a peer writes it; else 0."""
    found = _RECIPIENT.search(key or b"")
    recipient = int(found[0]) if found else 0
    return recipient if recipient >= VICTIMS_FROM else 0


class Outputs:
    """Reads all that a peer writes, and notes when each victim was first read about."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.seen: dict[int, float] = {}
        self._prefix = prefix
        self._over = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{prefix}-outputs",
                "fetch.wait.max.ms": 100,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self._assigned: list[TopicPartition] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _find(self) -> None:
        """Take in the topics that there are by now: a peer makes its changelog when it starts."""
        found = self._consumer.list_topics(timeout=10).topics
        new = [
            TopicPartition(name, p, 0)
            for name, topic in found.items()
            if self._prefix in name  # some put a word of their own ahead
            for p in topic.partitions
        ]
        if len(new) > len(self._assigned):
            self._assigned = new
            self._consumer.assign(new)

    def _read(self) -> None:
        looked_s = -np.inf
        while not self._over.is_set():
            if not self.seen and time.monotonic() - looked_s > 1:
                self._find()  # until the first: from then on it has all of them
                looked_s = time.monotonic()
            for message in self._consumer.consume(1_000, 0.02):
                if recipient := victim(message.key()):
                    self.seen.setdefault(recipient, time.time())

    def close(self) -> None:
        """Stop reading."""
        self._over.set()
        self._thread.join()
        self._consumer.close()


def appended(bootstrap: str, topic: str, window: tuple[float, float]) -> dict[int, float]:
    """When the first code of each victim was appended in this time, by the broker's clock."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{topic}-times", "enable.auto.commit": False}
    )
    first: dict[int, float] = {}
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        since_ms = round((window[0] - 5) * 1000)  # a flood begins up to 4 s before its last message
        starts = consumer.offsets_for_times([TopicPartition(topic, p, since_ms) for p in found])
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p))[1] for p in found}
        starts = [at for at in starts if 0 <= at.offset < ends[at.partition]]
        consumer.assign(starts)
        left = {at.partition for at in starts}
        deadline = time.monotonic() + 60
        while left and time.monotonic() < deadline:
            for message in consumer.consume(10_000, 0.1):
                if recipient := victim(message.key()):
                    first.setdefault(recipient, message.timestamp()[1] / 1000)
                if message.offset() + 1 >= ends[message.partition()]:
                    left.discard(message.partition())
        if left:
            raise PeerError(f"{topic} was not read to its end")
    finally:
        consumer.close()
    return {who: at for who, at in first.items() if window[0] <= at <= window[1]}


def measure(
    broker: Broker,
    *,
    rates: Sequence[int],
    seconds: float,
    partitions: int,
    only: str,
    whole_cycle_s: int,
    folder: Path,
) -> dict[str, Any]:
    """Offer each rate to each peer, one peer after the other."""
    pin(broker.pids, BROKER_CPU)
    stamp = time.time_ns() // 1_000_000_000
    load = os.getloadavg()[0]
    chosen = compare.those(only, whole_cycle_s)
    _warm(broker, f"live-{stamp}-warm", partitions, folder)
    found = []
    for i, peer in enumerate(chosen):
        name = f"live-{stamp}-{i}"
        failed = peer.needs()
        levels: list[dict[str, Any]] = []
        if not failed:
            try:
                _one(broker, peer, name, rates, seconds, partitions, folder, levels)
            except PeerError as error:
                failed = str(error)
                compare.say(f"{peer.name}, {peer.job}: {error}")
            finally:
                compare.drop_topics(broker, name)
        found.append(
            {
                "name": peer.name,
                "job": peer.job,
                "version": peer.version,
                "settings": peer.settings,
                "writes": peer.writes,
                "failed": failed,
                "missing": peer.needs(),
                "levels": levels,
            }
        )
    return {
        "partitions": partitions,
        "seconds": seconds,
        "rates": list(rates),
        "load": [load, os.getloadavg()[0]],
        "peers": found,
    }


def _warm(broker: Broker, topic: str, partitions: int, folder: Path) -> None:
    """Offer to nobody until the broker has compiled what it runs."""
    make_timed(broker, topic, partitions)
    words = [f"{WARM_PER_S}:{WARM_S}"]
    with offering(broker, topic, words, folder / f"{topic}.log") as generator:
        begin(generator)
        ended(generator)
    compare.drop_topics(broker, topic)


def _one(
    broker: Broker,
    peer: compare.Peer,
    name: str,
    rates: Sequence[int],
    seconds: float,
    partitions: int,
    folder: Path,
    levels: list[dict[str, Any]],
) -> None:
    """Adds the levels of one peer, up to the first at which it falls behind."""
    topic, group = f"{name}.input", f"{name}.run"
    log = folder / f"{name}.log"
    make_timed(broker, topic, partitions)
    traffic = Traffic(topic, partitions, 0, 0, 0, 0)
    turn = compare.Round(broker, traffic, FOREVER, group, log, live=True)
    whole = peer.job == "whole"
    words = [f"{rates[0]}:{WARM_PEER_S}", *(f"{rate}:{seconds + SETTLE_S}" for rate in rates)]
    with ExitStack() as stack:
        one = stack.enter_context(peer.start(turn))
        if turn.output in one.command:
            compare.make_topics(broker, partitions, turn.output)
        process = stack.enter_context(started(one.command, log, cpu=CLIENT_CPU, env=dict(one.env)))
        reader = Reader(broker.bootstrap, f"{group}.throttle") if whole else None
        outputs = None if whole else Outputs(broker.bootstrap, group)
        for each in (reader, outputs):
            if each is not None:
                stack.callback(each.close)
        progress = one.asked.progress if one.asked else partial(said, log)
        category = [] if whole else ["category"]
        generator = stack.enter_context(offering(broker, topic, [*category, *words], log))
        watched = psutil.Process(process.pid)
        begin(generator)
        sent = ended(generator)["sent"]
        _await(process, progress, sent, READY_S, log)
        if one.asked:
            one.asked.await_prepared(process, log)
        for rate in rates:
            if reader is not None:
                reader.seen = []
            begin(generator)
            time.sleep(SETTLE_S)
            before = (progress(), cpu_s(watched), time.time())
            time.sleep(seconds - 0.5)
            after = (progress(), cpu_s(watched), time.time())
            offered = ended(generator)
            sent += offered["sent"]
            behind_s = _await(process, progress, sent, LATE_S, None)
            if after[0] == before[0]:  # on a busy core it reads in bursts: until it had read
                after = (progress(), cpu_s(watched), time.time())
            level = _cost(rate, offered, before, after)
            level |= {"kept_up": behind_s is not None, "load": os.getloadavg()[0]}
            levels.append(level)
            compare.say(
                f"{peer.name}, {peer.job}: {rate:,}/s, {level['us_per_event']:.1f} us an event"
                + ("" if level["kept_up"] else ", falls behind")
            )
            if not level["kept_up"]:
                break
            window = (before[2], offered["ended"])
            if reader is not None:
                time.sleep(SETTLE_S)  # its last leases are on their way
                level |= percentiles(delays_of(broker.bootstrap, topic, reader, window))
            elif peer.writes and outputs is not None:
                level |= _late(outputs, appended(broker.bootstrap, topic, window))


def _await(
    process: subprocess.Popen[bytes],
    progress: Callable[[], int],
    sent: int,
    limit_s: float,
    log: Path | None,
) -> float | None:
    """The seconds until a peer has read so many events; with `log` a peer that does not, fails."""
    began = time.monotonic()
    while progress() <= sent - SAID_EACH:
        if process.poll() is not None:
            raise PeerError(f"ended (exit code {process.returncode})")
        if time.monotonic() - began > limit_s:
            if log is None:
                return None
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            raise PeerError(f"read {progress():,} of {sent:,} events in {limit_s:.0f} s\n{tail}")
        time.sleep(POLL_S)
    return time.monotonic() - began


Moment = tuple[int, float, float]  # events read, CPU and time in s


def _cost(rate: int, offered: Mapping[str, Any], before: Moment, after: Moment) -> dict[str, Any]:
    """What the time between two moments cost."""
    events, cpu, wall = (b - a for a, b in zip(before, after, strict=True))
    if events <= 0:
        raise PeerError(f"read nothing at {rate:,} events/s")
    return {
        "offered_per_s": rate,
        "sent_per_s": offered["sent"] / (offered["ended"] - offered["began"]),
        "taken_per_s": events / wall,
        "us_per_event": cpu / events * 1e6,
        "core_used": cpu / wall,
    }


def _late(outputs: Outputs, first: Mapping[int, float]) -> dict[str, Any]:
    """Percentiles of the time to the first output about each of these, and how many have none."""
    deadline = time.monotonic() + LATE_S
    while time.monotonic() < deadline and not first.keys() <= outputs.seen.keys():
        time.sleep(POLL_S)
    delays = [outputs.seen[who] - at for who, at in first.items() if who in outputs.seen]
    return {**percentiles(np.array(delays)), "unseen": len(first) - len(delays)}
