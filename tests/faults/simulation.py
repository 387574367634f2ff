"""Simulates the checkpoint protocol with lists in place of Kafka, determined by one seed.

A source log, a changelog, a topic of actions, a group, and processes that die, freeze and wake up.

What runs is the worker's own code: `CheckpointWriter` asks for the steps of a checkpoint,
`ChangelogReader` restores, `AssignedPartition` admits envelopes, `StateManager` decides what is
kept over a rebalance. Only Kafka is a list here.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from streams.engine.state import checkpoint, manager, written
from streams.engine.state.checkpoint import (
    AwaitOutputs,
    CheckpointWriter,
    MarkCovered,
    PutRecord,
    Step,
)
from streams.engine.state.manager import Admission, AssignedPartition, StateManager
from streams.engine.transport.envelope import Envelope
from streams.telemetry.metrics import Metrics
from tests.faults import toy

OFFSETS = 120
METRICS = Metrics()
RECIPIENTS = 30
BATCH_MAX = 25
LISTS = 0.06  # of the records
LIST_LATE = 30  # offsets by which a list may be older than its place
STEPS = 170
CHUNK_BYTES = 48  # two rows of the toy, so that a state has several chunks


class DifferenceError(AssertionError):
    """The simulation found a difference. Says which."""


@dataclass(frozen=True)
class Safeguards:
    """Each can be taken away, to see that the simulation notices."""

    commit_only_covered: bool = True
    manifest_after_chunks: bool = True
    settle_first: bool = True
    maintenance_at_ticks: bool = True
    versions_take_turns: bool = True
    keys_of_ones_own: bool = True
    gaps_sought_back: bool = True
    manifest_again_first: bool = True
    lists_at_their_offsets: bool = True
    lists_restored: bool = True


class Outbox:
    """An outbox without waiting: acknowledgements arrive when the world lets them."""

    def __init__(self, _send: object) -> None:
        self.added = 0
        self._open = set[int]()  # the places of those that are not acknowledged

    def __len__(self) -> int:
        return len(self._open)

    @property
    def mark(self) -> int:
        return self.added

    @property
    def settled(self) -> int:
        """Up to here all are acknowledged: one that failed is not made good by a later one."""
        return min(self._open, default=self.added)

    def enter(self) -> int:
        self._open.add(self.added)
        self.added += 1
        return self.added - 1

    def acknowledge(self, place: int) -> None:
        self._open.discard(place)


@dataclass
class Log:
    """A changelog: records by offset, some of them compacted away."""

    records: dict[int, tuple[bytes, bytes | None]] = field(default_factory=dict)
    end: int = 0

    def append(self, key: bytes, value: bytes | None) -> int:
        self.records[self.end] = key, value
        self.end += 1
        return self.end - 1

    def compact(self) -> None:
        """Keep the newest record of each key; the log's last stays, as in an active segment."""
        newest = {key: offset for offset, (key, _) in self.records.items()}
        self.records = {
            offset: (key, value)
            for offset, (key, value) in self.records.items()
            if newest[key] == offset and (value is not None or offset > self.end - 10)
        }


@dataclass
class InFlight:
    """A record that was handed to a producer."""

    land: Callable[[], object]  # the broker appends it; returns what the acknowledgement says
    acknowledged: Callable[[Any], None]
    failed: Callable[[], None]


@dataclass
class Process:
    """A worker. Its memory dies with it; what it has sent may still arrive."""

    states: StateManager
    changelog: deque[InFlight] = field(default_factory=deque)  # in flight, in order
    actions: deque[InFlight] = field(default_factory=deque)  # they go to another broker
    steps: Iterator[Step] | None = None
    waits: PutRecord | AwaitOutputs | None = None
    position: int = 0  # where its consumer stands
    generation: int = -1

    @property
    def assigned(self) -> AssignedPartition | None:
        return self.states.partitions.get(0)

    @property
    def in_flight(self) -> list[deque[InFlight]]:
        return [queue for queue in (self.changelog, self.actions) if queue]

    def abandon(self) -> None:
        self.steps = self.waits = None


class World:
    """One schedule."""

    def __init__(self, seed: int, safeguards: Safeguards = Safeguards()) -> None:
        self.random = random.Random(seed)
        self.safe = safeguards
        self.params = toy.Params(
            safeguards.maintenance_at_ticks,
            safeguards.lists_at_their_offsets,
            safeguards.lists_restored,
        )
        self.log = [
            (offset, self.record(offset))
            for offset in range(OFFSETS)
            if self.random.random() < 0.9  # the rest are offsets without a record
        ]
        self.records = dict(self.log)
        self.changelog_lead = self.random.choice((0.5, 0.8, 0.97))  # brokers differ in speed
        self.truncated = 0  # retention has removed what is below
        self.changelog = Log()
        self.actions: list[toy.Output] = []
        self.committed: int | None = None
        self.generation = 0
        self.seen: Counter[str] = Counter()  # what this schedule went through
        self.owner = self.born()
        self.asleep: list[Process] = []  # frozen, and replaced
        self.rebalance(self.owner)

    # -- the rules of the world -------------------------------------------------------------------

    def record(self, offset: int) -> int:
        """A recipient; or a list, of now or of a while ago."""
        if self.random.random() < LISTS:
            return -1 - max(0, offset - self.random.choice((0, LIST_LATE)))
        return self.random.randrange(RECIPIENTS)

    def born(self) -> Process:
        def fatal(error: BaseException) -> None:
            raise DifferenceError(str(error)) from error

        async def never(*_: object) -> Any:
            raise AssertionError("the simulation takes the steps itself")

        return Process(
            StateManager("in", self.params, 0, 1, 1, 1, never, never, METRICS, fatal)  # type: ignore[arg-type]
        )

    def rebalance(self, process: Process, generations: int = 1) -> None:
        """The group gives the partition to a process, which reads the changelog and its place."""
        self.seen["checkpoints interrupted"] += self.owner.steps is not None
        process.abandon()
        process.states.revoke()
        self.generation += generations
        process.states.assign(frozenset({0}), self.generation)
        process.generation = self.generation
        known = process.states.changelog_offset(0)
        for offset, (key, value) in sorted(self.changelog.records.items()):
            if offset > known:
                process.states.restore_record(0, key, value, offset)
        for partition, reader in process.states._readers.items():
            assigned = process.states.partitions[partition] = process.states._restore(
                partition, reader
            )
            self.seen["states restored"] += assigned.next is not None
            told = assigned.state.told  # type: ignore[attr-defined]
            self.seen["lists restored"] += told != 0
        self.seen["states kept"] += not process.states._readers
        process.states._readers = {}
        assigned = process.states.partitions[0]
        if assigned.next is None:
            if self.committed is not None:
                raise DifferenceError("a committed offset without a checkpoint")
            assigned.next = self.truncated
        process.position = assigned.next
        self.owner = process

    def apply(self, process: Process) -> None:
        """The next envelope; now and then from a wrong position, as transports do."""
        assigned = process.assigned
        assert assigned is not None
        assert assigned.next is not None
        start = max(process.position, self.truncated)
        if (fault := self.random.random()) < 0.06:
            start = min(OFFSETS, start + self.random.randrange(1, 10))  # records went missing
        elif fault < 0.12:
            start = max(self.truncated, start - self.random.randrange(1, 10))  # they come twice
        end = min(OFFSETS, start + self.random.randrange(1, BATCH_MAX))
        if end <= start:
            return
        process.position = end
        records = self.records
        offsets = [o for o in range(start, end) if o in records]
        envelope = Envelope(
            0, start, end, OFFSETS, [b""] * len(offsets), [None] * len(offsets), offsets, offsets
        )
        admission = assigned.admit(envelope)
        if admission is Admission.REFETCH and self.safe.gaps_sought_back:
            process.position = assigned.next
        elif admission is not Admission.DUPLICATE:
            if admission is Admission.GAP:
                if assigned.overtaken(self.committed) and process is not self.owner:
                    self.asleep.remove(process)  # it exits
                    return
                raise DifferenceError(
                    f"records before {start} are gone, the state ends at {assigned.next}"
                )
            rest = envelope.since(assigned.next)
            events = [(o, records[o]) for o in rest.offsets]
            for output in toy.process(assigned.state, events, rest.next_offset):  # type: ignore[arg-type]
                self.publish(process, assigned, output)
            assigned.next = rest.next_offset

    def publish(self, process: Process, assigned: AssignedPartition, output: toy.Output) -> None:
        """Hand an action to the producer; a failed one is handed over again."""
        outbox = assigned.outbox
        assert isinstance(outbox, Outbox)
        place = outbox.enter()
        record = InFlight(
            lambda: self.actions.append(output),
            lambda _: outbox.acknowledge(place),
            lambda: process.actions.append(record),
        )
        process.actions.append(record)

    def checkpoint(self, process: Process) -> None:
        """One move of the checkpoint: begin it, or take the step that can be taken."""
        assigned = process.assigned
        assert assigned is not None
        if process.steps is None:
            if assigned.dirty:
                assert assigned.next is not None
                snapshot = toy.snapshot(assigned.state)  # type: ignore[arg-type]
                process.steps = self.tampered(
                    assigned.writer,
                    assigned.writer.checkpoint(snapshot, assigned.next, assigned.outbox.mark),  # type: ignore[arg-type]
                )
                self.advance(process)
        elif isinstance(process.waits, AwaitOutputs):
            assert isinstance(assigned.outbox, Outbox)
            if assigned.outbox.settled >= process.waits.mark or not self.safe.settle_first:
                self.advance(process)

    def last_checkpoint(self, process: Process) -> None:
        """As `StateManager.flush` does: what the one before was waiting for is never heard of."""
        assigned = process.assigned
        assert assigned is not None
        waits = process.waits
        self.seen["manifests never heard of"] += (
            isinstance(waits, PutRecord) and b"manifest" in waits.key
        )
        process.abandon()
        self.checkpoint(process)

    def advance(self, process: Process) -> None:
        assert process.steps is not None
        process.waits = None
        match next(process.steps, None):
            case None:
                process.steps = None
            case AwaitOutputs() as settle:
                process.waits = settle
            case PutRecord() as write:
                process.waits = write
                self.send(process, write)
            case MarkCovered():
                self.advance(process)

    def send(self, process: Process, write: PutRecord) -> None:
        def acknowledged(offset: int) -> None:
            if process.assigned is not None:
                process.assigned.changelog_offset = max(process.assigned.changelog_offset, offset)
            if process.waits is write:
                self.advance(process)

        def failed() -> None:
            if process.waits is write:
                self.send(process, write)

        process.changelog.append(
            InFlight(lambda: self.changelog.append(*write), acknowledged, failed)
        )

    def tampered(self, writer: CheckpointWriter, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps of a checkpoint, without the safeguards that this world lacks."""
        if not self.safe.manifest_again_first:
            writer._pending = None
        if not self.safe.versions_take_turns:
            writer._held = {name: _always_the_same(held) for name, held in writer._held.items()}
        if self.safe.manifest_after_chunks:
            yield from steps
            return
        held_back: list[Step] = []
        for step in steps:
            if (
                isinstance(step, PutRecord)
                and b"manifest" not in step.key
                and step.value is not None
            ):
                held_back.append(step)
            elif isinstance(step, MarkCovered):
                yield from held_back
                yield step
            else:
                yield step

    def land(self, process: Process, fate: str = "acknowledged") -> None:
        """The oldest record on a way arrives; or fails; or arrives with its receipt lost."""
        if queues := process.in_flight:  # the changelog's first
            record = queues[0 if self.random.random() < self.changelog_lead else -1].popleft()
            if fate == "failed":
                record.failed()
                return
            said = record.land()
            if fate == "acknowledged":
                record.acknowledged(said)
            else:
                record.failed()

    def commit(self, process: Process) -> None:
        if process.generation != self.generation:
            return  # the group fences it
        covered = (
            process.states.committable()
            if self.safe.commit_only_covered
            else process.states.positions()
        )
        if 0 in covered:
            self.committed = max(self.committed or 0, covered[0])

    def retain(self) -> None:
        """The oldest records go: never those that the group has not committed."""
        self.truncated = max(self.truncated, self.committed or 0)

    def crash(self, process: Process) -> None:
        """What it had sent arrives up to some point."""
        for queue in process.in_flight:
            for _ in range(self.random.randrange(len(queue) + 1)):
                queue.popleft().land()

    # -- the schedule -----------------------------------------------------------------------------

    def run(self) -> None:
        """All happens in an order that the seed decides; then the rest of the log is read."""
        for _ in range(STEPS):
            self.step()
        self.finish()

    def step(self) -> None:
        process = self.owner
        if self.asleep and self.random.random() < 0.3:
            process = self.random.choice(self.asleep)  # a frozen one woke up: it knows of nothing
        dice = self.random.random()
        if dice < 0.22:
            self.apply(process)
        elif dice < 0.44:
            self.checkpoint(process)
        elif dice < 0.86:
            lucky = self.random.random()
            fate = "acknowledged" if lucky < 0.9 else "failed" if lucky < 0.95 else "receipt lost"
            self.land(process, fate)
        elif dice < 0.90:
            self.commit(process)
        elif dice < 0.92:
            self.changelog.compact()
        elif dice < 0.94:
            self.retain()
        else:
            self.disturb()

    def disturb(self) -> None:
        """A fault of the owner, or a rebalance."""
        match self.random.randrange(7):
            case 0:  # kill -9
                self.crash(self.owner)
                self.rebalance(self.born())
            case 1:  # SIGSTOP for longer than the session: another takes over
                self.asleep = [*self.asleep, self.owner][-2:]
                self.rebalance(self.born())
            case 2:  # a member came or left, the partition stays
                self.rebalance(self.owner)
            case 3:  # the frozen one finds out, and gets the partition back
                if self.asleep:
                    leaving, self.owner = self.owner, self.asleep.pop()
                    leaving.states.revoke()
                    self.crash(leaving)
                    self.rebalance(self.owner)
            case 4:  # it was away for a few generations
                self.rebalance(self.owner, self.random.choice((2, 3)))
            case _:  # a rebalance begins: the checkpoint is cut off, the last one begins
                self.last_checkpoint(self.owner)

    def finish(self) -> None:
        process = self.owner
        for sleeper in self.asleep:
            self.crash(sleeper)
        for _ in range(10_000):
            assigned = process.assigned
            assert assigned is not None
            if assigned.next == OFFSETS and not process.in_flight and not assigned.dirty:
                break
            self.apply(process)
            self.checkpoint(process)
            while process.in_flight:
                self.land(process)
        self.compare()
        self.rebalance(self.born())  # and what it left restores to the same
        self.compare()

    def compare(self) -> None:
        """The state and the actions are those of one process that nothing ever happened to."""
        assigned = self.owner.assigned
        assert assigned is not None
        oracle = toy.Partition(toy.Params())
        expected = dict(toy.process(oracle, self.log, OFFSETS))
        ours, theirs = toy.snapshot(assigned.state), toy.snapshot(oracle)  # type: ignore[arg-type]
        self.seen["rows evicted"] += len(oracle.evicted)
        if assigned.next != OFFSETS or not (
            ours.rows.shape == theirs.rows.shape
            and (ours.rows == theirs.rows).all()
            and ours.rest == theirs.rest
        ):
            raise DifferenceError(f"the state at {assigned.next} differs")
        published: dict[str, bytes] = {}
        for action_id, body in self.actions:
            if published.setdefault(action_id, body) != body:
                raise DifferenceError(f"action {action_id} was repeated with other bytes")
        if published != expected:
            missing, invented = (
                expected.keys() - published.keys(),
                published.keys() - expected.keys(),
            )
            raise DifferenceError(f"actions missing {sorted(missing)}, invented {sorted(invented)}")


def _always_the_same(held: checkpoint.ChunkRef) -> checkpoint.ChunkRef:
    """A writer that always writes the same version of a chunk."""
    return held._replace(version=1)


@contextmanager
def simulated(safeguards: Safeguards) -> Iterator[None]:
    """The worker's modules with the toy for a chain, small chunks, and writers named in order."""
    names = iter(range(1 << 60))
    one = not safeguards.keys_of_ones_own
    with (
        patch.object(manager, "chain", toy),
        patch.object(manager, "Outbox", Outbox),
        patch.object(manager, "log", SimpleNamespace(info=lambda *_: None)),
        patch("secrets.token_hex", lambda _: "w" if one else f"w{next(names)}"),
        patch.object(checkpoint, "CHUNK_BYTES_MAX", CHUNK_BYTES),
        patch.object(checkpoint, "chain", toy),
        patch.object(checkpoint, "WORDS", toy.WORDS),
        patch.object(written, "check_types", lambda rest: rest),  # a toy has other types
    ):
        yield


@dataclass
class Explored:
    """What many schedules went through, and what went wrong, by seed."""

    seen: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, str] = field(default_factory=dict)


def explore(seeds: range, safeguards: Safeguards = Safeguards(), *, wrong_max: int = 5) -> Explored:
    """Run a schedule for each seed, until `wrong_max` of them went wrong."""
    explored = Explored()
    with simulated(safeguards):
        for seed in seeds:
            world = World(seed, safeguards)
            try:
                world.run()
            except (DifferenceError, checkpoint.CheckpointError) as error:
                explored.wrong[seed] = str(error)
                if len(explored.wrong) == wrong_max:
                    break
            explored.seen += world.seen
    return explored


def without(name: str) -> Safeguards:
    """All safeguards but one."""
    return replace(Safeguards(), **{name: False})
