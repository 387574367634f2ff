"""Find ends of sentences: a punctuation mark or line break, but not the stop of an abbreviation.

"Rs. 25 from A/c No. 5121 to St. Mary's Stores Ltd. is 482913" is one sentence. The abbreviations
are in `data/abbreviations.toml`. The pattern is for folded text with masked digits.
"""

import re
import tomllib
from itertools import groupby
from typing import Final

from detectors.recognise.text.fold import fold
from detectors.recognise.text.shipped import read_data

_NO_INITIALS: Final = "iou"
"""Single letters that can end a sentence and are no initials: "so do I.", "see u.", and "o." in
Yoruba."""


def _behind(words: set[str]) -> str:
    """Return one look-behind per length of words, because a look-behind needs a fixed length."""
    of_length = groupby(sorted(words, key=lambda word: (len(word), word)), key=len)
    return "|".join(
        f"(?<=(?<![^\\W_])(?:{'|'.join(map(re.escape, some))})[.])" for _, some in of_length
    )


def _short_words() -> str:
    """Return a pattern that matches at a full stop that ends only an abbreviation."""
    kinds = []
    for kind in tomllib.loads(read_data("abbreviations")).values():
        lists = {name: some.replace("\n", "") for name, some in kind.items()}
        following = lists.pop("next")
        words = {fold(word) for some in lists.values() for word in some.split("|")}
        kinds.append(f"(?={following})(?:{_behind(words)})")
    initial = f"(?<=(?<![^\\W_])(?<!0\\s)(?<![ap][.])(?![{_NO_INITIALS}])[a-z\u0370-\u04ff][.])"
    kinds.append(f"(?=\\s?[^\\W\\d_]){initial}")
    return "|".join(f"(?:{kind})" for kind in kinds)


STOP: Final = re.compile(f"[。！？!?\n।॥။۔።։؟]|[.](?=\\s|$)(?!{_short_words()})")
"""The end of a sentence: a punctuation mark or a line break."""
