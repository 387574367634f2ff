"""Envelopes cut and put together again."""

from __future__ import annotations

from bisect import bisect_left
from functools import reduce

import pytest
from hypothesis import given, strategies as st

from streams.engine.transport.envelope import Envelope
from streams.wire.record_batch import Refused


@given(st.integers(1, 60), st.integers(10, 45), st.integers(0, 15))
def test_what_was_refused_is_told_once_wherever_an_envelope_is_cut(
    size: int, first: int, behind: int
) -> None:
    one = Refused(first, first + behind, 0)
    offsets = [o for o in range(10, 61) if not one.first <= o <= one.last]
    texts = [b""] * len(offsets)
    whole = Envelope(0, 10, 61, 61, texts, texts, offsets, offsets, refused=(one,))
    pieces = list(whole.pieces(size))
    (teller,) = [piece for piece in pieces if piece.refused]
    assert teller.start <= one.last < teller.next_offset
    assert bool(whole.since(one.last).refused) is True
    assert not whole.since(one.last + 1).refused
    assert reduce(lambda earlier, later: later.after(earlier), pieces).refused == (one,)


@given(st.sets(st.integers(10, 40)), st.integers(0, 50))
def test_the_rest_of_an_envelope_has_just_the_records_from_there(
    offsets: set[int], since: int
) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    rest = Envelope(0, 10, 41, 41, texts, texts, column, column).since(since)
    expected = [o for o in column if o >= since]
    assert rest.offsets == rest.timestamps_ms == expected
    assert rest.values == rest.keys == [str(o).encode() for o in expected]
    assert (rest.start, rest.next_offset) == (max(10, since), 41)


@given(st.sets(st.integers(10, 40)), st.integers(10, 40))
def test_two_parts_of_an_envelope_are_it_again(offsets: set[int], cut: int) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    whole = Envelope(0, 10, 41, 50, texts, texts, column, column)
    at = bisect_left(column, cut)
    assert whole.since(cut).after(whole._part(0, at, 10, cut).alone()) == whole


@pytest.mark.parametrize(
    ("end", "highwater", "early"),
    [(10, 20, True), (10, 15, False), (20, 40, False), (11, 20, True), (19, 19, False)],
)
def test_an_envelope_ends_early_if_the_log_had_all_of_its_last_tick(
    end: int, highwater: int, *, early: bool
) -> None:
    assert Envelope(0, 3, end, highwater, [], [], [], []).ends_early(20) is early


@given(st.sets(st.integers(10, 60)), st.integers(1, 60))
def test_the_pieces_of_an_envelope_are_all_of_it_cut_at_multiples(
    offsets: set[int], size: int
) -> None:
    column = sorted(offsets)
    texts = [str(o).encode() for o in column]
    pieces = list(Envelope(0, 10, 61, 61, texts, texts, column, column).pieces(size))
    assert [o for piece in pieces for o in piece.offsets] == column
    assert [v for piece in pieces for v in piece.values] == texts
    assert [p.next_offset for p in pieces] == [*(p.start for p in pieces[1:]), 61]
    assert pieces[0].start == 10
    for piece in pieces:
        assert len({o // size for o in piece.offsets}) <= 1
        assert all(piece.start <= o < piece.next_offset for o in piece.offsets)
