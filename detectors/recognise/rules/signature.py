"""Find the signature of a text: a name in brackets at its beginning or end.

Brackets can also contain a note: what the text is (【验证码】, [OTP]), how to treat it
(【请勿泄露】), or how long it is valid. A note names nobody. If it counted as a name, all senders
of this note would become one platform, and a flood of their codes would look like codes of this
single platform. Brackets can also contain the code itself (验证码【4829】). As a name, each code
would become a new platform.
"""

import re
import tomllib
from functools import cache, lru_cache
from typing import Final, NamedTuple

from detectors.recognise.text.fold import fold
from detectors.recognise.text.patterns import section
from detectors.recognise.text.shipped import read_data
from detectors.recognise.vocabulary.scripts import NAMING, scripts_of

_SEEN: Final = section("signature")

_CHINESE: Final = 1  # number of the group for 【】
_NAME_CHARS: Final = 40
HEAD_ENDS: Final = "【】"
HEAD_CHARS: Final = _NAME_CHARS + 2
"""Length of the longest name at the beginning of a text, with its brackets."""
_CLOSING: Final = ("】", "]", "］", "〕", "〗")
_TAIL_CHARS: Final = 50
_NOTES_CACHED: Final = 4_096
_NAMES_CACHED: Final = 4_096
_plain_heads: Final[set[str]] = set()
"""Cache of names in 【】 that were found at the beginning of a text and that are names whatever the
rest of the text is."""


def signature_span(folded: str) -> tuple[int, int] | None:
    """Return the span of the name in brackets at the beginning, else at the end, or None.

    >>> signature_span("[web발신] [kb국민은행] 인증번호 000000"), signature_span("코드 [000000]")
    ((9, 15), None)
    >>> signature_span("【验证码】000000，请勿转告。【美团】【请勿泄露】")
    (18, 20)
    """
    end = folded.find(HEAD_ENDS[1], 1, HEAD_CHARS)
    if is_plain_head(folded[: end + 1]):  # most of these texts have a known name
        return 1, end
    start = 0
    while found := _SEEN.head.match(folded, start):
        if _is_name(found):
            name = found[_CHINESE]
            if name and _classify_content(name.strip(), _CHINESE) == (True, False):
                if len(_plain_heads) >= _NAMES_CACHED:
                    _plain_heads.clear()
                _plain_heads.add(f"【{name}】")
            return found.span(found.lastindex or 0)
        start = found.end()
    end = len(folded)
    while folded[start:end].rstrip().endswith(_CLOSING):
        found = _SEEN.tail.search(folded, max(start, end - _TAIL_CHARS), end)
        if not found:
            return None
        if _is_name(found):
            return found.span(found.lastindex or 0)
        end = found.start()
    return None


def is_plain_head(folded: str) -> bool:
    """Return whether these brackets at the beginning of a text are known to contain a name."""
    return folded in _plain_heads


def _is_name(found: re.Match[str]) -> bool:
    """Return whether brackets contain a name: letters, or digits as in 【12306】; not [482913]."""
    brackets = found.lastindex or 0
    name, code = _classify_content(found[brackets].strip(), brackets)
    return name and not (code and _is_the_code(found))


@lru_cache(_NAMES_CACHED)
def _classify_content(name: str, brackets: int) -> tuple[bool, bool]:
    """Return whether the content of brackets can be a name, and whether it can be a code.

    `brackets` is the number of the group in `_BRACKETED`.
    """
    if name.isdigit():
        if len(name) > 5 or brackets != _CHINESE:
            return False, False
    elif not _SEEN.letter.search(name) or "%" in name or is_note(name):
        return False, False
    return True, _SEEN.code.fullmatch(name) is not None


def _is_the_code(found: re.Match[str]) -> bool:
    """Return whether a text that names a code has a possible code only in these brackets."""
    folded = found.string
    outside = _SEEN.code.search(folded, 0, found.start()) or _SEEN.code.search(folded, found.end())
    return not outside and any(
        word.kind in NAMING for script in scripts_of(folded) for word in script.words(folded)
    )


@lru_cache(_NOTES_CACHED)
def is_note(folded: str) -> bool:
    """Return whether the content of brackets is a note about the text and not a name.

    >>> [is_note(each) for each in ("登录验证码", "0分钟内有效", "do not share", "kode otp")]
    [True, True, True, True]
    """
    words = _words()
    if _SEEN.cjk.search(folded):
        plain = _SEEN.no_word.sub("", folded)
        return words.cjk_says.search(plain) is not None and not words.cjk.sub("", plain)
    told = [word.strip("-'’") for word in _SEEN.word.findall(folded)]
    told = [word for word in told if _SEEN.letter.search(word)]
    if words.latin_says.intersection(told) and words.latin.issuperset(told):
        return True
    # A single word can be a name with such a beginning, for example Pinterest.
    return (" " in folded or not folded.isascii()) and _names_a_code(folded)


def _names_a_code(folded: str) -> bool:
    end = len(folded.rstrip(" :."))
    return any(
        word.kind in NAMING and not word.start and word.end >= end
        for script in scripts_of(folded)
        for word in script.words(folded)
    )


class _Words(NamedTuple):
    """The words of `data/notes.toml`: `says` make a note, the others may be added to it."""

    latin_says: frozenset[str]
    latin: frozenset[str]
    cjk_says: re.Pattern[str]
    cjk: re.Pattern[str]


@cache
def _words() -> _Words:
    table = {
        kind: frozenset(filter(None, (fold(word).strip() for word in words.split("|"))))
        for kind, words in tomllib.loads(read_data("notes")).items()
    }
    says, cjk_says = table["says"], table["cjk_says"]
    return _Words(
        says, says | table["more"], _any_of(cjk_says), _any_of(cjk_says | table["cjk_more"])
    )


def _any_of(words: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word)))))
