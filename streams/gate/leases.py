"""The leases that a gate holds in its own memory: a gateway as `streams.enforce` sees one.

The adapter's thread writes and the event loop reads, without a lock on the leases: every method is
a few operations on dictionaries, each of which is atomic.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from detectors.leases.gate import Lease
from streams.enforce.gateway import LeaseTally, Order, Refusals
from streams.wire.version import UNDECODABLE

log = logging.getLogger(__name__)

COUNTS_GLOB: Final = "refused-*.json"

PLATFORMS_MAX: Final = 1024
"""Platforms of one action that are told apart; a flood has some hundreds."""

_counts: Final = msgspec.json.Decoder(dict[str, int]).decode


class LeaseMemory:
    """Leases by canonical recipient, and how many messages were refused under each action.

    Counts that nobody took before the end are left in `folder` for whoever comes next. Bounded by
    what the adapter's book holds.
    """

    batch_max = 1_000
    parallel_max = 1
    tries_max: int | None = None
    again = True

    def __init__(self, folder: Path | None = None) -> None:
        self.leases: dict[str, Lease] = {}
        self._counts: Counter[str] = Counter()
        self._platforms: dict[str, Counter[int]] = {}  # of actions that are counted
        self._lock = threading.Lock()
        self._incarnation = uuid.uuid4().hex
        self._folder = folder

    def count(self, action_id: str, platform: int = 0) -> None:
        """Count one message refused under an action; 0 is a platform that is not known."""
        with self._lock:
            self._counts[action_id] += 1
            if platform:
                held = self._platforms.setdefault(action_id, Counter())
                if platform in held or len(held) < PLATFORMS_MAX:
                    held[platform] += 1

    def held(self) -> Iterable[str]:
        """Recipients under lease."""
        return list(self.leases)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Hold these leases, each in place of any other of its recipient."""
        self.leases.update({order.recipient: order.lease for order in orders})
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Hold no lease for these recipients."""
        for recipient in recipients:
            self.leases.pop(recipient, None)
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Forget leases that are over; nobody obeyed them any more."""
        return self.release(recipients)

    def refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Take the counts of these actions."""
        self._adopt_counts()
        with self._lock:
            for action_id in action_ids:
                self._platforms.pop(action_id, None)
            return [self._counts.pop(action_id, 0) for action_id in action_ids]

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Copy the counts of these actions. Those by platform are of this process alone."""
        with self._lock:
            return [
                LeaseTally(self._counts[each], dict(self._platforms.get(each, {})))
                for each in action_ids
            ]

    def counted(self) -> Iterable[str]:
        """Actions under which messages were refused, in this process or in one that ended."""
        self._adopt_counts()
        with self._lock:
            return list(self._counts)

    def health(self) -> str:
        """Return the name of this memory, which lives as long as the process."""
        return self._incarnation

    def close(self) -> None:
        """Do nothing: adapters come and go while the gate answers. `leave` is for the end."""

    def leave(self) -> None:
        """Leave the counts to the next process."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts or self._folder is None:
            return
        path = self._folder / f"refused-{os.getpid()}-{uuid.uuid4().hex}.json"
        try:
            path.write_bytes(msgspec.json.encode(counts))
        except OSError as error:
            log.warning("counts of refused messages are lost: %s", error.strerror)

    def _adopt_counts(self) -> None:
        if self._folder is None:
            return
        for path in self._folder.glob(COUNTS_GLOB):
            try:
                left = _counts(path.read_bytes())
                path.unlink()
            except (OSError, *UNDECODABLE):
                continue  # another process was faster, or still writes
            with self._lock:
                self._counts.update(left)
