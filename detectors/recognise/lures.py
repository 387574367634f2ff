"""No sum makes a code of a link that does not verify, or of a number that is somebody else's.

Pieces of a text tell that its words are those of codes. They do not tell where a link leads, nor
whose number stands there: who wants a password writes as a bank does. The words are those of
`data/lures.toml`; read over folded text with its digits masked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Final

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.owners import SAYS
from detectors.recognise.shapes import links
from detectors.recognise.shipped import shipped

OWNER_CHARS: Final = 40  # of an owner's words, with what may stand behind them
HEAD_CHARS: Final = 4
LAST_CHARS: Final = 12  # of an owner's words in a script without blanks
_VERIFIES: Final = "verif|confirm|activ|reset|magic|log-?in|sign-?in|auth|token|valid"
_WORD: Final = re.compile(_VERIFIES)
_TOKEN: Final = re.compile(f"0|{_VERIFIES}")
_BOTH: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]")  # small letters and capitals, by chance


@cache
def _lures() -> re.Pattern[str]:
    return any_of(_words("link"), before="(?<![a-zа-я])")


@cache
def _owners() -> re.Pattern[str]:
    words = any_of(_words("owner"), before="(?<![a-z])").pattern
    return re.compile(f"{words}\\s?(?:{SAYS})?[\\s:：=#'\"«“„(\\[—–-]{{0,4}}$")


@cache
def _shared() -> re.Pattern[str]:
    hosts = tomllib.loads(shipped("lures"))["shared"]["hosts"].split("|")
    return re.compile(f"(?:h(?:tt|xx)ps?://)?(?:www[.])?(?:{'|'.join(map(re.escape, hosts))})/")


@cache
def near() -> tuple[frozenset[str], frozenset[str]]:
    """Return the beginnings of owners' words where words are apart, and letters where they are not.

    Without one of either before a number, as near as `OWNER_CHARS` and `LAST_CHARS`, it has no
    other's name.
    """
    told = tomllib.loads(shipped("lures"))["near"]
    heads = told["heads"].replace("\n", "").split("|")
    return frozenset(head[:HEAD_CHARS] for head in heads), frozenset(told["letters"])


def _words(kind: str) -> Iterator[str]:
    for some in tomllib.loads(shipped("lures"))[kind].values():
        yield from branches(some.strip())


def prepare() -> None:
    """Make the patterns now, not when the first text asks for them."""
    _lures()
    _shared()
    _owners()
    near()


def owned(folded: str, start: int) -> bool:
    """Tell if the words straight before a number name another one: "voucher code: 4829".

    >>> owned("your voucher code is 0000", 21), owned("voucher? your code is 0000", 22)
    (True, False)
    """
    first = max(0, start - OWNER_CHARS)
    heads, letters = near()
    if heads.isdisjoint(
        [word[:HEAD_CHARS] for word in folded[first:start].split()]
    ) and letters.isdisjoint(folded[max(0, start - LAST_CHARS) : start]):
        return False
    return _owners().search(folded, first, start) is not None


def lured(folded: str) -> bool:
    """Tell if a text is of what draws people to a link: an account that was locked, gifts, company.

    Who has asked for a link that verifies is told none of it.
    """
    return _lures().search(folded) is not None


def verifies(folded: str, cased: str) -> bool:
    """Tell if a link of a text may be one that verifies: it is made for one recipient.

    Its path has a token, or a word for what it does. Behind a host that makes addresses short for
    whoever shares them each path is a token, so that a word has to be there.

    >>> link = "https://lake.example/xqzwv"
    >>> verifies(link, link.replace("zw", "Zw")), verifies(link, link)
    (True, False)
    >>> verifies("https://t.co/xqzwv", "https://t.co/xqZWv")
    False
    """
    return any(_of_one_person(folded[start:end], cased[start:end]) for start, end in links(folded))


def _of_one_person(link: str, cased: str) -> bool:
    """Tell if what follows the host of a link is a token, or has a word for what the link does."""
    if _shared().match(link):
        return _WORD.search(link) is not None
    path = link.find("/", link.find("://") + len("://") if "://" in link else 0)
    return path >= 0 and (
        _TOKEN.search(link, path) is not None or _BOTH.search(cased, path) is not None
    )
