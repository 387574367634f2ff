"""Look-ups in several tables in one pass: hashing and matching run over all keys at once.

Each partition owns a table, and a Kafka poll returns a few keys for each. A numpy call takes as
long for two keys as for two hundred. So only reads of a table's own memory (index cells and rows)
are done per table. Two such reads take 3 us; a separate look-up per table takes 25 us.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import begins, count_lanes, indices
from detectors.recipients.table import PROBES, ROWS, WORDS, Table, tags_of


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
        which = np.repeat(np.arange(len(tables)), np.diff(np.array(edges)))
        near, held = self._cells_near(hashed, which)
        alike = (held ^ tags_of(hashed)[:, None]) - np.uint32(1)
        matches = alike < ROWS
        lane = matches.argmax(axis=1) + np.arange(0, held.size, len(PROBES))
        rows: NDArray[np.int64] = alike.take(lane).astype(np.int64)
        rows[rows >= ROWS] = 0
        found = np.empty(len(keys), np.uint64)
        word = rows * WORDS
        for table, (a, b) in zip(tables, pairwise(edges), strict=True):
            table.words.reshape(-1).take(word[a:b], out=found[a:b], mode="clip")
        left = indices(found != keys)
        if len(left):
            # With another match, the key may be there. Without an empty cell, it may be further on.
            empty = held[left] == 0
            sure = (count_lanes(matches[left]) < 2) & (count_lanes(empty) > 0)
            cells = near[left, np.where(sure, empty.argmax(axis=1), 0)]
            rows[left] = self._find_left(which[left], keys[left], hashed[left], cells, sure)
        return rows

    def _cells_near(
        self, hashed: NDArray[np.uint64], which: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the cells (n, 8) in which each key may be first, and what they hold."""
        tables, edges = self
        shift = np.array([table.index.shift for table in tables], np.uint64)
        last = ((np.uint64(1) << (64 - shift)) - np.uint64(1)).astype(np.int64)[which]
        near = ((hashed >> shift[which]).astype(np.int64)[:, None] + PROBES) & last[:, None]
        held = np.empty(near.shape, np.uint32)
        for table, (a, b) in zip(tables, pairwise(edges), strict=True):
            table.index.cells.take(near[a:b], out=held[a:b], mode="clip")
        return near, held

    def _find_left(
        self,
        which: NDArray[np.int64],
        keys: NDArray[np.uint64],
        hashed: NDArray[np.uint64],
        cells: NDArray[np.int64],
        sure: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Return the rows of these keys (m,) of the tables `which`; most are absent, and added.

        `sure` (m,): the key is not in the newest index, and would go into its cell of `cells`.
        """
        tables, rows = self.tables, np.full(len(keys), -1, np.int64)
        for i in indices(~sure).tolist():
            rows[i], cells[i] = tables[which[i]].seek(int(keys[i]), int(hashed[i]))
        absent = indices(rows < 0)
        absent = absent[np.lexsort((keys[absent], which[absent]))]
        fresh = begins(keys[absent]) | begins(which[absent])
        new = absent[fresh]
        added = np.empty(len(new), np.int64)
        keys, tags, cells, which = keys[new], tags_of(hashed[new]), cells[new], which[new]
        for a, b in pairwise([*indices(begins(which)).tolist(), len(new)]):
            added[a:b] = tables[which[a]].add(keys[a:b], tags[a:b], cells[a:b])
        rows[absent] = added[fresh.cumsum() - 1]
        return rows

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
