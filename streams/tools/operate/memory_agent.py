"""The memory agent: keeps the input of this site up to date with what another site knows.

Every few minutes the agent reads the checkpoints of the other site's workers, and appends a memory
record to the input of this site for each recipient of whom more is known than before. It only reads
at the other site, and stops nothing there. While that site cannot be read, the agent tries again.

What was published is remembered in memory only, in 16 bytes a recipient. So after a restart
everything is published once more, which changes nothing at this site.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Final

import numpy as np
from kafka import KafkaProducer
from numpy.typing import NDArray

from detectors.memory_records import list_memories, time_of
from detectors.model.arrays import find_places, indices
from detectors.model.event import MemoryRecord, platform_print
from detectors.model.records import utc_ms
from detectors.partition import Partition
from streams.cluster import admin, read
from streams.common import UnavailableError, tr
from streams.config import Settings
from streams.telemetry.metrics import Metrics
from streams.tools.operate.memory_file import (
    TOGETHER,
    in_pace,
    read_state,
    reading_params,
    reduced_name,
    sender,
)

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0  # time between two updates of the age

_Marks = tuple[NDArray[np.uint64], NDArray[np.int64]]
"""Recipients in ascending order, and for each the hash of its newest published record."""
_NOTHING: Final[_Marks] = np.zeros(0, np.uint64), np.zeros(0, np.int64)


class MemoryAgent:
    """Publishes the changes of another site's memory. `run` works until it is stopped."""

    def __init__(
        self, settings: Settings, metrics: Metrics, clock_ms: Callable[[], int], rate: float
    ) -> None:
        """`rate`: maximum number of records per second. Raises ConfigError without a key."""
        self._settings, self._metrics, self._rate = settings, metrics, rate
        self._clock_ms = clock_ms
        self._keys = settings.memory_keys()
        self._params = reading_params(settings)
        self._ends: dict[int, int] = {}  # partition -> end of the changelog that was published
        self._marks: dict[int, _Marks] = {}
        self._as_of_ms: dict[int, int] = {}  # partition -> time of the state that was published
        self._since_ms = clock_ms()  # until everything is published, the age counts from here

    def run(self, stop: threading.Event, every_s: float) -> None:
        """Publish the changes every `every_s` seconds, until `stop` is set."""
        while not stop.is_set():
            due = time.monotonic() + every_s
            try:
                self.turn(stop)
            except UnavailableError as error:
                log.warning("the other site is tried again later: %s", error)
            self.show_age()
            while time.monotonic() < due and not stop.wait(LOOK_S):
                self.show_age()

    def show_age(self) -> None:
        as_of_ms = min(self._as_of_ms.values(), default=self._since_ms)
        self._metrics.put("memory_age_seconds", max(0, self._clock_ms() - as_of_ms) / 1000)

    def turn(self, stop: threading.Event) -> None:
        """Publish what has changed at the other site since the last turn.

        Raises UnavailableError if a cluster cannot be used now.
        """
        there, topic = self._settings.primary, self._settings.topics.input
        changelog = self._settings.model_copy(update={"app_id": there.app_id}).changelog
        admin.require_topic(self._settings.kafka, topic)
        producer = KafkaProducer(
            **admin.client_arguments(self._settings.kafka),
            client_id=f"{self._settings.app_id}-memory", acks="all", linger_ms=5,
            compression_type="gzip",
        )  # fmt: skip
        with closing(producer), read.reading(admin.client_arguments(there), changelog) as reader:
            send = sender(producer, topic, self._keys[0], len(reader.partitions))
            for partition, (first, end) in reader.spans().items():
                if self._ends.get(partition) == end:
                    continue
                span = first, end
                state = read_state(reader, partition, span, self._params, there.epoch)
                if state is None:
                    continue
                read_marks = [_NOTHING]
                changed = (
                    send(reduced_name(recipient), recipient, partition, told)
                    for recipient, told in self._find_changes(partition, state, read_marks)
                )
                with admin.working(tr("cannot publish")):
                    for some in in_pace(changed, producer, self._rate, stop):
                        self._metrics.add("memory_published_total", some)
                        self.show_age()
                if stop.is_set():
                    return
                log.info("published what is new of partition %d", partition)
                self._keep(partition, end, state, read_marks)

    def _find_changes(
        self, partition: int, state: Partition, read_marks: list[_Marks]
    ) -> Iterator[tuple[int, MemoryRecord]]:
        """Yield the records of a state that were not published, and append the marks of all."""
        before, marks = self._marks.get(partition, _NOTHING)
        known = list_memories(state)
        while some := list(islice(known, TOGETHER)):
            keys = np.array([recipient for recipient, _ in some], np.uint64)
            found = np.array([_mark(told) for _, told in some], np.int64)
            place, same = find_places(before, keys)
            same[same] = marks[place[same]] == found[same]
            read_marks.append((keys, found))
            yield from (some[i] for i in indices(~same).tolist())

    def _keep(self, partition: int, end: int, state: Partition, read_marks: list[_Marks]) -> None:
        keys, marks = (np.concatenate(column) for column in zip(*read_marks, strict=True))
        order = keys.argsort()
        self._marks[partition] = keys[order], marks[order]
        self._ends[partition] = end
        known_s = time_of(state)
        self._as_of_ms[partition] = utc_ms(known_s) if known_s else self._since_ms


def _mark(told: MemoryRecord) -> int:
    """Return a hash of a record's content. Order and days of the platforms change nothing there."""
    known = frozenset((platform_print(each.platform), each.days) for each in told.platforms)
    return hash((told.born_day, known))
