"""Compute the linear model's second group of features ("clues"): words, and the context of numbers.

A text is split into tokens: words, numbers and punctuation marks. Clues of three families are
hashed from them:

- words and pairs of words;
- the words up to three places before and after each number, with and without the number's length;
- the shapes around numbers: a word is short, long, with a capital, or all in capitals. Shapes need
  no knowledge of the language. "text STOP to 85069" has the shape of a number to reply to in any
  alphabet.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.recognise.score.grams import HASH_BITS, NOWHERE, View

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint32]

FAMILIES: Final = ("words", "near numbers", "shapes")
PER_TOKEN: Final = 3
"""Number of word clues that begin at one token."""
PER_NUMBER: Final = 20
"""Approximate number of clues about the neighbours of a number. The sum of the weights is divided
by a root of it."""
SHAPES_PER_NUMBER: Final = 15
"""Approximate number of clues about the shapes around a number: two runs of two tokens contain it,
up to five runs of five."""
_REACH: Final = 3  # tokens on each side of a number that are used
_RUN: Final = 5  # tokens in the longest run of shapes
_SHORT: Final = 3  # a short word has at most so many letters
_OF_MARK: Final = np.uint32(8)  # added to a mark's code point, so that it differs from word shapes
_ALONE_SHAPE: Final = np.uint32(5)

_MIX: Final = np.uint32(0x9E3779B1)  # as in `grams`
_LAST: Final = np.uint32(0x85EBCA6B)
_FOLD_BITS: Final = np.uint32(15)
_PLANE: Final = 1 << 16  # characters above count as marks: emoji and rare ideographs

_ALONE: Final = ((0x3041, 0x3096), (0x3400, 0x9FFF))
"""Kana and Chinese characters. Each is a token, because there are no spaces between words."""

_BLANK, _LETTER, _DIGIT, _MARK = range(4)
_CLASSES: Final = 3
_HIGH: Final = 4  # an additional bit: a capital
_WRITTEN_ON: Final = 8  # an additional bit: a script without spaces
_UNKNOWN: Final = 255


class Clues(NamedTuple):
    """Clues of several forms for the same tokens, hashed in one step.

    A single text has few tokens, so the number of numpy calls decides the cost.
    """

    family: int  # index in FAMILIES
    at: slice | Ints  # token to which each clue belongs; the token is in the clue's text
    place: Ints  # (forms, tokens): index of each clue in the table of weights


class Tokens(NamedTuple):
    """The tokens of texts. NUL tokens ("edges") are before, between and after the texts."""

    word: Hashes  # hash of each token
    shape: Hashes  # shape of each token: index in SHAPE_NAMES, or code point plus _OF_MARK
    start: Ints  # index of each token's first character in the view
    numbers: Ints  # indices of tokens that are numbers
    texts: Ints  # text of each number
    edges: Ints  # indices of tokens that are edges

    def owners(self) -> Ints:
        """Return the text of each token (n,). An edge belongs to the text before it."""
        return np.maximum(self.edges.searchsorted(np.arange(len(self.word))) - 1, 0)


@cache
def _fill_table() -> NDArray[np.uint8]:
    """Return the table that `_seen_as` fills: one entry per character of Unicode's first plane.

    One more entry is for all characters beyond this plane.
    """
    table = np.full(_PLANE + 1, _UNKNOWN, np.uint8)
    table[_PLANE] = _MARK
    return table


def _seen_as(letters: Hashes) -> NDArray[np.uint8]:
    """Return the class of each character (space, letter, digit, mark) with its additional bits.

    A character is looked up in Unicode's tables at its first use. Looking up all 65,536 characters
    would take longer than reading a thousand texts.
    """
    table = _fill_table()
    seen = table.take(letters, mode="wrap")  # no bounds check: no index is higher
    new = seen == _UNKNOWN
    if new.any():
        for point in set(letters[new].tolist()):
            alone = any(first <= point <= last for first, last in _ALONE)
            high = _HIGH if chr(point).isupper() else 0
            table[point] = _MARK | _WRITTEN_ON if alone else _class(point) | high
        seen = table.take(letters, mode="wrap")
    return seen


def _class(point: int) -> int:
    if ord("0") <= point <= ord("9"):
        return _DIGIT
    category = unicodedata.category(chr(point))
    if category[0] in "LM":
        return _LETTER
    return _BLANK if category[0] in "ZC" and point not in (0, 10) else _MARK


@cache
def _powers() -> Hashes:
    """Return odd factors for the letters of a word by their place. They repeat after 64 letters."""
    return np.cumprod(np.full(64, _MIX, np.uint32), dtype=np.uint32)


def _mix_hashes(hashes: Hashes) -> Hashes:
    mixed: Hashes = hashes >> _FOLD_BITS
    mixed ^= hashes  # in place, so that each call creates one array
    mixed *= _LAST
    return mixed


def tokens(seen: View) -> Tokens:
    """Split texts into tokens."""
    seen_as = _seen_as(np.minimum(seen.letters, _PLANE))
    kinds = seen_as & _CLASSES
    letter = kinds == _LETTER
    begins = kinds != _BLANK
    begins[1:] &= ~(letter[1:] & letter[:-1])
    start = begins.nonzero()[0]
    kind, first = kinds[start], seen.letters[start]
    word = (first + np.uint32(1)) * _MIX
    shapes = np.where(seen_as[start] >= _WRITTEN_ON, _ALONE_SHAPE, first + _OF_MARK)
    written = (kind == _LETTER).nonzero()[0]
    if len(written):
        word[written], shapes[written] = _of_letters(seen, letter, start[written])
    bounds = np.zeros(len(kinds), np.bool_)
    bounds[seen.starts - 1] = True
    bounds[-1] = True
    numbers, edges = (kind == _DIGIT).nonzero()[0], bounds[start].nonzero()[0]
    return Tokens(_mix_hashes(word), shapes, start, numbers, edges.searchsorted(numbers) - 1, edges)


def _of_letters(seen: View, letter: NDArray[np.bool_], start: Ints) -> tuple[Hashes, Hashes]:
    at = letter.nonzero()[0]
    length = (letter[:-1] > letter[1:]).nonzero()[0] + 1 - start  # an edge follows all letters
    of_each = length.cumsum() - length
    inside = (at - start.repeat(length)) & 63
    word = np.add.reduceat(
        (seen.letters[at] + np.uint32(1)) * _powers()[inside], of_each, dtype=np.uint32
    )
    high = _seen_as(np.minimum(seen.cased[at], _PLANE)) & _HIGH > 0
    capitals = np.add.reduceat(high, of_each, dtype=np.int64)
    short = length <= _SHORT
    shape = short.astype(np.uint32)
    shape[high[of_each]] = 2
    all_high = (capitals == length) & (length > 1)
    shape[all_high] = 4
    shape[all_high & short] = 3
    return word, shape


def _start_hashes(*forms: int) -> Hashes:
    hashes = np.asarray(forms, np.uint32)[:, np.newaxis] * _LAST
    return (hashes ^ (hashes >> _FOLD_BITS)) * _MIX


def _with(hashes: Hashes, part: Hashes) -> Hashes:
    longer: Hashes = hashes >> _FOLD_BITS
    longer ^= hashes
    longer *= _MIX
    longer += part
    return longer


def _places(hashes: Hashes) -> Ints:
    place = _mix_hashes(hashes)
    place >>= np.uint32(32 - HASH_BITS)
    place += np.uint32(1 << HASH_BITS)
    return place.astype(np.int64)


def clues(told: Tokens) -> Iterator[Clues]:
    """Yield the clues of texts, several forms at a time."""
    yield from _words(told)
    if len(told.numbers):
        yield _near_numbers(told)
    yield from _shapes(told)


_OF_WORDS: Final = _start_hashes(1, 2, 3)  # a word; two words; two words with one between


def _words(told: Tokens) -> Iterator[Clues]:
    word = told.word
    count = len(word)
    hashes = _OF_WORDS + word
    second = np.zeros((2, count), np.uint32)  # the next word, and the word after the next
    second[0, :-1] = word[1:]
    second[1, :-2] = word[2:]
    hashes[1:] = _with(hashes[1:], second)
    place = _places(hashes)
    place[0, told.edges] = NOWHERE
    place[2, told.edges[1:-1] - 1] = NOWHERE
    yield Clues(0, slice(0, count), place[:1])
    yield Clues(0, slice(1, count), place[1:2, :-1])
    yield Clues(0, slice(1, count - 1), place[2:, :-2])


_NEAR: Final = _start_hashes(16, 17, 18, 32, 33, 34, 24, 25, 26, 40, 41, 42, 48, 49, 50, 51)
_NEAR_OF: Final = (
    *((each,) for each in range(2 * _REACH)),
    *((2 * _REACH, each) for each in range(2 * _REACH)),
    (1, 0),
    (3, 4),
    (0, 3),
    (6, 0, 3),
)
"""The tokens of each form, in the order of hashing: 0 to 2 before a number, 3 to 5 after it, 6 the
number itself."""
_FIRST: Final = np.asarray([of[0] for of in _NEAR_OF])
_PAIRS: Final = 2 * _REACH  # index of the first form with two tokens
_SECOND: Final = np.asarray([of[1] for of in _NEAR_OF[_PAIRS:]])
_REACHES: Final = np.arange(1, _REACH + 1)[:, np.newaxis]


def _near_numbers(told: Tokens) -> Clues:
    at, text = told.numbers, told.texts
    beside = np.empty((2 * _REACH + 1, len(at)), np.int64)
    np.maximum(at - _REACHES, told.edges[text], out=beside[:_REACH])
    np.minimum(at + _REACHES, told.edges[text + 1], out=beside[_REACH:-1])
    beside[-1] = at
    words = told.word[beside]
    hashes = _NEAR + words[_FIRST]
    hashes[_PAIRS:] = _with(hashes[_PAIRS:], words[_SECOND])
    hashes[-1] = _with(hashes[-1], words[_NEAR_OF[-1][2]])
    return Clues(1, at, _places(hashes))


_OF_SHAPES: Final = _start_hashes(*range(64, 64 + _RUN + 1))  # 64 is for single shapes
_RUNS: Final = np.arange(2, _RUN + 1)[:, np.newaxis]
_STEPS: Final = np.arange(_RUN)[:, np.newaxis]


def _shapes(told: Tokens) -> Iterator[Clues]:
    shape = told.shape
    count = len(shape)
    own = _places(_OF_SHAPES[:1] + shape)
    own[0, told.edges] = NOWHERE
    yield Clues(2, slice(0, count), own)
    if not len(told.numbers):
        return
    # A run with a number begins at the number, or less than a run's length before it.
    before = np.append(-1, told.numbers[:-1])  # previous number of each number
    ahead, number = (told.numbers - _STEPS > before).nonzero()  # `ahead`: tokens to the number
    first = told.numbers[number] - ahead
    shapes = shape[np.minimum(first + _STEPS, count - 1)]
    hashes = _OF_SHAPES[2:] + shapes[0]
    for at in range(1, _RUN):
        longer = hashes[max(0, at - 1) :]  # runs that are longer than `at`
        longer[:] = _with(longer, shapes[at])
    place = _places(hashes)
    behind = told.texts[number]
    behind += first >= told.edges[behind]
    # No run may cross the edge of its text.
    over = first + _RUNS - 1 > told.edges[behind]
    np.copyto(place, NOWHERE, where=over | (ahead >= _RUNS))
    yield Clues(2, first + 1, place)


def weighed_down(told: Tokens, texts: int) -> NDArray[np.float64]:
    """Return the divisors (families, texts) of the sums of clues.

    A divisor is the square root of the number of clues that the text can have in the family.
    """
    own = told.edges[1:] - told.edges[:-1] - 1  # tokens of each text
    numbers = np.maximum(np.bincount(told.texts, minlength=texts), 1)
    may = np.empty((len(FAMILIES), texts))
    may[0] = PER_TOKEN * np.maximum(own, 1)
    may[1] = PER_NUMBER * numbers
    may[2] = SHAPES_PER_NUMBER * numbers
    return np.sqrt(may, out=may)


def sums(seen: View, weights: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the sum of the weights of each text's clues (n,).

    The sum of each family is divided by `weighed_down`.
    """
    told = tokens(seen)
    # A token has at most about 20 weights per family, so 16 bits are enough.
    total = np.zeros((len(FAMILIES), len(told.word) + 1), np.int16)
    for several in clues(told):
        added = weights.take(several.place, mode="wrap")  # no bounds check
        one = len(added) == 1
        total[several.family, several.at] += (
            added[0] if one else np.add.reduce(added, axis=0, dtype=np.int16)
        )
    summed = np.add.reduceat(total, told.edges + 1, axis=1, dtype=np.int32)[:, :-1]
    return np.asarray((summed / weighed_down(told, len(seen.starts))).sum(axis=0))
