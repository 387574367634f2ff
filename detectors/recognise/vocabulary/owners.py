"""Tell whose a number is: by the rows of one table, and by the words that name numbers.

A row of `data/owners.toml` describes the text before a number, the number itself and the text
behind it. The patterns are compiled at their first use. All functions expect folded text with
masked digits.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from ahocorasick_rs import AhoCorasick

from detectors.recognise.text.lexicon import branches, join, list_heads
from detectors.recognise.text.shipped import read_data
from detectors.recognise.vocabulary.scripts import LOGIN, cues_of, says
from detectors.recognise.vocabulary.words import all_words

_RUN: Final = re.compile("0+")
_RECEIPT_CHARS: Final = 48  # from the name of an authorisation code to the number
_TEXTS: Final = 64
"""Number of cached searches. Chosen: more than one reading of a text needs, because the rules look
for the same words in a text and in its sentences several times."""


_LISTS: Final = {"spam": "spam", "leave": "leave", "lure": "lure", "warning": "warning",
                 "telling": "telling", "paid": "made", "courier": "courier",
                 "paired": "paired"}  # fmt: skip
"""Patterns of the section `text` that need a word of one list, with the name of the list."""


class _Row(NamedTuple):
    """One row of the table. It owns a number if all of its patterns match."""

    before: re.Pattern[str] | None  # ends at the number
    inside: re.Pattern[str] | None  # the whole number
    after: re.Pattern[str] | None  # begins behind the number
    chars: int  # searched before the number


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(read_data("owners"))


def _list_words(name: str) -> list[str]:
    listed = _table()["words"].get(name)
    return branches(listed.replace("\n", "")) if listed else all_words(name)


@cache
def _join_words(name: str) -> str:
    return f"(?:{join(_list_words(name))})"


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub("<<([a-z_]+)>>", lambda name: _join_words(name[1]), pattern))


@cache
def pattern(name: str) -> re.Pattern[str]:
    """Return a pattern of the section `text` by its name."""
    return _compile(_table()["text"][name])


@cache
def _rows(owner: str) -> tuple[_Row, ...]:
    return tuple(
        _Row(
            _compile(f"(?:{row['before']})$") if "before" in row else None,
            _compile(row["inside"]) if "inside" in row else None,
            _compile(row["after"]) if "after" in row else None,
            row.get("chars", 0),
        )
        for row in _table()[owner]
    )


def prepare() -> Iterator[None]:
    """Compile all patterns now, in small steps, and not at the first text that needs them."""
    _begins()
    for name in _table()["text"]:
        pattern(name)
        yield
    for owner in _table().keys() - {"words", "text"}:
        _rows(owner)
        yield


@cache
def list_cut_names() -> tuple[str, ...]:
    """Return the beginnings of the most frequent names for codes, without complete words."""
    return tuple(
        edge + name[:end]
        for name in _list_words("common")
        for edge, shortest in [("", 1) if name > "\u3000" else (" ", 5)]
        for end in range(shortest, len(name))
        if name[end] != " "
    )


def list_begins(*names: str) -> set[str]:
    """Return the plain beginnings of these lists of words.

    A text without any of them has none of the words; a Latin beginning counts only if no Latin
    letter precedes it.
    """
    return {head for name in names for head in list_heads(_list_words(name))}


def is_owned(body: str, start: int, end: int, owner: str) -> bool:
    """Return whether a row of this owner applies to a number.

    >>> is_owned("your voucher code is 0000", 21, 25, "other")
    True
    >>> is_owned("voucher? your code is 0000", 22, 26, "other")
    False
    """
    return any(
        (row.inside is None or row.inside.fullmatch(body, start, end))
        and (row.after is None or row.after.match(body, end))
        and (row.before is None or row.before.search(body, max(0, start - row.chars), start))
        for row in _rows(owner)
    )


@cache
def _begins() -> tuple[AhoCorasick, list[list[str]]]:
    names: dict[str, list[str]] = {}
    for name, listed in _LISTS.items():
        for head in list_heads(_list_words(listed)):
            names.setdefault(head, []).append(name)
    return AhoCorasick(list(names)), list(names.values())


@lru_cache(_TEXTS)
def _begun_in(body: str) -> frozenset[str]:
    """Return the patterns of `_LISTS` that may be in a text, by the beginnings of their words."""
    heads, names = _begins()
    found = heads.find_matches_as_indexes(" ".join(body.split()), overlapping=True)
    return frozenset(name for at, _, _ in found for name in names[at])


@lru_cache(_TEXTS)
def is_mentioned(name: str, body: str) -> bool:
    """Return whether a text has the pattern `name` of section `text` in `data/owners.toml`."""
    if name in _LISTS and name not in _begun_in(body):
        return False
    return pattern(name).search(body) is not None


@lru_cache(_TEXTS)
def has_price(body: str) -> bool:
    """Return whether a text has an amount of money, with the currency before or after it."""
    return any(is_owned(body, *run.span(), "money") for run in _RUN.finditer(body))


def is_spent(body: str, start: int, end: int) -> bool:
    """Return whether the text describes the number as a former code: "Code 4471 is not valid".

    The authorisation code of a completed payment is a former code too. A code that a courier asks
    for at the door is treated in the same way: no log-in needs it.
    """
    return (
        is_owned(body, start, end, "spent")
        or of_receipt(body, start)
        or is_mentioned("paired", body)
        or (
            is_mentioned("courier", body)
            and is_owned(body, start, end, "handed")
            and not says(body, LOGIN)
        )
    )


def of_receipt(body: str, start: int) -> bool:
    """Return whether a number is the authorisation code of a completed payment.

    Then no other number in the text is a code either: "auth code 091827, card 4471".
    """
    name = pattern("receipt").search(body, max(0, start - _RECEIPT_CHARS), start)
    if name is None or not has_price(body):
        return False
    end = name.start()
    return is_mentioned("paid", body) or (has_price(body[:end]) and not any(cues_of(body, 0, end)))
