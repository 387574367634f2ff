"""Leases in the gate's own memory, behind the `Gateway` interface of `streams.gateways.enforce`.

The adapter's thread writes and the event loop reads. The leases need no lock: every method does a
few dictionary operations, each of which is atomic.
"""

import logging
import os
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from detectors.leases.gateway_rule import Lease
from streams.gateways.enforce.gateway import Gateway, LeaseTally, Order, Refusals
from streams.wire.version import UNDECODABLE

log = logging.getLogger(__name__)

COUNTS_GLOB: Final = "refused-*.json"

PLATFORMS_MAX: Final = 1024
"""Maximum number of platforms counted separately per action. A flood has a few hundred."""

_counts: Final = msgspec.json.Decoder(dict[str, int]).decode


class LeaseMemory(Gateway):
    """Leases by canonical recipient, and the number of refused messages per action.

    At the end, counts that nobody read are written to `folder` for the next process. Memory is
    bounded by the adapter's desired state.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.leases: dict[str, Lease] = {}
        self._counts: Counter[str] = Counter()
        self._platforms: dict[str, Counter[int]] = {}  # only for actions with a count
        self._lock = threading.Lock()
        self._incarnation = uuid.uuid4().hex
        self._folder = folder

    def count(self, action_id: str, platform: int = 0) -> None:
        """Count one message refused under the lease `action_id`. Platform 0 means unknown."""
        with self._lock:
            self._counts[action_id] += 1
            if platform:
                held = self._platforms.setdefault(action_id, Counter())
                if platform in held or len(held) < PLATFORMS_MAX:
                    held[platform] += 1

    def list_recipients(self) -> Iterable[str]:
        return list(self.leases)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Store these leases. Each lease replaces any earlier lease of its recipient."""
        self.leases.update({order.recipient: order.lease for order in orders})
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        for recipient in recipients:
            self.leases.pop(recipient, None)
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Remove expired leases. They have no effect any more."""
        return self.release(recipients)

    def take_refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Return the counts of these actions and delete them."""
        self._adopt_counts()
        with self._lock:
            for action_id in action_ids:
                self._platforms.pop(action_id, None)
            return [self._counts.pop(action_id, 0) for action_id in action_ids]

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Return the counts of these actions without deleting them.

        Counts by platform cover only this process.
        """
        with self._lock:
            return [
                LeaseTally(self._counts[each], dict(self._platforms.get(each, {})))
                for each in action_ids
            ]

    def list_counted(self) -> Iterable[str]:
        """Return the actions with refused messages, in this process or in one that ended."""
        self._adopt_counts()
        with self._lock:
            return list(self._counts)

    def health(self) -> str:
        """Return the random id of these leases. At a new id the adapter sends all leases again."""
        return self._incarnation

    def leave(self) -> None:
        """Write the counts to a file for the next process, at the end of the gate.

        The end of an adapter (`close`) changes nothing: the gate goes on answering.
        """
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
                continue  # another process was faster, or the file is still being written
            with self._lock:
                self._counts.update(left)
