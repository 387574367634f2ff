"""Vectorised access to the overflow extents of all rows in one round of the sieve.

The sieve looks up prints in many extents at once, and moves platforms into them. The format of an
extent is explained in `detectors.recipients.overflow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.recipients.overflow import BLOCK, PLACES_MAX, RICH, Extent, Overflow
from detectors.recipients.tables import Tables

_PLACES: Final = np.arange(PLACES_MAX, dtype=np.int16)[:, None]
_NEAREST: Final = np.arange(PLACES_MAX, 0, -1, dtype=np.int8)[:, None]


class Extents:
    """The extents of the r rows, among the m rows of a round, that have one.

    Arrays are (r,), except `_held` (64, r), the content of the extents.
    """

    __slots__ = ("_held", "_of", "_overflows", "_spot", "at", "blocks", "first", "marks")

    def __init__(
        self,
        tables: Tables,
        group: NDArray[np.int64],
        tags: NDArray[np.uint16],
        low: NDArray[np.uint16],
    ) -> None:
        """Find the rows with an extent.

        `group` (m,): indices of the rows in the pass over `tables`. `tags` and `low` (m,): the bits
        of each row that give the position of its extent (`Extent.of`).
        """
        self._overflows = [table.overflow for table in tables.tables]
        self._of = tables_of(tables.edges, group)
        self.at = at = indices(tags >= RICH)
        link = tags[at].astype(np.int64)
        self.first = (link >> 4 & 0xFF) << 16 | low[at]
        self.blocks, self.marks = link >> 12, link & 15
        self._held: NDArray[np.uint16] = np.zeros((PLACES_MAX, 0), np.uint16)
        self._spot = np.full(len(at), PLACES_MAX, np.int16)

    def find(self, wanted: NDArray[np.uint16], asked: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Look up the prints `wanted` (m,) in the extents of the rows where `asked` (m,) is true.

        Returns the indices of rows whose extent has the print.
        """
        some = indices(asked[self.at])
        self._held = held = np.zeros((PLACES_MAX, len(self.at)), np.uint16)
        for overflow, part in self._parts(np.arange(len(self.at))):
            held[:, part] = overflow.take(self.first[part], self.blocks[part])
        found = (held[:, some] == wanted[self.at[some]]) & (self._size[some] > _PLACES)
        self._spot[some] = PLACES_MAX - (found * _NEAREST).max(axis=0, initial=0)
        return self.at[self._spot < PLACES_MAX]

    @property
    def _size(self) -> NDArray[np.int64]:
        """Return the number of places for known prints in each extent."""
        return self.blocks * BLOCK - self.marks

    def _parts(self, some: NDArray[np.int64]) -> Iterator[tuple[Overflow, NDArray[np.int64]]]:
        """Yield the overflow of each table with the extents of `some` that belong to it."""
        of = self._of[self.at[some]]
        for table in np.unique(of).tolist():
            yield self._overflows[table], some[of == table]

    def spill(self, at: int, prints: Sequence[int]) -> None:
        """Give the row at index `at` an extent with these prints, if there is room."""
        extent = self._overflows[self._of[at]].write(Extent(0, 0, 0), prints, ())
        self.at = np.append(self.at, at)
        self.first = np.append(self.first, extent.first)
        self.blocks = np.append(self.blocks, extent.blocks)
        self.marks = np.append(self.marks, 0)
        self._spot = np.append(self._spot, np.int16(PLACES_MAX))

    def is_open(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for which rows, at these indices, the table allocates extents at present."""
        opened = np.array([overflow.is_open for overflow in self._overflows])
        found: NDArray[np.bool_] = opened[self._of[at]]
        return found

    def move(self, leaving: NDArray[np.uint16], kept: NDArray[np.bool_]) -> None:
        """Insert the prints that leave the rings, and remove the prints that `find` found.

        `leaving` (r,): prints to insert at the front; 0: nothing leaves the ring. `kept` (r,): only
        the extents of these rows change.
        """
        held = self._held
        count = held.shape[1]  # extents that `spill` added since `find` are already up to date
        leaving, spot, size = leaving[:count], self._spot[:count], self._size[:count]
        used = np.count_nonzero((held != 0) & (size > _PLACES), axis=0)
        gap = np.where(spot < PLACES_MAX, spot, used)
        moves = kept[:count] & ((leaving != 0) | (spot < PLACES_MAX))
        full = moves & (gap >= size)
        some = indices(moves & ~full)
        if len(some):
            _shift(held, some, leaving[some], gap[some], size[some])
            for overflow, part in self._parts(some):
                overflow.put(self.first[part], self.blocks[part], held[:, part])
        for i in indices(full).tolist():
            overflow = self._overflows[self._of[self.at[i]]]
            extent = Extent(int(self.first[i]), int(self.blocks[i]), int(self.marks[i]))
            known, marks = overflow.read(extent)
            extent = overflow.write(extent, [int(leaving[i]), *known], marks)
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


def _shift(
    held: NDArray[np.uint16],
    some: NDArray[np.int64],
    print_: NDArray[np.uint16],
    gap: NDArray[np.int64],
    size: NDArray[np.int64],
) -> None:
    """Insert a print at the front of some extents, in place, and close the gap at index `gap`.

    A print of 0 inserts nothing: the gap is closed from behind.
    """
    part = held[:, some]
    down, up = np.empty_like(part), np.zeros_like(part)
    down[1:], down[0] = part[:-1], print_
    up[:-1] = part[1:]
    up[size - 1, np.arange(len(some))] = 0
    put = print_ != 0
    moved = np.where(put, gap >= _PLACES, (gap <= _PLACES) & (size > _PLACES))
    held[:, some] = np.where(moved, np.where(put, down, up), part)
