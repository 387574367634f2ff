"""When to ask a gateway how much it has refused under the leases that it holds, and what is new.

One, two and five minutes after the first lease of an episode, and then every five: a person on the
phone hears of the first minute, and 20,000 leases cost 70 records a second.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

from detectors.model.records import Action
from streams.enforce.book import REMEMBER_MS
from streams.enforce.gateway import Tally

FIRST_MS: Final = (60_000, 120_000)
EVERY_MS: Final = 300_000


def due_after(since_ms: int, now_ms: int) -> int:
    """The next moment after `now_ms` to ask about an episode whose first lease came at `since_ms`.

    >>> [due_after(0, ms) for ms in (0, 60_000, 120_000, 300_000)]
    [60000, 120000, 300000, 600000]
    """
    for first_ms in FIRST_MS:
        if now_ms - since_ms < first_ms:
            return since_ms + first_ms
    return since_ms + ((now_ms - since_ms) // EVERY_MS + 1) * EVERY_MS


@dataclass(slots=True)
class _Counted:
    episode_id: str
    recipient: str
    since_ms: int  # of the timer
    until_ms: int  # UTC: then it is over, whatever became of it
    told: int = 0  # messages


class Counting:
    """The leases that are counted, by action; as many as the gateway holds."""

    def __init__(self) -> None:
        self._leases: dict[str, _Counted] = {}
        self._newest: dict[str, str] = {}  # recipient -> action
        self._due: list[tuple[int, str]] = []  # heap

    def __len__(self) -> int:
        return len(self._leases)

    def begin(self, action: Action, timer_ms: int) -> None:
        """Count a lease that the gateway holds from now on; a renewal goes on with its episode."""
        name = action.action_id
        if name in self._leases:
            return
        before = self._leases.get(self._newest.get(action.recipient, ""))
        same = before is not None and before.episode_id == action.episode_id
        since_ms = before.since_ms if before is not None and same else timer_ms
        until_ms = action.expires_at_ms + REMEMBER_MS
        self._leases[name] = _Counted(action.episode_id, action.recipient, since_ms, until_ms)
        self._newest[action.recipient] = name
        heapq.heappush(self._due, (due_after(since_ms, timer_ms), name))

    def due(self, timer_ms: int, now_ms: int, most: int) -> list[str]:
        """Return actions to ask about, at most so many; each is due again. `now_ms` is UTC."""
        found: list[str] = []
        while self._due and self._due[0][0] <= timer_ms and len(found) < most:
            _, name = heapq.heappop(self._due)
            lease = self._leases.get(name)
            if lease is None:
                continue
            if lease.until_ms < now_ms:
                self.end(name)
                continue
            found.append(name)
            heapq.heappush(self._due, (due_after(lease.since_ms, timer_ms), name))
        return found

    def news(self, action_id: str, tally: Tally) -> str | None:
        """Return the episode of an action of which more was refused than was told; else None."""
        lease = self._leases.get(action_id)
        if lease is None or tally.refused <= lease.told:
            return None
        lease.told = tally.refused
        return lease.episode_id

    def end(self, action_id: str) -> None:
        """Count a lease no more."""
        lease = self._leases.pop(action_id, None)
        if lease is not None and self._newest.get(lease.recipient) == action_id:
            del self._newest[lease.recipient]
