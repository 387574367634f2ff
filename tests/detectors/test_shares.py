"""A share of a batch is cut where its own log passes a tick, or recycles a number."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.model.arrays import indices
from detectors.model.event import TICK_OFFSETS, EventKind
from detectors.partition import Params, Partition
from detectors.shares import Share, pieces
from tests.detectors.stand_in import START_MS, Event, poll_of

T = TICK_OFFSETS


@pytest.mark.parametrize(
    ("at", "offsets", "recycled", "next_offset", "expected"),
    [
        (5, [5, 6], [], 7, [(2, 4, 7)]),
        (5, [], [], 9, [(2, 2, 9)]),
        (5, [T - 1], [], T, [(2, 3, T)]),
        (T, [T, T + 1], [], T + 2, [(2, 4, T + 2)]),
        (5, [T - 1, T], [], T + 1, [(2, 3, T), (3, 4, T + 1)]),
        (5, [3 * T + 1], [], 3 * T + 2, [(2, 2, T), (2, 3, 3 * T + 2)]),
        (5, [], [], 3 * T, [(2, 2, T), (2, 2, 3 * T)]),
        (5, [6, 7, 8], [1], 9, [(2, 4, 8), (4, 5, 9)]),
        (5, [T - 1, T], [0], T + 1, [(2, 3, T), (3, 4, T + 1)]),
    ],
)
def test_pieces_end_at_ticks_and_behind_numbers_that_are_recycled(
    at: int,
    offsets: list[int],
    recycled: list[int],
    next_offset: int,
    expected: list[tuple[int, int, int]],
) -> None:
    kinds = [EventKind.RECYCLED if i in recycled else EventKind.MESSAGE for i in range(9)]
    events = [Event(START_MS, 9, kind=kinds[i]) for i in range(len(offsets))]
    others = [Event(START_MS, 9, kind=EventKind.RECYCLED)] * 2
    batch = poll_of([(0, others, [T - 1, T], T + 1), (1, events, offsets, next_offset)])
    state = Partition(Params())
    state.next_offset = at
    share = Share(state, batch, batch.blocks[1])
    found = pieces(share, batch, indices(batch.kind == EventKind.RECYCLED))
    assert [piece[1:] for piece in found] == expected


def test_a_share_sees_all_columns_under_its_own_name() -> None:
    batch = poll_of([(4, [Event(START_MS, 9)], [1], 2), (7, [Event(START_MS, 8)], [5], 6)])
    share = Share(Partition(Params()), batch, batch.blocks[1])
    assert (share.batch.partition, share.batch.next_offset, len(share.batch)) == (7, 6, 2)
    assert share.decisions.events == 1
    assert np.array_equal(share.batch.offset, batch.offset)


def test_a_share_does_not_go_back_in_the_log() -> None:
    batch = poll_of([(4, [], [], 2)])
    state = Partition(Params())
    state.next_offset = 3
    with pytest.raises(AssertionError):
        Share(state, batch, batch.blocks[0])
