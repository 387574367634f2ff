"""The table against a dict, and its promises about memory."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, strategies as st

from detectors.recipients import table as tables
from detectors.recipients.table import WORDS, Table

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
    assert len(table.index.cells) <= 16_384


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
            held = table.used * WORDS * 8 + table.index.cells.nbytes
            assert held / table.count <= 128
            assert len(table.words) <= table.used * 9 / 8 + 1, "room that nobody uses"


@pytest.mark.slow
def test_an_index_takes_over_from_another_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_SLICE", 1)
    rng = random.Random(5)
    table = Table(1 << 14)
    model: dict[int, int] = {}
    every = np.arange(1, 3001, dtype=np.uint64) * np.uint64(7919)
    between = 0
    for step in range(6_000):
        keys = np.array(rng.sample(range(3_000), rng.randrange(1, 4)))
        if rng.random() < (0.7 if step < 3_000 else 0.5):
            for key, row in zip(
                keys.tolist(), table.find_or_add(every[keys]).tolist(), strict=True
            ):
                assert model.setdefault(key, row) == row
        else:
            assert table.drop(every[keys]) == sum(key in model for key in keys.tolist())
            for key in keys.tolist():
                model.pop(key, None)
        taken = int((table.index.cells != 0).sum())
        assert taken <= tables._LOAD_MOST * len(table.index.cells) + 3
        if table._old is not None or step % 100 == 0:
            between += table._old is not None
            assert table.find(every).tolist() == [model.get(key, -1) for key in range(3_000)]
            assert table.count == len(model)
        if table._old is None:
            cells = table.index.cells
            tombs = int((cells == tables._TOMB).sum())
            assert table._tombs == tombs
            assert int((cells != 0).sum()) - tombs == len(model), "a cell too many or too few"
    assert between > 100


@pytest.mark.slow
def test_no_call_does_more_than_a_slice_beside_its_own_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, placed = Table._place, list[int]()

    def counted(table: Table, cells: np.ndarray, *more: np.ndarray) -> None:
        placed[-1] += len(cells)
        place(table, cells, *more)

    monkeypatch.setattr(Table, "_place", counted)
    table, calls = Table(1 << 20), 0
    for low in range(0, 900_000, 3_000):
        placed.append(0)
        table.find_or_add(np.arange(low + 1, low + 3_001, dtype=np.uint64) * np.uint64(48_271))
        calls += table._old is not None
    assert calls > 10, "the index was never seen between two slices"
    assert max(placed) <= tables._SLICE + 3_000
    assert sum(placed) > 2 * 900_000, "every doubling takes all rows over"
