"""Detect capitals that are no platform: a greeted person, a payee, a place.

The name of a person, a shop or a town has a capital like a platform's name, and differs in each
text. If such names counted as platforms, one sender of codes would become many platforms.
"""

from typing import Final

from detectors.recognise.platform.names import WORDS
from detectors.recognise.text.fold import fold
from detectors.recognise.text.patterns import section
from detectors.recognise.vocabulary.owners import has_price

_SEEN: Final = section("traps")

_BEFORE_CHARS: Final = 72
_WORD_CHARS: Final = 24  # characters that are searched for one word before a name
_BEHIND_CHARS: Final = 32
_SHOUTED: Final = 3  # words in capitals among the six words around


def names_other(text: str, start: int, end: int) -> bool:
    """Return whether a name is a person, payee, place or thing, by the words around the name."""
    run = text[start:end]
    before = text[max(0, start - _BEFORE_CHARS) : start]
    return (
        _SEEN.relay.search(before, max(0, len(before) - _WORD_CHARS)) is not None
        or _is_person(text, before, run, end)
        or _is_shouted(text, before, run, end)
        or _is_payee(before)
        or _is_place(text, before, run, end)
        or (run[1:].islower() and _SEEN.noun.fullmatch(fold(run)) is not None)
    )


def _is_person(text: str, before: str, run: str, end: int) -> bool:
    """Return whether a name is a person's: "Hi Tim,", "Sayın Ayşe Yılmaz", "Tim's iPad"."""
    if _SEEN.honour.match(text, end) or _SEEN.honoured.search(run) or _SEEN.patronymic.search(run):
        return True
    if _SEEN.device.match(text, end):
        return True
    found = _SEEN.word_before.search(before, max(0, len(before) - _WORD_CHARS))
    word = fold(found[1]) if found else ""
    if word in WORDS["titles"]:
        return True
    return word in WORDS["greetings"] and (
        run.endswith("!") or _SEEN.hello.match(text, end) is not None
    )


def _is_shouted(text: str, before: str, run: str, end: int) -> bool:
    """Return whether the whole sentence is in capitals: "DO NOT SHARE IT WITH ANYONE"."""
    if not run.isupper():
        return False
    words = [*before.split()[-3:], *text[end : end + _BEHIND_CHARS].split()[:3]]
    return sum(word.isupper() and len(word) > 1 for word in words) >= _SHOUTED


def _is_payee(before: str) -> bool:
    """Return whether the name that follows the text `before` is a payee's.

    Examples: "Przelew do Jan Kowalski", "achat chez Boulangerie".
    """
    found = _SEEN.to.search(before, max(0, len(before) - _WORD_CHARS))
    if found and (found[1][0].isupper() or fold(found[1]) in WORDS["titles"]):
        found = _SEEN.to.search(
            before, max(0, found.start() - _WORD_CHARS), found.start()
        )  # before a first name
    if found is None or fold(found[1]) not in WORDS["payee"]:
        return False
    sentence = _SEEN.sentence.search(before, 0, found.start())
    folded = fold(sentence[0]) if sentence else ""
    return _SEEN.paying.search(folded) is not None or has_price(folded)


def _is_place(text: str, before: str, run: str, end: int) -> bool:
    """Return whether a name is a place: "login from Leeds, UK", "aus München", a street."""
    if fold(run.rpartition(" ")[2]) in WORDS["streets"] and _SEEN.house.search(before):
        return True
    town = before.endswith((", ", ",")) and _SEEN.town.search(
        before, max(0, len(before) - 2 * _WORD_CHARS)
    )
    if town and fold(town[1]) in WORDS["out_of"]:
        return True
    found = _SEEN.word_before.search(before, max(0, len(before) - _WORD_CHARS))
    if found is None or fold(found[1]) not in WORDS["out_of"]:
        return False
    return (
        _SEEN.and_country.match(text, end) is not None
        or _SEEN.login.search(fold(before[: found.start()])) is not None
    )
