"""Values that one program wrote: all of a batch read at once, by arithmetic on their bytes.

A gateway writes each value with the same keys in the same order. So two of its values differ in
what stands between certain quotes, and in digits at certain places: a *layout*, learnt from one
value that the decoder has read. Then a batch is searched for quotes once, all bytes that a layout
says must be there are compared, and what it leaves open is where the strings are. Nothing is taken
on trust: a value is read so only if every byte of it is accounted for, and all others are left to
the decoder, which would have read the same (`tests/streams/wire/test_layout.py`). The idea is
Mison's: Li et al., "Mison: A Fast JSON Parser for Data Analytics", VLDB 2017.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.model.arrays import indices
from detectors.model.strings import SPARE, StringBuffer, items
from streams.transport.record_batch import BytesColumn

LAYOUTS_MAX: Final = 8
"""Layouts of a feed: with and without a signature, in one part or more, of several makes of
gateway. Chosen; a value that fits none is decoded by itself."""

ROWS_MIN: Final = 512
"""Fewer values are decoded one by one: some 150 calls of numpy cost what they save of so many; they
save 6 to 24 % of 640 to 1,000, and nothing of 400."""

LEARN_ROWS: Final = 32
"""The fewest values without a layout in a batch that are worth one."""

PAYS: Final = 0.4
"""Share of a batch that must have a layout for the search to pay. A producer that escapes whatever
is not ASCII has nearly none, and would pay a third more."""

SKIPPED: Final = 15
"""After a batch where it did not pay, so many are not looked at."""

TIME_DIGITS: Final = 13
"""Of a time in ms from 2001 to 2286, which is what is accepted."""

_QUOTE, _BLANK = ord('"'), ord(" ")
_NESTED: Final = re.compile(rb"[\[\]]|.[{]|[}].", re.DOTALL)
_TIME: Final = re.compile(rb"(\s*:\s*)([1-9][0-9]{%d})(\s*[,}].*)" % (TIME_DIGITS - 1), re.DOTALL)
_NOTHING: Final = re.compile(rb"\s*:\s*null\s*[,}].*", re.DOTALL)


class _Run(NamedTuple):
    """Bytes that every value has, `skip` behind its quote of this number, or its start (-1)."""

    quote: int
    skip: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys whose values differ from event to event, and what the decoder asks of them.

    Whatever else is no string must be the same in all values of a layout.
    """

    times: frozenset[str]
    limits: Mapping[str, int]  # of strings: characters at most, which no more bytes can exceed
    fixed: frozenset[str]  # strings that decide whether an event counts: part of the layout


class Page:
    """n values, one behind the other, and where their quotes are.

    If anything is between two of them, it is blanks.
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
        self.todo = self._plain(values)  # (m,) those that no layout has fitted
        marks = self.octets == _QUOTE if len(self.todo) else self.octets[:0]
        self.quotes = indices(marks)
        self.first = self.quotes.searchsorted(self.start)  # (n,) the number of a value's first,
        self.number = np.diff(self.first, append=len(self.quotes))  # and how many it has

    def _plain(self, values: Sequence[bytes]) -> NDArray[np.int64]:
        """Places of the values that are UTF-8 without escapes and control characters."""
        plain = np.ones(len(values), np.bool_)
        if b"\\" in self.buffer:
            plain[[b"\\" in value for value in values]] = False
            if not plain.any():
                return indices(plain)
        low = indices(self.octets[:-SPARE] < _BLANK)
        plain[self.stop.searchsorted(low, "right")] = False
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

    rows: NDArray[np.int64]  # (m,) their numbers on the page, ascending
    times: Mapping[str, NDArray[np.int64]]
    strings: Mapping[str, StringBuffer]


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes that all values of one program have in common."""

    quotes: int
    bytes_min: int  # of a value whose strings are empty
    runs: tuple[_Run, ...]
    times: Mapping[str, tuple[int, int]]  # key -> quote and skip of its first digit
    strings: Mapping[str, int]  # key -> the quote that opens its string

    @classmethod
    def of(cls, keys: Keys, value: bytes) -> Layout | None:
        """The layout of an event that the decoder has read; None if it cannot be read this way."""
        pieces = value.split(b'"')  # every second one lies between quotes
        if b"\\" in value or not _is_utf8(value) or _NESTED.search(b"".join(pieces[::2])):
            return None
        runs: list[_Run] = []
        times: dict[str, tuple[int, int]] = {}
        strings: dict[str, int] = {}
        quote, skip, octets = -1, 0, pieces[0]  # the run in hand
        named: set[str] = set()
        key = ""
        for opening in range(0, len(pieces) - 1, 2):
            inside, behind = pieces[opening + 1], pieces[opening + 2]
            if behind.lstrip()[:1] == b":":
                key = inside.decode()
                if key in named:
                    return None  # the last of its name would count
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
        """Read the values that are still to do and have this layout; they are not to do then."""
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
            if found.tobytes() != octets * len(rows):  # costs a tenth of looking at each
                fits &= found == np.void(octets)
        fits &= place + len(octets) == page.stop[rows]  # nothing comes behind the last
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
    """The numbers of `TIME_DIGITS` digits at these places (m,), and where there are such."""
    start = np.minimum(place, len(buffer) - TIME_DIGITS)
    octets = items(buffer, TIME_DIGITS)[start].view(np.uint8).reshape(-1, TIME_DIGITS)
    digits = np.ascontiguousarray(octets.T) - np.uint8(ord("0"))
    number = np.zeros(len(place), np.int64)
    for digit in digits:
        number *= 10
        number += digit
    return number, (digits <= 9).all(axis=0) & (digits[0] > 0)


class Layouts:
    """The layouts that a feed's values have been found to have, those of most use first."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._held: list[Layout] = []
        self._to_skip = 0  # batches
        self._looking = False  # whether the last batch was looked at

    def read(
        self, values: Sequence[bytes], lengths: NDArray[np.int64]
    ) -> tuple[list[Fitted], Sequence[int]]:
        """Read the values (n,) that have a layout; return fields, and the others' numbers."""
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
        """Hold the layout of the first of these rows too, in place of the one last of use.

        The rows are messages of the last batch that were decoded one by one.
        """
        if not self._looking or len(rows) < LEARN_ROWS:
            return
        layout = Layout.of(self._keys, values[rows[0]])
        if layout is not None and layout not in self._held:
            self._held = [layout, *self._held[: LAYOUTS_MAX - 1]]
            self._to_skip = 0
