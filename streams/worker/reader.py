"""Reads envelopes: their events decoded, and which of them are codes.

What is asked of each event by itself is asked of many at once: the small envelopes of a poll are
read together when the first of them is. A batch of 2,500 events costs half of 32 batches of 78.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from streams import wire
from streams.wire.events import BLOCK
from streams.wire.layout import ROWS_MIN
from streams.worker.observe import timed

if TYPE_CHECKING:
    from detectors.model.codes import Codes
    from detectors.recognise.recogniser import Recogniser
    from streams.telemetry.metrics import Metrics
    from streams.transport.driver import Envelope

SMALL: Final = ROWS_MIN
"""Records from which an envelope is read by itself: then its values are read by their layouts."""


@dataclass(slots=True)
class Reader:
    """Reads envelopes one after the other, in the order in which polls brought them."""

    intake: wire.Intake
    topic: str
    recogniser: Recogniser
    metrics: Metrics
    _groups: dict[int, list[Envelope]] = field(default_factory=dict)  # by partition
    _done: dict[int, tuple[Envelope, wire.Decoded, Codes]] = field(default_factory=dict)

    def expect(self, envelopes: Sequence[Envelope]) -> None:
        """Note what a poll brought: its envelopes will be asked for next, or never."""
        self._groups, self._done = {}, {}
        group: list[Envelope] = []
        records = 0
        for envelope in envelopes:
            number = len(envelope.values)
            if number >= SMALL:
                continue
            if records + number > BLOCK:
                group, records = [], 0
            group.append(envelope)
            records += number
            self._groups[envelope.partition] = group

    def read(self, envelope: Envelope) -> tuple[wire.Decoded, Codes]:
        """Decode an envelope, and recognise its events."""
        decoded, codes = self._read(envelope)
        for batch in envelope.refused:
            decoded.refuse(wire.Reject.of_batch(*batch))
        return decoded, codes

    def _read(self, envelope: Envelope) -> tuple[wire.Decoded, Codes]:
        group = self._groups.pop(envelope.partition, [])
        if len(group) > 1 and any(one is envelope for one in group):
            self._read_together(group)
        done = self._done.pop(envelope.partition, None)
        if done is not None and done[0] is envelope:
            return done[1:]
        with timed(self.metrics, "decode"):
            decoded = wire.decode(
                self.intake,
                self.topic,
                envelope.partition,
                envelope.values,
                envelope.keys,
                envelope.offsets,
                envelope.timestamps_ms,
                envelope.next_offset,
            )
        with timed(self.metrics, "detect"):
            return decoded, self.recogniser.columns(decoded.batch)

    def _read_together(self, group: list[Envelope]) -> None:
        with timed(self.metrics, "decode"):
            whole, each = wire.decode_together(
                self.intake,
                self.topic,
                [
                    wire.Records(
                        one.partition,
                        one.next_offset,
                        one.values,
                        one.keys,
                        np.asarray(one.offsets, np.int64),
                        np.asarray(one.timestamps_ms, np.int64),
                    )
                    for one in group
                ],
            )
        with timed(self.metrics, "detect"):
            codes = self.recogniser.columns(whole)
        first = 0
        for envelope, decoded in zip(group, each, strict=True):
            last = first + len(decoded.batch)
            self._done[envelope.partition] = envelope, decoded, codes.part(first, last)
            first = last
        group.clear()
