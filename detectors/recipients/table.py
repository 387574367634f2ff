"""Hash table from recipient to packed row: open addressing, with vectorised operations.

The index is a vector of u32 cells, `tag << 24 | row + 1`. Probing is linear. A row is 14 words of
64 bits in one matrix. The first word is the recipient; `detectors.recipients.row` explains the
others.

An attacker can choose phone numbers. So the hash depends on a seed that is secret within the
process. The seed has no other effect: rows are the same with every seed.

Only `over` takes time in proportion to the size of the table. When the index fills up, a larger
index replaces it step by step: each call that adds rows moves a slice. Meanwhile a key is in the
new index, or in the part of the old index that has not moved yet. The matrix grows without a copy
where the operating system can remap its memory pages.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import begins, count_lanes, indices
from detectors.recipients.overflow import Overflow
from detectors.recipients.repeats import Repeats

WORDS: Final = 14
"""Number of 64-bit words of a row: 112 bytes. With the index, at a load of .33-.75, a recipient
takes 117-125 bytes; up to 128 bytes while a new index replaces the old one."""

ROWS_LIMIT: Final = (1 << 24) - 2
"""Maximum number of rows: a cell has 24 bits for `row + 1`, and the highest value is the tombstone.
"""

_GOLDEN: Final = 0x9E37_79B9_7F4A_7C15  # 2**64 / golden ratio: Knuth, TAOCP 6.4
_HALF: Final = np.uint64(32)
ROW: Final = np.uint32(0x00FF_FFFF)
_TOMB: Final = np.uint32(0x00FF_FFFF)  # tombstone: tag 0 and an impossible row; probing continues
_LOAD_MOST, _LOAD_REBUILT = 0.75, 0.65  # the difference leaves room for tombstones: rare rebuilds
_BLOCK: Final = 1 << 18
"""Number of rows that are indexed at a time. This bounds the temporary arrays, which would take a
third of the size of all rows if they were indexed at once."""
_SLICE: Final = 1 << 16
"""Number of cells that move to a new index with each call that adds rows: about 3 ms."""
_CELLS_A_ROW: Final = 16
"""Minimum number of cells that move for each added row. The new index is at least as large as the
old one. So while cells move, added rows fill at most a 16th of it, and it stays below
`_LOAD_MOST`."""
NO_ROOM: Final = "a table must be given room before it is asked for rows"
_ITEM: Final = np.dtype((np.void, 8 * WORDS))
ROWS: Final = _TOMB - np.uint32(1)
_TAG: Final = ~ROW
_TAG_SHIFT: Final = np.uint64(8)
_ONE: Final = np.uint32(1)
PROBES: Final = np.arange(8, dtype=np.int64)  # cells examined at once after the first miss
_PROBES_BITS: Final = 3


class _Index(NamedTuple):
    """The cells, a power of two, and the shift that turns a hash into a cell number."""

    cells: NDArray[np.uint32]
    shift: int

    @classmethod
    def of(cls, bits: int) -> _Index:
        return cls(np.zeros(1 << bits, np.uint32), 64 - bits)


class Table:
    """The rows of one partition. `words[row]` is a row; a row whose first word is 0 is free."""

    __slots__ = (
        "_free",
        "_mixer",
        "_moved",
        "_old",
        "_tombs",
        "count",
        "index",
        "overflow",
        "repeats",
        "rows_max",
        "seed",
        "used",
        "words",
    )

    def __init__(self, rows_max: int, rows_start: int = 4096, *, seed: int = 0) -> None:
        self.rows_max = rows_max
        self.seed = seed
        self._mixer = _mixer(seed)
        self.words: NDArray[np.uint64] = np.zeros((min(rows_start, rows_max), WORDS), np.uint64)
        self.overflow = Overflow(rows_max)  # platforms for which rows have no room
        self.repeats = Repeats()  # codes of one platform again, for which rows have no room
        self.used = 0  # words[used:] were never used
        self.count = 0  # number of recipients
        self._free: list[int] = []  # rows below `used` that are free
        # Finds the row of a key. While this index replaces `_old`, it has only some of the keys.
        self.index = _Index.of(6)
        self._tombs = 0  # number of tombstones in `index`
        self._old: _Index | None = None  # the old index, while `index` replaces it
        self._moved = 0  # number of cells of the old index that have moved

    @classmethod
    def over(
        cls,
        words: NDArray[np.uint64],
        rows_max: int,
        *,
        seed: int = 0,
        places: NDArray[np.uint16] | None = None,
    ) -> Table:
        """Restore a table from its rows `words` (rows, 14), without a copy.

        `places`: the blocks of the rows' overflow, also used without a copy. Raises ValueError if
        the extents in the rows do not fit `places`. The caller must not use the arrays afterwards.
        """
        table = cls(max(rows_max, len(words)), rows_start=1, seed=seed)
        table.rows_max = rows_max
        table.words = words if len(words) else table.words
        if places is not None:
            table.overflow = Overflow.over(places, words, rows_max)
        table.used = len(words)
        live = words[:, 0] != 0
        table.count = int(live.sum())
        table._free = indices(~live)[::-1].tolist()
        table.index = _Index.of(_bits(table.count))
        for at in range(0, table.used, _BLOCK):
            rows = at + indices(live[at : at + _BLOCK])
            table._index_rows(rows)
        return table

    @property
    def _full(self) -> bool:
        return self.count + self._tombs > _LOAD_MOST * len(self.index.cells)

    @property
    def room(self) -> int:
        """Return the number of recipients that still fit."""
        return self.rows_max - self.count

    def hash_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the hash of each key. The top bits select the cell; bits 32-39 are the tag.

        The hash is two rounds of multiplication, with odd factors from the seed, and a fold between
        them. The first round spreads differences in low bits. The fold brings differences in high
        bits down for the second round.
        """
        offset, first, second = self._mixer
        hashed = keys ^ offset
        hashed *= first
        hashed ^= hashed >> _HALF
        hashed *= second
        return hashed

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the row of each key, or -1 if it is absent."""
        hashed = self.hash_keys(keys)
        rows = self._probe(self.index, keys, hashed)[0]
        self._look_back(keys, rows, hashed)
        return rows

    def find_or_add(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the row of each key; absent keys get a new zeroed row. There must be room."""
        hashed = self.hash_keys(keys)
        rows, cells = self._probe(self.index, keys, hashed)
        missing = self._look_back(keys, rows, hashed)
        if len(missing):
            rows[missing] = self._add(keys[missing], cells[missing], hashed[missing])
        return rows

    def seek(self, key: int, hashed: int) -> tuple[int, int]:
        """Return row and cell of one key in the newest index.

        If the key is absent, these are -1 and the cell where the key would go.
        """
        cells, vacant = self.index.cells, -1
        cell, last = hashed >> self.index.shift, len(cells) - 1
        tag = hashed >> 8 & int(~ROW)
        while held := cells.item(cell):
            row = (held ^ tag) - 1
            if 0 <= row < ROWS and self.words.item(row, 0) == key:
                return row, cell
            if held == _TOMB and vacant < 0:
                vacant = cell
            cell = cell + 1 & last
        return -1, cell if vacant < 0 else vacant

    def add(
        self, keys: NDArray[np.uint64], tags: NDArray[np.uint32], cells: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Add keys that are not in the newest index; return their rows. There must be room.

        The keys are distinct and ascending. `tags`: their `tags_of`. `cells`: a vacant cell for
        each, where a look-up of the key ends. A few keys take about 4 us.
        """
        crowded = self.count + self._tombs + len(keys) > _LOAD_MOST * len(self.index.cells)
        if self._old is not None or crowded:
            return self.find_or_add(keys)
        rows = self._new_rows(keys)
        if self._tombs or len({*cells.tolist()}) < len(cells):
            self._place(cells, tags, rows)
        else:
            self.index.cells[cells] = tags | (rows + 1).astype(np.uint32)
        return rows

    def _look_back(
        self, keys: NDArray[np.uint64], rows: NDArray[np.int64], hashed: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """Look up missing rows in the old index; return the positions that are still missing."""
        absent = indices(rows < 0)
        if self._old is not None:
            rows[absent] = self._probe(self._old, keys[absent], hashed[absent])[0]
            absent = absent[rows[absent] < 0]
        return absent

    def put(self, rows: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
        """Write complete rows (m, 14).

        Each row is written as one item, which takes a third of the time of `words[rows] = …`.
        """
        np.put(self.words.view(_ITEM), rows, words.view(_ITEM))

    def drop(self, keys: NDArray[np.uint64]) -> int:
        """Remove these distinct keys; return how many of them were present."""
        hashed = self.hash_keys(keys)
        rows, cells = self._probe(self.index, keys, hashed)
        self.index.cells[cells[rows >= 0]] = _TOMB
        self._tombs += int((rows >= 0).sum())
        if self._old is not None:
            absent = indices(rows < 0)
            rows[absent], cells = self._probe(self._old, keys[absent], hashed[absent])
            self._old.cells[cells[rows[absent] >= 0]] = _TOMB
        rows = rows[rows >= 0]
        self.overflow.release(self.words[rows])
        self.words[rows] = 0
        self._free.extend(rows[::-1].tolist())
        self.count -= len(rows)
        return len(rows)

    def _probe(
        self, index: _Index, keys: NDArray[np.uint64], hashed: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (row, cell) of each key; for an absent key, -1 and the cell where it would go."""
        mask = len(index.cells) - 1
        cell = (hashed >> index.shift).astype(np.int64)
        tag = tags_of(hashed)
        # One probe is enough for most keys. The others examine eight cells at a time.
        held = index.cells.take(cell)
        rows = np.full(len(keys), -1, np.int64)
        row = (held ^ tag) - _ONE  # for a free cell, a tombstone or another tag: not below ROWS
        at = indices(row < ROWS)
        at = at[self.words[row[at], 0] == keys[at]]
        rows[at] = row[at]
        vacant = (held == 0) | (held == _TOMB)
        cells = np.where(vacant, cell, -1)
        cells[at] = cell[at]
        open_ = held != 0
        open_[at] = False
        todo = indices(open_)
        cell, tag = cell[todo, None] + 1, tag[todo, None]
        while len(todo):
            near = (cell + PROBES) & mask
            held = index.cells.take(near)
            vacant = (held == 0) | (held == _TOMB)
            first = vacant.argmax(axis=1) + np.arange(0, near.size, len(PROBES))
            first = first[vacant.take(first) & (cells[todo] < 0)]
            near = near.ravel()
            cells[todo[first >> _PROBES_BITS]] = near[first]
            row = ((held ^ tag) - _ONE).ravel()
            lane = indices(row < ROWS)
            lane = lane[self.words[row[lane], 0] == keys[todo[lane >> _PROBES_BITS]]]
            at = lane >> _PROBES_BITS
            rows[todo[at]] = row[lane]
            cells[todo[at]] = near[lane]
            open_ = count_lanes(held != 0) == len(PROBES)
            open_[at] = False
            todo, cell, tag = todo[open_], cell[open_] + len(PROBES), tag[open_]
        return rows, cells

    def _add(
        self, keys: NDArray[np.uint64], cells: NDArray[np.int64], hashed: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """Add absent keys in the cells that `_probe` found; return their rows.

        A key may occur several times, and then gets one row.
        """
        order = keys.argsort()
        keys = keys[order]
        fresh = begins(keys)
        rows = self._new_rows(keys[fresh])
        if self._old is None and not self._full:
            at = order[fresh]
            self._place(cells[at], tags_of(hashed[at]), rows)
        else:
            self._take_over(len(rows))
            self._index_rows(rows)
        found = np.empty(len(keys), np.int64)
        found[order] = rows[fresh.cumsum() - 1]
        return found

    def _new_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give each of these distinct absent keys a row, which is not in the index yet."""
        n = len(keys)
        assert n <= self.room, NO_ROOM
        again = self._free[: -n - 1 : -1] if self._free else []
        rows = np.arange(self.used - len(again), self.used + n - len(again))
        if again:
            rows[: len(again)] = again
            del self._free[-len(again) :]
        self.used += n - len(again)
        if self.used > len(self.words):
            self._grow()
        self.words[rows, 0] = keys
        self.count += n
        return rows

    def _grow(self) -> None:
        """Enlarge the matrix by an eighth, by at most 2**18 rows, up to `rows_max`.

        numpy writes all of the new memory, so larger steps would take memory for unused rows.
        The operating system remaps the pages of a large matrix without a copy. If there is a view
        of the matrix, it is copied instead.
        """
        held = len(self.words)
        size = min(max(held + min(held // 8 + 1, _BLOCK), self.used), self.rows_max)
        try:
            self.words.resize((size, WORDS))
        except ValueError:
            words = np.zeros((size, WORDS), np.uint64)
            words[:held] = self.words
            self.words = words

    def _take_over(self, n: int) -> None:
        """Move a slice of the old index; if the newest index is full, begin to replace it.

        `n` is the number of rows that are being added.
        """
        self._move(n)
        if self._full:
            assert self._old is None
            bits = max(_bits(self.count), len(self.index.cells).bit_length() - 1)
            self._old, self.index = self.index, _Index.of(bits)
            self._moved = self._tombs = 0
            self._move(n)

    def _move(self, n: int) -> None:
        if self._old is None:
            return
        cells = self._old.cells
        end = min(len(cells), self._moved + max(_SLICE, n * _CELLS_A_ROW))
        for at in range(self._moved, end, _BLOCK):
            held = cells[at : min(at + _BLOCK, end)]
            held = held[(held != 0) & (held != _TOMB)]
            rows = (held & ROW).astype(np.int64) - 1
            self._index_rows(rows)
        self._moved = end
        if end == len(cells):
            self._old = None

    def _index_rows(self, rows: NDArray[np.int64]) -> None:
        """Add rows to the newest index that are not in it yet."""
        keys = self.words[rows, 0]
        hashed = self.hash_keys(keys)
        self._place(self._probe(self.index, keys, hashed)[1], tags_of(hashed), rows)

    def _place(
        self, cells: NDArray[np.int64], tags: NDArray[np.uint32], rows: NDArray[np.int64]
    ) -> None:
        """Write rows of distinct absent keys into the cells that `_probe` found.

        If several keys have the same cell, the last one written keeps it. The others continue
        probing in cell order, with the same result as inserting them one by one.
        """
        value = tags | (rows + 1).astype(np.uint32)
        lost = self._write(cells, value)
        beyond = cells
        while len(lost):
            value, cells = value[lost], _vacant(self.index.cells, beyond[lost])
            order = cells.argsort(kind="stable")
            value, cells = value[order], cells[order]
            # Each key takes its vacant cell, or the cell after the key before it. Keys that pass
            # the end continue at the first cell, in the next turn of the loop.
            ahead = np.arange(len(cells))
            cells = np.maximum.accumulate(cells - ahead) + ahead
            cells[cells >= len(self.index.cells)] = 0
            lost = self._write(cells, value)
            # No cell of a run of neighbouring cells is vacant now, so keys that were not placed
            # continue from the end of the run.
            ends = np.append(cells[1:] != cells[:-1] + 1, True)
            beyond = cells[indices(ends)[np.cumsum(ends) - ends]]

    def _write(self, cells: NDArray[np.int64], value: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Write the values whose cell is vacant; return positions of values that were not placed.

        A value is not placed if its cell was taken, or if another value overwrote it.
        """
        index = self.index.cells
        held = index.take(cells)
        tomb = held == _TOMB
        vacant = tomb | (held == 0)
        if vacant.all():
            index[cells] = value
        else:
            index[cells[vacant]] = value[vacant]
        placed = vacant & (index.take(cells) == value)
        self._tombs -= int(np.count_nonzero(placed & tomb))
        return indices(~placed)


def _vacant(index: NDArray[np.uint32], cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first vacant cell from each of these cells on, with wrap-around at the end."""
    mask = len(index) - 1
    found = cell.copy()
    todo = np.arange(len(cell))
    while len(todo):
        near = (cell[:, None] + PROBES) & mask
        held = index.take(near)
        vacant = (held == 0) | (held == _TOMB)
        first = vacant.argmax(axis=1)
        at = np.arange(len(todo))
        hit = vacant[at, first]
        found[todo[hit]] = near[at, first][hit]
        todo, cell = todo[~hit], cell[~hit] + len(PROBES)
    return found


def _mixer(seed: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return an addend and two odd factors from the seed, by splitmix64 (Steele et al. 2014)."""
    drawn = []
    for turn in range(1, 4):
        x = (seed + turn * _GOLDEN) & 0xFFFF_FFFF_FFFF_FFFF
        x = (x ^ x >> 30) * 0xBF58_476D_1CE4_E5B9 & 0xFFFF_FFFF_FFFF_FFFF
        x = (x ^ x >> 27) * 0x94D0_49BB_1331_11EB & 0xFFFF_FFFF_FFFF_FFFF
        drawn.append(x ^ x >> 31)
    return np.uint64(drawn[0]), np.uint64(drawn[1] | 1), np.uint64(drawn[2] | 1)


def tags_of(hashed: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return a tag of each hash: some of its bits, where a cell of the index keeps them."""
    return (hashed >> _TAG_SHIFT).astype(np.uint32) & _TAG  # bits 32-39, under the cell's


def _bits(count: int) -> int:
    """Return log2 of the number of cells that an index for `count` rows needs.

    Rows then fill at most `_LOAD_REBUILT` of the cells.
    """
    return max(6, int(np.ceil(np.log2(max(1, count) / _LOAD_REBUILT))))
