"""Digits written as words, or in Chinese among others, read as digits: "four 8 2 zero" is a number.

Who hides a code from a filter writes one of its digits, or all, as a word. A run is read so if it
makes four to eight digits, at least one of them a word, and nothing but one sign, or none, stands
between them; the words are of one language. So "one of 20" and dates stay.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property
from typing import Final, NamedTuple

from detectors.recognise.fold import fold
from detectors.recognise.lexicon import any_of
from detectors.recognise.shipped import shipped

_LEAST: Final = 4
_MOST: Final = 8
_GROUP: Final = 3
"""Digits of one group at most, if the groups stand apart."""
_SIGNS: Final = " .·•*_~+,/\u2010\u2011\u2012\u2013\u2014\u2015-"
_SIGN: Final = f"[{_SIGNS}]"
_GAP: Final = 3
"""Signs between two words at most."""
_TOGETHER: Final = 5
"""Digits at most that stand together in a run."""
_FEW: Final = 100
"""Sets of words that are compiled by themselves: as much work as all words at once."""
NUMERALS: Final = "零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖两"
"""Digits in Chinese."""
_CHINESE: Final = f"[{NUMERALS}]"
_NUMERAL: Final = re.compile(_CHINESE)
_AMONG: Final = re.compile(f"0{_SIGN}?{_CHINESE}|{_CHINESE}{_SIGN}?0")
_MIXED: Final = re.compile(
    f"(?<![第0-9十百千万周])(?:0{{1,3}}(?!0)|{_CHINESE})(?P<s>{_SIGN}?)(?:(?:0{{1,3}}(?!0)|{_CHINESE})(?P=s)){{1,6}}"
    f"(?:0{{1,3}}(?!0)|{_CHINESE})(?:(?<=0)|(?![\u4e00-\u9fff]))(?![0-9十百千万年月日号號点點时時分元块折条條层層楼])"
)
_DIGIT: Final = re.compile("0+")
_FIRST_LETTER: Final = re.compile("(?<![^\\W\\d_])[^\\W\\d_]")
_HEAD_CHARS: Final = 2


class _Patterns(NamedTuple):
    run: re.Pattern[str]
    part: re.Pattern[str]  # a word, or digits that stand together


class _Words:
    """The words, made ready when the first text has to be searched."""

    def __init__(self) -> None:
        self.langs: dict[str, set[str]] = {}  # of each word
        for lang, row in tomllib.loads(shipped("digits")).items():
            for word in row.replace("|", " ").split():
                self.langs.setdefault(fold(word), set()).add(lang)
        self.plain = frozenset(self.langs)
        self._longest = max(map(len, self.plain))
        self._short = tuple(word for word in self.plain if len(word) < _HEAD_CHARS)
        self._begun: dict[str, tuple[str, ...]] = {}  # the others by how they begin
        self._few: dict[frozenset[str], _Patterns] = {}  # by words of texts that came
        for word in self.plain.difference(self._short):
            head = word[:_HEAD_CHARS]
            self._begun[head] = (*self._begun.get(head, ()), word)

    def may_run(self, folded: str) -> bool:
        """Tell if a text has what each run has: a word behind no letter, beside another part.

        Asked until all words are compiled: then their pattern is the faster one to ask.
        """
        if "all" in vars(self):
            return True
        for letter in _FIRST_LETTER.finditer(folded):
            at = letter.start()
            before = folded[max(0, at - _GAP - _TOGETHER - 1) : at].rstrip(_SIGNS)
            if any(
                0 < len(before) - len(before.rstrip("0")) <= _TOGETHER
                or self._part_at(folded[at + len(word) :][: _GAP + self._longest].lstrip(_SIGNS))
                for word in self._at(folded, at)
            ):
                return True
        return False

    def _at(self, folded: str, at: int) -> list[str]:
        words = (*self._begun.get(folded[at : at + _HEAD_CHARS], ()), *self._short)
        return [word for word in words if folded.startswith(word, at)]

    def _part_at(self, rest: str) -> bool:
        digits = len(rest) - len(rest.lstrip("0"))
        return 0 < digits <= _TOGETHER or bool(self._at(rest, 0))

    @cached_property
    def all(self) -> _Patterns:
        """The patterns of all words."""
        return _compiled(self.plain)

    def patterns(self, folded: str) -> _Patterns:
        """The patterns of all words, or of those that a text holds: a hundredth of the work.

        Where many texts come with such words, all of them are compiled in the end.
        """
        if "all" in vars(self):
            return self.all
        words = frozenset(word for word in self.plain if word in folded)
        if words not in self._few:
            if len(self._few) == _FEW:
                return self.all
            self._few[words] = _compiled(words)
        return self._few[words]


def _compiled(words: frozenset[str]) -> _Patterns:
    word = any_of(words).pattern
    part = f"(?:{word}|0{{1,{_TOGETHER}}}(?!0))"
    letter = "[^\\W\\d_]"
    run = (
        f"(?<![^\\W_])(?:{part}(?:[ -]{{1,3}}{part}){{2,7}}"
        f"|{part}(?P<s>{_SIGN}|)(?:{part}(?P=s)){{0,6}}{part})(?!{letter}|[.,:/-]?0)"
    )
    return _Patterns(re.compile(run), re.compile(f"{word}|0+"))


@cache
def _words() -> _Words:
    return _Words()


def prepare() -> None:
    """Compile the patterns of the words now, not when the first text may hold one."""
    _ = _words().all


def words() -> frozenset[str]:
    """The words; in a text one of them stands behind no letter, or no digit is written so."""
    return _words().plain


def spelled(folded: str) -> tuple[str, list[int] | None]:
    """A folded, masked text with such runs as digits, and the places of its characters in it.

    A word's digit has the place of its first letter, or of its last if it ends the run: so the
    place of the number is the place of the run. The places are None where nothing was read so.

    >>> spelled("your code is four 0 0 zero")
    ('your code is 0000', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 18, 20, 25])
    >>> spelled("one of 00 people")
    ('one of 00 people', None)
    """
    found: list[tuple[int, int, list[int]]] = []
    if not folded.isascii() and _NUMERAL.search(folded) and _AMONG.search(folded):
        for run in _MIXED.finditer(folded):
            places = [place for place in range(*run.span()) if folded[place] != run["s"]]
            among = {folded[place] == "0" for place in places}
            if _LEAST <= len(places) <= _MOST and len(among) == 2:
                found.append((run.start(), run.end(), places))
    if _may_hold(folded):
        patterns = _words().patterns(folded)
        for run in patterns.run.finditer(folded):
            places, last = _places(run, patterns.part)
            if places and not any(start < last and run.start() < end for start, end, _ in found):
                found.append((run.start(), last, places))
    if not found:
        return folded, None
    letters: list[str] = []
    kept: list[int] = []
    done = 0
    for start, end, places in sorted(found):
        letters += [folded[done:start], "0" * len(places)]
        kept += [*range(done, start), *places]
        done = end
    letters.append(folded[done:])
    return "".join(letters), [*kept, *range(done, len(folded))]


def _may_hold(folded: str) -> bool:
    """Tell if a text may hold a digit as a word; of one that shows a number, by its words alone."""
    at = folded.find("0000")
    if at == 0 or (at > 0 and not folded[at - 1].isalpha()):
        words = folded.replace("-", " ").split()
        if _words().plain.isdisjoint(words):
            return False
    return _words().may_run(folded)


def _places(run: re.Match[str], parts: re.Pattern[str]) -> tuple[list[int], int]:
    """The places of a run's digits, and its end; none if it has no four to eight, or no word.

    All words are of one language: a run ends where the next is of none that the others are of.
    """
    places: list[int] = []
    langs: set[str] | None = None
    last = 0
    for part in parts.finditer(run[0]):
        if _DIGIT.fullmatch(part[0]):
            if len(part[0]) > _GROUP and run["s"] != "":
                break  # "nine 30 2024"
            places += range(part.start(), part.end())
        else:
            known = _words().langs[part[0]]
            if langs is not None and not known & langs:
                break
            langs = known if langs is None else known & langs
            places.append(part.start())
        last = part.end()
    if not langs or not _LEAST <= len(places) <= _MOST:
        return [], 0
    places[-1] = last - 1
    return [run.start() + place for place in places], run.start() + last
