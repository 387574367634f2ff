"""Splits a batch of several partitions into one share per partition, and shares into pieces.

A tick is every `TICK_OFFSETS`-th offset of a partition's log, where maintenance runs. A piece is
the part of a share between two ticks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.decisions import Decisions
from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS, Batch, Block
from detectors.partition import Partition


class Share:
    """One partition's part of a batch, with its state and its decisions."""

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
        """Return the whole batch, labelled with this partition and its next offset."""
        if self._batch is None:
            self._batch = self._whole.of(self.block)
        return self._batch


class Piece(NamedTuple):
    """A part of a share in which no maintenance is due. Positions are indices into the batch."""

    share: Share
    start: int
    stop: int  # exclusive
    next_offset: int  # offset after the piece


def pieces(share: Share, batch: Batch, apart: NDArray[np.int64]) -> Iterator[Piece]:
    """Yield the pieces of a share.

    A piece ends at a tick, after an event that is no message (their positions are `apart`), or at
    the end of the share. A tick belongs to the piece before it.
    """
    _, next_offset, first, last = share.block
    offset = share.state.next_offset
    if len(apart):
        apart = apart[slice(*apart.searchsorted((first, last)))]
    if offset // TICK_OFFSETS == next_offset // TICK_OFFSETS and not len(apart):
        yield Piece(share, first, last, next_offset)
        return
    # Find the first tick after each offset, if the log passes that tick before the next event.
    # Further ticks before the same event would have nothing to do.
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
