"""The names and words of `data/brands.toml`: platforms by name, and what is no platform's name."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from typing import Final, NamedTuple

from detectors.recognise.fold import fold, name_key
from detectors.recognise.scripts import NAMING, scripts_of
from detectors.recognise.shipped import shipped

TABLE: Final = tomllib.loads(shipped("brands"))
WORDS: Final = {kind: frozenset(words.split()) for kind, words in TABLE.items()}
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}"
)
_PLAIN: Final = frozenset(map(fold, WORDS["plain"]))
_TOGETHER: Final = re.compile("^(?:[وبلفك]?ال|لل|[ولب])(?=..)|^[הלבמשו](?=..)")


class Listed(NamedTuple):
    """The names of the list, in all spellings: each key with the first one of its line."""

    names: dict[str, str]
    spellings: dict[str, tuple[str, ...]]  # of the first: the others
    ordinary: frozenset[str]  # those that are words as well
    unspaced: re.Pattern[str]  # those of scripts without blanks


@cache
def listed() -> Listed:
    """The names of `data/brands.toml`, made ready when the first text has to be searched."""
    names: dict[str, str] = {}
    ordinary: set[str] = set()
    spellings: dict[str, tuple[str, ...]] = {}
    for line in TABLE["listed"].strip().splitlines():
        words = line.split()
        first = name_key(words[0].lstrip("*"))
        spellings[first] = tuple(map(name_key, words[1:]))
        for word in words:
            if word.startswith("*"):
                ordinary.add(name_key(word[1:]))
            names[name_key(word.lstrip("*"))] = first
            names[fold(word.lstrip("*"))] = first  # as a text has it: 蝦皮 is 虾皮 in keys
    apart = sorted(filter(_UNSPACED.match, names), key=len, reverse=True)
    begins = "".join(sorted({name[0] for name in apart}))  # most places of a text begin none
    unspaced = re.compile(f"(?=[{begins}])(?:{'|'.join(map(re.escape, apart))})")
    return Listed(names, spellings, frozenset(ordinary), unspaced)


def names_a_code(name: str) -> bool:
    """Tell if a supposed name is what some language calls a code, or what a code is for."""
    camel = not name[1:].islower() and not name[1:].isupper()
    for body in dict.fromkeys((fold(name), name_key(name))):
        scripts = scripts_of(body)
        if any(w.kind in NAMING and w.start == 0 for script in scripts for w in script.words(body)):
            return True
        if not camel and any(script.is_purpose(body) for script in scripts):
            return True
    return False


@cache
def _stop(word: str) -> bool:
    return word.lower() in WORDS["unfolded"] or fold(word).strip(".'’") in WORDS["no_name"]


def is_a_codes(word: str) -> bool:
    """Tell if a word is what some language calls a code: Telekom-Sicherheitscode."""
    body = fold(word)
    return any(each.kind in NAMING for script in scripts_of(body) for each in script.words(body))


def is_stop(word: str) -> bool:
    """Tell if a word is no name: what is said to people, what codes are for, and the like."""
    return len(word) < 24 and _stop(word)


@lru_cache(4_096)
def is_plain(word: str) -> bool:
    """Tell if a word is known, with or without what is written together with it."""
    body = fold(word)
    if body in _PLAIN or is_stop(word) or names_a_code(body):
        return True
    bare = _TOGETHER.sub("", body)
    return bare != body and (bare in _PLAIN or names_a_code(bare))
