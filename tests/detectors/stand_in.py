"""Makes batches for tests behind recognition: an event states its platform and trust itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from detectors.chain import Decisions, Params, Partition, Snapshot, process
from detectors.model.codes import Codes
from detectors.model.event import (
    TOKEN_BIT,
    Batch,
    Block,
    EventKind,
    HotList,
    MemoryRecord,
    name_check,
    platform_id,
    platform_print,
)
from detectors.model.strings import StringList
from detectors.recipients.row import MEMORY_WORDS, extent_of

START_MS = 1_790_000_000_000  # 2026-09-21
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Event(NamedTuple):
    at_ms: int
    recipient: int
    platform: str = "p"
    trust: int = 0
    kind: EventKind = EventKind.MESSAGE
    gateway: str = "gw"
    told: HotList | None = None  # of one of kind LISTED
    page: int = 0  # template of a text that names nobody, from a number
    message_id: str = ""  # empty: one of its own
    memory: MemoryRecord | None = None  # of one of kind MEMORY


@cache
def _by_print() -> dict[int, list[str]]:
    found = defaultdict(list)
    for name in (f"twin {i}" for i in range(1 << 19)):
        found[platform_print(platform_id(name))].append(name)
    return found


def twin_of(platform: str, which: int = -1) -> str:
    """Another platform with the same print, one of eight or so."""
    twins = _by_print()[platform_print(platform_id(platform))]
    return twins[which % len(twins)]


def codes_of(batch: Batch) -> Codes:
    """Verdicts as the events of `batch_of` say them themselves."""
    ids = [platform_id(p) if p else 0 for p in batch.platform]
    return Codes(
        np.array([bool(p) for p in batch.platform], np.bool_),
        np.array(ids, np.uint32),
        np.array([int(c or 0) for c in batch.category], np.uint8),
        np.ones(len(batch), np.float32),
        {i: p for i, p in zip(ids, batch.platform, strict=True) if p},
        np.array([name_check(p) if p else 0 for p in batch.platform], np.uint16),
        batch.platform.__getitem__,
        np.array([int(t) for t in batch.template], np.uint32),
    )


def batch_of(
    events: Sequence[Event], offsets: Sequence[int], next_offset: int | None = None
) -> Batch:
    empty = StringList([""] * len(events))
    return Batch(
        topic="sms.delivery.v1",
        partition=3,
        next_offset=offsets[-1] + 1 if next_offset is None else next_offset,
        offset=np.array(offsets, np.int64),
        event_time_ms=np.array([e.at_ms for e in events], np.int64),
        recipient=np.array([e.recipient for e in events], np.uint64),
        kind=np.array([e.kind for e in events], np.uint8),
        sender=StringList([f"of {e.platform}" for e in events]),
        text=empty,
        signature=empty,
        category=StringList([str(int(e.trust)) for e in events]),
        platform=StringList([e.platform for e in events]),
        template=StringList([str(e.page) for e in events]),
        gateway=StringList([e.gateway for e in events]),
        tokens={e.recipient: f"h1:{e.recipient:x}" for e in events if e.recipient & TOKEN_BIT},
        origin=lambda i: ("account", events[i].message_id or f"id {offsets[i]}"),
        listed=lambda i: events[i].told,
        memory=lambda i: events[i].memory,
    )


def poll_of(parts: Sequence[tuple[int, Sequence[Event], Sequence[int], int]]) -> Batch:
    """A batch of several partitions: of each its number, events, offsets and next offset."""
    batch = batch_of(
        [event for _, events, _, _ in parts for event in events],
        [offset for _, _, offsets, _ in parts for offset in offsets],
        next_offset=0,
    )
    edges = [0, *accumulate(len(events) for _, events, _, _ in parts)]
    blocks = (
        Block(partition, next_offset, first, last)
        for (partition, _, _, next_offset), (first, last) in zip(
            parts, pairwise(edges), strict=True
        )
    )
    return replace(batch, blocks=tuple(blocks))


def run(
    params: Params,
    events: Sequence[Event],
    partition: Partition | None = None,
    size: int = 20_000,
    offsets: Sequence[int] | None = None,
) -> Decisions:
    """All decisions; the partition goes on from where it is."""
    partition = Partition(params) if partition is None else partition
    if offsets is None:
        offsets = range(partition.next_offset, partition.next_offset + len(events))
    total = Decisions()
    for i in range(0, len(events), size):
        batch = batch_of(events[i : i + size], offsets[i : i + size])
        add(total, process(params, partition, batch, codes_of(batch)))
    return total


def add(total: Decisions, more: Decisions) -> None:
    """Adds the decisions of a later batch."""
    for field in fields(Decisions):
        setattr(total, field.name, getattr(total, field.name) + getattr(more, field.name))


def plain_rows(held: Snapshot) -> dict[int, tuple[list[int], list[int]]]:
    """What a snapshot knows of each recipient: its row, and its places in the overflow.

    Where these lie depends on how a log was cut into batches, so the row has no link to them.
    """
    found = {}
    for row in held.rows[held.rows[:, 0] != 0]:  # a copy
        first, blocks, _ = extent_of(row)
        if blocks:
            row[1] &= ~np.uint64(0xFFF0 << 16)
            row[MEMORY_WORDS.start] &= ~np.uint64(0xFFFF << 16)
        found[int(row[0])] = row.tolist(), held.places[first : first + blocks].ravel().tolist()
    return found
