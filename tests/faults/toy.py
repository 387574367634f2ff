"""A miniature chain with the interface of `detectors.chain`, and with state that is hard to
restore.

A bounded table that evicts at ticks, slots that are used again, actions that tell what was evicted,
and lists in the log, of which the newest decides until another comes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = 3  # of a row
TICK = 16
ROWS_MAX = 24
ROWS_KEPT = 8
EVERY = 3  # counts that lead to an action; with every other list one less

Output = tuple[str, bytes]  # its id, and its bytes
Event = tuple[int, int]  # offset, and a recipient; or, under 0, a list: its version


@dataclass(frozen=True)
class Params:
    maintenance_at_ticks: bool = True
    lists_at_their_offsets: bool = True
    lists_restored: bool = True


@dataclass
class Snapshot:
    header: dict[str, int]
    rows: NDArray[np.uint64]
    rest: Any
    places: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((1, 8), np.uint16))


@dataclass
class Partition:
    params: Params
    next_offset: int = 0
    rows: list[list[int]] = field(default_factory=lambda: [[0, 0, 0] for _ in range(ROWS_MAX)])
    slot_of: dict[int, int] = field(default_factory=dict)
    evicted: list[int] = field(default_factory=list)
    told: int = 0  # version of the list that was adopted

    @property
    def recipients(self) -> int:
        return len(self.slot_of)


def process(partition: Partition, events: Sequence[Event], next_offset: int) -> list[Output]:
    """Takes the log in up to `next_offset`; whatever the batches, the same comes out."""
    outputs = []
    todo = list(events)
    if not partition.params.lists_at_their_offsets:  # as if they came by another way than the log
        for _, version in todo:
            _adopt(partition, version)
    ticks = (
        range(-(-(partition.next_offset + 1) // TICK) * TICK, next_offset + 1, TICK)
        if partition.params.maintenance_at_ticks
        else [next_offset]  # the safeguard taken away: maintenance at the batch's edge
    )
    for tick in ticks:
        while todo and todo[0][0] < tick:
            outputs += _event(partition, *todo.pop(0))
        _evict(partition)
    for event in todo:
        outputs += _event(partition, *event)
    partition.next_offset = next_offset
    return outputs


def _adopt(partition: Partition, version: int) -> None:
    """Takes a list, if it is one, and newer than what is held."""
    partition.told = min(partition.told, version)


def _event(partition: Partition, offset: int, recipient: int) -> list[Output]:
    if recipient < 0:
        _adopt(partition, recipient)
        return []
    slot = partition.slot_of.get(recipient)
    if slot is None:
        slot = next(slot for slot, row in enumerate(partition.rows) if not row[1])
        partition.slot_of[recipient] = slot
    count = partition.rows[slot][1] + 1
    partition.rows[slot] = [recipient, count, offset]
    if count % (EVERY - partition.told % 2):
        return []
    body = {"offset": offset, "count": count, "evicted": partition.evicted[-3:]}
    return [(f"0-{offset}", json.dumps(body).encode())]


def _evict(partition: Partition) -> None:
    longest_idle = sorted(partition.slot_of, key=lambda r: partition.rows[partition.slot_of[r]][2])
    for recipient in longest_idle[: max(0, len(longest_idle) - ROWS_KEPT)]:
        partition.rows[partition.slot_of.pop(recipient)] = [0, 0, 0]
        partition.evicted = [*partition.evicted, recipient][-5:]


def snapshot(partition: Partition) -> Snapshot:
    used = max(partition.slot_of.values(), default=-1) + 1
    rows = np.array(partition.rows[:used], np.uint64).reshape(used, WORDS)
    rest = {"evicted": partition.evicted[:], "told": partition.told}
    return Snapshot({"next_offset": partition.next_offset}, rows, rest)


def restore(params: Params, held: Snapshot) -> Partition:
    partition = Partition(params, held.header["next_offset"], evicted=list(held.rest["evicted"]))
    if params.lists_restored:
        partition.told = held.rest["told"]
    partition.rows[: len(held.rows)] = held.rows.tolist()
    partition.slot_of = {row[0]: slot for slot, row in enumerate(partition.rows) if row[1]}
    return partition
