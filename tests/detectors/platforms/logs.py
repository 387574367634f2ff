"""A log of labelled events, to be processed in any batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np

from detectors.model.codes import Codes
from detectors.model.event import Batch
from detectors.recognise.recogniser import Recogniser
from streams.tools.scenarios import Labelled
from streams.wire.events import decode
from tests.scenarios.play import INTAKE, REGISTRY

STRIDE = 97
"""Offsets from one event to the next, so that there are ticks in a short log."""


class Log:
    def __init__(self, events: Iterable[Labelled]) -> None:
        values = [event.value for event in events]
        self._values: list[bytes | None] = [msgspec.json.encode(each) for each in values]
        self._keys: list[bytes | None] = [str(each["recipient"]).encode() for each in values]
        self._recogniser = Recogniser(REGISTRY)

    def __len__(self) -> int:
        return len(self._values)

    def part(self, first: int, last: int) -> tuple[Batch, Codes]:
        """Events from one position to another."""
        offsets = np.arange(first * STRIDE, last * STRIDE, STRIDE)
        here = slice(first, last)
        batch = decode(
            INTAKE, "in", 0, self._values[here], self._keys[here], offsets, None, last * STRIDE
        ).batch
        return batch, self._recogniser.columns(batch)

    def codes_until(self, offset: int) -> Counter[int]:
        """Codes by platform before an offset."""
        batch, codes = self.part(0, len(self))
        some = codes.otp & (batch.offset < offset)
        return Counter(codes.platform[some].tolist())

    def codes_at(self, offsets: list[int]) -> Counter[int]:
        """Codes by platform at these offsets."""
        batch, codes = self.part(0, len(self))
        some = codes.otp & np.isin(batch.offset, offsets)
        return Counter(codes.platform[some].tolist())
