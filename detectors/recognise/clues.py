"""The clues that the linear model weighs beside pieces of a text: words, and what is near numbers.

A text is cut into words, numbers and marks. Three families of clues are hashed from them: words and
pairs of them; which words stand up to three places before and behind each number, told with its
length and without; and the shapes around numbers, which need no language: a word is short, long,
with a capital, or all in capitals. "text STOP to 85069" has the shape of a number to reply to in
any alphabet.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.recognise.grams import HASH_BITS, NOWHERE, View

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint32]

FAMILIES: Final = ("words", "near numbers", "shapes")
PER_TOKEN: Final = 3
"""Clues of words that one token begins."""
PER_NUMBER: Final = 20
"""About as many clues of its neighbours as a number has: what their sum is weighed down by."""
SHAPES_PER_NUMBER: Final = 15
"""The same for shapes: a number is in two runs of two, three of three, up to five of five."""
_REACH: Final = 3  # tokens on either side of a number that are looked at
_RUN: Final = 5  # tokens of the longest run of shapes
_SHORT: Final = 3  # letters of a short word
_OF_MARK: Final = np.uint32(8)  # in shapes, over the names of words
_ALONE_SHAPE: Final = np.uint32(5)

_MIX: Final = np.uint32(0x9E3779B1)  # as in `grams`
_LAST: Final = np.uint32(0x85EBCA6B)
_FOLD_BITS: Final = np.uint32(15)
_PLANE: Final = 1 << 16  # letters beyond are marks: emoji, and rare ideographs

_ALONE: Final = ((0x3041, 0x3096), (0x3400, 0x9FFF))
"""Kana and Chinese letters: there are no blanks between words, so each is a token by itself."""

_BLANK, _LETTER, _DIGIT, _MARK = range(4)
_CLASSES: Final = 3
_HIGH: Final = 4  # a bit beside the class: a capital
_WRITTEN_ON: Final = 8  # another, over that: of a script without blanks
_UNKNOWN: Final = 255
SHAPE_NAMES: Final = ("word", "short word", "Capital", "CAPS", "CAPITALS", "汉")
"""Looks of words, in the order of their numbers."""


class Clue(NamedTuple):
    """Clues of one form in many texts: whose, where in the table, and of which tokens."""

    family: int  # of FAMILIES
    form: str  # how it is told: `{0}` and `{1}` are tokens
    at: slice | Ints  # of which token each is reckoned: it and the edge behind it are one text's
    place: Ints
    tokens: tuple[slice | Ints, ...]


class _Clues(NamedTuple):
    """Clues of several forms that are reckoned of the same tokens, hashed in one go.

    A text by itself has few tokens: a call of numpy costs more than what it does with them.
    """

    family: int
    forms: tuple[str, ...]
    at: slice | Ints
    place: Ints  # (forms, tokens)
    beside: Sequence[slice | Ints] | Ints  # the tokens that the forms are made of
    of: tuple[tuple[int, ...], ...]  # each form of which of them, in order


class Tokens(NamedTuple):
    """The tokens of texts, an edge between and around them."""

    word: Hashes  # of what stands there
    shape: Hashes  # what it looks like: a number of SHAPE_NAMES, or a character over _OF_MARK
    start: Ints  # its first character in the view
    numbers: Ints  # which tokens are numbers
    texts: Ints  # whose each number is
    edges: Ints  # which tokens are edges

    def owners(self) -> Ints:
        """The text that each token is of (n,); an edge belongs to the text before it."""
        return np.maximum(self.edges.searchsorted(np.arange(len(self.word))) - 1, 0)


@cache
def _known() -> NDArray[np.uint8]:
    """A table of the first plane, and one entry for what is beyond, that `_seen_as` fills in."""
    table = np.full(_PLANE + 1, _UNKNOWN, np.uint8)
    table[_PLANE] = _MARK
    return table


def _seen_as(letters: Hashes) -> NDArray[np.uint8]:
    """The class of each character: blank, part of a word, digit, mark; and bits beside it.

    Looked up in Unicode's tables when a character first comes: all 65,536 of them take longer than
    a thousand texts.
    """
    table = _known()
    seen = table.take(letters, mode="wrap")  # unchecked: there is no higher one
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
    """Odd numbers by which letters are told by their place in a word; long words repeat them."""
    return np.cumprod(np.full(64, _MIX, np.uint32), dtype=np.uint32)


def _mixed(hashes: Hashes) -> Hashes:
    mixed: Hashes = hashes >> _FOLD_BITS
    mixed ^= hashes  # in place: each call makes one array
    mixed *= _LAST
    return mixed


def tokens(seen: View) -> Tokens:
    """The tokens of texts."""
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
    return Tokens(_mixed(word), shapes, start, numbers, edges.searchsorted(numbers) - 1, edges)


def _of_letters(seen: View, letter: NDArray[np.bool_], start: Ints) -> tuple[Hashes, Hashes]:
    """Words of letters, by where each starts: their sums, and what they look like."""
    at = letter.nonzero()[0]
    length = (letter[:-1] > letter[1:]).nonzero()[0] + 1 - start  # behind all letters is an edge
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


def _begun(*forms: int) -> Hashes:
    """The beginnings of the hashes of forms, one row for each."""
    hashes = np.asarray(forms, np.uint32)[:, np.newaxis] * _LAST
    return (hashes ^ (hashes >> _FOLD_BITS)) * _MIX


def _with(hashes: Hashes, part: Hashes) -> Hashes:
    """Hashes with one more token behind those that they have."""
    longer: Hashes = hashes >> _FOLD_BITS
    longer ^= hashes
    longer *= _MIX
    longer += part
    return longer


def _places(hashes: Hashes) -> Ints:
    """Places in the second half of the table."""
    place = _mixed(hashes)
    place >>= np.uint32(32 - HASH_BITS)
    place += np.uint32(1 << HASH_BITS)
    return place.astype(np.int64)


def clues(told: Tokens) -> Iterator[Clue]:
    """The clues of texts, one form after another."""
    for several in _several(told):
        for form, place, of in zip(several.forms, several.place, several.of, strict=True):
            tokens = tuple(several.beside[each] for each in of)
            yield Clue(several.family, form, several.at, place, tokens)


def _several(told: Tokens) -> Iterator[_Clues]:
    yield from _words(told)
    if len(told.numbers):
        yield _near_numbers(told)
    yield from _shapes(told)


_OF_WORDS: Final = _begun(1, 2, 3)


def _words(told: Tokens) -> Iterator[_Clues]:
    word = told.word
    count = len(word)
    hashes = _OF_WORDS + word
    second = np.zeros((2, count), np.uint32)  # the word behind it, and the one behind that
    second[0, :-1] = word[1:]
    second[1, :-2] = word[2:]
    hashes[1:] = _with(hashes[1:], second)
    place = _places(hashes)
    place[0, told.edges] = NOWHERE
    place[2, told.edges[1:-1] - 1] = NOWHERE
    every = slice(0, count)
    yield _Clues(0, ("{0}",), every, place[:1], (every,), ((0,),))
    behind = slice(0, count - 1), slice(1, count)
    yield _Clues(0, ("{0} {1}",), slice(1, count), place[1:2, :-1], behind, ((0, 1),))
    behind = slice(0, count - 2), slice(2, count)
    yield _Clues(0, ("{0} … {1}",), slice(1, count - 1), place[2:, :-2], behind, ((0, 1),))


_SIDES: Final = tuple(
    f"{{0}} {reach} {side} a number"
    for side in ("before", "behind")
    for reach in range(1, _REACH + 1)
)
_NEAR_FORMS: Final = (
    *_SIDES,
    *(side.replace("a number", "{1}") for side in _SIDES),
    "{0} {1} before a number",
    "{0} {1} behind a number",
    "{0} [number] {1}",
    "{0} {2} {1}",
)
_NEAR: Final = _begun(16, 17, 18, 32, 33, 34, 24, 25, 26, 40, 41, 42, 48, 49, 50, 51)
_NEAR_OF: Final = (
    *((each,) for each in range(2 * _REACH)),
    *((2 * _REACH, each) for each in range(2 * _REACH)),
    (1, 0),
    (3, 4),
    (0, 3),
    (6, 0, 3),
)
"""Of the tokens before a number (0 to 2), behind it (3 to 5), and the number (6), as hashed."""
_FIRST: Final = np.asarray([of[0] for of in _NEAR_OF])
_PAIRS: Final = 2 * _REACH  # the first of the forms of two tokens, behind those of one
_SECOND: Final = np.asarray([of[1] for of in _NEAR_OF[_PAIRS:]])
_NEAR_TOLD: Final = (  # as the forms tell them: the number last
    *_NEAR_OF[:_PAIRS],
    *((each, number) for number, each in _NEAR_OF[_PAIRS : 2 * _PAIRS]),
    *_NEAR_OF[2 * _PAIRS : -1],
    (0, 3, 6),
)
_REACHES: Final = np.arange(1, _REACH + 1)[:, np.newaxis]


def _near_numbers(told: Tokens) -> _Clues:
    at, text = told.numbers, told.texts
    beside = np.empty((2 * _REACH + 1, len(at)), np.int64)
    np.maximum(at - _REACHES, told.edges[text], out=beside[:_REACH])
    np.minimum(at + _REACHES, told.edges[text + 1], out=beside[_REACH:-1])
    beside[-1] = at
    words = told.word[beside]
    hashes = _NEAR + words[_FIRST]
    hashes[_PAIRS:] = _with(hashes[_PAIRS:], words[_SECOND])
    hashes[-1] = _with(hashes[-1], words[_NEAR_OF[-1][2]])
    return _Clues(1, _NEAR_FORMS, at, _places(hashes), beside, _NEAR_TOLD)


_OF_SHAPES: Final = _begun(*range(64, 64 + _RUN + 1))  # none of one: that is 64
_RUNS: Final = np.arange(2, _RUN + 1)[:, np.newaxis]
_RUN_FORMS: Final = tuple(" ".join(f"{{{at}}}" for at in range(run)) for run in range(2, _RUN + 1))
_RUN_OF: Final = tuple(tuple(range(run)) for run in range(2, _RUN + 1))
_STEPS: Final = np.arange(_RUN)[:, np.newaxis]


def _shapes(told: Tokens) -> Iterator[_Clues]:
    shape = told.shape
    count = len(shape)
    every = slice(0, count)
    own = _places(_OF_SHAPES[:1] + shape)
    own[0, told.edges] = NOWHERE
    yield _Clues(2, ("{0}",), every, own, (every,), ((0,),))
    if not len(told.numbers):
        return
    # The runs that hold a number begin at it, or up to a run's length before it.
    before = np.append(-1, told.numbers[:-1])  # the number before each
    ahead, number = (told.numbers - _STEPS > before).nonzero()  # tokens to the next number
    first = told.numbers[number] - ahead
    tokens = np.minimum(first + _STEPS, count - 1)
    shapes = shape[tokens]
    hashes = _OF_SHAPES[2:] + shapes[0]
    for at in range(1, _RUN):
        longer = hashes[max(0, at - 1) :]  # the runs that go on
        longer[:] = _with(longer, shapes[at])
    place = _places(hashes)
    last = first + _RUNS - 1
    behind = told.texts[number]
    behind += first >= told.edges[behind]
    edge = told.edges[behind]  # that no run reaches over
    np.copyto(place, NOWHERE, where=(last > edge) | (ahead >= _RUNS))
    yield _Clues(2, _RUN_FORMS, first + 1, place, tokens, _RUN_OF)


def weighed_down(told: Tokens, texts: int) -> NDArray[np.float64]:
    """Divisors of each family's sum, of each text: the root of how many clues it may have."""
    own = told.edges[1:] - told.edges[:-1] - 1  # between two edges
    numbers = np.maximum(np.bincount(told.texts, minlength=texts), 1)
    may = np.empty((len(FAMILIES), texts))
    may[0] = PER_TOKEN * np.maximum(own, 1)
    may[1] = PER_NUMBER * numbers
    may[2] = SHAPES_PER_NUMBER * numbers
    return np.sqrt(may, out=may)


def sums(seen: View, weights: NDArray[np.int8]) -> NDArray[np.float64]:
    """The sum of the weights of each text's clues, each family weighed down by what it may have."""
    told = tokens(seen)
    # Of what each token begins: of one family 20 weights at most, far from 16 bits' end.
    total = np.zeros((len(FAMILIES), len(told.word) + 1), np.int16)
    for several in _several(told):
        added = weights.take(several.place, mode="wrap")  # unchecked
        one = len(added) == 1
        total[several.family, several.at] += (
            added[0] if one else np.add.reduce(added, axis=0, dtype=np.int16)
        )
    summed = np.add.reduceat(total, told.edges + 1, axis=1, dtype=np.int32)[:, :-1]
    return np.asarray((summed / weighed_down(told, len(seen.starts))).sum(axis=0))


def described(seen: View) -> Iterator[tuple[str, int, float]]:
    """Each clue of one text in words, its place, and what its weight is divided by."""
    told = tokens(seen)
    text = "".join(map(chr, seen.letters.tolist()))
    ends = [*told.start[1:].tolist(), len(text)]
    names = [text[a:b].strip(" ") for a, b in zip(told.start.tolist(), ends, strict=True)]
    shapes = [
        SHAPE_NAMES[shape] if shape < len(SHAPE_NAMES) else name
        for shape, name in zip(told.shape.tolist(), names, strict=True)
    ]
    by = weighed_down(told, 1)[:, 0].tolist()
    numbered = np.arange(len(names))
    for clue in clues(told):
        shown = shapes if clue.family == 2 else names
        which = np.stack([numbered[each] for each in clue.tokens], axis=1)
        for place, at in zip(clue.place.tolist(), which.tolist(), strict=True):
            if place < NOWHERE:
                yield clue.form.format(*(shown[each] for each in at)), place, by[clue.family]
