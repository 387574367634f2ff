"""Ends of sentences: a mark or the end of a line, but not the full stop of a short word.

"Rs. 25 from A/c No. 5121 to St. Mary's Stores Ltd. is 482913" is one sentence. The words are those
of `data/abbreviations.toml`; read over folded text with its digits masked.
"""

from __future__ import annotations

import re
import tomllib
from itertools import groupby
from typing import Final

from detectors.recognise.fold import fold
from detectors.recognise.shipped import shipped

_NO_INITIALS: Final = "iou"
"""Letters that people end their sentences with: "so do I.", "see u.", and Yoruba's "o."."""


def _behind(words: set[str]) -> str:
    """A look-behind for each length of words: no more is asked of a pattern that looks back."""
    of_length = groupby(sorted(words, key=lambda word: (len(word), word)), key=len)
    return "|".join(
        f"(?<=(?<![^\\W_])(?:{'|'.join(map(re.escape, some))})[.])" for _, some in of_length
    )


def _short_words() -> str:
    """The pattern of what stands around a full stop that ends a short word alone."""
    kinds = []
    for kind in tomllib.loads(shipped("abbreviations")).values():
        lists = {name: some.replace("\n", "") for name, some in kind.items()}
        following = lists.pop("next")
        words = {fold(word) for some in lists.values() for word in some.split("|")}
        kinds.append(f"(?={following})(?:{_behind(words)})")
    initial = f"(?<=(?<![^\\W_])(?<!0\\s)(?<![ap][.])(?![{_NO_INITIALS}])[a-z\u0370-\u04ff][.])"
    kinds.append(f"(?=\\s?[^\\W\\d_]){initial}")
    return "|".join(f"(?:{kind})" for kind in kinds)


STOP: Final = re.compile(f"[。！？!?\n।॥။۔።։؟]|[.](?=\\s|$)(?!{_short_words()})")
"""The end of a sentence: at its mark, or with the line."""
