"""Parse JSON values of equal layout together, with array operations on the bytes of a whole batch.

A gateway writes every value with the same keys in the same order. Two of its values differ only
between certain quotes and in digits at certain places. A *layout* describes the bytes that do not
differ. It is learned from one value that the JSON decoder has parsed.

To parse a batch, all quotes are located once. Then all bytes that the layout fixes are compared.
The remaining bytes are the strings and the times. A value is parsed in this way only if every byte
matches. The JSON decoder parses all other values. Both ways give the same result
(`tests/streams/wire/test_layout.py`).

The idea comes from Li et al., "Mison: A Fast JSON Parser for Data Analytics", VLDB 2017.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.strings import SPARE, StringBuffer, items
from streams.wire.record_batch import BytesColumn

LAYOUTS_MAX: Final = 8
"""Largest number of layouts that are remembered. Chosen: a feed has values with and without a
signature, with one segment or several, from gateways of several vendors. A value without a layout
is decoded alone."""

ROWS_MIN: Final = 512
"""Smallest batch for which layouts are used, in values. The method needs about 150 numpy calls.
Measured: it saves 6 to 24 % of the time for 640 to 1,000 values, and nothing for 400."""

LEARN_ROWS: Final = 32
"""Smallest number of values without a layout in a batch for which a new layout is learned."""

PAYS: Final = 0.4
"""Share of a batch that must match a layout. Below this share the search costs more than it saves.
If a producer escapes all non-ASCII characters, almost no value matches, and the search would cost a
third more time."""

SKIPPED: Final = 15
"""Number of batches for which layouts are not used after a batch with too few matches."""

TIME_DIGITS: Final = 13
"""Number of digits of a time in ms from 2001 to 2286. Other times are not accepted."""

_QUOTE, _BLANK = ord('"'), ord(" ")
_NESTED: Final = re.compile(rb"[\[\]]|.[{]|[}].", re.DOTALL)
_TIME: Final = re.compile(rb"(\s*:\s*)([1-9][0-9]{%d})(\s*[,}].*)" % (TIME_DIGITS - 1), re.DOTALL)
_NOTHING: Final = re.compile(rb"\s*:\s*null\s*[,}].*", re.DOTALL)


class _Run(NamedTuple):
    """Bytes that every value of a layout has at the same place.

    They begin `skip` bytes after the quote with number `quote`, or after the start of the value if
    `quote` is -1.
    """

    quote: int
    skip: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys whose values differ between events, and the limits of these values.

    All other values that are not strings must be equal in all events of a layout.
    """

    times: frozenset[str]
    limits: Mapping[str, int]  # largest length of a string, compared with its length in bytes
    fixed: frozenset[str]  # strings that decide whether an event counts; part of the layout


class Page:
    """The bytes of n JSON values in one buffer, and the positions of their quote characters.

    Between two values there may be spaces only.
    """

    __slots__ = ("buffer", "first", "number", "octets", "quotes", "start", "stop", "todo")

    def __init__(self, values: Sequence[bytes], lengths: NDArray[np.int64]) -> None:
        if isinstance(values, BytesColumn):
            self.buffer, self.start, self.stop = values.apart(SPARE)
        else:
            self.stop = lengths.cumsum()
            self.start = self.stop - lengths
            self.buffer = b"".join((*values, bytes(SPARE)))
        self.octets = np.frombuffer(self.buffer, np.uint8)
        self.todo = self._plain(values)  # (m,) indices of values that matched no layout yet
        self.quotes = indices(self.octets == _QUOTE if len(self.todo) else self.octets[:0])
        self.first = self.quotes.searchsorted(self.start)  # (n,) number of each value's first quote
        self.number = np.diff(self.first, append=len(self.quotes))  # (n,) quotes per value

    def _plain(self, values: Sequence[bytes]) -> NDArray[np.int64]:
        """Return the indices of values in UTF-8 without escapes and control characters."""
        plain = np.ones(len(values), np.bool_)
        if b"\\" in self.buffer:
            plain[[b"\\" in value for value in values]] = False
            if not plain.any():
                return indices(plain)
        plain[self.stop.searchsorted(indices(self.octets[:-SPARE] < _BLANK), "right")] = False
        try:
            self.buffer.decode()
        except UnicodeDecodeError:
            plain &= [_is_utf8(value) for value in values]
        return indices(plain)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fields of m values of one layout."""

    rows: NDArray[np.int64]  # (m,) indices of the values in the batch, ascending
    times: Mapping[str, NDArray[np.int64]]
    strings: Mapping[str, StringBuffer]


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes that all values of one producer share, and the positions of the other bytes."""

    quotes: int  # number of quotes in a value
    bytes_min: int  # length of a value whose strings are empty
    runs: tuple[_Run, ...]
    times: Mapping[str, tuple[int, int]]  # key -> quote number and skip of its first digit
    strings: Mapping[str, int]  # key -> number of the quote that opens its string

    @classmethod
    def of(cls, keys: Keys, value: bytes) -> Self | None:
        """Return the layout of an event that the decoder has parsed.

        Returns None if layouts cannot describe the value, for example if it has escapes or nesting.
        """
        pieces = value.split(b'"')  # every second piece is between quotes
        if b"\\" in value or not _is_utf8(value) or _NESTED.search(b"".join(pieces[::2])):
            return None
        runs: list[_Run] = []
        times: dict[str, tuple[int, int]] = {}
        strings: dict[str, int] = {}
        quote, skip, octets = -1, 0, pieces[0]  # the run that is being built
        named: set[str] = set()
        key = ""
        for opening in range(0, len(pieces) - 1, 2):
            inside, behind = pieces[opening + 1], pieces[opening + 2]
            if behind.lstrip()[:1] == b":":
                key = inside.decode()
                if key in named:
                    return None  # a duplicate key: the decoder uses the last value
                named.add(key)
                octets += b'"%s"' % inside
                if key in keys.times and not _NOTHING.fullmatch(behind):
                    if not (time := _TIME.fullmatch(behind)):
                        return None
                    ahead, digits, behind = time.groups()
                    octets += ahead
                    runs.append(_Run(quote, skip, octets))
                    skip += len(octets)
                    times[key] = quote, skip
                    skip, octets = skip + len(digits), b""
            elif key in keys.fixed:
                octets += b'"%s"' % inside
            else:
                runs.append(_Run(quote, skip, octets + b'"'))
                strings[key] = opening
                quote, skip, octets = opening + 1, 0, b'"'
            octets += behind
        runs.append(_Run(quote, skip, octets))
        bytes_min = sum(len(run.octets) for run in runs) + TIME_DIGITS * len(times)
        return cls(len(pieces) - 1, bytes_min, tuple(runs), times, strings)

    def take(self, keys: Keys, page: Page) -> Fitted:
        """Parse the values in `page.todo` that have this layout, and remove them from the list."""
        todo = page.todo
        long = page.stop[todo] - page.start[todo] >= self.bytes_min
        asked = indices(long & (page.number[todo] == self.quotes))
        rows = todo[asked]
        start, first = page.start[rows], page.first[rows]

        def at(quote: int, skip: int) -> NDArray[np.int64]:
            place = page.quotes[first + quote] if quote >= 0 else start.copy()
            place += skip
            return place

        fits = np.ones(len(rows), np.bool_)
        for quote, skip, octets in self.runs:
            there = items(page.buffer, len(octets))
            place = np.minimum(at(quote, skip), len(there) - 1)
            found = there[place]
            if found.tobytes() != octets * len(rows):  # ten times faster than comparing each
                fits &= found == np.void(octets)
        fits &= place + len(octets) == page.stop[rows]  # no bytes after the last run
        times, strings = {}, {}
        for key, (quote, skip) in self.times.items():
            times[key], valid = _times(page.buffer, at(quote, skip))
            fits &= valid
        for key, opening in self.strings.items():
            if (limit := keys.limits.get(key)) is not None:
                strings[key] = StringBuffer(page.buffer, at(opening, 1), at(opening + 1, 0))
                fits &= strings[key].length <= limit
        left = np.ones(len(todo), np.bool_)
        left[asked[fits]] = False
        page.todo = todo[left]
        if not fits.all():
            rows = rows[fits]
            times = {key: time[fits] for key, time in times.items()}
            strings = {key: column.take(fits) for key, column in strings.items()}
        return Fitted(rows, times, strings)


def _times(buffer: bytes, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times (m,) of `TIME_DIGITS` digits at m places, and a mask of valid times."""
    start = np.minimum(place, len(buffer) - TIME_DIGITS)
    octets = items(buffer, TIME_DIGITS)[start].view(np.uint8).reshape(-1, TIME_DIGITS)
    digits = np.ascontiguousarray(octets.T) - np.uint8(ord("0"))
    number = np.zeros(len(place), np.int64)
    for digit in digits:
        number *= 10
        number += digit
    return number, (digits <= 9).all(axis=0) & (digits[0] > 0)


@dataclass(eq=False)
class Layouts:
    """The layouts that were learned from a feed. The layout with the most matches comes first."""

    _keys: Keys
    _held: list[Layout] = field(init=False, default_factory=list)
    _to_skip: int = field(init=False, default=0)  # batches
    # True if layouts were used for the last batch
    _looking: bool = field(init=False, default=False)

    def read(
        self, values: Sequence[bytes], lengths: NDArray[np.int64]
    ) -> tuple[list[Fitted], Sequence[int]]:
        """Parse those of n values that have a known layout.

        Returns their fields, one entry per layout, and the indices of the remaining values.
        """
        self._looking = len(values) >= ROWS_MIN and not self._to_skip
        self._to_skip = max(0, self._to_skip - 1)
        if not self._looking or not self._held:
            return [], range(len(values))
        page = Page(values, lengths)
        taken = [(layout.take(self._keys, page), layout) for layout in self._held]
        taken.sort(key=lambda one: len(one[0].rows), reverse=True)
        self._held = [layout for _, layout in taken]
        rest = np.ones(len(values), np.bool_)
        for fitted, _ in taken:
            rest[fitted.rows] = False
        left = indices(rest).tolist()
        if len(values) - len(left) < PAYS * len(values):
            self._to_skip = SKIPPED
        return [fitted for fitted, _ in taken], left

    def learn(self, values: Sequence[bytes], rows: Sequence[int]) -> None:
        """Learn the layout of the first of these rows.

        It replaces the least used layout if there are too many. `rows` are indices of messages in
        the last batch that the JSON decoder parsed one by one.
        """
        if not self._looking or len(rows) < LEARN_ROWS:
            return
        layout = Layout.of(self._keys, values[rows[0]])
        if layout is not None and layout not in self._held:
            self._held = [layout, *self._held[: LAYOUTS_MAX - 1]]
            self._to_skip = 0
