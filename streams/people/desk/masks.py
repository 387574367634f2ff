"""Masks phone numbers for people at the desk: the middle digits are hidden. Pure functions."""

from typing import Final

from streams.cases.store.mentions import without_mention

DOTS: Final = "••••"  # Replacement for hidden digits.

_COUNTRY: Final = 2  # digits shown at the beginning, as the country code
_TAIL: Final = 4  # digits shown at the end


def mask_recipient(recipient: str) -> str:
    """Mask a recipient. A number keeps its ends; a pseudonym keeps its key id and its end.

    >>> mask_recipient("8617009999999"), mask_recipient("12345")
    ('+86 170 •••• 9999', '•••• 45')
    >>> mask_recipient("h1:0123456789abcdef")
    'h1:••••cdef'
    """
    head, colon, tail = recipient.partition(":")
    if colon:
        return f"{head}:{DOTS}{tail[-_TAIL:]}"
    shown = len(recipient) - _TAIL - len(DOTS)  # digits in front of the hidden part
    if shown < _COUNTRY:
        return f"{DOTS} {recipient[-2:]}"
    country, rest = recipient[:_COUNTRY], recipient[_COUNTRY:shown]
    return " ".join(filter(None, (f"+{country}", rest, DOTS, recipient[-_TAIL:])))


def mask_mentions(text: str, recipient: str) -> str:
    """Return a text in which all mentions of a recipient are masked, in any kind of digits.

    >>> mask_mentions("calls from 139 0000 0001", "8613900000001")
    'calls from +86 139 •••• 0001'
    """
    return without_mention(text, recipient, mask_recipient(recipient))


def whole(recipient: str) -> str:
    """Format a full number in groups of digits. A token stays as it is.

    >>> whole("8617009999999"), whole("h1:0123456789abcdef")
    ('+86 170 0999 9999', 'h1:0123456789abcdef')
    """
    if ":" in recipient or len(recipient) < 9:
        return recipient
    country, rest = recipient[:_COUNTRY], recipient[_COUNTRY:]
    return f"+{country} {rest[:3]} {rest[3:-_TAIL]} {rest[-_TAIL:]}"
