"""The pieces of a text that the linear model weighs: runs of one to five characters, hashed.

A text is seen folded (`fold`), each run of digits as one figure, its length: "code is 482913" is
"code is 6". So a piece that ends in a figure tells what stands before a number of that length. The
pieces of many texts are hashed in one pass over all their characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

GRAM_CHARS: Final = 5
"""Characters of the longest piece. Chosen by cross-validation: six are no better, four worse."""
HASH_BITS: Final = 18
"""Of a piece's place in its half of the table of weights, the first; clues are in the second.
Chosen: 256 kB a half; a bit less costs .2 % of answers."""
NOWHERE: Final = 2 << HASH_BITS
"""The place behind both halves, which weighs nothing."""
RUN_MAX: Final = 9
"""The longest run of digits that is told from longer ones."""

_MIX: Final = np.uint32(0x9E3779B1)  # 2**32 over the golden ratio, odd: Knuth's multiplicative hash
_LAST: Final = np.uint32(0x85EBCA6B)  # an odd constant with bits spread evenly
_FOLD_BITS: Final = np.uint32(15)
_PLACE_BITS: Final = np.uint32(32 - HASH_BITS)
_ZERO: Final = np.uint32(ord("0"))

Points = NDArray[np.uint32]
Lengths = NDArray[np.int64]


class View(NamedTuple):
    """Texts as the model sees them, one behind the other, an edge before and behind each."""

    letters: Points  # code points
    cased: Points  # the same before they were folded, for their capitals
    starts: NDArray[np.int64]  # of each text in `letters`, its first character
    lengths: Lengths  # characters of each


def view(folded: Sequence[str], cased: Sequence[str] | None = None) -> View:
    r"""Folded texts as the model sees them; `cased` are the same with their capitals.

    >>> letters, _, starts, lengths = view(["code: 4829", "a"])
    >>> "".join(map(chr, letters)), starts.tolist(), lengths.tolist()
    ('\x00code: 4\x00a\x00', [1, 9], [7, 1])
    """
    letters = _points(folded)
    lengths = np.fromiter(map(len, folded), np.int64, len(folded))
    return view_of(letters, letters if cased is None else _points(cased), lengths)


def view_of(letters: Points, high: Points, lengths: Lengths) -> View:
    """The same of texts that lie in code points already (m,), an edge before and behind each.

    `high` are the same with their capitals; `lengths` (n,) are the characters of each text, the
    edge behind it not among them.
    """
    stops = (lengths + 1).cumsum()  # of the edge behind each text
    digit = (letters - _ZERO) < 10
    inner = digit[1:] & digit[:-1]  # a digit behind another
    # A digit's neighbour is another, or what begins or ends a run; no text's edge is a digit.
    begins = (digit[1:] > digit[:-1]).nonzero()[0] + 1
    if len(begins):
        ends = (digit[1:] < digit[:-1]).nonzero()[0] + 1
        letters = letters.copy()
        letters[begins] = _ZERO + np.minimum(ends - begins, RUN_MAX).astype(np.uint32)
        kept = np.ones(len(letters), np.bool_)
        np.logical_not(inner, out=kept[1:])
        places = kept.nonzero()[0]  # of what is kept
        letters, high = letters.take(places), high.take(places)
        stops = places.searchsorted(stops)
    starts = np.concatenate(([0], stops[:-1])) + 1
    return View(letters, high, starts, stops - starts)


def _points(texts: Sequence[str]) -> Points:
    octets = f"\0{chr(0).join(texts)}\0".encode("utf-32-le", "surrogatepass")
    return np.frombuffer(octets, np.uint32)


def hashes(seen: View) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """For each length of pieces, the places in the table of all pieces, in order of the text.

    Where a piece would reach over an edge into another text, the place is NOWHERE. The
    piece that begins at `at` is told by the text that `at + 1` is in (`at` for single characters).
    """
    letters = seen.letters
    between = (seen.starts + seen.lengths)[:-1]  # edges that a piece can reach over
    piece = letters * _MIX
    for length in range(1, GRAM_CHARS + 1):
        if length > 1:
            piece = piece[:-1]
            piece = (piece ^ (piece >> _FOLD_BITS)) * _MIX + letters[length - 1 :]
        places = ((piece + np.uint32(length)) * _LAST) >> _PLACE_BITS
        for back in range(1, length - 1) if len(between) else ():
            over = between - back
            places[over[(over >= 0) & (over < len(places))]] = NOWHERE
        if length == 1:
            places[seen.starts - 1] = NOWHERE
            places[-1] = NOWHERE
        yield length, places


def sums(seen: View, weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """The sum of the weights of each text's pieces; `weights` has a nought behind its end."""
    total = np.zeros(len(seen.letters), np.int16)  # of what each begins: five weights of 8 bits
    for length, places in hashes(seen):
        first = 0 if length == 1 else 1
        total[first : first + len(places)] += weights.take(places, mode="wrap")  # unchecked
    # From a text's first character to the edge behind it; the edge before all begins none.
    of_each: NDArray[np.int64] = np.add.reduceat(total, seen.starts, dtype=np.int64)
    return of_each


def pieces(folded: str) -> list[tuple[str, int]]:
    """Each piece of one text as a person reads it, and its place in the table."""
    seen = view([folded])
    text = "".join(map(chr, seen.letters.tolist()))
    return [
        (text[at : at + length], place)
        for length, places in hashes(seen)
        for at, place in enumerate(places.tolist())
        if place < NOWHERE
    ]
