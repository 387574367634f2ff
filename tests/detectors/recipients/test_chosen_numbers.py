"""Numbers that somebody chose, knowing the source, so that they meet in one cell of the index."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.recipients import table as tables
from detectors.recipients.table import Table

HELD = 20_000
CHOSEN = 700
FIRST = 8_613_000_000_000


class Counting(np.ndarray):
    """Cells that count how many of them are looked at."""

    looked = 0

    def take(self, indices: np.ndarray, *rest: object, **more: object) -> np.ndarray:  # type: ignore[override]
        Counting.looked += np.size(indices)
        return np.asarray(super().take(indices, *rest, **more))  # type: ignore[call-overload]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tables._Index.of

    def counting(bits: int) -> tables._Index:
        index = made(bits)
        return index._replace(cells=index.cells.view(Counting))

    monkeypatch.setattr(tables._Index, "of", counting)


def filled(seed: int) -> Table:
    """A table with room to spare in its index, so that none takes over from it."""
    table = Table(1 << 16, seed=seed)
    table.find_or_add(np.arange(1, HELD + 1, dtype=np.uint64) * np.uint64(86_028_121))
    return table


def chosen_for(table: Table) -> np.ndarray:
    """Numbers that no table holds and whose first cell is the same, by this one's seed."""
    index = table.index
    found: list[np.ndarray] = []
    for first in range(FIRST, FIRST + (1 << 27), 1 << 22):
        some = np.arange(first, first + (1 << 22), dtype=np.uint64)
        found.append(some[table.hash_keys(some) >> index.shift == 7])
        if sum(map(len, found)) >= CHOSEN:
            break
    numbers = np.concatenate(found)[:CHOSEN]
    assert len(numbers) == CHOSEN
    return numbers


def looks(table: Table, numbers: np.ndarray) -> int:
    before = Counting.looked
    table.find_or_add(numbers)
    return Counting.looked - before


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("known", [0, 1, 0x1234_5678_9ABC_DEF0])
@pytest.mark.slow
def test_numbers_chosen_for_a_seed_cost_what_others_cost_where_the_seed_is_another(
    known: int,
) -> None:
    numbers = chosen_for(filled(known))
    others = np.arange(FIRST, FIRST + CHOSEN, dtype=np.uint64) * np.uint64(3)
    for seed in range(100, 110):
        cost, ordinary = looks(filled(seed), numbers), looks(filled(seed), others)
        assert cost <= 1.5 * ordinary, f"seed {seed}: {cost} cells, ordinary ones {ordinary}"


@pytest.mark.usefixtures("counted")
def test_even_where_the_seed_is_known_each_number_walks_its_chain_once() -> None:
    """Looked up, the first finds a chain that is empty; added, none begins it again."""
    table = filled(5)
    numbers = chosen_for(table)
    assert looks(table, numbers) <= 40 * CHOSEN


@pytest.mark.usefixtures("counted")
def test_a_restore_walks_no_chain_twice() -> None:
    table = filled(5)
    table.find_or_add(chosen_for(table))
    rows = table.words[: table.used].copy()
    before = Counting.looked
    Table.over(rows, 1 << 16, seed=6)
    assert Counting.looked - before <= 12 * len(rows)


def test_two_seeds_lay_the_same_rows() -> None:
    one, other = filled(1), filled(2)
    assert np.array_equal(one.words, other.words)
    keys = one.words[: one.used, 0]
    assert np.array_equal(one.find(keys), other.find(keys))
    some = np.arange(1, 5000, dtype=np.uint64)
    assert not np.array_equal(one.hash_keys(some), other.hash_keys(some))


@pytest.mark.parametrize("step", [1, 1 << 8, 1 << 16, 1 << 32, 1 << 50])
@pytest.mark.parametrize("seed", range(8))
def test_numbers_in_a_row_spread_over_the_cells(seed: int, step: int) -> None:
    """4,096 keys hit 2,589 of 4,096 cells by chance; and all tags occur."""
    keys = np.arange(4096, dtype=np.uint64) * np.uint64(step)
    mixed = Table(1 << 14, seed=seed).hash_keys(keys)
    assert len(np.unique(mixed >> np.uint64(52))) > 2000
    assert len(np.unique(mixed >> np.uint64(8) & np.uint64(0xFF00_0000))) == 256
