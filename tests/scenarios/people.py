"""The classes of people by which known platforms are measured, and whom the tests play."""

from __future__ import annotations

from typing import Any, Final

CLASSES: Final = (5, 14, 20, 30, 60)
"""Platforms of a person: few, as many as the prints of a row, and more than a row remembers."""

KNOWN_TO_ALL: Final = False
"""Whether every platform that a person uses is known, whatever their number and their wordings.

Set it to True where rows remember sixty platforms, one brand is one key, and platforms that are
used in quick succession become known. Until then the tests of codes that always arrive play
`PLAIN`, and `make evaluate` reports targets about people without comparing itself with them.
"""

PLAIN: Final[dict[str, Any]] = {"memory": 14, "wordings": 1, "together": 0}
"""People whose platforms any row knows."""

PEOPLE: Final[dict[str, Any]] = {} if KNOWN_TO_ALL else PLAIN
"""The people of the tests, as parameters of a scenario."""
