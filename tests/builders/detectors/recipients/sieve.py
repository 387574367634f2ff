"""Builders that test_sieve.py shares with other tests."""

from __future__ import annotations

import numpy as np

from detectors.model.times import DAY_S
from detectors.recipients.sieve import SieveParams

START = 200 * DAY_S


PARAMS = SieveParams()


def columns(events: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([r for r, _, _ in events], np.uint64),
        np.array([p for _, p, _ in events], np.uint32),
        np.array([t for _, _, t in events], np.int64),
    )
