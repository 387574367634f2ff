"""No sum makes a code of a number that is somebody else's.

Pieces of a text tell that its words are those of codes. They do not tell whose number stands there.
The words are those of `data/lures.toml`; read over folded text with its digits masked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Final

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.owners import SAYS
from detectors.recognise.shipped import shipped

_OWNER_CHARS: Final = 40  # of an owner's words, with what may stand behind them
_HEAD_CHARS: Final = 4
_LAST_CHARS: Final = 12  # of an owner's words in a script without blanks


@cache
def _owners() -> re.Pattern[str]:
    words = any_of(_words("owner"), before="(?<![a-z])").pattern
    return re.compile(f"{words}\\s?(?:{SAYS})?[\\s:：=#'\"«“„(\\[—–-]{{0,4}}$")


@cache
def _near() -> tuple[frozenset[str], frozenset[str]]:
    """The beginnings of owners' words where words are apart, and letters where they are not."""
    near = tomllib.loads(shipped("lures"))["near"]
    return frozenset(near["heads"].replace("\n", "").split("|")), frozenset(near["letters"])


def _words(kind: str) -> Iterator[str]:
    for some in tomllib.loads(shipped("lures"))[kind].values():
        yield from branches(some.strip())


def prepare() -> None:
    """Make the patterns now, not when the first text asks for them."""
    _owners()
    _near()


def owned(folded: str, start: int) -> bool:
    """Tell if the words straight before a number name another one: "voucher code: 4829".

    >>> owned("your voucher code is 0000", 21), owned("voucher? your code is 0000", 22)
    (True, False)
    """
    first = max(0, start - _OWNER_CHARS)
    heads, letters = _near()
    if heads.isdisjoint(
        [word[:_HEAD_CHARS] for word in folded[first:start].split()]
    ) and letters.isdisjoint(folded[max(0, start - _LAST_CHARS) : start]):
        return False
    return _owners().search(folded, first, start) is not None
