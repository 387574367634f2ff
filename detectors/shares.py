"""Each partition's share of a batch of several, and its pieces between ticks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.decisions import Decisions
from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS, Batch, Block
from detectors.partition import Partition


class Share:
    """One partition's part in what is processed together."""

    __slots__ = ("_batch", "_whole", "block", "decisions", "state")

    def __init__(self, state: Partition, batch: Batch, block: Block) -> None:
        assert block.next_offset >= state.next_offset, "a batch must not go back in the log"
        self.state = state
        self.block = block
        self.decisions = Decisions(events=block.last - block.first)
        self._whole = batch
        self._batch: Batch | None = None if batch.blocks else batch

    @property
    def batch(self) -> Batch:
        """All columns, under this partition's name."""
        if self._batch is None:
            self._batch = self._whole.of(self.block)
        return self._batch


class Piece(NamedTuple):
    """A part of a share without maintenance inside."""

    share: Share
    start: int  # positions in the batch
    stop: int
    next_offset: int  # behind it


def pieces(share: Share, batch: Batch, apart: NDArray[np.int64]) -> Iterator[Piece]:
    """Pieces of a share; each ends at a tick, after an event that is no message, or with it.

    A tick belongs to the piece before it.
    """
    _, next_offset, first, last = share.block
    offset = share.state.next_offset
    if len(apart):
        apart = apart[slice(*apart.searchsorted((first, last)))]
    if offset // TICK_OFFSETS == next_offset // TICK_OFFSETS and not len(apart):
        yield Piece(share, first, last, next_offset)
        return
    # The first tick behind each offset, where the log passes it before the next event. Later ones
    # before that event would find nothing left to do.
    offsets = batch.offset[first:last]
    behind = np.concatenate(([offset], offsets))
    ticks = (behind // TICK_OFFSETS + 1) * TICK_OFFSETS
    passed = indices(ticks <= np.append(offsets, next_offset))
    ends = sorted(
        {
            *zip(ticks[passed].tolist(), (passed + first).tolist(), strict=True),
            *zip((batch.offset[apart] + 1).tolist(), (apart + 1).tolist(), strict=True),
            (next_offset, last),
        }
    )
    for behind_it, stop in ends:
        yield Piece(share, first, stop, behind_it)
        first = stop
