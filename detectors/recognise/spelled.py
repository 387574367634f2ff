"""Convert digits that are written as words, or in Chinese, to digits: "four 8 2 zero" is a number.

Senders hide a code from a filter by writing some of its digits as words. A run of digits and words
is converted under these conditions: it has four to eight digits, at least one of them is a word,
there is nothing but separators between them, and all words are of one language. "one of 20" and
dates stay unchanged.
"""

import re
import tomllib
from functools import cache, cached_property
from typing import Final, NamedTuple

from detectors.recognise.fold import fold
from detectors.recognise.lexicon import any_of
from detectors.recognise.shipped import read_data

_LEAST: Final = 4
_MOST: Final = 8
_TENS: Final = "(?:ten|eleven|twelve|hundred|[a-z]{3,5}(?:teen|ty))"
"""English words of more than one digit. "fifty50" is a word of a shop and not a code."""
_TIMES: Final = {"double": 2, "triple": 3}
_GROUP: Final = 3
"""Largest number of digits in one group, if groups are separated."""
_SIGNS: Final = " .·•*_~+,/\u2010\u2011\u2012\u2013\u2014\u2015-"
_SIGN: Final = f"[{_SIGNS}]"
_GAP: Final = 3
"""Largest number of separators between two words."""
_TOGETHER: Final = 5
"""Largest number of adjacent digits in a run."""
_FEW: Final = 100
"""Number of sets of words that are compiled separately. Compiling more of them would cost more than
compiling all words once."""
NUMERALS: Final = "零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖两"
"""Chinese numerals for digits."""
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
    part: re.Pattern[str]  # a word, or adjacent digits


class _Words:
    """The words for digits and their patterns, which are compiled on demand."""

    def __init__(self) -> None:
        self.langs: dict[str, set[str]] = {}  # word -> its languages
        for lang, row in tomllib.loads(read_data("digits")).items():
            for word in row.replace("|", " ").split():
                self.langs.setdefault(fold(word), set()).add(lang)
        self.plain = frozenset(self.langs)
        self._longest = max(map(len, self.plain))
        self._short = tuple(word for word in self.plain if len(word) < _HEAD_CHARS)
        self._begun: dict[str, tuple[str, ...]] = {}  # longer words by their first characters
        self._few: dict[frozenset[str], _Patterns] = {}  # patterns by the words of a text
        for word in self.plain.difference(self._short):
            head = word[:_HEAD_CHARS]
            self._begun[head] = (*self._begun.get(head, ()), word)

    def may_run(self, folded: str) -> bool:
        """Return whether a text may have a run: a word at a word's beginning, beside another part.

        This test is used until all words are compiled. After that their pattern is faster, and the
        result is always true.
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
        """Patterns that find every word for a digit, in any language."""
        return _compile_words(self.plain)

    def patterns(self, folded: str) -> _Patterns:
        """Return patterns of only the words in a text; they compile a hundred times faster.

        After many different sets of words, all words are compiled.
        """
        if "all" in vars(self):
            return self.all
        words = frozenset(word for word in self.plain if word in folded)
        if words not in self._few:
            if len(self._few) == _FEW:
                return self.all
            self._few[words] = _compile_words(words)
        return self._few[words]


def _compile_words(words: frozenset[str]) -> _Patterns:
    word = f"(?:(?:double|triple) )?(?!{_TENS}0){any_of(words).pattern}"
    part = f"(?:{word}|0{{1,{_TOGETHER}}}(?!0))"
    letter = "[^\\W\\d_]"
    run = (
        f"(?<![^\\W_])(?:{word}(?:, {word}){{3,7}}|{part}(?:[ -]{{1,3}}{part}){{2,7}}"
        f"|{part}(?P<s>{_SIGN}|)(?:{part}(?P=s)){{0,6}}{part})(?!{letter}|[.,:/-]?0)"
    )
    return _Patterns(re.compile(run), re.compile(f"{word}|0+"))


@cache
def _words() -> _Words:
    return _Words()


def prepare() -> None:
    """Compile the patterns of all words now, not at the first text that needs them."""
    _ = _words().all


def words() -> frozenset[str]:
    """Return the words for digits.

    A text has digits written as words only if one of them is present without a letter before it.
    """
    return _words().plain


def convert_spelled(folded: str) -> tuple[str, list[int] | None]:
    """Return a folded, masked text with runs converted to digits, and the original places.

    The places are one per character of the result. The digit of a word has the place of the word's
    first letter. The last digit of a run has the place of the run's last character. The span of the
    number is therefore the span of the run. The places are None if nothing was converted.

    >>> convert_spelled("your code is four 0 0 zero")
    ('your code is 0000', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 18, 20, 25])
    >>> convert_spelled("one of 00 people")
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
    """Return whether a text may have a digit written as a word.

    If the text already shows a number of four digits, only complete words are tested, as this is
    faster.
    """
    at = folded.find("0000")
    if at == 0 or (at > 0 and not folded[at - 1].isalpha()):
        words = folded.replace("-", " ").split()
        if _words().plain.isdisjoint(words):
            return False
    return _words().may_run(folded)


def _places(run: re.Match[str], parts: re.Pattern[str]) -> tuple[list[int], int]:
    """Return the places of a run's digits, and its end; an empty list if the run does not count.

    A run counts if it has four to eight digits and at least one word. A run ends before a word that
    is not in a language of the other words.
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
            times, _, name = part[0].rpartition(" ")
            known = _words().langs[name]
            if langs is not None and not known & langs:
                break
            langs = known if langs is None else known & langs
            places += [part.start()] * _TIMES.get(times, 1)  # "double four" is 44
        last = part.end()
    if not langs or not _LEAST <= len(places) <= _MOST:
        return [], 0
    places[-1] = last - 1
    return [run.start() + place for place in places], run.start() + last
