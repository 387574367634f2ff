"""The verdicts about one batch, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Codes:
    """The verification codes of a batch, and whose they are: arrays of the batch's length."""

    otp: NDArray[np.bool_]
    platform: NDArray[np.uint32]  # `platform_id` of the key; 0 where the event is no code
    trust: NDArray[np.uint8]  # of Trust; 0 where the event is no code
    confidence: NDArray[np.float32]  # 0..1
    names: Mapping[int, str]  # platform id -> key, for every platform of a code in the batch
    check: NDArray[np.uint16] | None = None  # `name_check` of the key; none: keys share no id
    named: Callable[[int], str] | None = None  # position -> the key of that very event
    # Template of a text that only a sender's number names; 0 of any other. None: all are 0.
    page: NDArray[np.uint32] | None = None

    def name(self, position: int) -> str:
        """The key of the platform of the code at a position, exactly, where keys share an id."""
        if self.named is not None:
            return self.named(position)
        platform = int(self.platform[position])
        return self.names.get(platform, f"#{platform}")

    def part(self, first: int, last: int) -> Codes:
        """The verdicts about the events from position `first` up to `last`, exclusive."""
        here = slice(first, last)
        named = self.named
        return Codes(
            self.otp[here],
            self.platform[here],
            self.trust[here],
            self.confidence[here],
            self.names,
            None if self.check is None else self.check[here],
            None if named is None else lambda position: named(first + position),
            None if self.page is None else self.page[here],
        )
