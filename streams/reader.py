"""Reads envelopes: decoded, and by whom their events are recognised.

What is asked of each event by itself is asked of many at once: the small envelopes of a poll are
read together when the first of them is. A batch of 2,500 events costs half of 32 batches of 78.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from streams import wire
from streams.observe import timed
from streams.wire.events import BLOCK
from streams.wire.layout import ROWS_MIN

if TYPE_CHECKING:
    from detectors import chain
    from detectors.event import Batch
    from detectors.recognise import Codes, Recogniser
    from streams.metrics import Metrics
    from streams.transport import Envelope

SMALL: Final = ROWS_MIN
"""Records from which an envelope is read by itself: then its values are read by their layouts."""


class _Recognised(NamedTuple):
    """Answers that are there already."""

    codes: Codes

    def columns(self, _batch: Batch) -> Codes:
        """Those of the one batch that they are of."""
        return self.codes


@dataclass(slots=True)
class Reader:
    """Reads envelopes one after the other, in the order in which polls brought them."""

    intake: wire.Intake
    topic: str
    recogniser: Recogniser
    metrics: Metrics
    _groups: dict[int, list[Envelope]] = field(default_factory=dict)  # by partition
    _done: dict[int, tuple[Envelope, wire.Decoded, _Recognised]] = field(default_factory=dict)

    def expect(self, envelopes: Sequence[Envelope]) -> None:
        """These are what a poll brought: they will be asked for next, or never."""
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

    def read(self, envelope: Envelope) -> tuple[wire.Decoded, chain.Recognises]:
        """What is in an envelope, and what recognises its events."""
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
        return decoded, self.recogniser

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
            self._done[envelope.partition] = envelope, decoded, _Recognised(codes.part(first, last))
            first = last
        group.clear()
