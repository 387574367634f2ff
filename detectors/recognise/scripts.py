"""The languages by their script: which of them a text is written in, and where their words are."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from detectors.recognise.lexicon import any_of
from detectors.recognise.words import LANGUAGES

WORDS_MAX: Final = 32
"""Words taken from a text in each script. Chosen: twice what a long text holds."""


class Kind(Enum):
    """What a word says of the number that it names; see `words`."""

    DENIED = "denied"
    NAMES = "names"
    OTHERS = "others"
    WEAK = "weak"


NAMING: Final = (Kind.NAMES, Kind.WEAK)
"""The kinds of word that may name a code."""


class Word(NamedTuple):
    """A word that names numbers, and its place."""

    start: int
    end: int
    kind: Kind


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


class Script:
    """The languages of one script: finds their words in a text."""

    def __init__(
        self, letters: str, *langs: str, letter: str = "[^\\W\\d_]", prefix: str = ""
    ) -> None:
        rows = [row for row in LANGUAGES if row.lang in langs]
        apart = all(row.apart for row in rows)
        edges = (f"(?<!{letter}){prefix}", f"(?!{letter})") if apart else ("", "")

        def words(*fields: str) -> list[str]:
            return [word for row in rows for field in fields for word in getattr(row, field)]

        self._letters = re.compile(f"[{letters}]")
        self._blocks = {
            block
            for first, last in zip(letters[::3], letters[2::3], strict=True)
            for block in range(ord(first) >> 8, (ord(last) >> 8) + 1)
        }
        named = {kind: words(kind.value) for kind in Kind}
        named[Kind.DENIED] += words("needless")
        self._kinds = [(kind, any_of(named[kind], *edges)) for kind in Kind]
        self._any = any_of([word for kind in Kind for word in named[kind]], *edges)
        self._names = dict(self._kinds)[Kind.NAMES]
        self._scene = any_of(words("scene", "needless"), *edges)
        self._hand = any_of(words("hand"), *edges)
        self._tell = any_of(words("tell"), *edges)
        self._purpose = any_of(words("purpose"), edges[0])
        self._secret = any_of(words("secret"), edges[0])
        self._field = any_of(words("field"), edges[0])

    def present(self, text: str, blocks: set[int]) -> bool:
        """Whether a text with characters of these blocks of 256 has letters of the script."""
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
                if end < place or (each is Kind.DENIED and _NUMBER_NEXT.match(text, end)):
                    continue
                if kind is None or end > place:
                    place, kind = end, each
                if place >= longest:
                    break
            if kind:
                found.append(Word(start, place, kind))
        return found

    def last_name(self, text: str) -> int:
        """Where the last name for a code ends; 0 if there is none."""
        if not self._names.search(text):  # of most texts that is all
            return 0
        return max((word.end for word in self.words(text) if word.kind is Kind.NAMES), default=0)

    def other_scene(self, text: str) -> bool:
        """Whether the text has words of courier, shop, gate or prize texts."""
        return self._scene.search(text) is not None

    def cues(self, text: str) -> tuple[bool, bool]:
        """Whether the text tells what a code is for, and how it is to be kept."""
        return self._purpose.search(text) is not None, self._secret.search(text) is not None

    def typed(self, text: str) -> bool:
        """Whether the text tells where something is to be typed in."""
        return self._field.search(text) is not None

    def handed(self, text: str) -> bool:
        """Whether the text names those to whom other numbers are told or shown."""
        return self._hand.search(text) is not None

    def told(self, text: str) -> bool:
        """Whether the text says to tell or to show something."""
        return self._tell.search(text) is not None


_NUMBER_NEXT: Final = re.compile(  # "Never share your code 482913" names it
    "\\W{0,3}0{4}|[^.!?,，。！？\n0]{0,40}[:：]\\s?(?:0{3}|[a-z]{0,6}0)"
)
_LATIN: Final = Script("a-z", "en", "es", "pt", "fr", "de", "it", "vi", "id", "tr", letter="[a-zß]")
_SCRIPTS: Final = (
    Script("\u3040-\u30ff\u4e00-\u9fff", "zh", "ja"),
    Script("\uac00-\ud7af", "ko"),
    Script("\u0400-\u04ff", "ru"),
    Script("\u0600-\u06ff", "ar", "fa", prefix="[وبلفك]?(?:ال|ل)?"),
    Script("\u0590-\u05ff", "he", prefix="[ושבלכמה]{0,3}?"),
    Script("\u0e00-\u0e7f", "th"),
    Script("\u0900-\u097f", "hi"),
    _LATIN,
)


def scripts_of(text: str) -> list[Script]:
    """The scripts that a text is written in."""
    if text.isascii():
        return [_LATIN] if _LATIN.present(text, {0}) else []
    blocks = set(text.encode("utf-16-le", "surrogatepass")[1::2])
    return [script for script in _SCRIPTS if script.present(text, blocks)]


def cues_of(body: str, scripts: list[Script]) -> tuple[bool, bool]:
    """Whether a text tells what a code is for, and how it is to be kept."""
    told = [script.cues(body) for script in scripts]
    return any(purpose for purpose, _ in told), any(secret for _, secret in told)


def typed_in(sentence: str, scripts: list[Script]) -> bool:
    """Whether a sentence tells where something is to be typed in."""
    return any(script.typed(sentence) for script in scripts)
