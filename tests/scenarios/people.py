"""The classes of people by which known platforms are measured, and whom the tests play."""

from __future__ import annotations

from typing import Any, Final

CLASSES: Final = (5, 14, 20, 30, 60)
"""Platforms of a person: few, as many as the prints of a row, and more than a row remembers."""

KNOWN_TO_ALL: Final = False
"""Whether tests of all rules play people of any number of platforms and wordings.

Rows remember sixty platforms, so `test_people` and the targets about own codes hold for each class
of people. The other tests still play `PLAIN`. `make evaluate` reports false throttles by class of
people, and does not compare them with their target: of 3,000 power set-ups 26 are throttled, by the
bucket. That is .43 per million subscriber-days, with too few runs for an upper end below 1.
"""

PLAIN: Final[dict[str, Any]] = {"memory": 14, "wordings": 1, "together": 0}
"""People whose platforms any row knows."""

PEOPLE: Final[dict[str, Any]] = {} if KNOWN_TO_ALL else PLAIN
"""The people of the tests, as parameters of a scenario."""
