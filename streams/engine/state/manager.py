"""Manage the states of this worker's partitions across rebalances and restarts.

The manager restores states from the changelog, sets the offsets where reading continues, reports
the offsets that may be committed, and writes checkpoints in the background.

A state depends only on its partition's log up to one offset. All rules in this module follow from
this: a state that stays in memory, a state restored from any manifest, and a state rebuilt from the
log's start all continue with the same results.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from detectors import chain
from detectors.recipients.table import WORDS
from streams.common import ConfigError, tr
from streams.engine.state.checkpoint import (
    BLOCK_BYTES,
    AwaitOutputs,
    ChangelogReader,
    CheckpointError,
    CheckpointWriter,
    MarkCovered,
    NewerError,
    PutRecord,
    Restored,
    Step,
    rebuilt,
)
from streams.engine.state.outbox import RETRY_PAUSE_S, Outbox, Send
from streams.engine.transport.driver import Consumer
from streams.engine.transport.envelope import Envelope
from streams.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

GAP_TRIES: Final = 3
"""Number of seeks to fetch missing records. If they are still missing, they no longer exist."""
ROW_BYTES: Final = WORDS * 8
POLL_S: Final = 0.2
RATE_BYTES_PER_S: Final = 10_000_000
"""Assumed rate of checkpoint writes, for a slow disk. It is used until a rate was measured."""


class Admission(Enum):
    """Treatment of the next envelope (a group of consecutive records of one partition)."""

    APPLY = "apply"
    DUPLICATE = "duplicate"  # all its records were applied before
    REFETCH = "refetch"  # records before it are missing: seek back
    GAP = "gap"  # still missing after GAP_TRIES seeks: apply and report, unless `overtaken`
    LOG_RESET = "log reset"  # the state is ahead of the end of the log


Append = Callable[[int, PutRecord], Awaitable[int]]
"""Writes a record to a partition's changelog. Returns its offset when the broker has acknowledged
it."""


@dataclass(slots=True)
class AssignedPartition:
    """The state of one partition, with its outbox, checkpoint writer and position in the log."""

    partition: int
    state: chain.Partition
    outbox: Outbox
    writer: CheckpointWriter
    next: int | None  # first offset that is not applied; None until the log's start is known
    deferred: Envelope | None = None
    """An envelope that is not applied yet. It is cheaper to apply it together with the records that
    follow in the log."""
    gap: tuple[int, int] | None = None  # missing offsets: from the first, up to the second
    gap_seen: int = 0  # how often this gap was seen in sequence
    covered_at: float = 0.0  # monotonic time of the last checkpoint or of loading, in seconds
    changelog_offset: int = -1
    checkpoint_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Locked while a checkpoint is written, so that a partition has one checkpoint at a time."""
    state_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Locked while an envelope changes the state, and while a checkpoint copies the state."""

    @property
    def dirty(self) -> bool:
        """True if the state contains events that no checkpoint covers."""
        return self.next is not None and self.next != self.writer.covered

    def admit(self, envelope: Envelope) -> Admission:
        """Decide what to do with the next envelope. Changes only `gap` and `gap_seen`."""
        assert self.next is not None
        if envelope.highwater < self.next:
            return Admission.LOG_RESET
        if envelope.next_offset <= self.next:
            return Admission.DUPLICATE
        if envelope.start <= self.next:
            return Admission.APPLY
        gap = (self.next, envelope.start)
        self.gap_seen = self.gap_seen + 1 if gap == self.gap else 1
        self.gap = gap
        if self.gap_seen <= GAP_TRIES:
            return Admission.REFETCH
        return Admission.GAP

    def overtaken(self, committed: int | None) -> bool:
        """Return whether the consumer group has committed an offset beyond this state.

        Then another worker has a newer state. The missing records may have been deleted because
        only this older state still needs them.
        """
        assert self.next is not None
        return committed is not None and committed > self.next


@dataclass(slots=True)
class StateManager:
    """The states of one worker's partitions. Implements the transport's `PartitionStates`.

    During a rebalance Faust calls the methods in this order: `revoke`, `assign`,
    `restore_record` for each record, `load`, `seek_to_states`.
    """

    topic: str
    params: chain.Params
    epoch: int
    cycle_s: float
    bytes_per_s: float
    deadline_s: float
    send: Send
    append: Append
    metrics: Metrics
    fatal: Callable[[BaseException], None]  # stops the process with this error
    rebuild: bool = False
    partitions: dict[int, AssignedPartition] = field(default_factory=dict)
    owned: frozenset[int] = frozenset()
    generation: int = -1
    positioned: bool = False
    loaded: bool = False
    progress: int = 0  # increases with each step; a watchdog checks that it changes
    checkpoint_steps: int = 0  # number of checkpoint steps; a watchdog checks it too
    _readers: dict[int, ChangelogReader] = field(default_factory=dict)
    _taken: dict[int, int] = field(default_factory=dict)  # partition -> last changelog offset
    _anew: frozenset[int] | None = None  # partitions to rebuild; None before the first assignment
    _distrusted: set[int] = field(default_factory=set)  # partitions whose checkpoints to discard
    _assigned: bool = False
    _round: int = 0
    _rate: float = RATE_BYTES_PER_S
    _current: asyncio.Task[None] | None = None
    _closed: bool = False

    # -- rebalance ------------------------------------------------------------------------------

    def revoke(self) -> None:
        """Begin a rebalance. The states stay in memory until `assign` is called."""
        log.info("partitions are revoked")
        self._round += 1
        self.positioned = self.loaded = self._assigned = False
        self._stop_writing()

    def assign(self, partitions: frozenset[int], generation: int) -> None:
        """Keep the states of partitions that stay, drop the others, prepare to restore new ones.

        A state is kept only between consecutive generations of the consumer group. Then no other
        worker can have owned the partition in between, and the changelog has no newer state. (An
        older state would also be correct, but would replay more records than necessary.)
        """
        self._round += 1
        self.positioned = self.loaded = False
        self._assigned = True
        self._stop_writing()
        consecutive = generation == self.generation + 1
        self.generation, self.owned = generation, partitions
        if self._anew is None:
            self._anew = partitions if self.rebuild else frozenset()
            self._distrusted = set(self._anew)
            if self.rebuild:
                log.info("states are made anew of partitions %s", sorted(partitions))
        self._distrusted &= partitions  # the next owner of a lost one may write a good checkpoint
        self.partitions = {
            p: assigned
            for p, assigned in self.partitions.items()
            if consecutive and p in partitions and assigned.next is not None
        }
        self._readers = {p: ChangelogReader() for p in partitions - self.partitions.keys()}
        self._taken = {}
        log.info(
            "generation %d: partitions %s, of which %d stay",
            generation,
            sorted(partitions),
            len(self.partitions),
        )

    def restore_record(self, partition: int, key: bytes, value: bytes | None, offset: int) -> None:
        self.progress += 1
        if (assigned := self.partitions.get(partition)) is not None:
            assigned.changelog_offset = max(assigned.changelog_offset, offset)
        elif (reader := self._readers.get(partition)) is not None:
            self._taken[partition] = offset
            reader.put(key, value)

    def changelog_offset(self, partition: int) -> int:
        """Return the last changelog offset that a kept state knows, or -1 to read all records."""
        assigned = self.partitions.get(partition)
        return assigned.changelog_offset if assigned is not None else -1

    async def load(self, generation: int) -> None:
        """Build the states from the changelog records. Does nothing if the generation is over.

        The states are built in a thread, one after the other, so that the event loop stays free.
        With `rebuild` the checkpoints of the partitions in the first assignment are discarded once.
        Later assignments use checkpoints normally, because the process may run for months and take
        over good checkpoints from other workers.
        """
        if generation != self.generation or not self._assigned:
            return  # the readers do not have all records yet
        began = self._round
        for partition, held in list(self._readers.items()):
            reader = held
            if partition in self._distrusted:
                for key in sorted(held.keys):  # else they win the next restart
                    await self._write_until_acknowledged(partition, PutRecord(key, None))
                reader = ChangelogReader()
            try:
                assigned = await asyncio.to_thread(self._restore, partition, reader)
            except CheckpointError as refused:
                self._refuse(partition, refused)
                return
            if began != self._round:
                return  # another rebalance began; its own load follows
            self.partitions[partition] = assigned
            del self._readers[partition]
            self._distrusted.discard(partition)
            self.progress += 1
        self.loaded = True
        self.positioned = not self.partitions  # without partitions there is no position to set

    def _restore(self, partition: int, reader: ChangelogReader) -> AssignedPartition:
        restored = reader.restore(partition, self.epoch)
        writer = CheckpointWriter(
            partition, secrets.token_hex(6), self.epoch, leftovers=set(reader.keys)
        )
        now = time.monotonic()
        return AssignedPartition(
            partition,
            self._state(partition, restored),
            Outbox(self.send),
            writer,
            restored.next_offset if restored is not None else None,
            covered_at=now,
            changelog_offset=self._taken.get(partition, -1),
        )

    def _state(self, partition: int, restored: Restored | None) -> chain.Partition:
        if restored is None:
            return chain.Partition(self.params)
        return rebuilt(self.params, partition, restored)

    def _copy(self, assigned: AssignedPartition) -> chain.Snapshot:
        return chain.snapshot(assigned.state)

    async def seek_to_states(self, consumer: Consumer) -> None:
        """Seek the consumer to the end of each state. An empty state starts at the log's start.

        Faust calls this method during a rebalance too. Then it does nothing.
        """
        if not self.loaded:
            return
        began = self._round
        fresh = [assigned for assigned in self.partitions.values() if assigned.next is None]
        beginnings = await consumer.beginnings(assigned.partition for assigned in fresh)
        for assigned in fresh:
            committed = consumer.committed_offset(assigned.partition)
            if committed is not None and assigned.partition not in (self._anew or ()):
                self._refuse(assigned.partition, None)
                return
            assigned.next = beginnings.get(assigned.partition, 0)
        positions = self.positions()
        await consumer.seek_to(positions)
        if began == self._round:
            self.positioned = True
            log.info("reading from %s", dict(sorted(positions.items())))

    def positions(self) -> dict[int, int]:
        """Return for each partition the first offset that its state does not contain."""
        return {
            p: assigned.next for p, assigned in self.partitions.items() if assigned.next is not None
        }

    def committable(self) -> Mapping[int, int]:
        """Return for each partition the offset that the consumer group may commit."""
        return {
            p: assigned.writer.covered
            for p, assigned in self.partitions.items()
            if assigned.writer.covered is not None
        }

    def _refuse(self, partition: int, refused: CheckpointError | None) -> None:
        what = str(refused or tr("the group has a committed offset but no checkpoint"))
        cure = tr("put the changelog right")
        if isinstance(refused, NewerError):
            cure = tr("upgrade this worker to the version that wrote it")
        self.fatal(
            ConfigError(
                tr(
                    "partition {partition}: {what}; {cure}, or start once with --rebuild to "
                    "rebuild the state from the source"
                ).format(partition=partition, what=what, cure=cure)
            )
        )

    # -- checkpoints ----------------------------------------------------------------------------

    async def write_checkpoints(self) -> None:
        """Write due checkpoints until `close` is called, one partition at a time."""
        while True:
            await asyncio.sleep(POLL_S)
            if self._closed:
                return
            if not self.positioned:
                continue
            now = time.monotonic()
            due = [
                p
                for p in self.partitions.values()
                if p.dirty and now - p.covered_at >= self.cycle_s
            ]
            if due:
                assigned = min(due, key=lambda assigned: assigned.covered_at)
                task = asyncio.create_task(self._checkpoint(assigned, self.bytes_per_s))
                self._current = task
                await asyncio.wait({task})
                self._report(task)

    def close(self) -> None:
        """Begin no more periodic checkpoints, because the process stops. `flush` still writes.

        After fencing, `flush` writes nothing, and checkpoints would stay due during the whole
        shutdown. Such a checkpoint would find that the producer is already stopped.
        """
        self._closed = True

    async def flush(self, *, fenced: bool) -> None:
        """Write last checkpoints before partitions may move to other workers.

        Only checkpoints that can be written within `deadline_s` are started, the oldest first. With
        `fenced` nothing is written, because another worker may already own the partitions.
        """
        log.info("a rebalance begins, or the end: last checkpoints")
        self._stop_writing()
        if fenced:
            log.info("fenced: no last checkpoint")
            return
        budget = self._rate * self.deadline_s
        tasks = []
        for assigned in sorted(self.partitions.values(), key=lambda assigned: assigned.covered_at):
            table = assigned.state.table
            size = table.count * ROW_BYTES + table.overflow.live * BLOCK_BYTES
            if assigned.dirty and size <= budget:
                budget -= size
                tasks.append(asyncio.create_task(self._checkpoint(assigned, float("inf"))))
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self.deadline_s)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                self._report(task)
            log.info("last checkpoints: %d of %d", len(tasks) - len(late), len(self.partitions))

    def _stop_writing(self) -> None:
        if self._current is not None:
            self._current.cancel()
            self._current = None

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fatal(error)

    async def _checkpoint(self, assigned: AssignedPartition, bytes_per_s: float) -> None:
        async with assigned.checkpoint_lock:
            if not assigned.dirty:
                return
            began = time.monotonic()
            written = 0
            async with (
                assigned.state_lock
            ):  # copying 560 MB takes a second; events of this partition wait, the loop does not
                next_offset, mark = assigned.next, assigned.outbox.mark
                snapshot = await self._copy_state(assigned)
            assert next_offset is not None
            for step in assigned.writer.checkpoint(snapshot, next_offset, mark):
                written += await self._do(assigned, step)
                self.progress += 1
                self.checkpoint_steps += 1
                ahead_s = written / bytes_per_s - (time.monotonic() - began)
                await asyncio.sleep(max(0.0, ahead_s))
            assigned.covered_at = began
            took = time.monotonic() - began
            self.metrics.add("checkpoints_total")
            self.metrics.observe("stage_seconds", took, stage="checkpoint")
            if bytes_per_s == float("inf") and written > RATE_BYTES_PER_S / 10:
                self._rate = written / took
            log.debug("partition %d: %d bytes in %.3f s", assigned.partition, written, took)

    async def _copy_state(self, assigned: AssignedPartition) -> chain.Snapshot:
        """Copy a state in a thread. Returns or raises only after the thread has ended.

        A rebalance cancels a running checkpoint, although its partition may stay. If the lock were
        released while the thread still runs, events or another copy would use the state at the same
        time. Pending counts, which a copy aggregates, would then be counted twice or never.
        """
        copying = asyncio.ensure_future(asyncio.to_thread(self._copy, assigned))
        try:
            return await asyncio.shield(copying)
        finally:
            while not copying.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({copying})

    async def _do(self, assigned: AssignedPartition, step: Step) -> int:
        """Execute one step of a checkpoint. Returns the number of bytes written."""
        match step:
            case AwaitOutputs(mark):
                await assigned.outbox.settle(mark)
            case PutRecord(_, value):
                offset = await self._write_until_acknowledged(assigned.partition, step)
                assigned.changelog_offset = max(assigned.changelog_offset, offset)
                return len(value or b"")
            case MarkCovered(_):
                pass  # the writer stores the offset; the group commits it at its own interval
        return 0

    async def _write_until_acknowledged(self, partition: int, write: PutRecord) -> int:
        """Write a record again until it is acknowledged.

        There is no limit of attempts; a watchdog ends the process if there is no progress. Raises
        ConfigError if the topic does not accept records of this size.
        """
        while True:
            try:
                return await self.append(partition, write)
            except MessageSizeTooLargeError as error:
                raise ConfigError(
                    tr(
                        "the changelog refuses a record of {n} bytes; its max.message.bytes must "
                        "be 1 MB or more"
                    ).format(n=len(write.value or b""))
                ) from error
            except KafkaError as error:
                log.warning("partition %d: checkpoint record again: %r", partition, error)
                await asyncio.sleep(RETRY_PAUSE_S)
