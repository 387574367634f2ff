"""Look-ups in several tables in one pass: hashing and matching run over all keys at once.

Each partition owns a table, and a Kafka poll returns a few keys for each. A numpy call takes as
long for two keys as for two hundred. So only reads of a table's own memory (index cells and rows)
are done per table. Two such reads take 3 us; a separate look-up per table takes 25 us.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.recipients.table import PROBES, ROW, ROWS, WORDS, Table

FEW: Final = 24
"""Number of keys of one table up to which a Python loop is faster than numpy. Measured."""
FEW_NEW: Final = 96
"""Number of keys up to which a Python loop is faster, if the keys are known to be absent from the
table. Then they need no search."""


class Tables(NamedTuple):
    """Several tables with the same seed. Keys `edges[i]` up to `edges[i + 1]` belong to table i."""

    tables: Sequence[Table]
    edges: Sequence[int]

    def find_or_add(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the row of each key (n,) in its table; add absent keys (`Table.find_or_add`)."""
        tables, edges = self
        if len(tables) == 1:
            return tables[0].find_or_add(keys)
        assert len({table.seed for table in tables}) == 1
        hashed = tables[0].hash_keys(keys)
        rows, absent = self._first_guess(hashed)
        found = np.empty(len(keys), np.uint64)
        word = rows * WORDS
        for table, (a, b) in zip(tables, pairwise(edges), strict=True):
            table.words.reshape(-1).take(word[a:b], out=found[a:b], mode="clip")
        left = indices(found != keys)
        if len(left):
            cut = left.searchsorted(edges).tolist()
            for table, (a, b) in zip(tables, pairwise(cut), strict=True):
                if a < b:
                    some = left[a:b]
                    rows[some] = _one_by_one(table, keys[some], hashed[some], absent[some])
        return rows

    def _first_guess(
        self, hashed: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return for each key the first row near the cell of the key whose tag matches, else row 0.

        Also returns which keys are surely absent from their table's newest index: no tag matches,
        and a cell nearby is empty.
        """
        tables, edges = self
        sizes = np.diff(edges)
        shift = np.repeat([table.shift for table in tables], sizes)
        last = np.repeat([len(table.cells) - 1 for table in tables], sizes)
        near = ((hashed >> shift).astype(np.int64)[:, None] + PROBES) & last[:, None]
        held = np.empty(near.shape, np.uint32)
        for table, (a, b) in zip(tables, pairwise(edges), strict=True):
            table.cells.take(near[a:b], out=held[a:b], mode="clip")
        empty = (held == 0).any(axis=1)
        held ^= ((hashed >> np.uint64(8)).astype(np.uint32) & ~ROW)[:, None]
        held -= np.uint32(1)
        lane = (held < ROWS).argmax(axis=1)
        lane += np.arange(0, held.size, len(PROBES))
        rows: NDArray[np.int64] = held.take(lane).astype(np.int64)
        without = rows >= ROWS
        rows[without] = 0
        return rows, without & empty

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return copies of rows, (m, 14)."""
        if len(self.tables) == 1:
            words: NDArray[np.uint64] = self.tables[0].words.take(rows, axis=0)
            return words
        taken = np.empty((len(rows), WORDS), np.uint64)
        for table, (a, b) in zip(self.tables, pairwise(self.edges), strict=True):
            table.words.take(rows[a:b], axis=0, out=taken[a:b], mode="clip")
        return taken

    def put(self, rows: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
        """Write complete rows (m, 14) into their tables."""
        for table, (a, b) in zip(self.tables, pairwise(self.edges), strict=True):
            table.put(rows[a:b], words[a:b])


def _one_by_one(
    table: Table,
    keys: NDArray[np.uint64],
    hashed: NDArray[np.uint64],
    absent: NDArray[np.bool_],
) -> NDArray[np.int64]:
    if len(keys) > FEW_NEW or len(keys) - np.count_nonzero(absent) > FEW:
        return table.find_or_add(keys)
    found = table.find_or_add_few(keys.tolist(), hashed.tolist(), absent.tolist())
    return np.array(found, np.int64)
