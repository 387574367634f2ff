"""Columns of strings: as a list of Python strings, or as slices of one buffer of bytes.

Creating string objects is most of the cost of reading a large batch. A buffer creates an object
only when a string is needed. For small batches a list is faster, because the buffer needs arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPARE: Final = 2
"""Number of bytes after each string of a buffer that belong to no other string of the column. They
may be overwritten in a copy of the buffer."""

_DISTINCT_MAX: Final = 16
"""Up to this many distinct strings are counted by vectorised comparison; further ones one by one.
Chosen: the number of a feed's gateways."""

_NARROW: Final = 32
"""Maximum width in bytes at which numpy creates the objects, in half the time. Chosen: enough for
senders and gateways."""


class Strings(ABC):
    """A column of n strings. Bytes are UTF-8; lone surrogates are encoded by `surrogatepass`."""

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, i: int) -> str: ...

    @abstractmethod
    def __iter__(self) -> Iterator[str]: ...

    @property
    @abstractmethod
    def length(self) -> NDArray[np.int64]:
        """Return the length of each string in bytes, (n,)."""

    @abstractmethod
    def any(self) -> bool:
        """Return true if at least one string is not empty."""

    @abstractmethod
    def pieces(self) -> list[bytes]:
        """Return the bytes of each string."""

    @abstractmethod
    def matrix(self) -> NDArray[np.uint8] | None:
        """Return the bytes as (n, width) if all strings have the same width > 0, else None."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Strings:
        """Return the strings at these rows, or under a mask."""

    @abstractmethod
    def part(self, first: int, last: int) -> Strings:
        """Return the strings from position `first` up to `last`, exclusive."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Count each distinct string."""


class StringList(Strings):
    """A column of Python strings.

    >>> column = StringList(["淘宝", ""])
    >>> len(column), column[0], list(column), column.counts()
    (2, '淘宝', ['淘宝', ''], {'淘宝': 1, '': 1})
    """

    __slots__ = ("strings",)

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = strings

    def __len__(self) -> int:
        return len(self.strings)

    def __getitem__(self, i: int) -> str:
        return self.strings[i]

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings)

    @property
    def length(self) -> NDArray[np.int64]:
        """Return the length of each string in bytes, (n,). This encodes all strings."""
        return np.fromiter(map(len, self.pieces()), np.int64, len(self))

    def any(self) -> bool:
        return any(self.strings)

    def pieces(self) -> list[bytes]:
        return [string.encode("utf-8", "surrogatepass") for string in self.strings]

    def matrix(self) -> NDArray[np.uint8] | None:
        """Return the bytes as (n, width) if all strings have the same width > 0, else None.

        Also returns None if a string has a newline.
        """
        if not self.strings:
            return None
        joined = "\n".join((*self.strings, "")).encode("utf-8", "surrogatepass")
        return lines(joined, len(self.strings))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> StringList:
        where = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return StringList([self.strings[i] for i in where.tolist()])

    def part(self, first: int, last: int) -> StringList:
        return StringList(self.strings[first:last])

    def counts(self) -> dict[str, int]:
        return dict(Counter(self.strings))


@dataclass(slots=True, eq=False, repr=False)
class StringBuffer(Strings):
    """A column of strings in a buffer: string i is `buffer[start[i]:stop[i]]`.

    `start` and `stop` are int64 (n,).

    >>> column = StringBuffer.of(StringList(["淘宝", ""]))
    >>> len(column), column[0], list(column), column.counts()
    (2, '淘宝', ['淘宝', ''], {'': 1, '淘宝': 1})
    """

    buffer: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def of(cls, strings: Strings) -> StringBuffer:
        """Copy these strings into a buffer."""
        pieces = strings.pieces()
        length = np.fromiter(map(len, pieces), np.int64, len(pieces))
        stop = (length + SPARE).cumsum() - SPARE
        return cls(bytes(SPARE).join((*pieces, b"")), stop - length, stop)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, i: int) -> str:
        return _text(self.buffer[self.start[i] : self.stop[i]])

    def __iter__(self) -> Iterator[str]:
        return map(_text, self.pieces())

    @property
    def length(self) -> NDArray[np.int64]:
        return self.stop - self.start

    def any(self) -> bool:
        return bool((self.stop > self.start).any())

    def pieces(self) -> list[bytes]:
        if (narrow := self._narrow()) is not None:
            return narrow
        buffer = self.buffer
        spans = zip(self.start.tolist(), self.stop.tolist(), strict=True)
        return [buffer[start:stop] for start, stop in spans]

    def _narrow(self) -> list[bytes] | None:
        length = self.length
        width = int(length.max(initial=0))
        if not 0 < width <= _NARROW or self.start.max() + width > len(self.buffer):
            return None
        octets = self._octets(width)
        octets *= np.arange(width, dtype=np.uint8) < length.astype(np.uint8)[:, None]
        found = octets.view(f"S{width}").ravel()  # this type removes NULs at the end
        return found.tolist() if (np.strings.str_len(found) == length).all() else None

    def _octets(self, width: int) -> NDArray[np.uint8]:
        return items(self.buffer, width)[self.start].view(np.uint8).reshape(-1, width)

    def matrix(self) -> NDArray[np.uint8] | None:
        length = self.length
        width = int(length[0]) if len(length) else 0
        return self._octets(width) if width and (length == width).all() else None

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> StringBuffer:
        return StringBuffer(self.buffer, self.start[rows], self.stop[rows])

    def part(self, first: int, last: int) -> StringBuffer:
        return StringBuffer(self.buffer, self.start[first:last], self.stop[first:last])

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        length = self.length
        for width in np.flatnonzero(np.bincount(length)).tolist():
            some = self.take(length == width)
            if not width:
                counts[""] = len(some)
                continue
            left = items(self.buffer, width)[some.start]
            for _ in range(_DISTINCT_MAX):
                same = left == left[0]
                counts[_text(left[0].tobytes())] = int(np.count_nonzero(same))
                left = left[~same]
                if not len(left):
                    break
            else:
                counts |= Counter(_text(one.tobytes()) for one in left)
        return counts


def join_strings(columns: Sequence[Strings], order: NDArray[np.int64]) -> Strings:
    """Return the strings of several columns, concatenated and then reordered by `order` (n,).

    The result is a buffer if most of the strings are in buffers.
    """
    lying = sum(len(column) for column in columns if isinstance(column, StringBuffer))
    if 2 * lying <= len(order):
        strings = list(chain.from_iterable(columns))
        return StringList([strings[i] for i in order.tolist()])
    parts = [
        column if isinstance(column, StringBuffer) else StringBuffer.of(column)
        for column in columns
    ]
    ahead = np.cumsum([0, *(len(part.buffer) for part in parts)])[:-1]
    start, stop = (
        np.concatenate([getattr(part, edge) + a for part, a in zip(parts, ahead, strict=True)])
        for edge in ("start", "stop")
    )
    return StringBuffer(b"".join(part.buffer for part in parts), start[order], stop[order])


def items(buffer: bytes, width: int) -> NDArray[np.void]:
    """Return a view of the buffer: item i is the `width` > 0 bytes from position i on."""
    places = max(0, len(buffer) - width + 1)
    return np.ndarray((places,), f"V{width}", buffer, 0, (1,))


def lines(joined: bytes, n: int) -> NDArray[np.uint8] | None:
    """Return the bytes (n, width) of n lines of the same width > 0, else None.

    `join_strings` has a newline after each line. The check requires newlines in the last column and
    nowhere else, so lines of different widths are never accepted.
    """
    width = joined.find(b"\n")
    if width < 1 or len(joined) != n * (width + 1):
        return None
    rows = np.frombuffer(joined, np.uint8).reshape(n, width + 1)
    ends = rows == ord("\n")
    return rows[:, :width] if ends[:, width].all() and not ends[:, :width].any() else None


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")
