"""Compile the patterns of `data/patterns.toml`, each at its first use, and none at import."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from detectors.recognise.text.shipped import read_data


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(read_data("patterns"))


class PatternTable:
    """The patterns of one section. An attribute is the pattern of its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, key: str) -> re.Pattern[str]:
        row = _table()[self._name].get(key)
        if row is None:
            raise AttributeError(f"no pattern {key} in section {self._name}")
        pattern = re.compile(row)
        setattr(self, key, pattern)  # further uses find the attribute
        return pattern

    @cache  # noqa: B019 - sections live as long as the program
    def every(self, key: str) -> tuple[re.Pattern[str], ...]:
        """Return all patterns of a list."""
        return tuple(map(re.compile, _table()[self._name][key]))


@cache
def section(name: str) -> PatternTable:
    """Return a section by its name."""
    return PatternTable(name)


def prepare() -> Iterator[None]:
    """Compile all patterns now, in small steps."""
    for name, rows in _table().items():
        for key, row in rows.items():
            getattr(section(name), key) if isinstance(row, str) else section(name).every(key)
            yield
