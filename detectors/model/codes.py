"""The recogniser's results for one batch, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Codes:
    """The events of a batch that are verification codes, and their platforms.

    Arrays have the length of the batch.
    """

    otp: NDArray[np.bool_]  # true: the event is a verification code
    platform: NDArray[np.uint32]  # `platform_id` of the platform's key; 0 if the event is no code
    trust: NDArray[np.uint8]  # value of `Trust`; 0 if the event is no code
    confidence: NDArray[np.float32]  # 0..1
    names: Mapping[int, str]  # platform id -> key, for every platform of a code in the batch
    # `name_check` of the key. None: no two keys share an id.
    check: NDArray[np.uint16] | None = None
    # Position of an event -> its own key. None: use `names`.
    named: Callable[[int], str] | None = None
    # Template of a text that names no platform and comes from a number; else 0. None: all are 0.
    page: NDArray[np.uint32] | None = None

    def name(self, position: int) -> str:
        """Return the platform key of the code at a position.

        The key is exact, even if several keys share the same id.
        """
        if self.named is not None:
            return self.named(position)
        platform = int(self.platform[position])
        return self.names.get(platform, f"#{platform}")

    def part(self, first: int, last: int) -> Codes:
        """Return the results for the events from position `first` up to `last`, exclusive."""
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
