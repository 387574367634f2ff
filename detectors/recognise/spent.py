"""Numbers that were codes and are none any more: used, expired, wrong, of a payment that is made.

Their texts have all the words of codes. What tells them apart is said right behind the number, or
right before it (`data/spent.toml`). Read over folded text with its digits masked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Final

from detectors.recognise.lexicon import Words, begun, branches
from detectors.recognise.scenes import price
from detectors.recognise.scripts import cues_of, scripts_of
from detectors.recognise.shipped import shipped

_APART_CHARS: Final = 36  # between a number and what is said of it
_WORD_CHARS: Final = 60  # of what is said, with what may not follow it
_BEFORE_CHARS: Final = 48


class _Spent:
    """The words of `data/spent.toml`, and the patterns of what stands around them."""

    def __init__(self) -> None:
        words = tomllib.loads(shipped("spent"))
        around = {kind: some.strip() for kind, some in words["around"].items()}
        receipt = {kind: some.strip() for kind, some in words["receipt"].items()}
        self.said = [word for some in words["behind"].values() for word in branches(some.strip())]
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
        self.card = re.compile(f"(?<![a-zа-я])(?:{receipt['card']})[^.0]{{0,12}}0{{4}}(?!0)")


@cache
def _words() -> _Spent:
    return _Spent()


def prepare() -> Iterator[None]:
    """As `Words.prepare`, of the words behind a number."""
    yield from _words().behind.prepare()


def begun_behind() -> set[str]:
    """The beginnings of what is said behind a number, where no Latin letter is before a Latin one.

    Without one of these or of `begun_before` in a text no number of it is called used.
    """
    return begun(_words().said)


def begun_before() -> set[str]:
    """The beginnings of what is said before a number."""
    return begun(_words().ahead)


def spent(body: str, start: int, end: int) -> bool:
    """Tell if a text says of the number there that it was a code: "Code 4471 is no longer valid".

    A payment that is made has used its authorisation up.
    """
    return (
        _said_behind(body[end : end + _APART_CHARS + _WORD_CHARS])
        or _words().before.search(body, max(0, start - _BEFORE_CHARS), start) is not None
        or of_receipt(body, start)
    )


def of_receipt(body: str, start: int) -> bool:
    """Tell if a number is the authorisation of a payment that is made.

    Nothing else in such a text is a code either: "auth code 091827, card 4471".
    """
    words = _words()
    return (
        (name := words.of_payment.search(body, max(0, start - _BEFORE_CHARS), start)) is not None
        and price(body)
        and (words.paid.search(body) is not None or _listed(body, name.start()))
    )


def _listed(body: str, place: int) -> bool:
    """Tell if a card and an amount are told before a place, and nothing is to be done or kept."""
    before = body[:place]
    return (
        _words().card.search(before) is not None
        and price(before)
        and not any(cues_of(before, scripts_of(before)))
    )


def _said_behind(rest: str) -> bool:
    """Tell if what follows a number says so before its sentence ends, and without an "if"."""
    words = _words()
    place = words.behind.first(rest)
    if place is None or place > _APART_CHARS:
        return False
    return words.apart.search(rest, 0, place) is None
