"""Several tables asked at once: as each by itself, whatever became of its index."""

from __future__ import annotations

import random
from itertools import accumulate

import numpy as np
import pytest

from detectors.recipients.table import WORDS, Table
from detectors.recipients.tables import Tables


def asked(rng: random.Random, most: int) -> list[list[int]]:
    """Keys of three tables, some of them twice."""
    return [
        [rng.randint(1, 40_000) << 20 for _ in range(rng.choice([0, 1, 3, 24, 60, 96, most]))]
        for _ in range(3)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_several_tables_find_what_dicts_would(seed: int) -> None:
    """While indexes grow, are taken over from and have tombstones, and rows are used again."""
    rng = random.Random(seed)
    tables = [Table(1 << 16, rows_start=2, seed=seed << 40) for _ in range(3)]
    models: list[dict[int, int]] = [{}, {}, {}]
    for turn in range(150):
        keys = asked(rng, 30 if turn % 10 else 3_000)
        edges = [0, *accumulate(map(len, keys))]
        every = np.array([key for some in keys for key in some], np.uint64)
        rows = Tables(tables, edges).find_or_add(every)
        for table, model, some, first in zip(tables, models, keys, edges, strict=False):
            for key, row in zip(some, rows[first:].tolist(), strict=False):
                assert model.setdefault(key, row) == row
                assert int(table.words[row, 0]) == key
            assert table.count == len(model) == len(set(model.values()))
            if rng.random() < 0.3:
                gone = rng.sample(sorted(model), len(model) // 3)
                assert table.drop(np.array(gone, np.uint64)) == len(gone)
                for key in gone:
                    del model[key]
    for table, model in zip(tables, models, strict=True):
        held = np.array(sorted(model), np.uint64)
        assert table.find(held).tolist() == [model[key] for key in sorted(model)]


def test_rows_of_several_tables_are_taken_and_put_back() -> None:
    tables = [Table(1 << 14, seed=5) for _ in range(2)]
    keys = np.array([7, 8, 7], np.uint64)
    together = Tables(tables, [0, 2, 3])
    rows = together.find_or_add(keys)
    taken = together.take(rows)
    assert taken.shape == (3, WORDS)
    assert taken[:, 0].tolist() == [7, 8, 7]
    taken[:, 1] = [1, 2, 3]
    assert together.take(rows)[:, 1].tolist() == [0, 0, 0], "a copy"
    together.put(rows, taken)
    assert together.take(rows).tolist() == taken.tolist()
    assert tables[1].words[rows[2], 1] == 3


def test_tables_of_several_seeds_are_not_asked_together() -> None:
    with pytest.raises(AssertionError):
        Tables([Table(1 << 14, seed=1), Table(1 << 14, seed=2)], [0, 0, 0]).find_or_add(
            np.zeros(0, np.uint64)
        )
