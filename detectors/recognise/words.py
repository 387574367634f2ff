"""The words that name numbers, language by language: `data/words.toml` as it is used."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from detectors.recognise.lexicon import branches
from detectors.recognise.shipped import shipped


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the table; the file says what each kind of word is for."""

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
    r"""The languages that a TOML text describes.

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


LANGUAGES: Final = load(shipped("words"))


def all_words(field: str) -> list[str]:
    """The words of one kind in all languages."""
    return [word for row in LANGUAGES for word in getattr(row, field)]
