"""Values and ids as they lie in the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.desk.store.packing import id_bytes, ids_of, packed, unpacked


@given(st.binary(max_size=2_000))
def test_a_value_comes_back_as_it_was(value: bytes) -> None:
    assert unpacked(packed(value)) == value


@given(st.lists(st.integers(0, 2**32 - 1), max_size=200))
def test_ids_come_back_once_each_and_ascending(ids: list[int]) -> None:
    assert ids_of(id_bytes(ids)) == sorted(set(ids))
    assert len(id_bytes(ids)) == 4 * len(set(ids))
