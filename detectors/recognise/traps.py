"""Detect capitals that are no platform: a greeted person, a payee, a place.

The name of a person, a shop or a town has a capital like a platform's name, and differs in each
text. If such names counted as platforms, one sender of codes would become many platforms.
"""

import re
from typing import Final

from detectors.recognise.fold import fold
from detectors.recognise.names import WORDS
from detectors.recognise.owners import has_price

_BEFORE_CHARS: Final = 72
_WORD_CHARS: Final = 24  # characters that are searched for one word before a name
_BEHIND_CHARS: Final = 32
_SHOUTED: Final = 3  # words in capitals among the six words around
_WORD_BEFORE: Final = re.compile("([^\\W\\d_]+)[.]?['’]?,?\\s[\"'“«„(]?$")
_HELLO: Final = re.compile(" ?[!,.:;]|\\s[-\u2013\u2014]\\s")
_HONOUR: Final = re.compile(
    "\\s(?:bey|hanım|bhai|ji|garu)(?!\\w)|\\s?(?:様|さん|님|先生|女士|小姐)", re.IGNORECASE
)
_HONOURED: Final = re.compile(" (?:Bey|Hanım|Bhai|Ji|Garu)$")
_DEVICE: Final = re.compile(" (?:iPhone|iPad|Mac|MacBook|Android|Galaxy|phone|laptop|PC)\\b")
_RELAY: Final = re.compile(  # before the name of a company that only forwards the text
    "(?:[Ss]ent|[Pp]owered|[Dd]elivered|[Pp]rovided|[Ss]ecured|[Pp]rotected) (?:by|with|via|from) $"
)
_PATRONYMIC: Final = re.compile("(?:ович|евич|овна|евна|ична)$")
_SENTENCE: Final = re.compile("(?:[^.!?\n。！？:;]|[.:](?=\\S))*$")
_PAYING: Final = re.compile(f"(?<![^\\W\\d_])(?:{'|'.join(sorted(WORDS['paying']))})")
_TO: Final = re.compile("([^\\W\\d_]+)\\s[\"'“«„(]?$")
_TOWN: Final = re.compile("([^\\W\\d_]+) [^\\W\\d_]+, ?$")
_AND_COUNTRY: Final = re.compile(", ?[^\\W\\d_a-zа-я]")
_LOGIN: Final = re.compile(f"(?:{'|'.join(sorted(WORDS['logins']))})[^,]{{0,16}}$")
_HOUSE: Final = re.compile("(?<!0)0{1,3}[a-z]?\\s$")
_NOUN: Final = re.compile(  # German writes every noun with a capital
    "[a-z]{3,}(?:ungs?|heit|keit|schaft|portal|konto|nummer|zugang|vorgang|versuch)$"
)


def names_other(text: str, start: int, end: int) -> bool:
    """Return whether a name is a person, payee, place or thing, by the words around the name."""
    run = text[start:end]
    before = text[max(0, start - _BEFORE_CHARS) : start]
    return (
        _RELAY.search(before, max(0, len(before) - _WORD_CHARS)) is not None
        or _is_person(text, before, run, end)
        or _is_shouted(text, before, run, end)
        or _is_payee(before)
        or _is_place(text, before, run, end)
        or (run[1:].islower() and _NOUN.fullmatch(fold(run)) is not None)
    )


def _is_person(text: str, before: str, run: str, end: int) -> bool:
    """Return whether a name is a person's: "Hi Tim,", "Sayın Ayşe Yılmaz", "Tim's iPad"."""
    if _HONOUR.match(text, end) or _HONOURED.search(run) or _PATRONYMIC.search(run):
        return True
    if _DEVICE.match(text, end):
        return True
    found = _WORD_BEFORE.search(before, max(0, len(before) - _WORD_CHARS))
    word = fold(found[1]) if found else ""
    if word in WORDS["titles"]:
        return True
    return word in WORDS["greetings"] and (run.endswith("!") or _HELLO.match(text, end) is not None)


def _is_shouted(text: str, before: str, run: str, end: int) -> bool:
    """Return whether the whole sentence is in capitals: "DO NOT SHARE IT WITH ANYONE"."""
    if not run.isupper():
        return False
    words = [*before.split()[-3:], *text[end : end + _BEHIND_CHARS].split()[:3]]
    return sum(word.isupper() and len(word) > 1 for word in words) >= _SHOUTED


def _is_payee(before: str) -> bool:
    """Return whether a name is a payee: "Przelew do Jan Kowalski", "achat chez Boulangerie"."""
    found = _TO.search(before, max(0, len(before) - _WORD_CHARS))
    if found and (found[1][0].isupper() or fold(found[1]) in WORDS["titles"]):
        found = _TO.search(
            before, max(0, found.start() - _WORD_CHARS), found.start()
        )  # before a first name
    if found is None or fold(found[1]) not in WORDS["payee"]:
        return False
    sentence = _SENTENCE.search(before, 0, found.start())
    folded = fold(sentence[0]) if sentence else ""
    return _PAYING.search(folded) is not None or has_price(folded)


def _is_place(text: str, before: str, run: str, end: int) -> bool:
    """Return whether a name is a place: "login from Leeds, UK", "aus München", a street."""
    if fold(run.rpartition(" ")[2]) in WORDS["streets"] and _HOUSE.search(before):
        return True
    town = before.endswith((", ", ",")) and _TOWN.search(
        before, max(0, len(before) - 2 * _WORD_CHARS)
    )
    if town and fold(town[1]) in WORDS["out_of"]:
        return True
    found = _WORD_BEFORE.search(before, max(0, len(before) - _WORD_CHARS))
    if found is None or fold(found[1]) not in WORDS["out_of"]:
        return False
    return (
        _AND_COUNTRY.match(text, end) is not None
        or _LOGIN.search(fold(before[: found.start()])) is not None
    )
