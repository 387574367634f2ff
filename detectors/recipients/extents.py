"""Vectorised access to the overflow extents of all rows in one round of the sieve.

The sieve looks up prints (16-bit hashes of platform ids) in many extents at once, and moves
platforms into them. The format of an extent is explained in `detectors.recipients.overflow`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.recipients.overflow import BLOCK, PLACES_MAX, RICH, Extent, Overflow
from detectors.recipients.row import first_place, shift
from detectors.recipients.tables import Tables

_TAGS_OF_RICH: Final = np.uint64(0x1_0000 - RICH)
_PLACES: Final = np.arange(PLACES_MAX, dtype=np.int16)[:, None]


class Extents:
    """The extents of those r rows, among the m rows of a round, that have an extent.

    Arrays are (r,), except `_held` (64, r), the content of the extents.
    """

    __slots__ = ("_group", "_held", "_spot", "_tables", "at", "blocks", "first", "marks")

    def __init__(
        self,
        tables: Tables,
        group: NDArray[np.int64],
        tags: NDArray[np.uint64],
        low: NDArray[np.uint16],
    ) -> None:
        """Find the rows with an extent.

        `group` (m,): indices of the rows in the pass over `tables`. `tags` and `low` (m,): the bits
        of each row that give the position of its extent (`Extent.of`). Higher bits of `tags` have
        no effect.
        """
        self._tables, self._group = tables, group
        self.first = self.blocks = self.marks = self.at = at = indices(tags & _TAGS_OF_RICH)
        if len(at):
            link = tags[at].astype(np.int64) & 0xFFFF
            self.first = (link >> 4 & 0xFF) << 16 | low[at]
            self.blocks, self.marks = link >> 12, link & 15

    def find(self, wanted: NDArray[np.uint16], asked: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Look up the prints `wanted` (m,) in the extents of the rows where `asked` (m,) is true.

        Returns the indices of rows whose extent has the print.
        """
        some = indices(asked[self.at])
        self._spot = np.full(len(self.at), PLACES_MAX, np.int16)
        self._held = held = np.zeros((PLACES_MAX, len(self.at)), np.uint16)
        for overflow, part in self._parts(np.arange(len(self.at))):
            held[:, part] = overflow.take(self.first[part], self.blocks[part])
        found = (held[:, some] == wanted[self.at[some]]) & (self._size[some] > _PLACES)
        self._spot[some] = first_place(found)
        return self.at[self._spot < PLACES_MAX]

    def found_once(self) -> NDArray[np.int64]:
        """Return the indices of rows for which `find` found a print at ONCE."""
        free = first_place((self._held == 0) | (self._size <= _PLACES))
        return self.at[(free < self._spot) & (self._spot < PLACES_MAX)]

    @property
    def _of(self) -> NDArray[np.int64]:
        """Return which table each row (m,) belongs to."""
        return tables_of(self._tables.edges, self._group)

    @property
    def _size(self) -> NDArray[np.int64]:
        """Return the number of places for known prints in each extent."""
        return self.blocks * BLOCK - self.marks

    def _parts(self, some: NDArray[np.int64]) -> Iterator[tuple[Overflow, NDArray[np.int64]]]:
        """Yield the overflow of each table with the extents of `some` that belong to it."""
        of = self._of[self.at[some]]
        for table in np.unique(of).tolist():
            yield self._tables.tables[table].overflow, some[of == table]

    def without(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows without an extent whose table allocates extents now.

        An extent is room for more platforms than fit into a row.
        """
        rows = np.setdiff1d(rows, self.at, assume_unique=True)
        opened = np.array([table.overflow.is_open for table in self._tables.tables])
        found: NDArray[np.int64] = rows[opened[self._of[rows]]]
        return found

    def spill(self, at: int, kept: Sequence[int], once: Sequence[int]) -> None:
        """Give the row at index `at` an extent with these prints."""
        overflow = self._tables.tables[self._of[at]].overflow
        extent = overflow.write(Extent(0, 0, 0), kept, once, ())
        self.at = np.append(self.at, at)
        self.first = np.append(self.first, extent.first)
        self.blocks = np.append(self.blocks, extent.blocks)
        self.marks = np.append(self.marks, 0)

    def move(
        self, kept: NDArray[np.uint16], once: NDArray[np.uint16], written: NDArray[np.bool_]
    ) -> None:
        """Insert prints, and remove the prints that `find` found.

        `kept` (r,): prints to insert at the front. `once` (r,): prints to insert before the others
        at ONCE. 0 stands for no print; each row has at most one. `written` (r,): only the extents
        of these rows change.
        """
        held, size, put = self._held, self._size, kept | once
        filled = (held != 0) & (size > _PLACES)
        split = np.minimum(first_place(~filled), size)  # the place of 0 behind what is KEPT
        used = PLACES_MAX - first_place(filled[::-1])
        found = self._spot < PLACES_MAX
        at = np.where(kept != 0, 0, np.where(once != 0, split + 1, size))
        gap = np.where(found, self._spot, np.where(put != 0, np.maximum(used, at), size))
        moves = written & (found | (put != 0))
        full = moves & ((gap >= size) | (at - (gap < at) >= size))
        some = indices(moves & ~full)
        if len(some):
            part = held[:, some]
            shift(part, at[some], gap[some], put[some])
            held[:, some] = part
            for overflow, mine in self._parts(some):
                overflow.put(self.first[mine], self.blocks[mine], held[:, mine])
        for i in indices(full).tolist():
            back = int(held[self._spot[i], i]) if found[i] else 0
            overflow = self._tables.tables[self._of[self.at[i]]].overflow
            extent = Extent(int(self.first[i]), int(self.blocks[i]), int(self.marks[i]))
            *lists, marks = overflow.read(extent)
            lists = [
                [each for each in (int(new[i]), *old) if each not in (0, back)]
                for new, old in zip((kept, once), lists, strict=True)
            ]
            extent = overflow.write(extent, lists[0], lists[1], marks)
            self.first[i], self.blocks[i], self.marks[i] = extent

    def links(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Return the bits that give the position of each extent: `tags` and `halves[1]` (r,)."""
        tags = self.blocks << 12 | self.first >> 16 << 4 | self.marks
        return tags.astype(np.uint16), (self.first & 0xFFFF).astype(np.uint16)


def tables_of(edges: Sequence[int], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which table each of these rows of a pass belongs to."""
    if len(edges) == 2:
        return np.zeros(len(group), np.int64)
    return np.searchsorted(edges, group, side="right") - 1
