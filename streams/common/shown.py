"""Makes untrusted text safe to display: on a terminal, in a page, in a log.

A sender name may contain anything: escape sequences that clear the screen, marks that reverse the
text direction, invisible characters.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, quote

MASK: Final = "*****"
_SPACES: Final = "\u00a0\u2007\u202f\u3000"
"""Spaces that are harmless, although Python's `isprintable` rejects them. Chinese names contain
U+3000."""


def escape_unprintable(text: str) -> str:
    r"""Return text on one line, with escapes for all unprintable characters.

    >>> escape_unprintable("\x1b[2JACME\u202e\n"), escape_unprintable("淘宝　网")
    ('\\x1b[2JACME\\u202e\\n', '淘宝　网')
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _SPACES else repr(each)[1:-1] for each in text
    )


def in_page(value: Any) -> Any:
    """Escape each line of a template value that is a string and not markup."""
    if type(value) is not str:
        return value
    return "\n".join(map(escape_unprintable, value.split("\n")))


def in_json(document: str) -> str:
    r"""Return the same JSON document, with JSON escapes for unprintable characters.

    >>> in_json('{"a": "\x9b2J"}')
    '{"a": "\\u009b2J"}'
    """
    if document.replace("\n", "").isprintable():
        return document
    return "".join(
        each
        if each == "\n" or each.isprintable() or each in _SPACES
        else "".join(f"\\u{unit:04x}" for unit in _units(each))
        for each in document
    )


def mask_url(url: str) -> str:
    """Return a URL without its secrets: user, password, query values and fragment.

    >>> mask_url("redis://u:p@h:6379/0"), mask_url("https://h/x?key=k&n=1"), mask_url("https://h/x")
    ('redis://*****@h:6379/0', 'https://h/x?key=*****&n=*****', 'https://h/x')
    """
    scheme, at, rest = url.partition("://")
    if not at:
        return url
    credentials, sign, where = rest.rpartition("@")
    if any(mark in credentials for mark in "/?#"):
        # the password contains URL syntax, or the @ belongs to a query: both may contain secrets
        return f"{scheme}://{MASK}"
    where, hash_, _ = where.partition("#")
    where, question, query = where.partition("?")
    values = [f"{quote(name)}={MASK}" for name, _ in parse_qsl(query, keep_blank_values=True)]
    door = f"{MASK}@" if sign else ""
    asked = question and "?" + ("&".join(values) or MASK)
    return f"{scheme}://{door}{where}{asked}{hash_ and hash_ + MASK}"


def _units(character: str) -> list[int]:
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
