"""The name in brackets that a text is signed with, at its head or at its end.

Brackets hold other things as well: what the text is (【验证码】, [OTP]), how to treat it
(【请勿泄露】), for how long it is good. Such a note names nobody. Taken for a name, it would be one
platform for all who write it, whose codes a flood could be made of. Or they hold the code itself
(验证码【4829】), which as a name would be a new platform in each text.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from typing import Final, NamedTuple

from detectors.recognise.fold import fold
from detectors.recognise.scripts import NAMING, scripts_of
from detectors.recognise.shipped import shipped

_BRACKETED: Final = (
    "(?:【([^【】\n]{1,40})】|[\\[［]([^\\[\\]［］\n]{1,40})[\\]］]"
    "|〔([^〔〕\n]{1,40})〕|〖([^〖〗\n]{1,40})〗)"
)
_CHINESE: Final = 1  # the first kind of them
_NAME_CHARS: Final = 40
HEAD_ENDS: Final = "【】"
HEAD_CHARS: Final = _NAME_CHARS + 2
"""Characters of the longest name at a text's head with the brackets around it."""
_HEAD: Final = re.compile(f"\\s{{0,8}}(?:<#>\\s?|[(（]광고[)）]\\s?)?{_BRACKETED}")
_CLOSING: Final = ("】", "]", "］", "〕", "〗")
_TAIL: Final = re.compile(f"{_BRACKETED}\\s{{0,8}}$")
_TAIL_CHARS: Final = 50
_LETTER: Final = re.compile("[^\\W\\d_]")
_CODE: Final = re.compile("(?<![a-z0-9])(?=[a-z]*[0-9])[a-z0-9]{4,8}(?![a-z0-9])")
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NO_WORD: Final = re.compile("[\\W\\d_]+")
_WORD: Final = re.compile('[^\\s.,;:!?/|*()"“”]+')
_NOTES_CACHED: Final = 4_096
_NAMES_CACHED: Final = 4_096
_plain_heads: Final[set[str]] = set()
"""Names in Chinese brackets that stood at a text's head, and are names whatever a text says."""


def signature_span(folded: str) -> tuple[int, int] | None:
    """The place of the name in brackets at the head, else at the end; None if there is none.

    >>> signature_span("[web발신] [kb국민은행] 인증번호 000000"), signature_span("코드 [000000]")
    ((9, 15), None)
    >>> signature_span("【验证码】000000，请勿转告。【美团】【请勿泄露】")
    (18, 20)
    """
    end = folded.find(HEAD_ENDS[1], 1, HEAD_CHARS)
    if is_plain_head(folded[: end + 1]):  # of most that begin so it came before
        return 1, end
    start = 0
    while found := _HEAD.match(folded, start):
        if _is_name(found):
            name = found[_CHINESE]
            if name and _held(name.strip(), _CHINESE) == (True, False):
                if len(_plain_heads) >= _NAMES_CACHED:
                    _plain_heads.clear()
                _plain_heads.add(f"【{name}】")
            return found.span(found.lastindex or 0)
        start = found.end()
    end = len(folded)
    while folded[start:end].rstrip().endswith(_CLOSING):
        found = _TAIL.search(folded, max(start, end - _TAIL_CHARS), end)
        if not found:
            return None
        if _is_name(found):
            return found.span(found.lastindex or 0)
        end = found.start()
    return None


def is_plain_head(folded: str) -> bool:
    """Tell if a text that begins with these brackets is known to be signed so, whatever it says."""
    return folded in _plain_heads


def _is_name(found: re.Match[str]) -> bool:
    """Tell if brackets hold a name: letters, or as in 【12306】; not [482913]."""
    brackets = found.lastindex or 0
    name, code = _held(found[brackets].strip(), brackets)
    return name and not (code and _is_the_code(found))


@lru_cache(_NAMES_CACHED)
def _held(name: str, brackets: int) -> tuple[bool, bool]:
    """Tell if what stands in brackets of a kind of `_BRACKETED` may be a name, and if a code."""
    if name.isdigit():
        if len(name) > 5 or brackets != _CHINESE:
            return False, False
    elif not _LETTER.search(name) or "%" in name or is_note(name):
        return False, False
    return True, _CODE.fullmatch(name) is not None


def _is_the_code(found: re.Match[str]) -> bool:
    """Tell if a text that names a code has the shape of one in these brackets alone."""
    folded = found.string
    outside = _CODE.search(folded, 0, found.start()) or _CODE.search(folded, found.end())
    return not outside and any(
        word.kind in NAMING for script in scripts_of(folded) for word in script.words(folded)
    )


@lru_cache(_NOTES_CACHED)
def is_note(folded: str) -> bool:
    """Tell if what stands in brackets says what a text is, or how to treat it, and names nobody.

    >>> [is_note(each) for each in ("登录验证码", "0分钟内有效", "do not share", "kode otp")]
    [True, True, True, True]
    """
    words = _words()
    if _CJK.search(folded):
        plain = _NO_WORD.sub("", folded)
        return words.cjk_says.search(plain) is not None and not words.cjk.sub("", plain)
    told = [word.strip("-'’") for word in _WORD.findall(folded)]
    told = [word for word in told if _LETTER.search(word)]
    if words.latin_says.intersection(told) and words.latin.issuperset(told):
        return True
    # A single word may be a name with such a beginning: Pinterest.
    return (" " in folded or not folded.isascii()) and _names_a_code(folded)


def _names_a_code(folded: str) -> bool:
    """Tell if nothing but what some language calls a code is there."""
    end = len(folded.rstrip(" :."))
    return any(
        word.kind in NAMING and not word.start and word.end >= end
        for script in scripts_of(folded)
        for word in script.words(folded)
    )


class _Words(NamedTuple):
    """The words of notes, as they are used."""

    latin_says: frozenset[str]
    latin: frozenset[str]
    cjk_says: re.Pattern[str]
    cjk: re.Pattern[str]


@cache
def _words() -> _Words:
    table = {
        kind: frozenset(filter(None, (fold(word).strip() for word in words.split("|"))))
        for kind, words in tomllib.loads(shipped("notes")).items()
    }
    says, cjk_says = table["says"], table["cjk_says"]
    return _Words(
        says, says | table["more"], _any_of(cjk_says), _any_of(cjk_says | table["cjk_more"])
    )


def _any_of(words: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern of words, the longest first."""
    return re.compile("|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word)))))
