"""Finds phone numbers in free text, in any grouping and any kind of digits. Pure functions.

A person copies `+86 139 0000 0001` from the page, and a Chinese keyboard types １３９. Somebody who
wants to get a number past the masking writes 1*3*9 or ①③⑨. All these forms must be found.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import phonenumbers

_BETWEEN: Final = r"[\W_]{0,3}"
"""Pattern between two digits in a folded text: up to three characters, no letters or digits."""
_BETWEEN_IN_BYTES: Final = (
    "(?:[ -/:_\t]|·|\xa0|\xad|\u2007|\u200b|\u200c|\u200d|\u2010|\u2011|\u2013|\u202f|\u2060|\u3000"
    "|\ufeff|－|，|：|＿|＊|、){0,3}"
)
"""The most common separators for a search in UTF-8 bytes. They are alternatives, because in bytes
a character class cannot contain characters of several bytes."""
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})
"""Unicode categories of invisible characters: formats such as U+200B, and combining marks."""

_WIDE: Final = 0xFF10  # code point of the full-width digit zero
NATIONAL_MIN: Final = 7
"""Minimum length of a national number to search for. Shorter numbers match too many other texts."""


def written_forms(recipient: str) -> tuple[str, ...]:
    """Return the forms of a number to search for: canonical, and national without country code.

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
    """Return true if a text contains a recipient, in any grouping and any kind of digits."""
    return _mention(recipient).search(_fold(text)[0]) is not None


def without_mention(text: str, recipient: str, instead: str) -> str:
    """Return a text with each mention of a recipient replaced. The rest is unchanged.

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
    """Return a pattern that finds a recipient in UTF-8 bytes, such as the bytes of a file.

    The pattern matches ASCII and full-width digits with the most common separators.
    """
    forms = "|".join(
        _BETWEEN_IN_BYTES.join(f"(?:{each}|{_widened(each)})" for each in form)
        if form.isdecimal()
        else re.escape(form)
        for form in written_forms(recipient)
    )
    return re.compile(f"(?:\\+|00)?(?:{forms})".encode())


def like(recipient: str) -> tuple[str, ...]:
    """Return SQL LIKE patterns for a recipient, as a prefilter.

    They match every text that mentions the recipient in ASCII digits or in full-width digits, and
    some other texts. Texts with other or mixed kinds of digits are not matched.

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
    r"""Return a folded text with ASCII digits, and the index in `text` of each of its characters.

    Unicode normalisation NFKC turns wide, raised and circled digits into ASCII. Invisible
    characters are removed.

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
