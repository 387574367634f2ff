"""Detect links that do not verify anything, and numbers with another name, such as "voucher code".

The linear model knows only that the words of a text are those of codes. It does not know where a
link leads or what a number is. A phishing text has the same words as a bank's text. The functions
here therefore limit the model. The words are in `data/lures.toml`. All functions expect folded text
with masked digits.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Final

from detectors.recognise.lexicon import any_of, branches
from detectors.recognise.owners import SAYS
from detectors.recognise.shapes import links
from detectors.recognise.shipped import read_data

OWNER_CHARS: Final = 40  # longest name of another number, with the words after it
HEAD_CHARS: Final = 4
LAST_CHARS: Final = 12  # the same in scripts without spaces
_VERIFIES: Final = "verif|confirm|activ|reset|magic|log-?in|sign-?in|auth|token|valid"
_WORD: Final = re.compile(_VERIFIES)
_TOKEN: Final = re.compile(f"0|{_VERIFIES}")
_BOTH: Final = re.compile("[a-z][A-Z]|[A-Z]{2}[a-z]")  # a random mix of small letters and capitals


@cache
def _lures() -> re.Pattern[str]:
    return any_of(_words("link"), before="(?<![a-zа-я])")


@cache
def _owners() -> re.Pattern[str]:
    words = any_of(_words("owner"), before="(?<![a-z])").pattern
    return re.compile(f"{words}\\s?(?:{SAYS})?[\\s:：=#'\"«“„(\\[—–-]{{0,4}}$")


@cache
def _compile_shared() -> re.Pattern[str]:
    hosts = tomllib.loads(read_data("lures"))["shared"]["hosts"].split("|")
    return re.compile(f"(?:h(?:tt|xx)ps?://)?(?:www[.])?(?:{'|'.join(map(re.escape, hosts))})/")


@cache
def near() -> tuple[frozenset[str], frozenset[str]]:
    """Return two sets for a fast test whether a number can have another name.

    The first set has the beginnings of such names in scripts with spaces. The second set has single
    characters of such names in scripts without spaces. If neither is before a number, within
    `OWNER_CHARS` and `LAST_CHARS`, then `has_owner` is false.
    """
    told = tomllib.loads(read_data("lures"))["near"]
    heads = told["heads"].replace("\n", "").split("|")
    return frozenset(head[:HEAD_CHARS] for head in heads), frozenset(told["letters"])


def _words(kind: str) -> Iterator[str]:
    for some in tomllib.loads(read_data("lures"))[kind].values():
        yield from branches(some.replace("\n", ""))


def prepare() -> None:
    """Compile the patterns now, not at the first text that needs them."""
    _lures()
    _compile_shared()
    _owners()
    near()


def has_owner(folded: str, start: int) -> bool:
    """Return whether the words directly before a number are another name: "voucher code: 4829".

    >>> has_owner("your voucher code is 0000", 21), has_owner("voucher? your code is 0000", 22)
    (True, False)
    """
    first = max(0, start - OWNER_CHARS)
    heads, letters = near()
    if heads.isdisjoint(
        [word[:HEAD_CHARS] for word in folded[first:start].split()]
    ) and letters.isdisjoint(folded[max(0, start - LAST_CHARS) : start]):
        return False
    return _owners().search(folded, first, start) is not None


def is_lure(folded: str) -> bool:
    """Return whether a text lures readers to a link: a locked account, gifts, dating.

    A verification link that the reader has requested comes without such words.
    """
    return _lures().search(folded) is not None


def verifies(folded: str, cased: str) -> bool:
    """Return whether a text has a link that can verify, because it was made for one recipient.

    The path of such a link has a token, or a word such as "verify". The path of a URL shortener is
    always a token, so it must have a word and a digit.

    >>> link = "https://lake.example/xqzwv"
    >>> verifies(link, link.replace("zw", "Zw")), verifies(link, link)
    (True, False)
    >>> verifies("https://t.co/xqzwv", "https://t.co/xqZWv")
    False
    """
    return any(_of_one_person(folded[start:end], cased[start:end]) for start, end in links(folded))


def _of_one_person(link: str, cased: str) -> bool:
    """Return whether the path of a link has a token or a word such as "verify"."""
    if _compile_shared().match(link):
        return "0" in link and _WORD.search(link) is not None
    path = link.find("/", link.find("://") + len("://") if "://" in link else 0)
    return path >= 0 and (
        _TOKEN.search(link, path) is not None or _BOTH.search(cased, path) is not None
    )
