"""The clues that the linear model weighs beside pieces of a text: words, and what is near numbers.

A text is cut into words, numbers and marks. Three families of clues are hashed from them: words and
pairs of them; which words stand up to three places before and behind each number, told with its
length and without; and the shapes around numbers, which need no language: a word is short, long,
with a capital, or all in capitals. "text STOP to 85069" has the shape of a number to reply to in
any alphabet.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
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
_HIGH: Final = 4  # a bit beside the class: a capital
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


class Tokens(NamedTuple):
    """The tokens of texts, an edge between and around them."""

    word: Hashes  # of what stands there
    shape: Hashes  # what it looks like: a number of SHAPE_NAMES, or a character over _OF_MARK
    start: Ints  # its first character in the view
    text: Ints  # whose it is; an edge belongs to the text before it
    numbers: Ints  # which tokens are numbers
    edges: Ints  # which are edges


@cache
def _known() -> NDArray[np.uint8]:
    """A table of the first plane, and one entry for what is beyond, that `_seen_as` fills in."""
    table = np.full(_PLANE + 1, _UNKNOWN, np.uint8)
    table[_PLANE] = _MARK
    return table


def _seen_as(letters: Hashes) -> NDArray[np.uint8]:
    """The class of each character: blank, part of a word, digit, mark; and `_HIGH` of capitals.

    Looked up in Unicode's tables when a character first comes: all 65,536 of them take longer than
    a thousand texts.
    """
    table = _known()
    seen = table[letters]
    new = seen == _UNKNOWN
    if new.any():
        for point in set(letters[new].tolist()):
            table[point] = _class(point) | (_HIGH if chr(point).isupper() else 0)
        seen = table[letters]
    return seen


def _class(point: int) -> int:
    if ord("0") <= point <= ord("9"):
        return _DIGIT
    if any(first <= point <= last for first, last in _ALONE):
        return _MARK
    category = unicodedata.category(chr(point))
    if category[0] in "LM":
        return _LETTER
    return _BLANK if category[0] in "ZC" and point not in (0, 10) else _MARK


@cache
def _powers() -> Hashes:
    """Odd numbers by which letters are told by their place in a word; long words repeat them."""
    return np.cumprod(np.full(64, _MIX, np.uint32), dtype=np.uint32)


def _mixed(hashes: Hashes) -> Hashes:
    return (hashes ^ (hashes >> _FOLD_BITS)) * _LAST


def tokens(seen: View) -> Tokens:
    """The tokens of texts."""
    letters = np.minimum(seen.letters, _PLANE)
    kinds = _seen_as(letters) & (_HIGH - 1)
    letter = kinds == _LETTER
    begins = kinds != _BLANK
    begins[1:] &= ~(letter[1:] & letter[:-1])
    start = np.flatnonzero(begins)
    number = np.cumsum(begins) - 1  # the token of each character
    inside = (np.arange(len(letters)) - start[number]) & 63
    parts = (seen.letters + np.uint32(1)) * _powers()[inside]
    parts[kinds == _BLANK] = 0
    word = _mixed(np.add.reduceat(parts, start, dtype=np.uint32))
    kind = kinds[start]
    length = np.add.reduceat(letter, start, dtype=np.int64)
    high = letter & ((_seen_as(np.minimum(seen.cased, _PLANE)) & _HIGH) > 0)
    capitals = np.add.reduceat(high, start, dtype=np.int64)
    shape = np.where(length <= _SHORT, 1, 0)
    shape[high[start]] = 2
    all_high = (capitals == length) & (length > 1)
    shape[all_high] = np.where(length[all_high] <= _SHORT, 3, 4)
    shapes = np.where(kind == _LETTER, shape.astype(np.uint32), seen.letters[start] + _OF_MARK)
    for first, last in _ALONE:
        shapes[(shapes >= first + _OF_MARK) & (shapes <= last + _OF_MARK)] = _ALONE_SHAPE
    edges = np.concatenate(([0], seen.starts + seen.lengths))
    bounds = np.zeros(len(letters), np.bool_)
    bounds[edges] = True
    edge = bounds[start]
    return Tokens(
        word,
        shapes,
        start,
        np.maximum(np.cumsum(edge) - 1 - edge, 0),
        np.flatnonzero(kind == _DIGIT),
        np.flatnonzero(edge),
    )


def _place(form: int, *parts: Hashes) -> Ints:
    """Places in the second half of the table."""
    hashes = np.full(1, form, np.uint32) * _LAST
    for part in parts:
        hashes = (hashes ^ (hashes >> _FOLD_BITS)) * _MIX + part
    hashes = _mixed(hashes)
    return (hashes >> np.uint32(32 - HASH_BITS)).astype(np.int64) + (1 << HASH_BITS)


def clues(told: Tokens) -> Iterator[Clue]:
    """The clues of texts, one form after another."""
    yield from _words(told)
    yield from _near_numbers(told)
    yield from _shapes(told)


def _words(told: Tokens) -> Iterator[Clue]:
    every = slice(0, len(told.word))
    own = _place(1, told.word)
    own[told.edges] = NOWHERE
    yield Clue(0, "{0}", every, own, (every,))
    pair = _place(2, told.word[:-1], told.word[1:])
    yield Clue(0, "{0} {1}", slice(1, every.stop), pair, (slice(0, every.stop - 1), _from(1, told)))
    pair = _place(3, told.word[:-2], told.word[2:])
    pair[told.edges[1:-1] - 1] = NOWHERE
    middle = slice(1, every.stop - 1)
    yield Clue(0, "{0} … {1}", middle, pair, (slice(0, every.stop - 2), _from(2, told)))


def _from(first: int, told: Tokens) -> slice:
    return slice(first, len(told.word))


def _near_numbers(told: Tokens) -> Iterator[Clue]:
    at = told.numbers
    if not len(at):
        return
    text = told.text[at]
    first, last = told.edges[text], told.edges[text + 1]
    own = told.word[at]
    before = [np.maximum(at - reach, first) for reach in range(1, _REACH + 1)]
    behind = [np.minimum(at + reach, last) for reach in range(1, _REACH + 1)]
    for reach in range(_REACH):
        for form, near in ((16, before[reach]), (32, behind[reach])):
            how = ("{0} %d before a number" if form == 16 else "{0} %d behind a number") % (
                reach + 1
            )
            with_own = how.replace("a number", "{1}")
            yield Clue(1, how, at, _place(form + reach, told.word[near]), (near,))
            pair = _place(form + 8 + reach, own, told.word[near])
            yield Clue(1, with_own, at, pair, (near, at))
    left, right = told.word[before[0]], told.word[behind[0]]
    pair = _place(48, told.word[before[1]], left)
    yield Clue(1, "{0} {1} before a number", at, pair, (before[1], before[0]))
    pair = _place(49, right, told.word[behind[1]])
    yield Clue(1, "{0} {1} behind a number", at, pair, (behind[0], behind[1]))
    yield Clue(1, "{0} [number] {1}", at, _place(50, left, right), (before[0], behind[0]))
    pair = _place(51, own, left, right)
    yield Clue(1, "{0} {2} {1}", at, pair, (before[0], behind[0], at))


def _shapes(told: Tokens) -> Iterator[Clue]:
    every = slice(0, len(told.shape))
    own = _place(64, told.shape)
    own[told.edges] = NOWHERE
    yield Clue(2, "{0}", every, own, (every,))
    edge = np.zeros(len(told.word), np.bool_)
    edge[told.edges] = True
    edges = np.concatenate(([0], np.cumsum(edge)))
    for run in range(2, _RUN + 1):
        count = len(edge) - run + 1
        # the runs that hold a number: begun at it, or up to `run - 1` tokens before it
        begun = np.zeros(len(edge), np.bool_)
        for back in range(run):
            begun[np.maximum(told.numbers - back, 0)] = True
        first = np.flatnonzero(begun[: max(count, 0)])
        first = first[edges[first + run - 1] == edges[first + 1]]
        parts = [told.shape[first + at] for at in range(run)]
        form = " ".join(f"{{{at}}}" for at in range(run))
        yield Clue(2, form, first + 1, _place(64 + run, *parts), _run(first, run))


def _run(first: Ints, run: int) -> tuple[Ints, ...]:
    return tuple(first + at for at in range(run))


def weighed_down(told: Tokens, texts: int) -> NDArray[np.float64]:
    """Divisors of each family's sum, of each text: the root of how many clues it may have."""
    own = np.bincount(told.text, minlength=texts) - 1
    own[0] -= 1  # the first edge
    numbers = np.maximum(np.bincount(told.text[told.numbers], minlength=texts), 1)
    down: NDArray[np.float64] = np.sqrt(
        np.stack(
            (
                PER_TOKEN * np.maximum(own, 1.0),
                PER_NUMBER * numbers.astype(np.float64),
                SHAPES_PER_NUMBER * numbers.astype(np.float64),
            )
        )
    )
    return down


def sums(seen: View, weights: NDArray[np.int8]) -> NDArray[np.float64]:
    """The sum of the weights of each text's clues, each family weighed down by what it may have."""
    told = tokens(seen)
    total = np.zeros((len(FAMILIES), len(told.word) + 1), np.int32)  # of what each token begins
    for clue in clues(told):
        total[clue.family, clue.at] += weights[clue.place]
    summed = np.add.reduceat(total, told.edges + 1, axis=1)[:, :-1]
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
