"""The table against a dict, and its promises about memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.table import WORDS, Table

KEYS = st.lists(st.integers(1, 60), max_size=40)


@given(st.lists(st.tuples(st.sampled_from(["add", "drop"]), KEYS), max_size=12))
def test_a_table_finds_what_a_dict_would(steps: list[tuple[str, list[int]]]) -> None:
    table = Table(4096, rows_start=2)
    model: dict[int, int] = {}
    for step, keys in steps:
        spread = np.array([k << 40 | k for k in keys], np.uint64)
        if step == "add":
            rows = table.find_or_add(spread)
            for key, row in zip(spread.tolist(), rows.tolist(), strict=True):
                assert model.setdefault(key, row) == row
        else:
            distinct = np.unique(spread)
            assert table.drop(distinct) == sum(k in model for k in distinct.tolist())
            for key in distinct.tolist():
                model.pop(key, None)
        assert table.count == len(model)
        every = np.array([k << 40 | k for k in range(1, 61)], np.uint64)
        assert table.find(every).tolist() == [model.get(k, -1) for k in every.tolist()]
        assert len(set(model.values())) == len(model), "two keys share a row"


def test_a_table_goes_on_from_its_rows() -> None:
    table = Table(1 << 14)
    keys = np.arange(1, 6001, dtype=np.uint64) * np.uint64(7919)
    table.find_or_add(keys)
    table.drop(keys[::3])
    again = Table.over(table.words[: table.used].copy(), 1 << 14)
    assert again.count == table.count == 4000
    assert np.array_equal(again.find(keys), table.find(keys))
    assert (again.find_or_add(keys[::3]) < again.used).all()
    assert again.count == 6000


def test_dropping_and_adding_for_ever_stays_within_its_size() -> None:
    table = Table(1 << 14)
    for turn in range(200):
        keys = np.arange(turn * 4000 + 1, turn * 4000 + 4001, dtype=np.uint64)
        table.find_or_add(keys)
        assert table.drop(keys) == 4000
    assert len(table.words) <= 8192
    assert len(table._cells) <= 16_384


def test_more_recipients_than_rows_is_a_broken_invariant() -> None:
    table = Table(8, rows_start=2)
    table.find_or_add(np.arange(1, 9, dtype=np.uint64))
    with pytest.raises(AssertionError, match="room"):
        table.find_or_add(np.array([9], np.uint64))


def test_a_recipient_takes_at_most_128_bytes() -> None:
    table = Table(1 << 20)
    for low in range(0, 300_000, 20_000):
        table.find_or_add(np.arange(low + 1, low + 20_001, dtype=np.uint64) * np.uint64(48_271))
        if low >= 100_000:  # a small table's index may be emptier
            held = table.used * WORDS * 8 + table._cells.nbytes
            assert held / table.count <= 128
