"""Detect numbers that are no longer codes: used, expired, wrong, or of a completed payment.

Texts with such numbers have all the words of codes. The difference is in the words directly after
or before the number (`data/spent.toml`). All functions expect folded text with masked digits.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Final

from detectors.recognise.lexicon import Words, branches, list_heads
from detectors.recognise.scenes import price
from detectors.recognise.scripts import cues_of, scripts_of
from detectors.recognise.shipped import read_data

_APART_CHARS: Final = 36  # largest distance between a number and the words about it
_WORD_CHARS: Final = 60  # longest words about a number, with what may not follow them
_BEFORE_CHARS: Final = 48


class _Spent:
    """The words of `data/spent.toml`, and patterns for the text around them."""

    def __init__(self) -> None:
        words = tomllib.loads(read_data("spent"))
        around = {kind: some.replace("\n", "") for kind, some in words["around"].items()}
        receipt = {kind: some.replace("\n", "") for kind, some in words["receipt"].items()}
        self.said = [
            word for some in words["behind"].values() for word in branches(some.replace("\n", ""))
        ]
        self.behind = Words(
            [self.said],
            before="(?<![a-zа-яіїєა-ჰ])",
            after=f"(?!(?: |到)?(?:{around['still']})(?![^\\W\\d_]))",
        )
        self.apart = re.compile(
            f"(?<![a-zа-я])(?:{around['perhaps']})(?![a-zа-я])|[.!?,;:。！？，；、،\n0]"
        )
        self.before = re.compile(
            f"(?<![a-zа-яіїє])(?:(?:{around['ended']})[^.0\n،]{{0,24}}"
            f"|(?:{around['before']})[ ]?(?:[^\\W\\d_]{{2,12}}[ ]?){{0,2}}[ :：(（]{{0,3}})$"
        )
        self.ahead = [
            word
            for some in (around["ended"], around["before"], receipt["name"])
            for word in branches(some)
        ]
        self.of_payment = re.compile(f"(?:{receipt['name']})[^.!?。！？0]{{0,8}}$")
        self.paid = re.compile(f"(?<![a-zа-я])(?:{receipt['made']})")


@cache
def _words() -> _Spent:
    return _Spent()


def prepare() -> Iterator[None]:
    """Compile the words that follow a number, in small steps; see `Words.prepare`."""
    yield from _words().behind.prepare()


def heads_behind() -> set[str]:
    """Return the beginnings of words that follow a used number.

    A Latin beginning counts only if no Latin letter precedes it. If a text has none of these
    beginnings and none of `heads_before`, then `is_spent` is false for all its numbers.
    """
    return list_heads(_words().said)


def heads_before() -> set[str]:
    """Return the beginnings of words that precede a used number."""
    return list_heads(_words().ahead)


def is_spent(body: str, start: int, end: int) -> bool:
    """Return whether the text describes the number as a former code: "Code 4471 is not valid".

    The authorisation code of a completed payment is a former code too.
    """
    return (
        _said_behind(body[end : end + _APART_CHARS + _WORD_CHARS])
        or _words().before.search(body, max(0, start - _BEFORE_CHARS), start) is not None
        or of_receipt(body, start)
    )


def of_receipt(body: str, start: int) -> bool:
    """Return whether a number is the authorisation code of a completed payment.

    Then no other number in the text is a code either: "auth code 091827, card 4471".
    """
    words = _words()
    name = words.of_payment.search(body, max(0, start - _BEFORE_CHARS), start)
    if name is None or not price(body):
        return False
    before = body[: name.start()]
    asks = any(cues_of(before, scripts_of(before)))
    return words.paid.search(body) is not None or (price(before) and not asks)


def _said_behind(rest: str) -> bool:
    """Return whether the words after a number say so, in its sentence and without an "if"."""
    words = _words()
    stop = words.apart.search(rest)
    last = min(stop.start() if stop else len(rest), _APART_CHARS)
    heads = [head for head in words.behind.find_heads(rest) if head[1] <= last]
    return bool(words.behind.places(rest, heads))
