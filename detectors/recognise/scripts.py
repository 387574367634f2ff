"""The languages by their script: which of them a text is written in, and where their words are."""

from __future__ import annotations

import re
from enum import Enum
from functools import cached_property
from typing import Final, NamedTuple

from detectors.recognise.lexicon import any_of
from detectors.recognise.words import LANGUAGES, STEMS

WORDS_MAX: Final = 32
"""Words taken from a text in each script. Chosen: twice what a long text holds."""


class WordKind(Enum):
    """The bearing of a word on the number that it names; see `words`."""

    DENIED = "denied"
    NAMES = "names"
    OTHERS = "others"
    WEAK = "weak"


NAMING: Final = (WordKind.NAMES, WordKind.WEAK)
"""The kinds of word that may name a code."""


class Word(NamedTuple):
    """A word that names numbers, and its place."""

    start: int
    end: int
    kind: WordKind


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


class Script:
    """The languages of one script: finds their words in a text.

    Its patterns are made when first asked for: a network's texts are in two or three scripts, and
    to compile those of all takes seconds.
    """

    def __init__(
        self,
        name: str,
        letters: str,
        *langs: str,
        apart: bool = True,
        letter: str = "[^\\W\\d_]",
        prefix: str = "",
    ) -> None:
        self._rows = [row for row in LANGUAGES if row.lang in langs]
        self._stems = [row for row in STEMS if row.script == name]
        self._edges = (f"(?<!{letter}){prefix}", f"(?!{letter})") if apart else ("", "")
        self._letters = re.compile(f"[{letters}]")
        self._blocks = {
            block
            for first, last in zip(letters[::3], letters[2::3], strict=True)
            for block in range(ord(first) >> 8, (ord(last) >> 8) + 1)
        }

    def _words(self, *fields: str) -> list[str]:
        long = [word for row in self._rows for field in fields for word in getattr(row, field)]
        return long + [w for row in self._stems for f in fields for w in row.words.get(f, ())]

    @cached_property
    def _kinds(self) -> list[tuple[WordKind, re.Pattern[str]]]:
        return [(kind, any_of(self._named(kind), *self._edges)) for kind in WordKind]

    def _named(self, kind: WordKind) -> list[str]:
        return self._words(kind.value, *(("needless",) if kind is WordKind.DENIED else ()))

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return any_of([word for kind in WordKind for word in self._named(kind)], *self._edges)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return dict(self._kinds)[WordKind.NAMES]

    @cached_property
    def _scene(self) -> re.Pattern[str]:
        return any_of(self._words("scene", "needless"), *self._edges)

    @cached_property
    def _hand(self) -> re.Pattern[str]:
        return any_of(self._words("hand"), *self._edges)

    @cached_property
    def _tell(self) -> re.Pattern[str]:
        return any_of(self._words("tell"), *self._edges)

    @cached_property
    def _purpose(self) -> re.Pattern[str]:
        return any_of(self._words("purpose"), self._edges[0])

    @cached_property
    def _secret(self) -> re.Pattern[str]:
        return any_of(self._words("secret"), self._edges[0])

    @cached_property
    def _field(self) -> re.Pattern[str]:
        return any_of(self._words("field"), self._edges[0])

    def ready(self) -> None:
        """Compile every pattern now, not when the first text comes: .1 to 1.5 s of CPU."""
        for each in (self._any, self._names, self._scene, self._hand, self._tell):
            each.search("")
        for each in (self._purpose, self._secret, self._field):
            each.search("")

    def present(self, text: str, blocks: set[int]) -> bool:
        """Tell if a text with characters of these blocks of 256 has letters of the script."""
        return not self._blocks.isdisjoint(blocks) and self._letters.search(text) is not None

    def words(self, text: str) -> list[Word]:
        """The words of a text in order, without overlaps; of two that begin alike the longer."""
        found: list[Word] = []
        place = 0
        while len(found) < WORDS_MAX and (match := self._any.search(text, place)):
            start, longest = match.span()
            place = start + 1
            kind = None
            for each, words in self._kinds:
                end = _end(words.match(text, start))
                if end < place or (each is WordKind.DENIED and _NUMBER_NEXT.match(text, end)):
                    continue
                if kind is None or end > place:
                    place, kind = end, each
                if place >= longest:
                    break
            if kind:
                found.append(Word(start, place, kind))
        return found

    def last_name(self, text: str) -> int:
        """The end of the last name for a code, an offset in characters; 0 if there is none."""
        if not self._names.search(text):  # of most texts that is all
            return 0
        return max(
            (word.end for word in self.words(text) if word.kind is WordKind.NAMES), default=0
        )

    def other_scene(self, text: str) -> bool:
        """Tell if the text has words of courier, shop, gate or prize texts."""
        return self._scene.search(text) is not None

    def cues(self, text: str) -> tuple[bool, bool]:
        """Tell if the text tells what a code is for, and how it is to be kept."""
        return self._purpose.search(text) is not None, self._secret.search(text) is not None

    def typed(self, text: str) -> bool:
        """Tell if the text tells where something is to be typed in."""
        return self._field.search(text) is not None

    def handed(self, text: str) -> bool:
        """Tell if the text names those to whom other numbers are told or shown."""
        return self._hand.search(text) is not None

    def told(self, text: str) -> bool:
        """Tell if the text says to tell or to show something."""
        return self._tell.search(text) is not None


_NUMBER_NEXT: Final = re.compile(  # "Never share your code 482913" names it
    "\\W{0,3}0{4}|[^.!?,，。！？\n0]{0,40}[:：]\\s?(?:0{3}|[a-z]{0,6}0)"
)
_LATIN: Final = Script(
    "latin", "a-z", "en", "es", "pt", "fr", "de", "it", "vi", "id", "tr", letter="[a-zß]"
)
_SCRIPTS: Final = (
    Script("cjk", "\u3040-\u30ff\u4e00-\u9fff", "zh", "ja", apart=False),
    Script("hangul", "\uac00-\ud7af", "ko", apart=False),
    Script("cyrillic", "\u0400-\u04ff", "ru"),
    Script("arabic", "\u0600-\u06ff", "ar", "fa", prefix="[وبلفك]?(?:ال|ل)?"),
    Script("hebrew", "\u0590-\u05ff", "he", prefix="[ושבלכמה]{0,3}?"),
    Script("thai", "\u0e00-\u0e7f", "th", apart=False),
    Script("devanagari", "\u0900-\u097f", "hi", apart=False),
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


def ready() -> None:
    """Compile the patterns of every script: `Script.ready`."""
    for script in _SCRIPTS:
        script.ready()


def scripts_of(text: str) -> list[Script]:
    """The scripts that a text is written in."""
    if text.isascii():
        return [_LATIN] if _LATIN.present(text, {0}) else []
    blocks = set(text.encode("utf-16-le", "surrogatepass")[1::2])
    return [script for script in _SCRIPTS if script.present(text, blocks)]


def cues_of(body: str, scripts: list[Script]) -> tuple[bool, bool]:
    """Tell if a text tells what a code is for, and how it is to be kept."""
    told = [script.cues(body) for script in scripts]
    return any(purpose for purpose, _ in told), any(secret for _, secret in told)


def typed_in(sentence: str, scripts: list[Script]) -> bool:
    """Tell if a sentence tells where something is to be typed in."""
    return any(script.typed(sentence) for script in scripts)
