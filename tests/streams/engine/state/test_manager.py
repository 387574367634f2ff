"""What is kept over a rebalance, where reading goes on, and which envelope is let in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiokafka.errors import KafkaError, KafkaStorageError, NotEnoughReplicasError
from msgspec.structs import replace as replace_struct

from detectors import chain
from streams.common.errors import ConfigError
from streams.engine.state import checkpoint
from streams.engine.state.checkpoint import FORMAT, CheckpointWriter, Manifest, PutRecord
from streams.engine.state.manager import GAP_TRIES, Admission, AssignedPartition, StateManager
from streams.engine.state.outbox import Outbox
from streams.engine.transport.envelope import Envelope
from tests.builders.streams.engine.state.manager import PARAMS, Kafka, _never
from tests.waiting import END_S


def _assigned(next_offset: int) -> AssignedPartition:
    return AssignedPartition(
        0, chain.Partition(PARAMS), Outbox(_never), CheckpointWriter(0, "w", 0), next_offset
    )


def _envelope(start: int, end: int, highwater: int = 1000) -> Envelope:
    return Envelope(0, start, end, highwater, [], [], [], [])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (100, 110, Admission.APPLY),
        (90, 110, Admission.APPLY),
        (90, 100, Admission.DUPLICATE),
        (90, 95, Admission.DUPLICATE),
        (101, 110, Admission.REFETCH),
    ],
)
def test_an_envelope_is_let_in_if_it_joins_the_state(
    start: int, end: int, expected: Admission
) -> None:
    assert _assigned(100).admit(_envelope(start, end)) is expected


def test_a_hole_is_lost_only_after_it_was_sought_back_three_times() -> None:
    assigned = _assigned(100)
    for _ in range(GAP_TRIES):
        assert assigned.admit(_envelope(120, 130)) is Admission.REFETCH
    assert assigned.admit(_envelope(120, 130)) is Admission.GAP


def test_another_hole_is_counted_anew() -> None:
    assigned = _assigned(100)
    for _ in range(GAP_TRIES):
        assigned.admit(_envelope(120, 130))
    assert assigned.admit(_envelope(125, 130)) is Admission.REFETCH


def test_a_log_that_ends_before_the_state_is_another_log() -> None:
    assert _assigned(100).admit(_envelope(0, 50, highwater=50)) is Admission.LOG_RESET


@pytest.mark.parametrize(("committed", "is_it"), [(None, False), (100, False), (101, True)])
def test_a_state_is_overtaken_when_the_group_has_committed_past_it(
    committed: int | None, is_it: bool
) -> None:
    assert _assigned(100).overtaken(committed) is is_it


def test_a_state_is_taken_for_one_of_any_log_that_is_long_enough() -> None:
    """The limit: an offset does not say of which cluster, so no changelog may be mirrored."""
    here, of_a_mirror = _envelope(90, 110), _envelope(90, 110, highwater=5000)
    assert _assigned(100).admit(of_a_mirror) is _assigned(100).admit(here) is Admission.APPLY
    assert _assigned(100).admit(_envelope(90, 99, highwater=99)) is Admission.LOG_RESET


# -- rebalances -----------------------------------------------------------------------------------


def _checkpoints(states: StateManager) -> float | None:
    """Return the number of completed checkpoints."""
    return states.metrics.registry.get_sample_value("otpguard_checkpoints_total")


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(END_S):
        while not reached():  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.01)


def _play(play: Callable[[Kafka], Any]) -> None:
    asyncio.run(play(Kafka()))


def test_a_partition_without_a_state_starts_at_the_beginning_of_its_log() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0, 1})
        assert kafka.positions == {0: 7, 1: 7}
        assert states.positioned

    _play(play)


def test_a_restart_goes_on_where_the_checkpoint_ends() -> None:
    async def play(kafka: Kafka) -> None:
        first = kafka.states()
        await kafka.rebalance(first, 1, {0})
        first.partitions[0].next = 50
        await first.flush(fenced=False)
        assert first.committable() == {0: 50}
        await kafka.rebalance(kafka.states(), 2, {0})
        assert kafka.positions == {0: 50}

    _play(play)


def test_a_partition_that_stays_keeps_its_state_and_reads_nothing() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0, 1})
        states.partitions[0].next = 50
        state = states.partitions[0].state
        assert await kafka.rebalance(states, 2, {0}) == []
        assert states.partitions[0].state is state
        assert kafka.positions[0] == 50
        assert set(states.partitions) == {0}

    _play(play)


def test_after_generations_away_the_changelog_is_read_again() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0})
        state = states.partitions[0].state
        assert await kafka.rebalance(states, 3, {0}) == [0]
        assert states.partitions[0].state is not state

    _play(play)


def test_a_last_checkpoint_harms_nothing_that_a_manifest_names_of_which_nothing_was_heard() -> None:
    """The changelog has it, the acknowledgement is lost, and the worker dies in the next one."""

    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        silent = False

        async def append(partition: int, write: PutRecord) -> int:
            appended = await kafka.append(partition, write)
            if silent and b"manifest" in kafka.log[-2].key + kafka.log[-1].key:
                await asyncio.Event().wait()  # for the manifest; one more record, and it is dead
            return appended

        states.append = append
        states.cycle_s = 0.0
        await kafka.rebalance(states, 1, {0})
        writing = asyncio.create_task(states.write_checkpoints())
        await _until(lambda: _checkpoints(states) == 1)
        kafka.log.append(PutRecord(b"1|w|r0|0", b""))  # of another partition
        assigned, silent = states.partitions[0], True
        assigned.next = assigned.state.next_offset = 60
        assigned.state.table.find_or_add(np.arange(1, 10, dtype=np.uint64))
        await _until(lambda: sum(b"manifest" in write.key for write in kafka.log) == 2)
        assigned.next = assigned.state.next_offset = 70
        assigned.state.table.find_or_add(np.arange(10, 20, dtype=np.uint64))
        states.deadline_s = 0.1
        await states.flush(fenced=False)
        writing.cancel()
        other = kafka.states()
        await kafka.rebalance(other, 2, {0})
        assert kafka.failed == []
        assert other.positions() == {0: 60}
        assert other.partitions[0].state.recipients == 9

    _play(play)


def test_a_manifest_of_which_nothing_was_heard_comes_first_when_the_partition_stays() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0})
        assigned = states.partitions[0]
        for step in assigned.writer.checkpoint(chain.snapshot(assigned.state), 60, 0):
            if isinstance(step, PutRecord):
                kafka.log.append(step)
                if b"manifest" in step.key:
                    break
        assert await kafka.rebalance(states, 2, {0}) == []
        said = kafka.log[-1]
        assigned.next = assigned.state.next_offset = 70
        await states.flush(fenced=False)
        assert kafka.log.count(said) == 2
        assert states.committable() == {0: 70}
        other = kafka.states()
        await kafka.rebalance(other, 4, {0})
        assert other.positions() == {0: 70}

    _play(play)


@pytest.mark.parametrize("cancelled", [1, 3])
def test_a_state_is_let_go_only_when_its_copy_is_made_though_a_rebalance_ends_the_checkpoint(
    cancelled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of figures had other bytes after it: two threads had counted the same codes."""
    begun, may_end = threading.Event(), threading.Event()

    def copy(_: StateManager, assigned: AssignedPartition) -> chain.Snapshot:
        begun.set()
        assert may_end.wait(END_S)
        return chain.snapshot(assigned.state)

    monkeypatch.setattr(StateManager, "_copy", copy)

    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0})
        assigned = states.partitions[0]
        assigned.next = 50
        checkpoint = asyncio.create_task(states._checkpoint(assigned, 1e9))
        await _until(begun.is_set)
        for _ in range(cancelled):
            checkpoint.cancel()
            await asyncio.sleep(0.01)
        assert assigned.state_lock.locked(), "events and another copy wait"
        may_end.set()
        await asyncio.wait({checkpoint})
        assert checkpoint.cancelled()
        assert not assigned.state_lock.locked()

    _play(play)


def test_a_fenced_worker_writes_no_last_checkpoint() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        await kafka.rebalance(states, 1, {0})
        await states.flush(fenced=True)
        assert kafka.log == []

    _play(play)


def test_a_state_too_large_for_the_deadline_is_left_to_the_next_owner() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        states.deadline_s = 0.0
        await kafka.rebalance(states, 1, {0})
        states.partitions[0].state.table.count = 1_000_000
        await states.flush(fenced=False)
        assert kafka.log == []

    _play(play)


def test_a_committed_offset_without_a_checkpoint_is_refused_and_a_rebuild_starts_anew() -> None:
    async def play(kafka: Kafka) -> None:
        kafka.committed = 99
        await kafka.rebalance(kafka.states(), 1, {0})
        assert isinstance(kafka.failed[0], ConfigError)
        assert "--rebuild" in str(kafka.failed[0])
        await kafka.rebalance(kafka.states(rebuild=True), 2, {0})
        assert kafka.positions == {0: 7}
        assert len(kafka.failed) == 1

    _play(play)


def test_a_rebuild_removes_what_it_does_not_trust() -> None:
    async def play(kafka: Kafka) -> None:
        first = kafka.states()
        await kafka.rebalance(first, 1, {0})
        first.partitions[0].next = 50
        await first.flush(fenced=False)
        keys = {write.key for write in kafka.log}
        await kafka.rebalance(kafka.states(rebuild=True), 2, {0})
        assert {write.key for write in kafka.log if write.value is None} == keys
        assert kafka.positions == {0: 7}

    _play(play)


def test_a_rebuild_also_removes_a_key_that_nobody_knows_which_no_start_without_it_passes() -> None:
    async def play(kafka: Kafka) -> None:
        for key in (b"0|x", b"0|w|chunk|one", b"0|\xff"):
            kafka.log.append(PutRecord(key, b"rubbish"))
        await kafka.rebalance(kafka.states(), 1, {0})
        assert isinstance(kafka.failed[0], ConfigError)
        kafka.failed.clear()
        await kafka.rebalance(kafka.states(rebuild=True), 2, {0})
        assert (kafka.failed, kafka.positions) == ([], {0: 7})
        gone = {write.key for write in kafka.log if write.value is None}
        assert gone == {b"0|x", b"0|w|chunk|one", b"0|\xff"}
        await kafka.rebalance(kafka.states(), 3, {0})
        assert kafka.failed == []

    _play(play)


@pytest.mark.parametrize("generation", [2, 3])
def test_a_rebuild_throws_nothing_away_that_is_taken_over_later(generation: int) -> None:
    async def play(kafka: Kafka) -> None:
        rebuilding, other = kafka.states(rebuild=True), kafka.states()
        await kafka.rebalance(rebuilding, 1, {0})
        await kafka.rebalance(other, 1, {1})
        other.partitions[1].next = other.partitions[1].state.next_offset = 50
        await other.flush(fenced=False)
        await kafka.rebalance(rebuilding, generation, {0, 1})
        assert rebuilding.positions() == {0: 7, 1: 50}
        assert not [write for write in kafka.log if write.value is None]

    _play(play)


def test_a_rebuild_throws_a_partition_away_once_and_not_when_it_comes_back() -> None:
    async def play(kafka: Kafka) -> None:
        kafka.committed = 99
        states = kafka.states(rebuild=True)
        await kafka.rebalance(states, 1, {0, 1})
        await kafka.rebalance(states, 3, {0, 1})  # without a checkpoint yet: from the start again
        assert kafka.positions == {0: 7, 1: 7}
        states.partitions[0].next = states.partitions[0].state.next_offset = 50
        await states.flush(fenced=False)
        await kafka.rebalance(states, 5, {0, 1})
        assert kafka.positions == {0: 50, 1: 7}
        assert not kafka.failed

    _play(play)


def test_a_rebuild_leaves_a_partition_alone_that_went_before_it_was_loaded() -> None:
    async def play(kafka: Kafka) -> None:
        states, other = kafka.states(rebuild=True), kafka.states()
        states.revoke()
        states.assign(frozenset({0, 1}), 1)
        await kafka.rebalance(states, 2, {0})
        await kafka.rebalance(other, 2, {1})
        other.partitions[1].next = other.partitions[1].state.next_offset = 50
        await other.flush(fenced=False)
        await kafka.rebalance(states, 3, {0, 1})
        assert states.positions() == {0: 7, 1: 50}

    _play(play)


def test_a_damaged_changelog_is_refused_with_the_key() -> None:
    async def play(kafka: Kafka) -> None:
        kafka.log.append(PutRecord(b"0|w|manifest|0", b"rubbish"))
        await kafka.rebalance(kafka.states(), 1, {0})
        assert isinstance(kafka.failed[0], ConfigError)
        assert "'0|w|manifest|0'" in str(kafka.failed[0])

    _play(play)


def test_a_state_of_another_format_is_refused() -> None:
    async def play(kafka: Kafka) -> None:
        snapshot = chain.snapshot(chain.Partition(PARAMS))
        snapshot.rest["gateways"] = [["smsc-1", *range(99)]]  # with fields too many
        writer = CheckpointWriter(0, "w", 0)
        for step in writer.checkpoint(snapshot, 9, 0):
            if isinstance(step, PutRecord):
                kafka.log.append(step)
        await kafka.rebalance(kafka.states(), 1, {0})
        assert "does not fit this version" in str(kafka.failed[0])

    _play(play)


@pytest.mark.parametrize("stale", [1, 3])
def test_a_changelog_read_for_another_generation_makes_no_states(stale: int) -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        states.revoke()
        states.assign(frozenset({0}), 2)
        await states.load(stale)
        assert not states.partitions
        await states.load(2)
        assert set(states.partitions) == {0}

    _play(play)


def test_a_changelog_read_when_a_rebalance_has_begun_makes_no_states() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        states.revoke()
        states.assign(frozenset({0}), 2)
        states.revoke()
        await states.load(2)
        assert not states.partitions

    _play(play)


def test_nothing_is_placed_while_another_rebalance_has_begun() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()

        async def interrupted(_partitions: Any) -> dict[int, int]:
            states.revoke()
            return {0: 7}

        kafka.beginnings = interrupted  # type: ignore[method-assign, assignment]
        await kafka.rebalance(states, 1, {0})
        assert not states.positioned

    _play(play)


def test_a_checkpoint_is_written_when_it_is_due_and_only_if_there_is_something_new() -> None:
    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        states.cycle_s = 0.0
        await kafka.rebalance(states, 1, {0})
        writing = asyncio.create_task(states.write_checkpoints())
        await _until(lambda: _checkpoints(states) == 1)
        written = len(kafka.log)
        await asyncio.sleep(0.5)
        assert len(kafka.log) == written
        states.partitions[0].next = 60
        await _until(lambda: states.committable() == {0: 60})
        writing.cancel()

    _play(play)


@pytest.mark.parametrize("refusal", [KafkaStorageError, NotEnoughReplicasError])
@pytest.mark.parametrize("record", [1, 2, 3])  # two chunks and the manifest
@pytest.mark.slow
def test_a_changelog_that_takes_no_record_holds_the_commit_back_and_is_whole_afterwards(
    record: int, refusal: type[KafkaError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or too few replicas in sync, at any record of a checkpoint."""
    monkeypatch.setattr("streams.engine.state.manager.RETRY_PAUSE_S", 0.01)

    async def play(kafka: Kafka) -> None:
        states = kafka.states()
        states.cycle_s = 0.0
        full = tried = False

        async def append(partition: int, write: PutRecord) -> int:
            nonlocal tried
            if full and len(kafka.log) >= before + record - 1:
                tried = True
                raise refusal
            return await kafka.append(partition, write)

        states.append = append
        await kafka.rebalance(states, 1, {0})
        writing = asyncio.create_task(states.write_checkpoints())
        await _until(lambda: _checkpoints(states) == 1)
        covered, before, full = states.committable(), len(kafka.log), True
        assigned = states.partitions[0]
        assigned.next = assigned.state.next_offset = 60
        assigned.state.table.find_or_add(np.arange(8000, 16_000, dtype=np.uint64))
        await _until(lambda: tried)
        await asyncio.sleep(0.1)
        assert states.committable() == covered
        full = False
        await _until(lambda: states.committable() == {0: 60})
        writing.cancel()
        other = kafka.states()
        await kafka.rebalance(other, 1, {0})
        assert other.positions() == {0: 60}
        assert other.partitions[0].state.recipients == 8000
        assert kafka.failed == []

    _play(play)


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        (lambda m: m.encode()[:8] + (FORMAT + 1).to_bytes(2) + m.encode()[10:], "upgrade"),
        (lambda m: replace_struct(m, header=m.header | {"row_words": 15}).encode(), "changelog"),
    ],
)
def test_a_checkpoint_of_a_newer_version_asks_for_an_upgrade(
    change: Callable[[Manifest], bytes], cure: str
) -> None:
    async def go() -> None:
        kafka = Kafka()
        writer = CheckpointWriter(0, "w", 0)
        snapshot = chain.snapshot(chain.Partition(PARAMS))
        writes = [s for s in writer.checkpoint(snapshot, 9, 0) if isinstance(s, PutRecord)]
        manifest = Manifest.decode("key", writes[-1].value or b"")
        kafka.log = [*writes[:-1], PutRecord(writes[-1].key, change(manifest))]
        await kafka.rebalance(kafka.states(), 1, {0})
        (said,) = kafka.failed
        assert isinstance(said, ConfigError)
        assert "0|w|manifest" in str(said) or "0|manifest" in str(said)
        assert cure in str(said)
        assert "--rebuild" in str(said)

    asyncio.run(go())


def test_a_fleet_is_upgraded_one_worker_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgraded worker takes over what the older version wrote; the older one refuses it back."""

    async def go() -> None:
        kafka, older = Kafka(), chain.STATE_FORMAT

        def write(writer: str, next_offset: int, format_: int) -> None:
            held = chain.snapshot(chain.Partition(PARAMS))
            held.header["format"] = format_
            steps = CheckpointWriter(0, writer, 0).checkpoint(held, next_offset, 0)
            kafka.log += [step for step in steps if isinstance(step, PutRecord)]

        write("older", 9, older)
        with monkeypatch.context() as upgraded:
            upgraded.setattr(checkpoint, "STATE_FORMAT", older + 1)
            states = kafka.states()
            await kafka.rebalance(states, 1, {0})
            assert states.positions() == {0: 9}
        assert not kafka.failed
        write("upgraded", 15, older + 1)
        await kafka.rebalance(kafka.states(), 1, {0})
        (said,) = kafka.failed
        assert f"format {older + 1}, this version knows up to {older}" in str(said)
        assert "upgrade" in str(said)

    asyncio.run(go())


def test_one_that_was_fenced_and_is_to_stop_begins_no_checkpoint() -> None:
    """Its producer may be gone by then; what is due has another owner."""

    async def go() -> None:
        kafka = Kafka()
        states = kafka.states()
        await kafka.rebalance(states, 1, {0})
        states.partitions[0].next = 50
        states.partitions[0].covered_at = 0.0
        writing = asyncio.create_task(states.write_checkpoints())
        states.close()
        await states.flush(fenced=True)
        await asyncio.wait_for(writing, END_S)
        assert kafka.log == []
        await states.flush(fenced=False)  # the last ones are written, if they may be
        assert states.committable() == {0: 50}

    asyncio.run(go())
