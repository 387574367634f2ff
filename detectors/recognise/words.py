"""Load the words that name numbers and describe codes, by language, from the tables in `data/`.

`words.toml` has the words of 18 languages in detail. `stems.toml` has a few stems for each of 60
more languages.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from detectors.recognise.fold import fold
from detectors.recognise.lexicon import branches
from detectors.recognise.shipped import read_data


@dataclass(frozen=True, slots=True)
class Language:
    """One language of `words.toml`. The file explains each field."""

    lang: str  # ISO 639-1
    apart: bool
    names: tuple[str, ...]
    weak: tuple[str, ...]
    others: tuple[str, ...]
    denied: tuple[str, ...]
    needless: tuple[str, ...]
    object: tuple[str, ...]
    scene: tuple[str, ...]
    purpose: tuple[str, ...]
    secret: tuple[str, ...]
    field: tuple[str, ...]
    hand: tuple[str, ...]
    tell: tuple[str, ...]
    spam: tuple[str, ...]
    leave: tuple[str, ...]
    says: tuple[str, ...]
    by: tuple[str, ...]
    common: tuple[str, ...]
    example: str
    counter: str


_PLAIN: Final = frozenset({"apart", "example", "counter"})


def load(table: str) -> tuple[Language, ...]:
    r"""Return the languages that a TOML text describes.

    >>> words = {field: "code" for field in Language.__slots__ if field not in ("lang", "apart")}
    >>> text = "[en]\napart = true\n" + "\n".join(f"{k} = '{v}'" for k, v in words.items())
    >>> load(text)[0].names
    ('code',)
    """

    def cell(field: str, value: Any) -> Any:
        return value if field in _PLAIN else tuple(branches(re.sub(r"\s*\n\s*", "", value)))

    return tuple(
        Language(lang=lang, **{field: cell(field, value) for field, value in row.items()})
        for lang, row in tomllib.loads(table).items()
    )


_ENDED: Final = "[^\\s0:：=,.;!?()\"'«»<>/-]"
_ENDING: Final = f"{_ENDED}{{0,6}}"
_SHORT: Final = re.compile("[^\\W\\d_]{1,3}")
_SHORT_ENDING: Final = f"{_ENDED}{{0,2}}"
"""Ending of a short stem that names no code. With a longer ending, "bel" would match many words."""
_ABBREVIATION: Final = re.compile(".*[.]\\]\\??|[^\\W\\d_]{1,2}")
"""A stem that is a complete word, such as "no.". It gets no ending."""
_NOT_CODES: Final = frozenset({"others", "scene", "denied"})
_WITHOUT_ENDINGS: Final = frozenset({"khmer", "lao", "burmese", "tibetan"})  # no spaces


class Stems:
    """One language of `stems.toml`. Its words are folded, and patterns for endings are added.

    This is done on demand, because a network's texts are in few scripts.
    """

    def __init__(self, lang: str, script: str, written: dict[str, str]) -> None:
        self.lang = lang  # BCP 47
        self.script = script
        self._written = written

    @cached_property
    def words(self) -> dict[str, tuple[str, ...]]:
        """The words as patterns, by kind."""
        return {
            kind: tuple(
                _with_ending(word, kind) if self.script not in _WITHOUT_ENDINGS else word
                for word in branches(fold(value))
            )
            for kind, value in self._written.items()
        }


def _with_ending(word: str, kind: str) -> str:
    if (word.endswith(")") and "(?=" in word) or _ABBREVIATION.fullmatch(word):
        return word
    short = kind in _NOT_CODES and _SHORT.fullmatch(word)
    return word + (_SHORT_ENDING if short else _ENDING)


def load_stems(table: str) -> tuple[Stems, ...]:
    r"""Return the languages that a TOML text of stems describes.

    >>> load_stems("[km]\nscript = 'khmer'\nweak = 'a|b'")[0].words
    {'weak': ('a', 'b')}
    """
    return tuple(Stems(lang, row.pop("script"), row) for lang, row in tomllib.loads(table).items())


LANGUAGES: Final = load(read_data("words"))
STEMS: Final = load_stems(read_data("stems"))


def all_words(field: str) -> list[str]:
    """Return the words of one field in all languages of `words.toml`."""
    return [word for row in LANGUAGES for word in getattr(row, field)]
