"""The memory agent: keeps the input of this site up to date with what another site knows.

Every few minutes the agent reads the checkpoints of the other site's workers, and appends a memory
record to the input of this site for each recipient of whom more is known than before. It only reads
at the other site, and stops nothing there. While that site cannot be read, the agent tries again.

What was published is remembered in 16 bytes a recipient, in memory and in a folder if there is one.
Without a folder everything is published once more after a restart, which changes nothing here.
"""

import hashlib
import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.memory_records import list_memories, time_of
from detectors.model.arrays import find_places, indices
from detectors.model.event import MemoryRecord, platform_print
from detectors.model.records import utc_ms
from detectors.partition import Partition
from streams.cluster.admin import client_arguments, require_topic, working
from streams.cluster.read import reading
from streams.common import UnavailableError, replace_file, tr
from streams.config import Settings
from streams.engine.state.checkpoint import CheckpointError
from streams.telemetry.metrics import Metrics
from streams.tools.operate.memory_file import (
    TOGETHER,
    in_pace,
    memory_producer,
    read_state,
    reading_params,
    reduced_name,
    sender,
)

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0  # time between two updates of the age


class _Published(NamedTuple):
    """What was published of a partition's state."""

    end: int  # of the changelog
    as_of_ms: int
    keys: NDArray[np.uint64]  # recipients, ascending
    marks: NDArray[np.int64]  # (m,): a hash of the newest published record of each


_NOTHING: Final = _Published(-1, 0, np.zeros(0, np.uint64), np.zeros(0, np.int64))


class MemoryAgent:
    """Publishes the changes of another site's memory. `run` works until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        clock_ms: Callable[[], int],
        rate: float,
        folder: Path | None = None,
    ) -> None:
        """`rate`: maximum number of records per second. `folder`: for what was published.

        The settings must name a key file. Raises ConfigError if this file cannot be used.
        """
        self._settings, self._metrics, self._rate = settings, metrics, rate
        self._clock_ms, self._folder = clock_ms, folder
        self._keys = settings.memory_keys()
        self._params = reading_params(settings)
        self._logs = ""  # name for the logs that `_published` belongs to
        self._published: dict[int, _Published] = {}
        self._refused: dict[int, int] = {}  # Ends of changelogs whose checkpoint is unreadable.
        self._partitions = -1  # Number of the other site's partitions; -1: not known yet.
        # Until a state of each partition is published, the age counts from here.
        self._since_ms = clock_ms()

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
        metrics, read = self._metrics, self._published.values()
        missing = self._partitions - len(read)
        as_of_ms = min([*(each.as_of_ms for each in read), *([self._since_ms] if missing else [])])
        metrics.put("memory_age_seconds", max(0, self._clock_ms() - as_of_ms) / 1000)
        metrics.put("memory_partitions", len(read), state="read")
        metrics.put("memory_partitions", max(0, missing), state="missing")
        metrics.put("memory_recipients", sum(len(each.keys) for each in read))

    def turn(self, stop: threading.Event) -> None:
        """Publish what has changed at the other site since the last turn.

        Raises UnavailableError if a cluster cannot be used now.
        """
        there, topic = self._settings.primary, self._settings.topics.input
        changelog = self._settings.model_copy(update={"app_id": there.app_id}).changelog
        ids = require_topic(self._settings.kafka, topic), require_topic(there, changelog)
        self._recall(hashlib.blake2b(repr((*ids, there.epoch)).encode(), digest_size=8).hexdigest())
        with (
            closing(memory_producer(self._settings)) as producer,
            reading(client_arguments(there), changelog) as reader,
        ):
            self._partitions = len(reader.partitions)
            send = sender(producer, topic, self._keys[0], len(reader.partitions))
            for partition, span in reader.spans().items():
                before = self._published.get(partition, _NOTHING)
                if span[1] in (before.end, self._refused.get(partition)):
                    continue
                try:
                    state = read_state(reader, partition, span, self._params, there.epoch)
                except CheckpointError as error:
                    # A traceback or the key would show what a stranger wrote.
                    place = error.kind, changelog, partition, error.why
                    log.error("refused a %s checkpoint at %s[%d]: %s", *place)  # noqa: TRY400
                    self._metrics.add("records_refused_total", kind=error.kind)
                    # Its age grows on. It is read again when its changelog has changed.
                    self._refused[partition] = span[1]
                    continue
                if state is None:
                    log.warning(
                        "no checkpoint of epoch %d in partition %d of %s at the other site: "
                        "primary.epoch has to be the epoch of its workers",
                        there.epoch, partition, changelog,
                    )  # fmt: skip
                    continue
                parts = [(_NOTHING.keys, _NOTHING.marks)]
                changed = (
                    send(reduced_name(recipient), recipient, partition, told)
                    for recipient, told in _find_changes(before, state, parts)
                )
                with working(tr("cannot publish")):
                    for some in in_pace(changed, producer, self._rate, stop):
                        self._metrics.add("memory_published_total", some)
                        self.show_age()
                if stop.is_set():
                    return
                log.info("published what is new of partition %d", partition)
                keys, marks = (np.concatenate(column) for column in zip(*parts, strict=True))
                order, known_s = keys.argsort(), time_of(state)
                as_of_ms = utc_ms(known_s) if known_s else self._since_ms
                self._keep(partition, _Published(span[1], as_of_ms, keys[order], marks[order]))

    def _recall(self, logs: str) -> None:
        """Forget what was published if the other changelog or this input is another topic now.

        Then, and at the start, read what an agent with the same topics has remembered.
        """
        if logs == self._logs:
            return
        self._logs, self._published, self._refused = logs, {}, {}
        for path in self._folder.glob(f"memory-{'?' * 16}-*.npz") if self._folder else ():
            _, of_logs, partition = path.stem.split("-", 2)
            try:
                if of_logs == logs:
                    self._published[int(partition)] = _read_published(path)
                    continue
            except Exception as error:  # noqa: BLE001 - zipfile and numpy raise a dozen kinds
                log.warning(
                    "%s cannot be used (%s) and is deleted; the agent publishes this partition "
                    "again", path, type(error).__name__,
                )  # fmt: skip
            with suppress(OSError):  # a folder, or a file of another user
                path.unlink()

    def _keep(self, partition: int, published: _Published) -> None:
        self._published[partition] = published
        if self._folder:
            packed, (end, as_of_ms, keys, marks) = io.BytesIO(), published
            np.savez(packed, at=np.array([end, as_of_ms]), keys=keys, marks=marks)
            path = self._folder / f"memory-{self._logs}-{partition}.npz"
            try:
                replace_file(path, packed.getvalue(), mode=0o600)
            except OSError as error:  # a restart then publishes this partition again
                log.warning("what was published is not remembered: %s", error.strerror)


def _read_published(path: Path) -> _Published:
    """Read what `MemoryAgent` wrote. Raises some exception if the file is damaged."""
    with np.load(io.BytesIO(packed := path.read_bytes())) as kept:
        # The agent does not compress, so a file that unpacks to more than its size is another's.
        if sum(member.file_size for member in kept.zip.infolist()) > len(packed):
            raise ValueError
        columns = {name: kept[name] for name in kept.zip.namelist()}
    at, keys, marks = (columns.pop(f"{name}.npy") for name in ("at", "keys", "marks"))
    kinds = at.dtype, keys.dtype, marks.dtype
    if columns or kinds != (np.int64, np.uint64, np.int64) or keys.shape != (len(marks),):
        raise ValueError
    end, as_of_ms = at.tolist()
    if min(end, as_of_ms) < 0 or marks.ndim != 1 or (keys[1:] <= keys[:-1]).any():
        raise ValueError
    return _Published(end, as_of_ms, keys, marks)


def _find_changes(
    before: _Published, state: Partition, parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]]
) -> Iterator[tuple[int, MemoryRecord]]:
    """Yield the records of a state that were not published, and append the marks of all."""
    known = list_memories(state)
    while some := list(islice(known, TOGETHER)):
        keys = np.array([recipient for recipient, _ in some], np.uint64)
        marks = np.array([_mark(told) for _, told in some], np.int64)
        place, same = find_places(before.keys, keys)
        same[same] = before.marks[place[same]] == marks[same]
        parts.append((keys, marks))
        yield from (some[i] for i in indices(~same).tolist())


def _mark(told: MemoryRecord) -> int:
    """Return a hash of a record's content. Order and days of the platforms change nothing there.

    Python hashes numbers alike in every process.
    """
    known = frozenset((platform_print(each.platform), each.days) for each in told.platforms)
    return hash((told.born_day, known))
