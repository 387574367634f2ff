"""Find platform names in scripts without capitals: Chinese, Japanese, Korean, Arabic and others.

Without capitals, a name is found by the words around it.
"""

import re
from itertools import islice
from typing import Final

from detectors.recognise.platform.names import NO_CHINESE, WORDS, is_plain, names_a_code
from detectors.recognise.text.fold import fold
from detectors.recognise.text.patterns import section

_SEEN: Final = section("uncased")

_RUN_CHARS: Final = 100
_TOKENS_MAX: Final = 24
_NAME_CHARS: Final = 24  # longest word that can be a name, in characters
_RUN_WORDS: Final = 2
_CODE_WORDS: Final = 3  # largest number of words in a name for codes: "one-time code"
_NUMBER: Final = re.compile("[ :،\\n]{0,3}(?:0|$)|[.!،?؟]")
_BEFORE: Final = frozenset(map(fold, WORDS["plain_before"]))
_YOURS: Final = frozenset(map(fold, WORDS["yours"]))
_BEHIND: Final = frozenset(map(fold, WORDS["plain_behind"]))


def runs(text: str) -> list[str]:
    """Return all runs of three to six Chinese characters, the longest first.

    A run may be a name in the registry.
    """
    if text.isascii():
        return []
    runs = _SEEN.han.findall(text[:_RUN_CHARS])
    return [
        run[at : at + length]
        for length in (6, 5, 4, 3)
        for run in runs
        for at in range(len(run) - length + 1)
    ]


def find_uncased(text: str) -> list[str]:
    """Return names in scripts without capitals, the most likely first."""
    if text.isascii() or not _SEEN.without_capitals.search(text):
        return []
    names: list[str] = []
    if _SEEN.chinese_letter.search(text):
        names = _find_names(_SEEN.every("chinese"), text, NO_CHINESE)
        if _SEEN.kana_letter.search(text):
            names += _find_names(_SEEN.every("japanese_places"), text, NO_CHINESE)
        names += _find_names((_SEEN.japanese, _SEEN.japanese_last), text, NO_CHINESE)
    if _SEEN.hangul.search(text):
        if (found := _SEEN.korean_is.match(text)) and not _SEEN.no_korean.search(found[1]):
            names.insert(0, found[1])
        names += _find_names((*_SEEN.every("korean_places"), _SEEN.korean), text, _SEEN.no_korean)
    if names:
        return [_bare(name) for name in names]
    uncased = [found[1] for pattern in _SEEN.every("uncased") if (found := pattern.search(text))]
    return [name for name in uncased if not _SEEN.no_uncased.match(name)]


def _find_names(
    patterns: tuple[re.Pattern[str], ...], text: str, no_name: re.Pattern[str]
) -> list[str]:
    return [
        found[1].strip()
        for pattern in patterns
        if (found := pattern.search(text)) and not no_name.search(found[1])
    ]


def _bare(name: str) -> str:
    """Return a Japanese or Korean name without its particle and without "app" or "portal"."""
    name = _SEEN.particle.sub("", name)
    return _SEEN.service.sub("", _SEEN.korean_particle.sub("", name))


def between(text: str) -> list[str]:
    """Return unknown words at typical places of names, in scripts with spaces and without capitals.

    Such places are: at the beginning before a mark, a name for codes, or a word such as "app";
    between "your" and a name for codes; after "at"; between a name for codes and the number.
    """
    if text.isascii():
        return []
    tokens = list(islice(_SEEN.token.finditer(text), _TOKENS_MAX))
    plain = [len(token[0]) > _NAME_CHARS or is_plain(token[0]) for token in tokens]
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(tokens):
        stop = at + 1
        if not plain[at]:
            while stop < len(tokens) and not plain[stop] and _next_to(text, tokens, stop):
                stop += 1
            worth = _stands(text, tokens, at, stop) if stop - at <= _RUN_WORDS else 0
            if worth:
                found.append((worth, text[tokens[at].start() : tokens[stop - 1].end()]))
        at = stop
    return [name for _, name in sorted(found, key=lambda each: -each[0])]


def _next_to(text: str, tokens: list[re.Match[str]], at: int) -> bool:
    return 0 < at < len(tokens) and text[tokens[at - 1].end() : tokens[at].start()] == " "


def _stands(text: str, tokens: list[re.Match[str]], at: int, stop: int) -> int:
    """Return how likely unknown words are a name, in points, by the words around; 0 for no name."""
    end = tokens[stop - 1].end()
    after = tokens[stop][0] if _next_to(text, tokens, stop) else ""
    is_code = bool(after) and names_a_code(after)
    if not any(map(str.isalnum, text[: tokens[at].start()])):
        return 3 if _SEEN.mark.match(text, end) else 2 * (is_code or fold(after) in _BEHIND)
    if not _next_to(text, tokens, at):
        return 0
    before = fold(tokens[at - 1][0])
    ends = _NUMBER.match(text, end) is not None
    if (before in _YOURS and (is_code or fold(after) in _BEHIND)) or (
        before in _BEFORE and (ends or after)
    ):
        return 2
    of_code = any(names_a_code(token[0]) for token in tokens[max(0, at - _CODE_WORDS) : at])
    return int(ends and of_code and _SEEN.arabic.match(text, tokens[at].start()) is not None)
