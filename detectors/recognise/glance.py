"""A glance at many texts, in one pass over all their characters: most need no closer look.

Letters that are left out, signs between letters, digits as words, what tells that a code was used:
few texts have any of it, and to search each text for each of it is most of what a new text costs.
Here every character is looked up in one table, and every place in another of how words begin. What
is told is a condition: without it the search finds nothing, with it the search has to be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.model.rows import rows_of
from detectors.recognise import spelled, spent
from detectors.recognise.fold import fold
from detectors.recognise.gather import ODD_SIGNS, SIGNS

Points = NDArray[np.uint32]
Kinds = NDArray[np.uint16]

CLOSELY: Final = 1
"""The text has to be folded by itself: a character is left out, or becomes a digit."""
APART: Final = 2
"""Letters or digits may stand apart: `gather`."""
WORDS: Final = 4
"""Digits may be words: `spelled`."""
SPENT: Final = 8
"""A number may be called used or expired: `spent`."""
ALL: Final = CLOSELY | APART | WORDS | SPENT

_BEHIND: Final = 16  # of the table of beginnings: SPENT, unless it is inside a Latin word

_KNOWN, _LETTER, _SIGN, _ODD, _OPENS, _CLOSES, _LATIN, _NATIVE, _ZERO, _NUMERAL, _ALONE, _HEADS = (
    np.uint16(1 << bit) for bit in range(12)
)
_OPENING: Final = "(（[【<"
_CLOSING: Final = ")）]】>"
_LOOKALIKE: Final = re.compile("[\u0370-\u052f]")  # Greek and Cyrillic: see `fold`
_POINTS: Final = 0x110000
_EDGE: Final = "\0\0\0\0"
_REACH: Final = len(_EDGE)
_HASH_BITS: Final = 17
_BEGUN_CHARS: Final = 3  # characters that words are told by
_MIX: Final = np.uint32(0x9E3779B1)  # as in `grams`


_TOGETHER: Final = 384
"""Texts that are read in one pass, at most. Chosen: what numpy makes of them fits into a cache; of
1,024 a text costs a third more, of 100 half as much again."""

_T = TypeVar("_T")


def batched(texts: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield as many texts as are best read together, until all came."""
    return (texts[first : first + _TOGETHER] for first in range(0, len(texts), _TOGETHER))


class Glance(NamedTuple):
    """A text at a glance."""

    folded: str  # as `fold` has it, digits masked, if it need not be looked at closely
    may: int  # what it may hold: CLOSELY, APART, WORDS, SPENT


class _Table:
    """Characters as they come: what each folds to, and its kinds; nought is one that never came."""

    def __init__(self) -> None:
        self.folded = np.zeros(_POINTS, np.uint32)
        self.kinds = np.zeros(_POINTS, np.uint16)

    def of(self, points: Points) -> tuple[Points, Kinds]:
        kinds = self.kinds.take(points, mode="wrap")  # unchecked: there is no higher one
        if not kinds.all():
            for point in set(points[kinds == 0].tolist()):
                self.folded[point], self.kinds[point] = _seen_as(chr(point))
            kinds = self.kinds.take(points, mode="wrap")
        return self.folded.take(points, mode="wrap"), kinds


@cache
def _table() -> _Table:
    return _Table()


def _seen_as(letter: str) -> tuple[int, int]:
    """The code point that a character folds to, and its kinds."""
    folded = fold(letter)
    kinds = _KNOWN
    if len(folded) != 1 or (folded.isdigit() and not letter.isascii()):
        return ord(letter), int(kinds | _ALONE)
    if folded == "σ" != letter:
        kinds |= _ALONE  # at the end of a word its small letter is another
    if folded.isalnum() and not folded.isdecimal():
        kinds |= _LETTER
    for kind, of_kind in (
        (_SIGN, f"{SIGNS} "),
        (_ODD, ODD_SIGNS),
        (_OPENS, _OPENING),
        (_CLOSES, _CLOSING),
        (_NUMERAL, spelled.NUMERALS),
    ):
        kinds |= kind if folded in of_kind else 0
    if "a" <= folded <= "z":
        kinds |= _LATIN
    if _LOOKALIKE.match(folded):
        kinds |= _NATIVE
    if folded in _first_letters():
        kinds |= _HEADS
    if folded.isascii() and folded.isdigit():
        return ord("0"), int(kinds | _ZERO)
    return ord(folded), int(kinds)


@cache
def _heads() -> list[tuple[int, frozenset[str]]]:
    """The beginnings of words, up to three characters each, by what they tell."""
    return [
        (bit, frozenset(word[:_BEGUN_CHARS] for word in words))
        for bit, words in (
            (WORDS, spelled.words()),
            (SPENT, spent.begun_before()),
            (_BEHIND, spent.begun_behind()),
        )
    ]


@cache
def _first_letters() -> frozenset[str]:
    return frozenset(head[0] for _, heads in _heads() for head in heads)


@cache
def _begun() -> list[NDArray[np.uint8]]:
    """For one, two and three characters, which lists have words that begin so, by their hash."""
    tables = [np.zeros(1 << _HASH_BITS, np.uint8) for _ in range(_BEGUN_CHARS)]
    for bit, heads in _heads():
        for head in heads:
            points = np.frombuffer(head.encode("utf-32-le"), np.uint32)
            *_, hashes = _hashes([points[at : at + 1] for at in range(len(head))])
            tables[len(head) - 1][hashes[0]] |= bit
    return tables


def prepare() -> None:
    """Make the table of beginnings now, not when the first texts come."""
    _begun()


def _hashes(letters: Sequence[Points]) -> Iterator[Points]:
    """Of one, two and three characters, of which the first, second and third are these."""
    piece = np.zeros(1, np.uint32)
    for letter in letters:
        piece = (piece ^ (piece >> np.uint32(15))) * _MIX + letter
        yield (piece * _MIX) >> np.uint32(32 - _HASH_BITS)


def glances(masked: Sequence[str]) -> list[Glance]:
    r"""Each masked text at a glance; one pass over very many of them.

    >>> [seen.may == APART for seen in glances(["验证码：0000，请勿泄露", "验·证·码：0000"])]
    [False, True]
    >>> glances(["Your CODE"])[0].folded
    'your code'
    """
    return [glance for part in batched(masked) for glance in _glances(part)]


def _glances(masked: Sequence[str]) -> Iterator[Glance]:
    joined = f"{_EDGE}{chr(0).join(masked)}{_EDGE}"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    folded, kinds = _table().of(points)
    lengths = np.fromiter(map(len, masked), np.int64, len(masked))
    starts = (lengths + 1).cumsum() - lengths - 1 + _REACH
    may = np.bitwise_or.reduceat(_may(folded, kinds), starts)
    text = folded.tobytes().decode("utf-32-le", "surrogatepass")
    places = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
    return rows_of(Glance, [text[start:end] for start, end in places], may.tolist())


def _may(folded: Points, kinds: Kinds) -> NDArray[np.uint8]:
    """The signs of hidden things at the place of each character; see `Glance`."""

    def at(step: int, kind: np.uint16) -> NDArray[np.bool_]:
        """Tell if the character so many places on is of a kind."""
        return (kinds[_REACH + step : len(kinds) - _REACH + step] & kind).astype(np.bool_)

    may = np.zeros(len(kinds), np.uint8)
    told = may[_REACH:-_REACH]
    told |= at(0, _ALONE) * np.uint8(CLOSELY)
    if (kinds & _NATIVE).any():
        mixed = (at(0, _LATIN) & at(1, _NATIVE)) | (at(0, _NATIVE) & at(1, _LATIN))
        told |= mixed * np.uint8(CLOSELY)
    # A sign, one character, and a sign again, of which what is behind is no Latin word; or a sign
    # that stands nowhere but between digits and in ornaments.
    either = _LETTER | _ZERO
    apart = at(0, _SIGN) & at(2, _SIGN) & at(-1, either) & at(3, either) & ~at(4, _LATIN)
    apart |= at(0, _ODD) | (at(0, _CLOSES) & at(1, _OPENS))
    told |= apart * np.uint8(APART)
    numeral = (kinds & _NUMERAL).nonzero()[0]
    beside = kinds[numeral - 2] | kinds[numeral - 1] | kinds[numeral + 1] | kinds[numeral + 2]
    may[numeral[(beside & _ZERO) > 0]] |= np.uint8(WORDS)
    heads = (kinds & _HEADS).nonzero()[0]  # a tenth of all, and less; not on the edge
    begins = np.zeros(len(heads), np.uint8)
    letters = [folded[heads + step] for step in range(_BEGUN_CHARS)]
    for table, hashes in zip(_begun(), _hashes(letters), strict=True):
        begins |= table.take(hashes, mode="wrap")  # unchecked
    before = kinds[heads - 1]
    inside = (before & kinds[heads] & _LATIN) > 0
    found = begins & np.uint8(SPENT)
    found |= (((begins & np.uint8(WORDS)) > 0) & ((before & _LETTER) == 0)) * np.uint8(WORDS)
    found |= (((begins & np.uint8(_BEHIND)) > 0) & ~inside) * np.uint8(SPENT)
    may[heads] |= found
    return may
