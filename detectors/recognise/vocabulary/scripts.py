"""Find the scripts in which a text is written, and the words of these scripts' languages in it."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from detectors.recognise.text.lexicon import Words
from detectors.recognise.text.patterns import section
from detectors.recognise.vocabulary.words import languages, stems

_SEEN: Final = section("scripts")


class WordKind(Enum):
    """The kind of a word that names numbers; see `words`."""

    DENIED = "denied"  # no code is needed, or it must not be passed on
    NAMES = "names"  # only codes have this name
    OTHERS = "others"  # a name of other numbers
    WEAK = "weak"  # a name that many numbers have: code, PIN


NAMING: Final = (WordKind.NAMES, WordKind.WEAK)
"""The kinds of words that can name a code."""


class Word(NamedTuple):
    """A word that names numbers, with its place in the text."""

    start: int
    end: int
    kind: WordKind


_STEM_MIN: Final = 2
_ENDING_MAX: Final = 5
"""Smallest length of a stem and largest length of its ending in `is_purpose`, in letters."""

_KINDS: Final = tuple(WordKind)
_FIELDS: Final = {kind: (kind.value,) for kind in WordKind} | {
    WordKind.DENIED: (WordKind.DENIED.value, "needless")
}
"""The kinds in the tables with the words of each kind."""

_NAMES: Final = _KINDS.index(WordKind.NAMES)
SCENE, PURPOSE, SECRET, FIELD, LOGIN, VERIFY = range(len(_KINDS), len(_KINDS) + 6)
"""Numbers of further kinds of words, which do not name numbers. They follow the kinds above."""
_SAID: Final = (
    ("scene", "needless"),
    ("purpose", "login", "verify"),
    ("secret",),
    ("field",),
    ("login",),
    ("verify",),
)
"""The kinds in the tables with the words of these further kinds, in the same order."""
_OPEN_ENDED: Final = frozenset({PURPOSE, SECRET, FIELD, LOGIN, VERIFY})
"""Kinds whose lists contain beginnings of words, because their words have many endings."""
_TEXTS: Final = 8
"""Number of texts and sentences per script whose words are cached. Chosen: more than one reading of
a text needs."""


class _Heard(NamedTuple):
    places: list[tuple[int, list[tuple[int, int]]]]  # place and (kind, end) of the words there
    spans: dict[int, list[tuple[int, int]]]  # the same by kind
    words: list[Word]  # words that name numbers


class Script:
    """Finds the words of one script's languages in a text.

    The patterns are compiled on demand. A network's texts are in two or three scripts, and
    compiling the patterns of all scripts takes seconds.
    """

    def __init__(
        self,
        name: str,
        letters: str,
        *,
        apart: bool = True,
        letter: str = "[^\\W\\d_]",
        prefix: str = "",
    ) -> None:
        self._name = name
        self._edges = (f"(?<!{letter})", f"(?!{letter})") if apart else ("", "")
        self._prefix = prefix
        self.heads = lru_cache(_TEXTS)(self._find_heads)
        self._hear = lru_cache(_TEXTS)(self._listen)
        self._letters = re.compile(f"[{letters}]")
        self._blocks = {
            block
            for first, last in zip(letters[::3], letters[2::3], strict=True)
            for block in range(ord(first) >> 8, (ord(last) >> 8) + 1)
        }

    @cached_property
    def _list_words(self) -> Words:
        rows = [row.words for row in (*languages(), *stems()) if row.row["script"] == self._name]
        words = [
            [word for row in rows for kind in kinds for word in row.get(kind, ())]
            for kinds in (*(_FIELDS[kind] for kind in _KINDS), *_SAID)
        ]
        return Words(words, *self._edges, self._prefix, open_ended=_OPEN_ENDED)

    def _find_heads(self, text: str) -> list[tuple[int, int, int]]:
        return self._list_words.find_heads(text)

    def _listen(self, text: str) -> _Heard:
        places = self._list_words.places(text, self.heads(text))
        spans: dict[int, list[tuple[int, int]]] = {}
        for start, ends in places:
            for kind, end in ends:
                spans.setdefault(kind, []).append((start, end))
        return _Heard(places, spans, _named(text, places))

    def prepare(self) -> Iterator[None]:
        """Compile all words of the script in small steps; see `Words.prepare`."""
        yield from self._list_words.prepare()

    def of(self, blocks: frozenset[int]) -> bool:
        """Return whether the script has letters in one of these blocks of 256 characters."""
        return not self._blocks.isdisjoint(blocks)

    def present(self, text: str) -> bool:
        """Return whether a text has letters of the script."""
        return self._letters.search(text) is not None

    def words(self, text: str) -> list[Word]:
        """Return the words that name numbers, in order and without overlaps."""
        return self._hear(text).words

    def spans(self, text: str, kind: int) -> Sequence[tuple[int, int]]:
        """Return start and end of each word of this kind in a text."""
        return self._hear(text).spans.get(kind, ())

    def is_purpose(self, word: str) -> bool:
        """Return whether a word, without its ending, is a word for the purpose of a code."""
        return any(
            kind == PURPOSE and end >= _STEM_MIN and len(word) - end <= _ENDING_MAX
            for start, ends in self._hear(word).places
            if start == 0
            for kind, end in ends
        )


def _named(text: str, places: list[tuple[int, list[tuple[int, int]]]]) -> list[Word]:
    """Return the words that name numbers. Of several words at one place the longest is used."""
    found: list[Word] = []
    place = 0
    for start, ends in places:
        if start < place:
            continue
        naming = [
            (end, -kind)
            for kind, end in ends
            if kind < len(_KINDS)
            and not (_KINDS[kind] is WordKind.DENIED and _is_code_shown(text, start, end))
        ]
        if naming:
            place, kind = max(naming)
            found.append(Word(start, place, _KINDS[-kind]))
    return found


_THIS_CHARS: Final = 6


def _is_code_shown(text: str, start: int, end: int) -> bool:
    """Return whether a warning is followed by the code itself, directly or at the text's end.

    At the end of the text this counts only if the warning says "this". After other warnings, the
    number is one to call.
    """
    if _SEEN.number_next.match(text, end):
        return True
    this = _SEEN.this.search(text, max(0, start - _THIS_CHARS), end + _THIS_CHARS)
    return this is not None and _SEEN.number_last.match(text, end) is not None


_LATIN: Final = Script("latin", "a-z", letter="[a-zß]")
_CJK: Final = Script("cjk", "\u3040-\u30ff\u4e00-\u9fff", apart=False)
_SCRIPTS: Final = (
    _CJK,
    Script("hangul", "\uac00-\ud7af", apart=False),
    Script("cyrillic", "\u0400-\u04ff"),
    Script("arabic", "\u0600-\u06ff", prefix="[وبلفك]?(?:ال|ل)?"),
    Script("hebrew", "\u0590-\u05ff", prefix="[ושבלכמה]{0,3}?"),
    Script("thai", "\u0e00-\u0e7f", apart=False),
    Script("devanagari", "\u0900-\u097f", apart=False),
    Script("greek", "\u0370-\u03ff"),
    Script("georgian", "\u10a0-\u10ff"),
    Script("armenian", "\u0530-\u058f"),
    Script("ethiopic", "\u1200-\u137f"),
    Script("thaana", "\u0780-\u07bf"),
    Script("bengali", "\u0980-\u09ff"),
    Script("gurmukhi", "\u0a00-\u0a7f"),
    Script("gujarati", "\u0a80-\u0aff"),
    Script("odia", "\u0b00-\u0b7f"),
    Script("tamil", "\u0b80-\u0bff"),
    Script("telugu", "\u0c00-\u0c7f"),
    Script("kannada", "\u0c80-\u0cff"),
    Script("malayalam", "\u0d00-\u0d7f"),
    Script("sinhala", "\u0d80-\u0dff"),
    Script("lao", "\u0e80-\u0eff", apart=False),
    Script("tibetan", "\u0f00-\u0fff", apart=False),
    Script("burmese", "\u1000-\u109f", apart=False),
    Script("khmer", "\u1780-\u17ff", apart=False),
    _LATIN,
)


def prepare(*, rare: bool) -> Iterator[None]:
    """Compile words of Chinese, Japanese and Latin in small steps; with `rare`, of all scripts."""
    for script in _SCRIPTS if rare else (_CJK, _LATIN):
        yield from script.prepare()


@lru_cache(_TEXTS)
def scripts_of(text: str) -> tuple[Script, ...]:
    """Return the scripts whose letters are in a text."""
    blocks = frozenset(text.encode("utf-16-le", "surrogatepass")[1::2])
    return tuple(script for script in _in_blocks(blocks) if script.present(text))


@lru_cache(1_024)
def _in_blocks(blocks: frozenset[int]) -> tuple[Script, ...]:
    return tuple(script for script in _SCRIPTS if script.of(blocks))


def says(text: str, kind: int, start: int = 0, end: int | None = None) -> bool:
    """Return whether `text[start:end]` has a word of this kind.

    Examples of kinds: `PURPOSE` (what a code is for: "log in"), `SCENE` (another topic, such as
    parcels, shops or prizes). The words of a whole text are searched once and cached, so calls for
    single sentences are cheap.
    """
    last = len(text) if end is None else end
    return any(
        start <= first and stop <= last
        for script in scripts_of(text)
        for first, stop in script.spans(text, kind)
    )


def last_name(text: str) -> int:
    """Return the end of the last word that only codes have, or 0 if there is none."""
    return max(
        (
            word.end
            for script in scripts_of(text)
            if script.spans(text, _NAMES)
            for word in script.words(text)
            if word.kind is WordKind.NAMES
        ),
        default=0,
    )


def cues_of(text: str, start: int = 0, end: int | None = None) -> tuple[bool, bool]:
    """Return whether a part of a text gives the purpose of a code, and asks for secrecy."""
    return says(text, PURPOSE, start, end), says(text, SECRET, start, end)


def typed_in(text: str, start: int = 0, end: int | None = None) -> bool:
    """Return whether a part of a text says where to type something in."""
    return says(text, FIELD, start, end)
