"""Limits the rate of dead letters, and logs refused records that get none.

A producer of the input may send any amount of invalid records. The worker must neither stop nor
wait for them, which would help an attacker, nor copy all of them. Above a rate, it only logs and
counts ranges of offsets. The records stay in the input for its retention.

The limit depends on the clock, so after a restart other records of a burst may get dead letters. No
state and no other output depends on the limit.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.telemetry.metrics import Metrics
from streams.wire import Reject

log = logging.getLogger(__name__)

BURST_S: Final = 10.0
"""Seconds of the rate that may be written at once. Enough for the last records of a poll, or for a
faulty deployment."""

SAY_S: Final = 10.0
"""Seconds between two log lines about one partition and reason. This bounds the log: one line per
partition and reason."""


@dataclass(slots=True)
class _Withheld:
    first: int  # An offset, like `last`.
    last: int
    records: int
    since: float  # Monotonic seconds.


@dataclass(slots=True)
class Letters:
    """Admits `per_s` dead letters per second over all partitions; bursts of `BURST_S` seconds."""

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
        """Return the refused records that get a dead letter; store the offsets of the others."""
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
        """Log the offset ranges that have been open for `SAY_S` seconds, or all ranges."""
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
        held.first = min(held.first, reject.offset)  # Records may be read again.
        held.last = max(held.last, reject.last_offset)
        held.records += reject.records
