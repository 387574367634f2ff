"""The short forms say what numpy says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.model.arrays import begins, indices


@given(st.lists(st.integers(0, 3)))
def test_they_say_what_numpy_says(numbers: list[int]) -> None:
    column = np.array(numbers, np.int64)
    assert indices(column > 1).tolist() == np.flatnonzero(column > 1).tolist()
    assert indices(column).tolist() == np.flatnonzero(column).tolist()
    ascending = np.sort(column)
    expected = np.diff(ascending, prepend=-1) != 0
    assert begins(ascending).tolist() == expected.tolist()
