"""Builders that test_leads.py shares with other tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def people(count: int, kappa: float, share: float = 0.05, seed: int = 1) -> NDArray[np.int64]:
    """New platforms, and hot ones among them, of people drawn from a Beta distribution."""
    chance = np.random.default_rng(seed)
    met = chance.integers(2, 20, count)
    own = chance.beta(share * kappa, (1 - share) * kappa, count)
    return np.stack([met, chance.binomial(met, own)], axis=1)
