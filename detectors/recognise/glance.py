"""A glance at many texts, in one pass over all their characters: most need no closer look.

Letters that are left out, signs between letters, digits as words, what tells that a code was used:
few texts have any of it, and to search each text for each of it is most of what a new text costs.
So is to search around a number for what makes an amount of it, or somebody else's: most stand
plainly. Here every character is looked up in one table, and every place in another of how words
begin. What is told is a condition: without it the search is known to find nothing (or a code's
number), with it the search has to be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Sized
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.recognise import lures, spelled, spent
from detectors.recognise.fold import fold
from detectors.recognise.gather import ODD_SIGNS, SIGNS
from detectors.recognise.grams import Lengths, Points, View, view_of
from detectors.recognise.signature import HEAD_CHARS, HEAD_ENDS

Kinds = NDArray[np.uint16]

CLOSELY: Final = 1
"""The text has to be folded by itself: a character is left out, or becomes a digit."""
APART: Final = 2
"""Letters or digits may stand apart: `gather`."""
WORDS: Final = 4
"""Digits may be words: `spelled`."""
SPENT: Final = 8
"""A number may be called used or expired: `spent`."""
NUMBER: Final = 16
"""To tell if it shows a number that is a code's, no amount and nobody else's, takes a search."""
PROGRAM: Final = 32
"""A program may be meant to read it: there is an @ or a <."""
HIDES: Final = CLOSELY | APART | WORDS
ALL: Final = HIDES | SPENT | NUMBER | PROGRAM

_BEHIND: Final = 32  # of the table of beginnings: SPENT, unless it is inside a Latin word

_KNOWN, _LETTER, _SIGN, _ODD, _OPENS, _CLOSES, _LATIN, _NATIVE, _ZERO, _NUMERAL, _ALONE, _HEADS = (
    np.uint16(1 << bit) for bit in range(12)
)
_BLANK, _LEADS, _ENDS, _OWNS = (np.uint16(1 << bit) for bit in range(12, 16))
_OPENING: Final = "(（[【<"
_CLOSING: Final = ")）]】>"
_LEADING: Final = ":：=(（[【「『《“«"
"""A number that is no amount may stand behind these, and behind letters that are not Latin."""
_ENDING: Final = "\0,.;!?，。；！？、)）]】」』》”»"
"""No unit begins so: a number that is no amount may stand before these. The first is an edge."""
_POINT: Final = ",."  # digits behind it may be the number's own
_LONG_RUN: Final = 3  # digits, of what may be a number at all
_CODE_DIGITS: Final = (4, 8)
_YEAR_DIGITS: Final = 4
_LOOKALIKE: Final = re.compile("[\u0370-\u052f]")  # Greek and Cyrillic: see `fold`
_POINTS: Final = 0x110000
_EDGE: Final = "\0\0\0\0"
_REACH: Final = len(_EDGE)
_HASH_BITS: Final = 17
_BEGUN_CHARS: Final = 3  # characters that words are told by
_MIX: Final = np.uint32(0x9E3779B1)  # as in `grams`


_READ_BYTES: Final = 100_000
"""Bytes of the texts that are read in one pass, about. Chosen: what numpy makes of them fits into a
cache, and a call of it is little beside what it does; half as many cost more, twice as many are no
cheaper."""


def parts(texts: Sequence[Sized]) -> Iterator[slice]:
    """Yield as many texts as are best read together, until all came."""
    step = max(1, _READ_BYTES * len(texts) // max(1, sum(map(len, texts))))
    return (slice(first, first + step) for first in range(0, len(texts), step))


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
    latin = "a" <= folded <= "z"
    kinds |= _LATIN if latin else 0
    kinds |= _BLANK if folded.isspace() else 0
    if folded in _LEADING or (folded.isalpha() and not latin):
        kinds |= _LEADS
    kinds |= _ENDS if folded in _ENDING else 0
    kinds |= _OWNS if folded in lures.near()[1] else 0
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


@cache
def _owners() -> NDArray[np.bool_]:
    """For each hash of four characters, true if an owner's word may begin with them."""
    table = np.zeros(1 << _HASH_BITS, np.bool_)
    for head in lures.near()[0]:
        points = np.frombuffer(head.ljust(lures.HEAD_CHARS, "\0").encode("utf-32-le"), np.uint32)
        *_, hashes = _hashes([points[at : at + 1] for at in range(lures.HEAD_CHARS)])
        table[hashes] = True
    return table


def prepare() -> None:
    """Make the tables of beginnings now, not when the first texts come."""
    _begun()
    _owners()


def _hashes(letters: Sequence[Points]) -> Iterator[Points]:
    """Of one character, of two and so on, of which the first, the second and so on are these."""
    piece = np.zeros(1, np.uint32)
    for letter in letters:
        piece = (piece ^ (piece >> np.uint32(15))) * _MIX + letter
        yield (piece * _MIX) >> np.uint32(32 - _HASH_BITS)


class Glance(NamedTuple):
    """Texts as one pass over their characters sees them: columns of n texts.

    The m characters lie in a row, with a NUL behind each text and before the first.
    """

    masked: Points  # (m,)
    folded: Points  # (m,), as `fold` has them where a text need not be folded by itself
    start: NDArray[np.int64]  # (n,) of each text, its first character
    lengths: Lengths  # (n,) characters of each
    may: NDArray[np.uint8]  # (n,) the bits CLOSELY, APART, WORDS, SPENT, NUMBER, PROGRAM
    head: NDArray[np.int64]
    """(n,) Characters of the brackets that each text begins with, from 【 to 】; 0 where no name
    can stand in brackets, there or at the end; and -1 where it takes a search."""

    def texts(self) -> list[str]:
        """The folded texts."""
        whole = self.folded.tobytes().decode("utf-32-le", "surrogatepass")
        places = zip(self.start.tolist(), (self.start + self.lengths).tolist(), strict=True)
        return [whole[start:end] for start, end in places]

    def text(self, at: int) -> str:
        """One of the folded texts."""
        own = self.folded[self.start[at] : self.start[at] + self.lengths[at]]
        return own.tobytes().decode("utf-32-le", "surrogatepass")

    def view(self) -> View:
        """Return what the model weighs."""
        return view_of(self.folded, self.masked, self.lengths)

    def lines(self) -> NDArray[np.int64]:
        """Count the line breaks of each text (n,)."""
        breaks = (self.folded == ord("\n")).nonzero()[0]
        until = breaks.searchsorted(self.start + self.lengths)
        inside: NDArray[np.int64] = until - breaks.searchsorted(self.start)
        return inside


def glanced(masked: Sequence[str]) -> Glance:
    r"""Fold masked texts, at least one and without a NUL, and tell what each may hold; one pass.

    >>> seen = glanced(["Your CODE", "验·证·码：0000"])
    >>> seen.texts()[0], seen.may[0] & APART, seen.may[1] & APART == APART
    ('your code', np.uint8(0), np.True_)
    """
    joined = f"{_EDGE}{chr(0).join(masked)}{_EDGE}"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    folded, kinds = _table().of(points)
    lengths = np.fromiter(map(len, masked), np.int64, len(masked))
    starts = (lengths + 1).cumsum() - lengths - 1 + _REACH
    may = np.bitwise_or.reduceat(_may(folded, kinds), starts)
    may |= np.uint8(NUMBER)
    may[_with_own_numbers(folded, kinds, starts)] ^= np.uint8(NUMBER)
    head = _bracketed(folded, kinds, starts, lengths)
    inner = slice(_REACH - 1, 1 - _REACH)  # one edge is left on each side
    return Glance(points[inner], folded[inner], starts - _REACH + 1, lengths, may, head)


def _bracketed(
    folded: Points, kinds: Kinds, starts: NDArray[np.int64], lengths: Lengths
) -> NDArray[np.int64]:
    """`Glance.head`; see `signature_span`, which looks for the same."""
    closes = np.append((folded == ord(HEAD_ENDS[1])).nonzero()[0], len(folded))
    chars = closes[closes.searchsorted(starts)] + 1 - starts
    named = (folded[starts] == ord(HEAD_ENDS[0])) & (chars <= np.minimum(lengths, HEAD_CHARS))
    last = starts + lengths - 1
    plain = _LETTER | _ZERO
    ends = folded[last]
    unnamed = ((kinds[last] & plain) > 0) | (ends == ord(".")) | (ends == ord("。"))
    unnamed &= (kinds[starts] & plain) > 0  # neither a blank nor a bracket of any kind
    return np.where(named, chars, np.where(unnamed, 0, -1))


def _places(kinds: Kinds, wanted: np.uint16) -> NDArray[np.int64]:
    """Find the characters of these kinds; of masks numpy finds the places much faster."""
    places: NDArray[np.int64] = ((kinds & wanted) != 0).nonzero()[0]
    return places


def _may(folded: Points, kinds: Kinds) -> NDArray[np.uint8]:
    """The signs of hidden things at the place of each character; see `Glance`."""
    may: NDArray[np.uint8] = ((folded == ord("@")) | (folded == ord("<"))) * np.uint8(PROGRAM)
    if (kinds & _NATIVE).any():
        latin, native = (kinds & _LATIN) > 0, (kinds & _NATIVE) > 0
        mixed = (latin[:-1] & native[1:]) | (native[:-1] & latin[1:])
        may[:-1] |= mixed * np.uint8(CLOSELY)
    few = _places(kinds, _ALONE | _SIGN | _ODD | _CLOSES)  # not on the edge
    own = kinds[few]
    # A sign, one character, and a sign again, of which what is behind is no Latin word; or a sign
    # that stands nowhere but between digits and in ornaments.
    either = _LETTER | _ZERO
    apart = (own & kinds[few + 2] & _SIGN) > 0
    apart &= (kinds[few - 1] & either) > 0
    apart &= (kinds[few + 3] & either) > 0
    apart &= (kinds[few + 4] & _LATIN) == 0
    apart |= ((own & _ODD) > 0) | (((own & _CLOSES) > 0) & ((kinds[few + 1] & _OPENS) > 0))
    may[few] |= ((own & _ALONE) > 0) * np.uint8(CLOSELY) | apart * np.uint8(APART)
    numeral = _places(kinds, _NUMERAL)
    beside = kinds[numeral - 2] | kinds[numeral - 1] | kinds[numeral + 1] | kinds[numeral + 2]
    may[numeral[(beside & _ZERO) > 0]] |= np.uint8(WORDS)
    heads = _places(kinds, _HEADS)  # a tenth of all, and less; not on the edge
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


def _with_own_numbers(folded: Points, kinds: Kinds, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which texts plainly show a number that is a code's.

    Their first long run of digits has as many as a code, and there is neither an amount's sign or
    unit beside it, nor a day before a year, nor the word of an owner before it.
    """
    zero = (kinds & _ZERO) > 0
    turns = (zero[1:] != zero[:-1]).nonzero()[0] + 1  # no edge is a digit
    begin, end = turns[::2], turns[1::2]
    long = end - begin >= _LONG_RUN
    begin, end = begin[long], end[long]
    text = starts.searchsorted(begin, side="right") - 1
    first = np.ones(len(text), np.bool_)
    np.not_equal(text[1:], text[:-1], out=first[1:])
    begin, end, text = begin[first], end[first], text[first]
    digits = end - begin
    before, behind = kinds[begin - 1], kinds[end]
    leads = before & _LEADS
    # Behind a blank, but for one behind a colon, four digits may be a year.
    year = (digits == _YEAR_DIGITS) & (folded[begin - 2] != ord(":"))
    leads |= np.where(((before & _BLANK) > 0) & ~year, kinds[begin - 2] & _LEADS, np.uint16(0))
    least, most = _CODE_DIGITS
    plain = (leads > 0) & (digits >= least) & (digits <= most) & ((behind & _ENDS) > 0)
    last = folded[end]
    plain &= ~(zero[end + 1] & ((last == ord(_POINT[0])) | (last == ord(_POINT[1]))))
    begin, text = begin[plain], text[plain]
    alone: NDArray[np.int64] = text[~_owned(folded, kinds, begin, starts[text])]
    return alone


def _owned(
    folded: Points, kinds: Kinds, number: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell of each number, in a text that starts there, if an owner's word may be before it."""
    first = np.maximum(number - (lures.OWNER_CHARS + 1), start)  # a blank may lie between
    letters = np.append(-1, _places(kinds, _OWNS))
    last = letters[letters.searchsorted(number) - 1]
    owned: NDArray[np.bool_] = last >= np.maximum(number - (lures.LAST_CHARS + 1), start)
    # Words begin behind a blank, or where one is cut.
    begins = _places(kinds, _BLANK) + 1
    of = number.searchsorted(begins)
    near = begins >= np.append(first, len(kinds))[of]
    every = np.arange(len(number))
    place = np.concatenate((begins[near], first, np.minimum(first + 1, number)))
    of = np.concatenate((of[near], every, every))
    end, inside, head = number[of], np.ones(len(of), np.bool_), []
    for _ in range(lures.HEAD_CHARS):
        inside &= (place < end) & ((kinds[place] & _BLANK) == 0)
        head.append(folded[place] * inside)
        place = np.minimum(place + 1, end)
    *_, hashes = _hashes(head)
    owned[of[_owners()[hashes]]] = True
    return owned
