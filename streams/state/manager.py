"""Holds the states of this worker's partitions.

Takes them from the changelog, says where reading goes on and what may be committed, and writes
checkpoints in the background.

A state is a function of its partition's log up to one offset. Every rule here follows from that: a
state that is kept, restored from any manifest, or made anew from the log's start, goes on the same.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from detectors import chain
from detectors.recipients.table import WORDS
from streams.errors import ConfigError
from streams.language import tr
from streams.state.checkpoint import (
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
from streams.state.outbox import RETRY_PAUSE_S, Outbox, Send

if TYPE_CHECKING:
    from streams.telemetry.metrics import Metrics
    from streams.transport.driver import Consumer
    from streams.transport.envelope import Envelope

log = logging.getLogger(__name__)

GAP_TRIES: Final = 3
"""A hole that is still there after so many seeks is not a fetch gone wrong: records are gone."""
ROW_BYTES: Final = WORDS * 8
POLL_S: Final = 0.2
RATE_BYTES_PER_S: Final = 10_000_000
"""Assumed rate of checkpoint writes until one was measured: a slow disk."""


class Admission(Enum):
    """The ways to treat an envelope."""

    APPLY = "apply"
    DUPLICATE = "duplicate"  # wholly applied before
    REFETCH = "refetch"  # records are missing before it: go back
    GAP = "gap"  # still missing after GAP_TRIES: apply and say so, unless `overtaken`
    LOG_RESET = "log reset"  # the state is ahead of the log


class Appended(NamedTuple):
    """The changelog acknowledged a record."""

    offset: int


Append = Callable[[int, PutRecord], Awaitable[Appended]]
"""Writes a record to the changelog of a partition; done when it is acknowledged."""


@dataclass(slots=True)
class AssignedPartition:
    """One partition's state and what surrounds it."""

    partition: int
    state: chain.Partition
    outbox: Outbox
    writer: CheckpointWriter
    next: int | None  # the first offset that is not applied; None until the log's start is known
    deferred: Envelope | None = None
    """Not applied yet: what follows it is in the log, and costs less together with it."""
    gap: tuple[int, int] | None = None
    gap_seen: int = 0
    covered_at: float = 0.0  # monotonic seconds; of the last checkpoint, or of the load
    changelog_offset: int = -1
    checkpoint_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a checkpoint is written: one at a time."""
    state_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an envelope changes the state, and while a checkpoint copies it."""

    @property
    def dirty(self) -> bool:
        """True while it holds events that no checkpoint covers."""
        return self.next is not None and self.next != self.writer.covered

    def admit(self, envelope: Envelope) -> Admission:
        """Decide about the next envelope. Changes only the memory of holes."""
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
        """Tell if the group has committed more than this state holds: somebody has a newer one.

        Then records may be gone because they are no longer needed, and only this state needs them.
        """
        assert self.next is not None
        return committed is not None and committed > self.next


@dataclass(slots=True)
class StateManager:
    """The partitions of one worker: what the transport's `PartitionStates` asks for.

    Faust calls its methods around a rebalance, always in the order revoked, assigned,
    restore_record..., load, seek_to_states.
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
    fatal: Callable[[BaseException], None]  # ends the process
    rebuild: bool = False
    partitions: dict[int, AssignedPartition] = field(default_factory=dict)
    owned: frozenset[int] = frozenset()
    generation: int = -1
    positioned: bool = False
    loaded: bool = False
    progress: int = 0  # grows with whatever gets done; a watchdog looks at it
    checkpoint_steps: int = 0  # the same for checkpoints alone
    checkpoints: int = 0  # that were completed
    _readers: dict[int, ChangelogReader] = field(default_factory=dict)
    _taken: dict[int, int] = field(default_factory=dict)  # partition -> last changelog offset
    _anew: frozenset[int] | None = None  # of the first assignment, if it is to be rebuilt
    _distrusted: set[int] = field(default_factory=set)  # of these, checkpoints not yet thrown away
    _assigned: bool = False
    _round: int = 0
    _rate: float = RATE_BYTES_PER_S
    _current: asyncio.Task[None] | None = None
    _closed: bool = False

    # -- rebalance ------------------------------------------------------------------------------

    def revoked(self) -> None:
        """A rebalance begins. States stay until `assigned` says who owns what."""
        log.info("partitions are revoked")
        self._round += 1
        self.positioned = self.loaded = self._assigned = False
        self._stop_writing()

    def assigned(self, partitions: frozenset[int], generation: int) -> None:
        """Keep the partitions that stay, drop the others, and expect the changelog of the rest.

        A partition stays over consecutive generations: nobody else can have owned it in between, so
        the changelog holds nothing newer. (It would be right in any case, only older than need be.)
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
        self._distrusted &= partitions  # of one that went its next owner may make a sound one
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
        """A record of the changelog."""
        self.progress += 1
        if (assigned := self.partitions.get(partition)) is not None:
            assigned.changelog_offset = max(assigned.changelog_offset, offset)
        elif (reader := self._readers.get(partition)) is not None:
            self._taken[partition] = offset
            reader.put(key, value)

    def changelog_offset(self, partition: int) -> int:
        """The last record that a kept partition knows of; -1 where all of them are wanted."""
        assigned = self.partitions.get(partition)
        return assigned.changelog_offset if assigned is not None else -1

    async def load(self, generation: int) -> None:
        """Make states of what the changelog held. Does nothing for a generation that is over.

        The loop stays free: they are built in a thread, one after the other, while nobody else
        holds them. A rebuild throws away what it does not trust once, for partitions of the first
        assignment: a process runs for months, and takes sound checkpoints over from others.
        """
        if generation != self.generation or not self._assigned:
            return  # what the readers hold now is not all of it
        began = self._round
        for partition, held in list(self._readers.items()):
            reader = held
            if partition in self._distrusted:
                for key in sorted(held.keys):  # now: else its higher offset would win a restart
                    await self._acknowledged(partition, PutRecord(key, None))
                reader = ChangelogReader()
            try:
                assigned = await asyncio.to_thread(self._restored, partition, reader)
            except CheckpointError as refused:
                self._refuse(partition, refused)
                return
            if began != self._round:
                return  # another rebalance: its own load follows
            self.partitions[partition] = assigned
            del self._readers[partition]
            self._distrusted.discard(partition)
            self.progress += 1
        self.loaded = True
        self.positioned = not self.partitions  # with nothing to read there is nowhere to stand

    def _restored(self, partition: int, reader: ChangelogReader) -> AssignedPartition:
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
        """Have the consumer stand where the states end; an empty state starts where the log does.

        Also called in mid-rebalance, when there is nothing to do.
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
        """Partition -> offset where its state ends."""
        return {
            p: assigned.next for p, assigned in self.partitions.items() if assigned.next is not None
        }

    def committable(self) -> Mapping[int, int]:
        """Partition -> offset that the group may commit."""
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
                    "partition {partition}: {what}; {cure}, or start once with --rebuild to make "
                    "the state anew from the source"
                ).format(partition=partition, what=what, cure=cure)
            )
        )

    # -- checkpoints ----------------------------------------------------------------------------

    async def write_checkpoints(self) -> None:
        """Until `close`: write the checkpoint that is due, one partition at a time."""
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
        """Begin no checkpoint any more but the last ones, which `flush` writes: the end is near.

        A member that was fenced writes no last one, so one would be due for as long as the end
        takes, and would find the producer gone.
        """
        self._closed = True

    async def flush(self, *, fenced: bool) -> None:
        """The last checkpoints before partitions may leave, of those that fit the deadline."""
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
            ):  # a state of 560 MB takes a second: its events wait, not the loop
                next_offset, mark = assigned.next, assigned.outbox.mark
                snapshot = await self._copied(assigned)
            assert next_offset is not None
            for step in assigned.writer.checkpoint(snapshot, next_offset, mark):
                written += await self._do(assigned, step)
                self.progress += 1
                self.checkpoint_steps += 1
                ahead_s = written / bytes_per_s - (time.monotonic() - began)
                await asyncio.sleep(max(0.0, ahead_s))
            assigned.covered_at = began
            self.checkpoints += 1
            took = time.monotonic() - began
            self.metrics.add("checkpoints_total")
            self.metrics.observe("stage_seconds", took, stage="checkpoint")
            if bytes_per_s == float("inf") and written > RATE_BYTES_PER_S / 10:
                self._rate = written / took
            log.debug("partition %d: %d bytes in %.3f s", assigned.partition, written, took)

    async def _copied(self, assigned: AssignedPartition) -> chain.Snapshot:
        """Copy a state in a thread, and return or raise only once the thread has ended.

        A rebalance ends a checkpoint whose partition may stay. Had the lock been free while the
        thread went on, events or the last checkpoint's own copy would have met it, and counted
        twice or never what it was counting.
        """
        copying = asyncio.ensure_future(asyncio.to_thread(self._copy, assigned))
        try:
            return await asyncio.shield(copying)
        finally:
            while not copying.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({copying})

    async def _do(self, assigned: AssignedPartition, step: Step) -> int:
        """Do a step; returns the bytes written."""
        match step:
            case AwaitOutputs(mark):
                await assigned.outbox.settle(mark)
            case PutRecord(_, value):
                appended = await self._acknowledged(assigned.partition, step)
                assigned.changelog_offset = max(assigned.changelog_offset, appended.offset)
                return len(value or b"")
            case MarkCovered(_):
                pass  # the writer has noted it; the group commits it on its own beat
        return 0

    async def _acknowledged(self, partition: int, write: PutRecord) -> Appended:
        """Write until it is acknowledged. A watchdog, not this, gives up."""
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
