"""Prescan many texts in one pass over all their characters, to avoid expensive searches per text.

Few texts have removed characters, separated letters, digits written as words, or words for a used
code. Searching each text for all of these is most of the cost of a new text. So is the search
around a number for an amount or another name. The prescan looks up every character in one table and
every beginning of a word in another. It sets one bit per search. If a bit is not set, the search
would find nothing (for `NUMBER`: the number is plainly a code's). If it is set, the search must be
done.
"""

import re
from collections.abc import Iterator, Sequence, Sized
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.recognise.rules.signature import HEAD_CHARS, HEAD_ENDS
from detectors.recognise.score.grams import Lengths, Points, View, view_of
from detectors.recognise.text import spelled
from detectors.recognise.text.fold import fold
from detectors.recognise.text.gather import ODD_SIGNS, SIGNS
from detectors.recognise.vocabulary import owners

Kinds = NDArray[np.uint16]

CLOSELY: Final = 1
"""Bit: the text must be folded alone, because a character is removed or becomes a digit."""
APART: Final = 2
"""Bit: letters or digits may be separated (`gather`)."""
WORDS: Final = 4
"""Bit: digits may be written as words (`spelled`)."""
SPENT: Final = 8
"""Bit: a number may be described as used or expired, or have the name of another number."""
NUMBER: Final = 16
"""Bit: a search is needed to decide whether the text shows the number of a code."""
PROGRAM: Final = 32
"""Bit: the text may be for a program, because it contains @ or <."""
LINK: Final = 64
"""Bit: the text may have a web address."""
HIDES: Final = CLOSELY | APART | WORDS
ALL: Final = HIDES | SPENT | NUMBER | PROGRAM | LINK

_BEHIND: Final = 32  # bit in the table of beginnings: SPENT, unless inside a Latin word

_KNOWN, _LETTER, _SIGN, _ODD, _OPENS, _CLOSES, _LATIN, _NATIVE, _ZERO, _NUMERAL, _ALONE, _HEADS = (
    np.uint16(1 << bit) for bit in range(12)
)
_BLANK, _LEADS, _ENDS = (np.uint16(1 << bit) for bit in range(12, 15))
_OPENING: Final = "(（[【<"
_CLOSING: Final = ")）]】>"
_LEADING: Final = ":：=(（[【「『《“«"
"""Characters, besides letters of other scripts than Latin, that may precede a plain number."""
_ENDING: Final = "\0,.;!?，。；！？、)）]】」』》”»"
"""Characters that may follow a plain number, because no unit begins with them. NUL is the edge of a
text."""
_POINT: Final = ",."  # digits after these may belong to the number
_LONG_RUN: Final = 3  # smallest number of digits that is considered
_CODE_DIGITS: Final = (4, 8)
_LOOKALIKE: Final = re.compile("[\u0370-\u052f]")  # Greek and Cyrillic: see `fold`
_POINTS: Final = 0x110000
_EDGE: Final = "\0\0\0\0"
_REACH: Final = len(_EDGE)
_HASH_BITS: Final = 17
_BEGUN_CHARS: Final = 3  # words are found by this many first characters
_MIX: Final = np.uint32(0x9E3779B1)  # as in `grams`


_READ_BYTES: Final = 100_000
"""Approximate number of bytes that are prescanned in one pass. Chosen: numpy's arrays fit into the
processor's cache, and the overhead per call is small. Half as many bytes are slower; twice as many
are not faster."""


def parts(texts: Sequence[Sized]) -> Iterator[slice]:
    """Yield slices of the texts, each with the best number of texts for one pass."""
    step = max(1, _READ_BYTES * len(texts) // max(1, sum(map(len, texts))))
    return (slice(first, first + step) for first in range(0, len(texts), step))


class _Table:
    """Folded code point and kinds of each character, filled on demand. Kinds 0: not filled yet."""

    def __init__(self) -> None:
        self.folded = np.zeros(_POINTS, np.uint32)
        self.kinds = np.zeros(_POINTS, np.uint16)

    def of(self, points: Points) -> tuple[Points, Kinds]:
        kinds = self.kinds.take(points, mode="wrap")  # no bounds check: no code point is higher
        if not kinds.all():
            for point in set(points[kinds == 0].tolist()):
                self.folded[point], self.kinds[point] = _seen_as(chr(point))
            kinds = self.kinds.take(points, mode="wrap")
        return self.folded.take(points, mode="wrap"), kinds


@cache
def _table() -> _Table:
    return _Table()


def _seen_as(letter: str) -> tuple[int, int]:
    folded = fold(letter)
    kinds = _KNOWN
    if len(folded) != 1 or (folded.isdigit() and not letter.isascii()):
        return ord(letter), int(kinds | _ALONE)
    if folded == "σ" != letter:
        kinds |= _ALONE  # its lowercase is different at the end of a word
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
    if _LOOKALIKE.match(folded):
        kinds |= _NATIVE
    if folded in _first_letters():
        kinds |= _HEADS
    if folded.isascii() and folded.isdigit():
        return ord("0"), int(kinds | _ZERO)
    return ord(folded), int(kinds)


@cache
def _heads() -> list[tuple[int, frozenset[str]]]:
    return [
        (bit, frozenset(word[:_BEGUN_CHARS] for word in words))
        for bit, words in (
            (WORDS, spelled.words()),
            (SPENT, owners.list_begins("wrong", "ended", "receipt")),
            (_BEHIND, owners.list_begins("spent", "owner", "courier", "paired")),
        )
    ]


@cache
def _first_letters() -> frozenset[str]:
    return frozenset(head[0] for _, heads in _heads() for head in heads)


@cache
def _build_beginnings() -> list[NDArray[np.uint8]]:
    tables = [np.zeros(1 << _HASH_BITS, np.uint8) for _ in range(_BEGUN_CHARS)]
    for bit, heads in _heads():
        for head in heads:
            points = np.frombuffer(head.encode("utf-32-le"), np.uint32)
            *_, hashes = _hashes([points[at : at + 1] for at in range(len(head))])
            tables[len(head) - 1][hashes[0]] |= bit
    return tables


def prepare() -> None:
    """Build the tables of word beginnings in advance, so that the first text need not wait."""
    _build_beginnings()


def _hashes(letters: Sequence[Points]) -> Iterator[Points]:
    """Yield the hashes of the first character, of the first two characters, and so on.

    `letters[i]` holds the character number i of each piece.
    """
    piece = np.zeros(1, np.uint32)
    for letter in letters:
        piece = (piece ^ (piece >> np.uint32(15))) * _MIX + letter
        yield (piece * _MIX) >> np.uint32(32 - _HASH_BITS)


class Glance(NamedTuple):
    """The result of the prescan of n texts.

    The m characters of all texts are concatenated, with NUL after each text and before the first.
    """

    masked: Points  # (m,)
    folded: Points  # (m,) same as `fold`, for texts without the bit CLOSELY
    start: NDArray[np.int64]  # (n,) index of each text's first character
    lengths: Lengths  # (n,) characters of each text
    may: NDArray[np.uint8]  # (n,) the bits from CLOSELY to LINK
    head: NDArray[np.int64]
    """(n,) Length of the brackets 【...】 with which a text begins. 0 if the text has no name in
    brackets at its beginning or end. -1 if this needs a search."""

    def texts(self) -> list[str]:
        """Return the n texts after folding: characters that look alike are written in one way."""
        whole = self.folded.tobytes().decode("utf-32-le", "surrogatepass")
        places = zip(self.start.tolist(), (self.start + self.lengths).tolist(), strict=True)
        return [whole[start:end] for start, end in places]

    def text(self, at: int) -> str:
        """Return the text with index `at`, after folding."""
        own = self.folded[self.start[at] : self.start[at] + self.lengths[at]]
        return own.tobytes().decode("utf-32-le", "surrogatepass")

    def view(self) -> View:
        """Return the texts in the form that the model needs."""
        return view_of(self.folded, self.masked, self.lengths)

    def with_runs(self) -> NDArray[np.int64]:
        """Return the indices of texts with four or more adjacent digits, in order."""
        zero = self.folded == ord("0")
        run = (zero[:-3] & zero[1:-2] & zero[2:-1] & zero[3:]).nonzero()[0]
        return np.unique(self.start.searchsorted(run, side="right") - 1)

    def lines(self) -> NDArray[np.int64]:
        """Count the line breaks of each text (n,)."""
        breaks = (self.folded == ord("\n")).nonzero()[0]
        until = breaks.searchsorted(self.start + self.lengths)
        inside: NDArray[np.int64] = until - breaks.searchsorted(self.start)
        return inside


def prescan(masked: Sequence[str]) -> Glance:
    r"""Prescan masked texts in one pass: fold them and set the bits of each text.

    There must be at least one text, and no text may contain NUL.

    >>> seen = prescan(["Your CODE", "验·证·码：0000"])
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
    head = _find_brackets(folded, kinds, starts, lengths)
    inner = slice(_REACH - 1, 1 - _REACH)  # keeps one NUL on each side
    return Glance(points[inner], folded[inner], starts - _REACH + 1, lengths, may, head)


def _find_brackets(
    folded: Points, kinds: Kinds, starts: NDArray[np.int64], lengths: Lengths
) -> NDArray[np.int64]:
    """Return `Glance.head`. `signature_span` searches for the same brackets."""
    closes = np.append((folded == ord(HEAD_ENDS[1])).nonzero()[0], len(folded))
    chars = closes[closes.searchsorted(starts)] + 1 - starts
    named = (folded[starts] == ord(HEAD_ENDS[0])) & (chars <= np.minimum(lengths, HEAD_CHARS))
    last = starts + lengths - 1
    plain = _LETTER | _ZERO
    ends = folded[last]
    unnamed = ((kinds[last] & plain) > 0) | (ends == ord(".")) | (ends == ord("。"))
    unnamed &= (kinds[starts] & plain) > 0  # neither a space nor a bracket
    return np.where(named, chars, np.where(unnamed, 0, -1))


def _places(kinds: Kinds, wanted: np.uint16) -> NDArray[np.int64]:
    """Return the places of characters of these kinds. numpy is much faster with a mask."""
    places: NDArray[np.int64] = ((kinds & wanted) != 0).nonzero()[0]
    return places


def _may(folded: Points, kinds: Kinds) -> NDArray[np.uint8]:
    may: NDArray[np.uint8] = ((folded == ord("@")) | (folded == ord("<"))) * np.uint8(PROGRAM)
    dots = (folded == ord(".")).nonzero()[0]
    may[dots[(kinds[dots + 1] & _LATIN) > 0]] |= np.uint8(LINK)
    slashes = (folded == ord("/")).nonzero()[0]
    may[slashes[folded[slashes + 1] == ord("/")]] |= np.uint8(LINK)
    if (kinds & _NATIVE).any():
        latin, native = (kinds & _LATIN) > 0, (kinds & _NATIVE) > 0
        mixed = (latin[:-1] & native[1:]) | (native[:-1] & latin[1:])
        may[:-1] |= mixed * np.uint8(CLOSELY)
    few = _places(kinds, _ALONE | _SIGN | _ODD | _CLOSES)  # not at the edges
    own = kinds[few]
    # Two separators with one character between, and no Latin word after them. Or an unusual
    # separator, which occurs only between digits and in ornaments.
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
    heads = _places(kinds, _HEADS)  # at most a tenth of all characters; not at the edges
    begins = np.zeros(len(heads), np.uint8)
    letters = [folded[heads + step] for step in range(_BEGUN_CHARS)]
    for table, hashes in zip(_build_beginnings(), _hashes(letters), strict=True):
        begins |= table.take(hashes, mode="wrap")  # no bounds check
    before = kinds[heads - 1]
    inside = (before & kinds[heads] & _LATIN) > 0
    found = begins & np.uint8(SPENT)
    found |= (((begins & np.uint8(WORDS)) > 0) & ((before & _LETTER) == 0)) * np.uint8(WORDS)
    found |= (((begins & np.uint8(_BEHIND)) > 0) & ~inside) * np.uint8(SPENT)
    may[heads] |= found
    return may


def _with_own_numbers(folded: Points, kinds: Kinds, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of texts that plainly show the number of a code.

    The first long run of digits has as many digits as a code. This run has no sign or unit of an
    amount beside it, and is not the year of a date.
    """
    zero = (kinds & _ZERO) > 0
    turns = (zero[1:] != zero[:-1]).nonzero()[0] + 1  # NUL is no digit
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
    # Four digits after a space may be a year, unless a colon precedes the space.
    year = (digits == _CODE_DIGITS[0]) & (folded[begin - 2] != ord(":"))
    leads |= np.where(((before & _BLANK) > 0) & ~year, kinds[begin - 2] & _LEADS, np.uint16(0))
    least, most = _CODE_DIGITS
    plain = (leads > 0) & (digits >= least) & (digits <= most) & ((behind & _ENDS) > 0)
    last = folded[end]
    plain &= ~(zero[end + 1] & ((last == ord(_POINT[0])) | (last == ord(_POINT[1]))))
    alone: NDArray[np.int64] = text[plain]
    return alone
