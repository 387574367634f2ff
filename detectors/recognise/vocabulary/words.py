"""Load the words that name numbers and describe codes, by language, from the tables in `data/`.

`words.toml` has the words of 18 languages in detail. `stems.toml` has a few stems for each of 60
more languages.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Final

from detectors.recognise.text.fold import fold
from detectors.recognise.text.lexicon import branches
from detectors.recognise.text.shipped import read_data

_NO_WORDS: Final = frozenset({"script", "example", "counter"})
_ENDED: Final = "[^\\s0:：=,.;!?()\"'«»<>/-]"
_ENDING: Final = f"{_ENDED}{{0,6}}"
_SHORT: Final = re.compile("[^\\W\\d_]{1,3}")
_SHORT_ENDING: Final = f"{_ENDED}{{0,2}}"
"""Ending of a short stem that names no code. With a longer ending, "bel" would match many words."""
_ABBREVIATION: Final = re.compile(".*[.]\\]\\??|[^\\W\\d_]{1,2}")
"""A stem that is a complete word, such as "no.". It gets no ending."""
_NOT_CODES: Final = frozenset({"others", "scene", "denied"})
_WITHOUT_ENDINGS: Final = frozenset({"khmer", "lao", "burmese", "tibetan"})  # no spaces


class Language:
    """The words of one language in a table. The table's file explains each kind of words.

    `words` is made at its first use, because a network's texts are in few scripts. Then the text of
    each kind is split into words. In a table of stems, each stem is also folded (one spelling for
    what looks alike), and gets a pattern for its endings, except in scripts without spaces.
    """

    def __init__(self, lang: str, row: Mapping[str, str], *, stems: bool) -> None:
        self.lang = lang  # BCP 47
        self.row = row
        self._ends = stems and row["script"] not in _WITHOUT_ENDINGS
        self._folds = stems

    @cached_property
    def words(self) -> dict[str, tuple[str, ...]]:
        """The words as patterns, by kind."""
        told = {kind: re.sub(r"\s*\n\s*", "", words) for kind, words in self.row.items()}
        return {
            kind: tuple(
                _with_ending(word, kind) if self._ends else word
                for word in branches(fold(words) if self._folds else words)
            )
            for kind, words in told.items()
            if kind not in _NO_WORDS
        }


def _with_ending(word: str, kind: str) -> str:
    if (word.endswith(")") and "(?=" in word) or _ABBREVIATION.fullmatch(word):
        return word
    short = kind in _NOT_CODES and _SHORT.fullmatch(word)
    return word + (_SHORT_ENDING if short else _ENDING)


def load(table: str, *, stems: bool = False) -> tuple[Language, ...]:
    r"""Return the languages that a TOML text describes.

    >>> load("[km]\nscript = 'khmer'\nweak = 'a|b'")[0].words
    {'weak': ('a', 'b')}
    """
    rows = tomllib.loads(table).items()
    return tuple(Language(lang, row, stems=stems) for lang, row in rows)


@cache
def languages() -> tuple[Language, ...]:
    """Return the languages of `words.toml`."""
    return load(read_data("words"))


@cache
def stems() -> tuple[Language, ...]:
    """Return the languages of `stems.toml`."""
    return load(read_data("stems"), stems=True)


def all_words(kind: str) -> list[str]:
    """Return the words of one kind in all languages of `words.toml`."""
    return [word for language in languages() for word in language.words[kind]]
