"""Named tuples of columns."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from detectors.model.rows import rows_of


class Pair(NamedTuple):
    """Any two."""

    number: int
    word: str


def test_rows_are_what_the_constructor_makes() -> None:
    made = list(rows_of(Pair, [1, 2], ["a", "b"]))
    assert made == [Pair(1, "a"), Pair(2, "b")]
    assert [type(each) for each in made] == [Pair, Pair]


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(rows_of(Pair, [1, 2], ["a"]))
