"""Follows the actions by what adapters say on the topic of acknowledgements.

Every worker reads the whole small topic, in a thread of its own, and counts what is about actions
of its partitions: an action's id names the partition of its cause, so each acknowledgement is
counted once, and sums over the workers are right. Nobody waits for this thread: a topic that cannot
be read costs the figures, not the detection.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from detectors.model.records import Action, cause_partition
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.config import Kafka
from streams.errors import OtpguardError
from streams.telemetry.metrics import Metrics
from streams.wire import Ack, UnreadableError, decode_ack

log = logging.getLogger(__name__)

OPEN_MAX: Final = 20_000
"""Leases that are followed at a time; the oldest gives way. Chosen: what rails let in for ten
million subscribers."""
GRACE_MS: Final = 10_000
"""An action is unacknowledged after this. An adapter speaks within a second, its gateway's pauses
between tries included within five."""
LINGER_MS: Final = 60_000  # after a lease's end, when nobody will say anything more of it
PAUSE_S: Final = 10.0  # between tries to read the topic
WAIT_MS: Final = 2_000
"""Time for which a broker may wait with an answer while nothing is said. What is said comes at once
whatever it is; each answer without anything in it cost a millisecond, and there were five a second
of all partitions."""
OVERLAP_MS: Final = 60_000  # read again after a failure: partitions do not advance together


@dataclass(slots=True)
class _Open:
    """A lease that is to be enforced."""

    partition: int
    issued_ms: int
    published_ms: int
    until_ms: int
    told: set[str] = field(default_factory=set)  # gateways; bounded by their number


class PartitionOwner(Protocol):
    """The partitions of this worker, as the thread that reads the topic asks for them."""

    owned: frozenset[int]


class Acknowledgements:
    """Follows the enforced actions of a worker's partitions. Safe for use by several threads."""

    def __init__(
        self,
        metrics: Metrics,
        topic: str,
        epoch: int,
        states: PartitionOwner,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`topic` is the input; `states` knows which of its partitions are this worker's."""
        self._states = states
        self._metrics = metrics
        self._epoch, self._topic = epoch, topic
        self._clock_ms = clock_ms
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = threading.Lock()
        metrics.follow("actions_unacknowledged", self.unacknowledged)

    def __len__(self) -> int:
        return len(self._open)

    def expect(self, partition: int, actions: Collection[Action]) -> None:
        """Note actions that are about to be published."""
        if not actions:
            return
        now_ms = self._clock_ms()
        with self._lock:
            for action in actions:
                # Only what adapters should obey: who watches in shadow may have none.
                # A lease that is told again was acknowledged.
                wanted = action.mode == "enforce" and action.verb == "throttle"
                if wanted and not action.update:
                    until_ms = action.expires_at_ms + LINGER_MS
                    self._open[action.action_id] = _Open(
                        partition, action.issued_at_ms, now_ms, until_ms
                    )
            while len(self._open) > OPEN_MAX:
                self._open.popitem(last=False)

    def read(self, record: Any) -> None:
        """Count the acknowledgement that a record of the topic holds, or that it holds none."""
        try:
            ack = decode_ack(record.value)
        except UnreadableError as error:
            self._metrics.add("records_refused_total", kind=error.kind)
            log.warning(
                "no acknowledgement at [%d]@%d: %s", record.partition, record.offset, error.kind
            )
        else:
            self.take(ack)

    def take(self, ack: Ack) -> None:
        """Count one acknowledgement, if it is about an action of ours."""
        if cause_partition(ack.action_id, self._epoch, self._topic) not in self._states.owned:
            return
        with self._lock:
            found = self._open.get(ack.action_id)
            if found is not None:
                if ack.gateway_id in found.told and ack.state != "expired":
                    return  # told again after a crash
                found.told.add(ack.gateway_id)
        self._metrics.add("acks_total", state=ack.state)
        self._metrics.add("refused_total", max(0, ack.refused_count))
        if found is not None and ack.state == "applied":
            delay_s = max(0, ack.at_ms - found.issued_ms) / 1000
            self._metrics.observe("action_apply_seconds", delay_s)

    def unacknowledged(self) -> int:
        """Leases over `GRACE_MS` old of which no adapter has said anything."""
        now_ms, owned = self._clock_ms(), self._states.owned
        with self._lock:
            for name in [
                name
                for name, each in self._open.items()
                if each.until_ms <= now_ms or each.partition not in owned
            ]:
                del self._open[name]
            return sum(
                not each.told and each.published_ms + GRACE_MS <= now_ms
                for each in self._open.values()
            )


def start(acknowledgements: Acknowledgements, kafka: Kafka, topic: str) -> None:
    """Follow `topic` in a thread that ends with the process."""
    arguments = acknowledgements, kafka, topic, threading.Event()
    threading.Thread(target=follow, args=arguments, name="acks", daemon=True).start()


def follow(
    acknowledgements: Acknowledgements, kafka: Kafka, topic: str, stop: threading.Event
) -> None:
    """Read `topic` from now on, until told to stop; whatever fails is tried again."""
    since_ms = newest_ms = time.time_ns() // 1_000_000
    following: dict[int, int] = {}  # partition -> next offset
    said = ""
    while not stop.is_set():
        try:
            clients = client_arguments(kafka) | {"fetch_max_wait_ms": WAIT_MS}
            for record in records(
                clients, topic, since_ms=since_ms, follow=True, stop=stop, wait_ms=WAIT_MS
            ):
                said = ""
                # Read again it is older than the newest; younger, it is of a topic made anew.
                anew = record.timestamp > newest_ms
                if anew or record.offset >= following.get(record.partition, 0):
                    following[record.partition] = record.offset + 1
                    newest_ms = max(newest_ms, record.timestamp)
                    acknowledgements.read(record)
        except Exception as error:  # noqa: BLE001 - the detection goes on, whatever it is
            why = str(error) if isinstance(error, OtpguardError) else type(error).__name__
            if why != said:
                log.warning("acknowledgements are not counted: %s", why)
                said = why
            since_ms = max(since_ms, newest_ms - OVERLAP_MS)
            stop.wait(PAUSE_S)
