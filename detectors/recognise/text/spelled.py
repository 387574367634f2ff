"""Convert digits that are written as words, or in Chinese, to digits: "four 8 2 zero" is a number.

Senders hide a code from a filter by writing some of its digits as words. A run of digits and words
is converted under these conditions: it has four to eight digits, at least one of them is a word,
there is nothing but separators between them, and all words are of one language. One word and one
number with a space between them are no run ("to 121"). "one of 20" and dates stay unchanged.
"""

import re
import tomllib
from functools import cache
from typing import Final

from ahocorasick_rs import AhoCorasick, MatchKind

from detectors.recognise.text.fold import fold
from detectors.recognise.text.patterns import section
from detectors.recognise.text.shipped import read_data

_SEEN: Final = section("spelled")

_LEAST: Final = 4
_MOST: Final = 8
_GROUP: Final = 3
"""Largest number of digits in one group, if groups are separated."""
_SIGNS: Final = " .·•*_~+,/\u2010\u2011\u2012\u2013\u2014\u2015-"
_SIGN: Final = f"[{_SIGNS}]"
_WORD: Final = "\ue000"
"""Stands for a word for a digit while runs are searched. No text has this character."""
_PART: Final = f"(?:(?:(?:double|triple) )?{_WORD}|0{{1,5}}(?!0))"
_RUN: Final = re.compile(
    f"(?<![^\\W_])(?<!{_WORD})(?:{_WORD}(?:, {_WORD}){{3,7}}|{_PART}(?:[ -]{{1,3}}{_PART}){{2,7}}"
    f"|{_PART}(?P<s>{_SIGN}|)(?:{_PART}(?P=s)){{0,6}}{_PART})(?![^\\W\\d_]|{_WORD}|[.,:/-]?0)"
)
_PARTS: Final = re.compile(f"(double |triple |){_WORD}|0+")
_TIMES: Final = {"": 1, "double ": 2, "triple ": 3}
NUMERALS: Final = "零〇一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖两"
"""Chinese numerals for digits."""


@cache
def words() -> dict[str, set[str]]:
    """Return the words for digits, each with its languages.

    A text has digits written as words only if one of them is present without a letter before it.
    """
    langs: dict[str, set[str]] = {}
    for lang, row in tomllib.loads(read_data("digits")).items():
        for word in row.replace("|", " ").split():
            langs.setdefault(fold(word), set()).add(lang)
    return langs


@cache
def _automaton() -> AhoCorasick:
    return AhoCorasick([*words(), *filter(None, _TIMES)], matchkind=MatchKind.LeftmostLongest)


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
    if not folded.isascii() and _SEEN.numeral.search(folded) and _SEEN.among.search(folded):
        for run in _SEEN.mixed.finditer(folded):
            places = [place for place in range(*run.span()) if folded[place] != run["s"]]
            among = {folded[place] == "0" for place in places}
            if _LEAST <= len(places) <= _MOST and len(among) == 2:
                found.append((run.start(), run.end(), places))
    at = folded.find("0000")
    free = at < 0 or folded[at - 1 : at].isalpha()
    # If the text shows a number of four digits, only complete words count.
    if free or not words().keys().isdisjoint(folded.replace("-", " ").split()):
        marked, places, langs = _mark_words(folded)
        for run in _RUN.finditer(marked) if langs else ():
            digits, last = _places(run, places, langs)
            if digits and not any(begin < last and digits[0] < end for begin, end, _ in found):
                found.append((digits[0], last, digits))
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


def _mark_words(folded: str) -> tuple[str, list[int], dict[int, set[str]]]:
    """Return a text with a mark in place of each word for a digit.

    Also returns the place in the text of each character of the result, and of its end, and the
    languages of the words by the place of their mark.
    """
    pieces: list[str] = []
    places: list[int] = []
    langs: dict[int, set[str]] = {}
    last = 0
    for _, start, end in _automaton().find_matches_as_indexes(folded):
        inside = start > 0 and folded[start - 1].isalpha() and not (pieces and start == last)
        if inside or folded[start:end] in _TIMES or _SEEN.tens.match(folded, start):
            continue
        pieces += [folded[last:start], _WORD]
        places += range(last, start + 1)
        langs[len(places) - 1] = words()[folded[start:end]]
        last = end
    return "".join([*pieces, folded[last:]]), [*places, *range(last, len(folded) + 1)], langs


def _places(
    run: re.Match[str], places: list[int], langs: dict[int, set[str]]
) -> tuple[list[int], int]:
    """Return the places of a run's digits, and its end; an empty list if the run does not count.

    A run counts if it has four to eight digits and at least one word. A run ends before a word that
    is not in a language of the other words.
    """
    digits: list[int] = []
    common: set[str] = set()
    last = 0
    parts = list(_PARTS.finditer(run.string, *run.span()))
    if len(parts) == 2 and run["s"] == " " and not parts[0][1]:
        return [], 0  # "to 121": "to" is 2 in Danish
    for part in parts:
        start, end = part.span()
        if part[1] is None:
            if end - start > _GROUP and run["s"] != "":
                break  # "nine 30 2024"
            digits += places[start:end]
        else:
            known = langs[end - 1]
            if common and not known & common:
                break
            common = known & common or known
            digits += [places[start]] * _TIMES[part[1]]  # "double four" is 44
        last = places[end]
    if not common or not _LEAST <= len(digits) <= _MOST:
        return [], 0
    digits[-1] = last - 1
    return digits, last
