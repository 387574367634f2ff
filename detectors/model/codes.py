"""The verdicts about one batch, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Codes:
    """Which events of a batch are verification codes, and whose: arrays of the batch's length."""

    otp: NDArray[np.bool_]
    platform: NDArray[np.uint32]  # `platform_id` of the key; 0 where the event is no code
    trust: NDArray[np.uint8]  # of Trust; 0 where the event is no code
    confidence: NDArray[np.float32]  # 0..1
    names: Mapping[int, str]  # platform id -> key, for every platform of a code in the batch

    def part(self, first: int, last: int) -> Codes:
        """The verdicts about the events from position `first` up to `last`, exclusive."""
        here = slice(first, last)
        return Codes(
            self.otp[here], self.platform[here], self.trust[here], self.confidence[here], self.names
        )
