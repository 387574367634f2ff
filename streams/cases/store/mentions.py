"""Finds phone numbers in free text, in any grouping and any kind of digits. Pure functions.

A person copies `+86 139 0000 0001` from the page, and a Chinese keyboard types １３９. Somebody who
wants to get a number past the masking writes 1*3*9 or ①③⑨. All these forms must be found.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import phonenumbers

_BETWEEN: Final = r"[\W_]{0,3}"
"""Pattern between two digits in a folded text: up to three characters, no letters or digits."""
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me"})
"""Unicode categories of invisible characters: formats such as U+200B, and combining marks."""


class _Folding(dict[int, str]):
    r"""Maps a character to its form in a folded text; filled as characters come.

    Unicode normalisation NFKC turns wide, raised and circled digits into ASCII. Digits of other
    scripts and Chinese numerals are turned into ASCII too. Invisible characters are removed.

    >>> "１\u200b²三x".translate(_FOLDED)
    '123x'
    """

    def __missing__(self, code: int) -> str:
        folded = self[code] = "".join(
            f"{number:.0f}" if (number := unicodedata.numeric(each, -1)) in range(10) else each
            for each in unicodedata.normalize("NFKC", chr(code))
            if unicodedata.category(each) not in _UNSEEN
        )
        return folded


_FOLDED: Final = _Folding()

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
    return _mention(recipient).search(text.translate(_FOLDED)) is not None


def without_mention(text: str, recipient: str, instead: str) -> str:
    """Return a text with each mention of a recipient replaced. The rest is unchanged.

    >>> without_mention("same as +86 139-0000_0001, １３９０００００００１", "8613900000001", "[…]")
    'same as […], […]'
    """
    folded = text.translate(_FOLDED)
    places = [place for place, each in enumerate(text) for _ in _FOLDED[ord(each)]]
    parts, end = [], 0
    for found in _mention(recipient).finditer(folded):
        parts += [text[end : places[found.start()]], instead]
        end = places[found.end() - 1] + 1
    return "".join((*parts, text[end:]))


def is_mentioned_in_bytes(held: bytes, recipients: Iterable[str]) -> bool:
    """Return true if bytes, such as those of a file, contain one of the recipients in UTF-8."""
    folded = held.decode(errors="replace").translate(_FOLDED)
    return any(_mention(each).search(folded) for each in recipients)


def _mention(recipient: str) -> re.Pattern[str]:
    forms = "|".join(
        _BETWEEN.join(form) if form.isdecimal() else re.escape(form)
        for form in written_forms(recipient)
    )
    return re.compile(f"(?:\\+|00)?(?:{forms})")
