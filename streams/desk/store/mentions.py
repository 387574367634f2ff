"""Numbers that people write into texts: found in any grouping and any digits. Pure.

A person copies `+86 139 0000 0001` from the page, and a keyboard for Chinese types １３９. Somebody
who wants to pass a number on past the mask writes 1*3*9 or ①③⑨. All of these are the number.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import phonenumbers

_BETWEEN: Final = r"[\W_]{0,3}"
"""Between two digits in a folded text: up to three characters, none of them a letter or a digit."""
_BETWEEN_IN_BYTES: Final = (
    "(?:[ -/:_\t]|·|\xa0|\xad|\u2007|\u200b|\u200c|\u200d|\u2010|\u2011|\u2013|\u202f|\u2060|\u3000"
    "|\ufeff|－|，|：|＿|＊|、){0,3}"
)
"""The commonest of them: alternatives, so that bytes of UTF-8 can be searched."""
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})
"""Categories of characters of no width: formats such as U+200B, and marks around a digit."""

_WIDE: Final = 0xFF10  # the full-width zero
NATIONAL_MIN: Final = 7
"""Shorter national digits are part of too many other things to be looked for."""


def written_forms(recipient: str) -> tuple[str, ...]:
    """The forms in which a number is looked for in texts: canonical, and national digits.

    >>> written_forms("8613900000001")
    ('8613900000001', '13900000001')
    """
    if not recipient.isdecimal():
        return (recipient,)
    try:
        national = str(phonenumbers.parse(f"+{recipient}").national_number)
    except phonenumbers.NumberParseException:
        return (recipient,)
    return (recipient, national) if len(national) >= NATIONAL_MIN else (recipient,)


def is_mentioned(text: str, recipient: str) -> bool:
    """Tell if a text has a recipient in it, in any grouping and any digits."""
    return _mention(recipient).search(_fold(text)[0]) is not None


def without_mention(text: str, recipient: str, instead: str) -> str:
    """Return a text with each mention of a recipient replaced; the rest stays as it is.

    >>> without_mention("same as +86 139-0000_0001, １３９０００００００１", "8613900000001", "[…]")
    'same as […], […]'
    """
    folded, places = _fold(text)
    parts, end = [], 0
    for found in _mention(recipient).finditer(folded):
        parts += [text[end : places[found.start()]], instead]
        end = places[found.end() - 1] + 1
    return "".join((*parts, text[end:]))


def mention_in_bytes(recipient: str) -> re.Pattern[bytes]:
    """Return a pattern for a file of texts in UTF-8: ASCII and full-width digits, common groups."""
    forms = "|".join(
        _BETWEEN_IN_BYTES.join(f"(?:{each}|{_widened(each)})" for each in form)
        if form.isdecimal()
        else re.escape(form)
        for form in written_forms(recipient)
    )
    return re.compile(f"(?:\\+|00)?(?:{forms})".encode())


def like(recipient: str) -> tuple[str, ...]:
    """Patterns of SQL's LIKE that every text with a mention fits, and some others.

    >>> like("33612345678")[0]
    '%6%1%2%3%4%5%6%7%8%'
    """
    shortest = written_forms(recipient)[-1]
    if not shortest.isdecimal():
        return (f"%{shortest}%",)
    return tuple(f"%{'%'.join(digits)}%" for digits in (shortest, _widened(shortest)))


def _mention(recipient: str) -> re.Pattern[str]:
    """Return a pattern that finds a recipient in a folded text."""
    forms = "|".join(
        _BETWEEN.join(form) if form.isdecimal() else re.escape(form)
        for form in written_forms(recipient)
    )
    return re.compile(f"(?:\\+|00)?(?:{forms})")


def _fold(text: str) -> tuple[str, list[int]]:
    r"""Return a text with every digit in ASCII, and the place in `text` of each of its characters.

    NFKC comes first: it knows wide, raised and circled digits. Characters of no width are left out.

    >>> _fold("１\u200b²三x")
    ('123x', [0, 2, 3, 4])
    """
    folded, places = [], []
    for place, written in enumerate(text):
        for each in unicodedata.normalize("NFKC", written):
            if unicodedata.category(each) not in _UNSEEN:
                number = unicodedata.numeric(each, -1)
                folded.append(f"{number:.0f}" if number in range(10) else each)
                places.append(place)
    return "".join(folded), places


def _widened(digits: str) -> str:
    return "".join(chr(_WIDE + int(each)) for each in digits)
