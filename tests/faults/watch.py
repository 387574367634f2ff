"""Measures how long partitions stand still: by the group's commits, and by the rebalances in the
workers' logs.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.nodes import Broker, answers

LOOK_S = 0.25
ANSWER_S = 1.0
RENEW_S = 10.0  # without an answer: a client may hold on to a broker that is gone
SPEAKS = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (.*)")
# A new process, also one that waits for a broker.
STARTS = re.compile("streams.engine.worker.app: (metrics and health|waiting)")
STOPS, LEAVES, REVOKED, READS = (
    "streams.engine.worker.app: stopping",
    "a rebalance begins",
    "partitions are revoked",
    "reading from",
)


class UndecidedError(Exception):
    """What a run found cannot be known, for a reason that is not the workers'."""


@dataclass(frozen=True)
class Still:
    """A partition with records to read whose committed offset did not move."""

    seconds: float = 0.0
    partition: int = -1
    ended_s: float = 0.0  # seconds after the watch began


@dataclass
class Watch:
    """Looks at a group every quarter of a second, from a thread of its own, until it is stopped.

    Only seconds count in which the brokers could have served: most of them answer. Commits come
    with checkpoints, so a partition that is read without a pause seems to stand still for a cycle;
    what is found is a bound from above.
    """

    broker: Broker
    group: str
    topic: str
    partitions: int
    still: dict[int, float] = field(default_factory=dict)  # partition -> seconds by now
    longest: Still = Still()
    slowest: Still = Still()  # of those in which nothing more was done to it
    behind: dict[int, tuple[int, int]] = field(default_factory=dict)  # committed and end
    looks: int = 0  # that were answered
    committed: dict[int, int] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)  # as `still`, since the last disturbance
    _disturbed: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when it looks no more."""
        self._stop.set()
        self._thread.join()

    def disturbed(self) -> None:
        """Something was done to a worker or a broker: what stands still now has a reason."""
        self._disturbed = True

    @property
    def begun(self) -> bool:
        """Whether the group has committed anything."""
        return any(offset > 0 for offset in self.committed.values())

    def caught_up(self, within_s: float) -> bool:
        """Whether everything on the log is committed, as two looks from now on say.

        Not if for so long no commit moved. Raises UndecidedError if for so long no look was
        answered.
        """
        seen = looks = self.looks
        committed = self.committed
        moved = answered = time.monotonic()
        while self.looks < seen + 2 or self.behind:
            now = time.monotonic()
            if self.looks != looks:
                looks, answered = self.looks, now
            if self.committed != committed:
                committed, moved = self.committed, now
            if now - answered > within_s:
                raise UndecidedError(f"the watch had no answer for {within_s:g} s")
            if now - moved > within_s:
                return False
            time.sleep(LOOK_S / 2)
        return True

    def _watch(self) -> None:
        consumer = self._consumer()
        began = before = answered = time.monotonic()
        try:
            while not self._stop.wait(LOOK_S):
                serving = self._serving()
                now = time.monotonic()
                if serving and self._look(consumer, now - before, now - began):
                    answered = now
                elif now - answered > RENEW_S:
                    consumer.close()
                    consumer, answered = self._consumer(), now
                before = now
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        """Asks for the group without being its member."""
        return Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": self.group,
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def _serving(self) -> bool:
        nodes = self.broker.nodes
        up = sum(node.alive and answers("127.0.0.1", node.port, 0.3) for node in nodes)
        return not nodes or 2 * up > len(nodes)

    def _look(self, consumer: Consumer, since_s: float, at_s: float) -> bool:
        """Add the seconds since the last look wherever nothing moved; whether anybody answered."""
        asked = [TopicPartition(self.topic, p) for p in range(self.partitions)]
        try:
            committed = {
                tp.partition: max(0, tp.offset) for tp in consumer.committed(asked, ANSWER_S)
            }
            ends = {
                tp.partition: consumer.get_watermark_offsets(tp, ANSWER_S, cached=False)[1]
                for tp in asked
            }
        except KafkaException:
            moved, said = set(), False
        else:
            said = True
            self.behind = {p: (o, ends[p]) for p, o in committed.items() if o != ends[p]}
            moved = {p for p, o in committed.items() if o > self.committed.get(p, 0)}
            moved |= committed.keys() - self.behind.keys()
            self.committed = committed
            self.looks += 1
        if self._disturbed:
            self._disturbed = False
            self._since.clear()
        for partition in range(self.partitions):
            if partition in moved:
                self.still[partition] = self._since[partition] = 0.0
                continue
            self.still[partition] = seconds = self.still.get(partition, 0.0) + since_s
            if seconds > self.longest.seconds:
                self.longest = Still(seconds, partition, at_s)
            self._since[partition] = seconds = self._since.get(partition, 0.0) + since_s
            if seconds > self.slowest.seconds:
                self.slowest = Still(seconds, partition, at_s)
        return said


def rebalances(log: Path) -> list[float]:
    """Seconds of each rebalance that a worker's log tells of, its processes one after the other.

    From where the worker lets its partitions go to where it reads again, the start of the next
    rebalance, or its last word: whichever comes first. A worker that stops waits for none.
    """
    found: list[float] = []
    began = last = None
    leaving = stopping = False
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if (spoken := SPEAKS.match(line)) is None:
            continue
        at = datetime.strptime(spoken[1], "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007 - local, as the log is
        said = spoken[2]
        starts, ends = STARTS.search(said) is not None, READS in said or STOPS in said
        stopping = STOPS in said or (stopping and not starts)
        begins = not stopping and (LEAVES in said or (REVOKED in said and not leaving))
        if began is not None and last is not None and (starts or ends or begins):
            found.append((last if starts else at) - began)
        if starts or ends:
            began = None
        elif begins:
            began = at
        leaving = LEAVES in said or (leaving and REVOKED not in said)
        last = at
    if began is not None and last is not None:
        found.append(last - began)
    return found
