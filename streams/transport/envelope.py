"""Envelopes: one of each partition that a poll brings something of, and all of them as a value."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.transport.record_batch import Refused, alone, joined

NO_RECORD_TIME_MS: Final = -1


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Envelope:
    """The records of one partition and one poll, as columns of length n; n may be 0.

    It covers the log from `start`, where the consumer stood, up to `next_offset`. Offsets missing
    in between hold no record (compaction, transaction markers).
    """

    partition: int
    start: int
    next_offset: int
    highwater: int  # end of the partition's log when this was fetched
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: Sequence[int] | NDArray[np.int64]
    timestamps_ms: Sequence[int] | NDArray[np.int64]
    stable: int | None = field(default=None, compare=False)  # where an open transaction begins
    refused: tuple[Refused, ...] = ()  # offsets whose records were not read

    def since(self, offset: int) -> Envelope:
        """The part of it from `offset` on."""
        if offset <= self.start:
            return self
        return self._part(bisect_left(self.offsets, offset), None, offset, self.next_offset)

    def after(self, earlier: Envelope) -> Envelope:
        """Both in one; the other ends where this one starts."""
        return Envelope(
            self.partition,
            earlier.start,
            self.next_offset,
            self.highwater,
            joined([earlier.values, self.values]),
            joined([earlier.keys, self.keys]),
            joined([earlier.offsets, self.offsets]),
            joined([earlier.timestamps_ms, self.timestamps_ms]),
            stable=self.stable,
            refused=earlier.refused + self.refused,
        )

    def alone(self) -> Envelope:
        """The same without the fetch that it is a part of, which may be megabytes."""
        return replace(self, values=alone(self.values), keys=alone(self.keys))

    def ends_early(self, size: int) -> bool:
        """Tell if the log already had more, up to the next multiple of `size` offsets.

        And whether it may be read: what lies behind an open transaction may not.
        """
        end = self.highwater if self.stable is None else self.stable
        return self.next_offset < -(-self.next_offset // size) * size <= end

    def pieces(self, size: int) -> Iterator[Envelope]:
        """All of it in order, cut where its records pass a multiple of `size` offsets."""
        at, start, offsets = 0, self.start, self.offsets
        while len(offsets) and (end := (int(offsets[at]) // size + 1) * size) <= offsets[-1]:
            cut = bisect_left(offsets, end, at)
            yield self._part(at, cut, start, end)
            at, start = cut, end
        yield self._part(at, None, start, self.next_offset) if at else self

    def _part(self, first: int, last: int | None, start: int, next_offset: int) -> Envelope:
        return Envelope(
            self.partition,
            start,
            next_offset,
            self.highwater,
            self.values[first:last],
            self.keys[first:last],
            self.offsets[first:last],
            self.timestamps_ms[first:last],
            stable=self.stable,
            refused=tuple(one for one in self.refused if start <= one.last < next_offset),
        )


class Poll:
    """Batches of one poll of the source: the value of a Faust message."""

    __slots__ = ("_envelopes",)

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self._envelopes = envelopes  # one of each partition that has something; never empty

    @property
    def first(self) -> Envelope:
        """The envelope under whose partition and offset the message travels."""
        return self._envelopes[0]

    def take(self) -> list[Envelope]:
        """All envelopes, once: Faust holds a message for longer than its records are of use."""
        taken, self._envelopes = self._envelopes, ()
        return list(taken)
