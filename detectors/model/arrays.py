"""What numpy has too, and takes several times as long for where an array is small.

An envelope of a carrier's trickle holds some tens of events, and goes through a hundred such calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def indices(mask: NDArray[Any]) -> NDArray[np.int64]:
    """Where a vector (n,) is not zero, ascending: .2 us where `np.flatnonzero` takes 1.0."""
    return mask.nonzero()[0]


def begins(ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where another value begins: a sixth of the time of `np.diff(…, prepend=…) != 0`."""
    found = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=found[1:])
    return found
