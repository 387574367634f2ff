"""Builders that tests of words share."""

import re
from collections.abc import Iterable

from detectors.recognise.text.lexicon import join


def any_of(words: Iterable[str], before: str = "", after: str = "") -> re.Pattern[str]:
    """The pattern of any of the words, between `before` and `after`."""
    return re.compile(f"{before}{join(words)}{after}")
