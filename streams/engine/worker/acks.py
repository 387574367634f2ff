"""Tracks whether adapters acknowledge the actions, from the topic of acknowledgements.

Every worker reads the whole topic, which is small, in a thread of its own. It counts the
acknowledgements for actions of its own partitions. The id of an action names the partition of its
cause, so each acknowledgement is counted once, and sums over all workers are right. Nothing waits
for this thread: if the topic cannot be read, figures are missing, but detection continues.
"""

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
from streams.common import OtpguardError
from streams.config import Kafka
from streams.telemetry.metrics import Metrics
from streams.wire import Ack, UnreadableError, decode_ack

log = logging.getLogger(__name__)

OPEN_MAX: Final = 20_000
"""Maximum number of leases that are tracked; beyond it, the oldest is dropped. Chosen: the leases
that the limits on leases allow for ten million subscribers."""
GRACE_MS: Final = 10_000
"""Milliseconds after which an action counts as unacknowledged. An adapter answers within a second;
with its gateway's pauses between tries, within five."""
# Milliseconds after the end of a lease, when no more acknowledgements come.
LINGER_MS: Final = 60_000
PAUSE_S: Final = 10.0  # Seconds between tries to read the topic.
WAIT_MS: Final = 2_000
"""Milliseconds for which a broker may delay an empty answer. A record is delivered at once,
whatever this value is. Each empty answer cost a millisecond of CPU time, and there were five a
second over all partitions."""
# Milliseconds that are read again after a failure, because partitions do not advance in step.
OVERLAP_MS: Final = 60_000


@dataclass(slots=True)
class _Open:
    """A lease that adapters should enforce; times in milliseconds UTC."""

    partition: int
    issued_ms: int
    published_ms: int
    until_ms: int
    # Gateways that acknowledged; limited by their number.
    told: set[str] = field(default_factory=set)


class PartitionOwner(Protocol):
    """The partitions of this worker, as read by the acknowledgement thread."""

    owned: frozenset[int]


class Acknowledgements:
    """Tracks the enforced actions of a worker's partitions. Thread-safe."""

    def __init__(
        self,
        metrics: Metrics,
        topic: str,
        epoch: int,
        states: PartitionOwner,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Create the tracker; `start` reads the topic of acknowledgements.

        An action's id is `epoch:topic:partition:offset` of the event that caused the action.
        `topic`: name of the input topic. `epoch`: the setting of this name, which is raised when
        the input topic is created again. `states`: knows which partitions of the input topic this
        worker owns. Acknowledgements of other workers' actions are ignored.
        """
        self._states = states
        self._metrics = metrics
        self._epoch, self._topic = epoch, topic
        self._clock_ms = clock_ms
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = threading.Lock()
        metrics.follow("actions_unacknowledged", self.count_unacknowledged)

    def __len__(self) -> int:
        return len(self._open)

    def expect(self, partition: int, actions: Collection[Action]) -> None:
        """Add the new enforced leases among the actions that are about to be published."""
        if not actions:
            return
        now_ms = self._clock_ms()
        with self._lock:
            for action in actions:
                # Only actions that adapters should obey are tracked: in shadow mode there may be no
                # adapter. An update of a lease is not tracked, because adapters acknowledged the
                # lease before.
                wanted = action.mode == "enforce" and action.is_lease
                if wanted and not action.update:
                    until_ms = action.expires_at_ms + LINGER_MS
                    self._open[action.action_id] = _Open(
                        partition, action.issued_at_ms, now_ms, until_ms
                    )
            while len(self._open) > OPEN_MAX:
                self._open.popitem(last=False)

    def read(self, record: Any) -> None:
        """Count the acknowledgement in a record; count an unreadable record as refused."""
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
        """Count one acknowledgement, if its action belongs to a partition of this worker."""
        if cause_partition(ack.action_id, self._epoch, self._topic) not in self._states.owned:
            return
        with self._lock:
            found = self._open.get(ack.action_id)
            if found is not None:
                if ack.gateway_id in found.told and ack.state != "expired":
                    return  # A repeated acknowledgement, after a crash of the adapter.
                found.told.add(ack.gateway_id)
        self._metrics.add("acks_total", state=ack.state)
        self._metrics.add("refused_total", max(0, ack.refused_count))
        if found is not None and ack.state == "applied":
            delay_s = max(0, ack.at_ms - found.issued_ms) / 1000
            self._metrics.observe("action_apply_seconds", delay_s)

    def count_unacknowledged(self) -> int:
        """Return the number of leases over `GRACE_MS` old that no adapter has acknowledged."""
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
    """Read `topic` from now on until `stop` is set; after any failure, try again."""
    since_ms = newest_ms = time.time_ns() // 1_000_000
    following: dict[int, int] = {}  # Partition -> next offset.
    said = ""
    while not stop.is_set():
        try:
            clients = client_arguments(kafka) | {"fetch_max_wait_ms": WAIT_MS}
            for record in records(clients, topic, since_ms=since_ms, stop=stop, wait_ms=WAIT_MS):
                said = ""
                # A record that is read again is older than the newest. A younger record at an old
                # offset belongs to a recreated topic.
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
