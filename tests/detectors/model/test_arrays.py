"""The short forms say what numpy says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from detectors.model.arrays import begins, find_places, indices


@given(st.lists(st.integers(0, 3)))
def test_they_say_what_numpy_says(numbers: list[int]) -> None:
    column = np.array(numbers, np.int64)
    assert indices(column > 1).tolist() == np.flatnonzero(column > 1).tolist()
    assert indices(column).tolist() == np.flatnonzero(column).tolist()
    ascending = np.sort(column)
    expected = np.diff(ascending, prepend=-1) != 0
    assert begins(ascending).tolist() == expected.tolist()


@given(st.sets(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_places_are_where_a_value_is_or_would_be(held: set[int], wanted: list[int]) -> None:
    ascending = np.array(sorted(held), np.uint32)
    place, there = find_places(ascending, np.array(wanted, np.uint32))
    assert place.tolist() == [sum(each < one for each in held) for one in wanted]
    assert there.tolist() == [one in held for one in wanted]
