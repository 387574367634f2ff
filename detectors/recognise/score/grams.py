"""Compute the features of the linear model: hashed n-grams of one to five characters ("pieces").

The text is folded (`fold`) before. Each run of digits is replaced by one digit, its length: "code
is 482913" becomes "code is 6". A piece that ends in a digit therefore describes the words before a
number of that length. The pieces of many texts are hashed in one pass with numpy.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

GRAM_CHARS: Final = 5
"""Length of the longest piece. Chosen by cross-validation: six is no better, four is worse."""
HASH_BITS: Final = 18
"""Bits of a hash. The first half of the table of weights is for pieces, the second half for clues.
Chosen: each half has 256 kB. With one bit less, .2 % more answers are wrong."""
NOWHERE: Final = 2 << HASH_BITS
"""Index after both halves of the table. Its weight is 0."""
RUN_MAX: Final = 9
"""All runs of at least this many digits are treated alike."""

_MIX: Final = np.uint32(0x9E3779B1)  # 2**32 over the golden ratio, odd: Knuth's multiplicative hash
_LAST: Final = np.uint32(0x85EBCA6B)  # an odd constant with bits spread evenly
_FOLD_BITS: Final = np.uint32(15)
_PLACE_BITS: Final = np.uint32(32 - HASH_BITS)
_ZERO: Final = np.uint32(ord("0"))

Points = NDArray[np.uint32]
Lengths = NDArray[np.int64]


class View(NamedTuple):
    """Concatenated texts as the model reads them, with NUL before, between and after the texts."""

    letters: Points  # code points
    cased: Points  # the same code points before lowercasing
    starts: NDArray[np.int64]  # (n,) index of each text's first character in `letters`
    lengths: Lengths  # (n,) characters of each text


def view(folded: Sequence[str], cased: Sequence[str] | None = None) -> View:
    r"""Return the view of folded texts. `cased` are the same texts before lowercasing.

    >>> letters, _, starts, lengths = view(["code: 4829", "a"])
    >>> "".join(map(chr, letters)), starts.tolist(), lengths.tolist()
    ('\x00code: 4\x00a\x00', [1, 9], [7, 1])
    """
    letters = _points(folded)
    lengths = np.fromiter(map(len, folded), np.int64, len(folded))
    return view_of(letters, letters if cased is None else _points(cased), lengths)


def view_of(letters: Points, high: Points, lengths: Lengths) -> View:
    """Return the view of texts that are given as code points (m,).

    NUL is before, between and after the texts. `high` are the same code points before lowercasing.
    `lengths` (n,) are the characters of each text, without the NUL after it.
    """
    stops = (lengths + 1).cumsum()  # index of the NUL after each text
    digit = (letters - _ZERO) < 10
    inner = digit[1:] & digit[:-1]  # a digit after another digit
    # Runs begin and end where a digit has a neighbour that is no digit. NUL is no digit.
    begins = (digit[1:] > digit[:-1]).nonzero()[0] + 1
    if len(begins):
        ends = (digit[1:] < digit[:-1]).nonzero()[0] + 1
        letters = letters.copy()
        letters[begins] = _ZERO + np.minimum(ends - begins, RUN_MAX).astype(np.uint32)
        kept = np.ones(len(letters), np.bool_)
        np.logical_not(inner, out=kept[1:])
        places = kept.nonzero()[0]  # of the characters that are kept
        letters, high = letters.take(places), high.take(places)
        stops = places.searchsorted(stops)
    starts = np.concatenate(([0], stops[:-1])) + 1
    return View(letters, high, starts, stops - starts)


def _points(texts: Sequence[str]) -> Points:
    octets = f"\0{chr(0).join(texts)}\0".encode("utf-32-le", "surrogatepass")
    return np.frombuffer(octets, np.uint32)


def hashes(seen: View) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Yield for each length of pieces the table indices of all pieces, in order of the text.

    A piece that would extend into another text has the index NOWHERE. The piece at index `at`
    belongs to the text that contains character `at + 1` (`at` for pieces of one character).
    """
    letters = seen.letters
    between = (seen.starts + seen.lengths)[:-1]  # NULs between two texts
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
    """Return the sum of weights of each text's pieces. `weights[NOWHERE]` must be 0."""
    total = np.zeros(len(seen.letters), np.int16)  # up to five weights of 8 bits per character
    for length, places in hashes(seen):
        first = 0 if length == 1 else 1
        total[first : first + len(places)] += weights.take(places, mode="wrap")  # unchecked
    # Adds from a text's first character to the NUL after it.
    of_each: NDArray[np.int64] = np.add.reduceat(total, seen.starts, dtype=np.int64)
    return of_each
