"""A recogniser for tests of what comes after it: the text is `<platform key>|<trust>`, "" no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.chain import Decisions, Params, Partition, process
from detectors.event import Batch, Kind, platform_id

START_MS = 1_790_000_000_000  # 2026-09-21
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Event(NamedTuple):
    at_ms: int
    recipient: int
    platform: str = "p"
    trust: int = 0
    kind: Kind = Kind.MESSAGE
    gateway: str = "gw"


@dataclass(frozen=True, slots=True)
class StandInCodes:
    otp: NDArray[np.bool_]
    platform: NDArray[np.uint32]
    trust: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    names: Mapping[int, str]


class StandIn:
    def columns(self, batch: Batch) -> StandInCodes:
        n = len(batch)
        ids = [platform_id(p) if p else 0 for p in batch.platform]
        return StandInCodes(
            np.array([bool(p) for p in batch.platform], np.bool_),
            np.array(ids, np.uint32),
            np.array([int(c or 0) for c in batch.category], np.uint8),
            np.ones(n, np.float32),
            {i: p for i, p in zip(ids, batch.platform, strict=True) if p},
        )


def batch_of(events: Sequence[Event], offset: int, next_offset: int | None = None) -> Batch:
    n = len(events)
    empty = [""] * n
    return Batch(
        "sms.delivery.v1",
        3,
        offset + n if next_offset is None else next_offset,
        np.arange(offset, offset + n, dtype=np.int64),
        np.array([e.at_ms for e in events], np.int64),
        np.array([e.recipient for e in events], np.uint64),
        np.array([e.kind for e in events], np.uint8),
        empty,
        empty,
        empty,
        [str(int(e.trust)) for e in events],
        [e.platform for e in events],
        empty,
        [e.gateway for e in events],
        {},
    )


def run(
    params: Params,
    events: Sequence[Event],
    partition: Partition | None = None,
    size: int = 20_000,
) -> list[Decisions]:
    """Every batch's decisions; the partition goes on from where it is."""
    partition = Partition(params) if partition is None else partition
    out = []
    for i in range(0, len(events), size):
        piece = events[i : i + size]
        out.append(process(params, StandIn(), partition, batch_of(piece, partition.next_offset)))
    return out
