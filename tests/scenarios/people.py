"""The classes of people by which known platforms are measured, and whom the tests play."""

from __future__ import annotations

from typing import Any, Final

CLASSES: Final = (5, 14, 20, 30, 60)
"""Platforms of a person: few, as many as the prints of a row, and more than a row remembers."""

PLAIN: Final[dict[str, Any]] = {"memory": 14, "wordings": 1, "together": 0}
"""People of most tests, as parameters of a scenario: their platforms fit into the prints of a row.

`make evaluate` plays people of any number of platforms and wordings, and `test_people` classes of
them. Few runs of a test with fixed seeds would depend on who the people happen to be.
"""
