"""Dead letters for refused records, and what is said of records that get none.

Whoever may write the input may write rubbish, as fast as he can. The worker neither stops for it
nor waits, which would be what he wants, and does not write it all once more: past a rate the ranges
of offsets are logged and counted. The records themselves stay in the input for its retention.

What is withheld depends on the clock, so after a restart another part of a rush may get letters. No
state and no other output depends on it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.telemetry.metrics import Metrics
    from streams.wire import Reject

log = logging.getLogger(__name__)

BURST_S: Final = 10.0
"""Of the rate that may be written at once: the last records of a poll, or a deploy gone wrong."""

SAY_S: Final = 10.0
"""Between two lines about one partition and reason. Bounds the log: partitions by reasons lines."""


@dataclass(slots=True)
class _Withheld:
    first: int  # offsets
    last: int
    records: int
    since: float  # monotonic seconds


@dataclass(slots=True)
class Letters:
    """Admits `per_s` dead letters a second of all partitions together, `BURST_S` of it at once."""

    per_s: float
    metrics: Metrics
    now: Callable[[], float] = time.monotonic
    say: Callable[..., None] = log.error
    _left: float = field(init=False)
    _at: float = field(init=False)
    _withheld: dict[tuple[int, str], _Withheld] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left, self._at = self.per_s * BURST_S, self.now()

    def admit(self, partition: int, rejects: Sequence[Reject]) -> Sequence[Reject]:
        """Return those of the refused records that get a letter; remember the others' offsets."""
        if not rejects:
            return rejects
        now = self.now()
        earned = (now - self._at) * self.per_s
        self._left, self._at = min(self.per_s * BURST_S, self._left + earned), now
        admitted = min(len(rejects), int(self._left))
        self._left -= admitted
        for reject in rejects[admitted:]:
            self._withhold(partition, reject, now)
        return rejects[:admitted]

    def tell(self, *, all_of_it: bool = False) -> None:
        """Log the ranges that have been open for `SAY_S`, or all of them."""
        now = self.now()
        for (partition, reason), held in list(self._withheld.items()):
            if all_of_it or now - held.since >= SAY_S:
                del self._withheld[partition, reason]
                self.say(
                    "partition %d: %d records refused as %s without a dead letter, at offsets %d "
                    "to %d: over %g a second; they stay in the input for its retention",
                    partition,
                    held.records,
                    reason,
                    held.first,
                    held.last,
                    self.per_s,
                )

    def _withhold(self, partition: int, reject: Reject, now: float) -> None:
        self.metrics.add("dead_letters_withheld_total", reject.records, reason=reject.reason)
        held = self._withheld.get((partition, reject.reason))
        if held is None:
            held = _Withheld(reject.offset, reject.last_offset, 0, now)
            self._withheld[partition, reject.reason] = held
        held.first = min(held.first, reject.offset)  # records may be read again
        held.last = max(held.last, reject.last_offset)
        held.records += reject.records
