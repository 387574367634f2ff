"""A worker that inherits all partitions, each of them full: none takes another's room or rows."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from detectors.chain import (
    Decisions,
    Params,
    Partition,
    process,
    process_together,
    restore,
    snapshot,
)
from detectors.model.event import TICK_OFFSETS
from detectors.recipients.sieve import SieveParams
from tests.builders.detectors.chain_properties import held_by
from tests.detectors.stand_in import START_MS, Event, add, batch_of, codes_of, poll_of, run

PARTITIONS = 32
ROWS_MAX = 16_384
PARAMS = Params(sieve=SieveParams(rows_max=ROWS_MAX), suspects_max=64)
FIRST = 8613800000000
GAP_MS = 100
WAVE_MS = 20_000


def victim(partition: int) -> int:
    return FIRST - 1 - partition


def log(partition: int, first: int, count: int) -> list[Event]:
    """Codes to new numbers one after another, and a flood at the partition's victim among them."""
    events = []
    for i in range(first, first + count):
        at_ms = START_MS + i * GAP_MS
        events.append(Event(at_ms, FIRST + i * PARTITIONS + partition, "p"))
        if i * GAP_MS % WAVE_MS == 0:
            events.append(Event(at_ms, victim(partition), f"new {i}"))
    return events


@pytest.mark.slow
def test_one_worker_inherits_all_partitions_full() -> None:
    """It goes on with each as its own log has it, in polls of all of them and by each one's room.

    The states are restored from snapshots, as those of workers that died are.
    """
    held = []
    for number in range(PARTITIONS):
        dead = Partition(PARAMS)
        run(PARAMS, log(number, 0, ROWS_MAX - TICK_OFFSETS // 2), dead)
        assert dead.recipients + 2 * TICK_OFFSETS >= ROWS_MAX, "full: a tick more, and some go"
        held.append(snapshot(dead))
    heir = [restore(PARAMS, each) for each in held]
    totals = [Decisions() for _ in heir]
    later = [log(number, ROWS_MAX, 2 * TICK_OFFSETS) for number in range(PARTITIONS)]
    begun = [partition.next_offset for partition in heir]
    for first in range(0, len(later[0]), 500):
        poll = []
        for number, events in enumerate(later):
            some = events[first : first + 500]
            offsets = range(begun[number] + first, begun[number] + first + len(some))
            poll.append((number, some, offsets, offsets.stop))
        batch = poll_of(poll)
        decided = process_together(PARAMS, heir, batch, codes_of(batch))
        for total, more in zip(totals, decided, strict=True):
            add(total, more)
    for number, total in enumerate(totals):
        alone, expected = restore(PARAMS, held[number]), Decisions()
        for first in range(0, len(later[number]), 3_000):
            some = later[number][first : first + 3_000]
            batch = batch_of(some, range(begun[number] + first, begun[number] + first + len(some)))
            batch = replace(batch, partition=number)
            add(expected, process(PARAMS, alone, batch, codes_of(batch)))
        for field in fields(Decisions):
            assert getattr(total, field.name) == getattr(expected, field.name), (number, field.name)
        assert held_by(heir[number]) == held_by(alone), number
        assert total.evicted >= 2 * TICK_OFFSETS, "each made room by itself"
        assert heir[number].recipients <= ROWS_MAX
        assert victim(number) in heir[number].suspects
        assert total.actions, "its flood goes on"
