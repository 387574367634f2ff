"""Join letters and digits that were separated to hide a word or a number.

验.证.码, c-o-d-e, 4*8*2*9, (4)(8)(2)(9) and k 7 q m 2 become 验证码, code, 4829, 4829 and k7qm2.
Only single letters or digits with the same separator between all of them are joined, and small
groups of digits with unusual separators. Dates and amounts stay unchanged.
"""

import re
from typing import Final

SIGNS: Final = "@.·•・*※_|/~☆★✦◆♦●○^+=،、,-"
"""Separators between single letters."""
ODD_SIGNS: Final = "*·•※|~☆★✦◆♦●○^_"
"""Separators between groups of digits."""
_SIGN: Final = f"[{SIGNS}]"
_LETTER: Final = "[^\\W\\d_]"
_APART: Final = re.compile(
    # three or more letters of scripts with spaces, with the same separator or space between
    f"(?<![\\w.@-])(?=[^\\W\\d_](?:{_SIGN}| ))"
    f"(?P<l>{_LETTER}(?P<s>{_SIGN}| )(?:{_LETTER}(?P=s)){{1,12}}{_LETTER})(?![\\w@])"
    # Chinese characters, within other text
    f"|(?P<c>[\u4e00-\u9fff](?P<u>{_SIGN}|[ ])(?:[\u4e00-\u9fff](?P=u)){{1,12}}[\u4e00-\u9fff])"
    # letters and digits with spaces between: a u 0 k u f
    "|(?<![\\w.@*/:+-])(?=(?:[a-z] ){0,8}0)(?=(?:0 ){0,8}[a-z])"
    "(?P<m>(?:[a-z0] ){4,9}[a-z0])(?![\\w@]| [\\w@](?!\\w))"
    f"|(?<![0-9a-z.*/:+-])(?P<d>0(?P<v> ?[.·•・*※_|~☆★✦◆♦●○^،、,/] ?)(?:0(?P=v)){{2,6}}0)"
    "(?![\\w.*/:%])"
    # groups of digits with one unusual separator, or a doubled one: 48*20*19, 5__9__2__0
    f"|(?<![0-9a-z.*/:+#-])(?P<g>0{{1,3}}(?P<w> ?[{ODD_SIGNS}] ?|__|[*]{{2}}|~~)"
    "(?:0{1,3}(?P=w)){0,6}0{1,3})(?![\\w.*/:%#])"
    "|(?P<b>(?:[(（\\[【<]0[)）\\]】>]){4,8})"
)
# A letter between two equal separators, with a letter on each side. The pattern begins at a
# separator, because there are fewer separators than letters.
_HINT: Final = re.compile(
    f"(?P<s>{_SIGN}| )(?<={_LETTER}.){_LETTER}(?P=s){_LETTER}(?![a-z])", re.DOTALL
)
_HINT_OF_DIGITS: Final = re.compile(
    "[a-z] 0 [a-z](?![a-z])|0 [a-z] (?:0|[a-z] 0)(?![0-9a-z])"
    f"|0(?:{_SIGN}0{_SIGN}0{_SIGN}|[)）\\]】>][(（\\[【<])0"
    f"|0 ?[{ODD_SIGNS}]{{1,2}} ?0|0 [./] 0 [./] 0"
)

_LEAST: Final = 4  # smallest and largest number of digits that are joined
_MOST: Final = 8


def join_separated(folded: str) -> tuple[str, list[int] | None]:
    """Return a folded text with separated letters and digits joined, and the original places.

    The places are one per character of the result. The list of places is None if nothing was
    joined, which is the case for nearly every text.

    >>> join_separated("your c-o-d-e: 0*0*0*0")
    ('your code: 0000', [0, 1, 2, 3, 4, 5, 7, 9, 11, 12, 13, 14, 16, 18, 20])
    >>> join_separated("on 12.03.2025 at 10:30")
    ('on 12.03.2025 at 10:30', None)
    """
    if not _HINT.search(folded) and not _HINT_OF_DIGITS.search(folded):
        return folded, None
    places: list[int] = []
    end = 0
    for found in _APART.finditer(folded):
        places += range(end, found.start())
        if found["b"]:
            places += range(found.start() + 1, found.end(), 3)
        elif found["g"] or found["d"]:
            digits = [place for place in range(*found.span()) if folded[place] == "0"]
            places += digits if _LEAST <= len(digits) <= _MOST else range(*found.span())
        else:
            places += range(found.start(), found.end(), 2)
        end = found.end()
    if not end:
        return folded, None
    places += range(end, len(folded))
    if len(places) == len(folded):
        return folded, None
    return "".join(map(folded.__getitem__, places)), places
