"""Numbers that people write into texts: found however their digits are grouped. Pure.

A person copies `+86 139 0000 0001` from the page, a keyboard for Chinese types １３９: both are the
number as much as its digits in a row.
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

_BETWEEN: Final = (
    "(?: |-|\\.|\\(|\\)|/|·|\t|\xa0|\u2007|\u2010|\u2011|\u2013|\u202f|\u3000|－){0,3}"
)
"""Between two digits of a number: alternatives, no class, so that bytes can be searched too."""

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


def mention(recipient: str) -> re.Pattern[str]:
    """A pattern that finds a recipient in a text, in any grouping and width of its digits.

    >>> mention("8613900000001").sub("[…]", "same as +86 139-0000 0001, １３９０００００００１")
    'same as […], […]'
    """
    forms = "|".join(map(_loose, written_forms(recipient)))
    return re.compile(f"(?:\\+|00)?(?:{forms})")


def mention_in_bytes(recipient: str) -> re.Pattern[bytes]:
    """The same, for a file that holds texts in UTF-8."""
    return re.compile(mention(recipient).pattern.encode())


def like(recipient: str) -> tuple[str, ...]:
    """Patterns of SQL's LIKE that every text with a mention fits, and some others.

    >>> like("33612345678")[0]
    '%6%1%2%3%4%5%6%7%8%'
    """
    shortest = written_forms(recipient)[-1]
    if not shortest.isdecimal():
        return (f"%{shortest}%",)
    return tuple(f"%{'%'.join(digits)}%" for digits in (shortest, _widened(shortest)))


def _loose(form: str) -> str:
    if not form.isdecimal():
        return re.escape(form)
    return _BETWEEN.join(f"(?:{each}|{_widened(each)})" for each in form)


def _widened(digits: str) -> str:
    return "".join(chr(_WIDE + int(each)) for each in digits)
