"""Envelopes: the records that one poll returns for one partition, and the poll's message."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.wire.record_batch import Refused, alone, join_columns

NO_RECORD_TIME_MS: Final = -1


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Envelope:
    """The records of one partition and one poll, as columns of length n; n may be 0.

    The envelope covers the log from `start`, the consumer's position, up to but excluding
    `next_offset`. Offsets missing in between have no record (compaction, transaction markers).
    """

    partition: int
    start: int
    next_offset: int
    highwater: int  # end of the partition's log at the time of the fetch
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: Sequence[int] | NDArray[np.int64]
    timestamps_ms: Sequence[int] | NDArray[np.int64]
    # last stable offset: where the first open transaction begins
    stable: int | None = field(default=None, compare=False)
    refused: tuple[Refused, ...] = ()  # offset ranges whose records were not decoded

    def since(self, offset: int) -> Envelope:
        """Return the part of the envelope from `offset` on."""
        if offset <= self.start:
            return self
        return self._part(bisect_left(self.offsets, offset), None, offset, self.next_offset)

    def after(self, earlier: Envelope) -> Envelope:
        """Return one envelope with the records of `earlier` and of this one.

        `earlier` ends at the offset where this envelope starts.
        """
        return Envelope(
            self.partition,
            earlier.start,
            self.next_offset,
            self.highwater,
            join_columns([earlier.values, self.values]),
            join_columns([earlier.keys, self.keys]),
            join_columns([earlier.offsets, self.offsets]),
            join_columns([earlier.timestamps_ms, self.timestamps_ms]),
            stable=self.stable,
            refused=earlier.refused + self.refused,
        )

    def alone(self) -> Envelope:
        """Return a copy that does not keep the whole fetch, which may be megabytes, in memory."""
        return replace(self, values=alone(self.values), keys=alone(self.keys))

    def ends_early(self, size: int) -> bool:
        """Return true if the envelope stops before a multiple of `size` that can already be read.

        The log then has the missing records up to this offset, and they can be fetched. Records
        after the start of an open transaction are not readable.
        """
        end = self.highwater if self.stable is None else self.stable
        return self.next_offset < -(-self.next_offset // size) * size <= end

    def pieces(self, size: int) -> Iterator[Envelope]:
        """Yield the envelope in pieces, cut at multiples of `size` offsets."""
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


@dataclass(slots=True, eq=False, repr=False)
class Poll:
    """All envelopes of one poll. This is the value of one Faust message."""

    _envelopes: Sequence[Envelope]  # one for each partition with records or progress; never empty

    @property
    def first(self) -> Envelope:
        """Return the envelope that gives the message its partition and offset."""
        return self._envelopes[0]

    def take(self) -> list[Envelope]:
        """Return all envelopes, once. Faust keeps a message longer than its records are needed."""
        taken, self._envelopes = self._envelopes, ()
        return list(taken)
