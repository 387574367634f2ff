"""Join letters and digits that were separated to hide a word or a number.

验.证.码, c-o-d-e, 4*8*2*9, (4)(8)(2)(9) and k 7 q m 2 become 验证码, code, 4829, 4829 and k7qm2.
Only single letters or digits with the same separator between all of them are joined, and small
groups of digits with unusual separators. Dates and amounts stay unchanged.
"""

from typing import Final

from detectors.recognise.text.patterns import section

_SEEN: Final = section("gather")

SIGNS: Final = "@.·•・*※_|/~☆★✦◆♦●○^+=،、,-"
"""Separators between single letters."""
ODD_SIGNS: Final = "*·•※|~☆★✦◆♦●○^_"
"""Separators between groups of digits."""

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
    if not _SEEN.hint.search(folded) and not _SEEN.hint_of_digits.search(folded):
        return folded, None
    places: list[int] = []
    end = 0
    for found in _SEEN.apart.finditer(folded):
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
