"""Fast queries on the index of the case store: floods of a number, its leases, the index's age.

The desk loads complete cases. A bank's request needs only a few columns of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from detectors.model.event import platform_id
from detectors.model.records import Action
from streams.desk.store import CaseStore
from streams.desk.store.packing import unpacked
from streams.desk.store.tables import cases, leases
from streams.signal.answers import FloodSpan
from streams.signal.clients import SignalClient
from streams.wire import decode_action

CHANGES_MAX: Final = 50_000
"""Maximum number of floods of the last hour that are read for webhooks. Ten large campaigns."""

FLOODS_MAX: Final = 200
"""Maximum number of floods read for one number. The newest are read first."""


@dataclass(frozen=True, slots=True)
class FloodChange:
    """A flood in the store. `recipient`: number or token, as the store has it."""

    episode_id: str
    recipient: str
    first_ms: int
    ended_ms: int | None


@dataclass(frozen=True, slots=True)
class IndexAge:
    """How far the index is behind. `events_behind` None: unknown, which counts as too far."""

    behind_ms: int
    events_behind: int | None

    def stale(self, most_ms: float) -> bool:
        """Return true if a negative answer from this index could be wrong."""
        return self.behind_ms > most_ms or self.events_behind is None or self.events_behind > 0


class Lookup:
    """Queries on a case store. Thread-safe. `tokens` returns the other stored forms of a number."""

    def __init__(self, store: CaseStore, tokens: Callable[[str], Iterable[str]]) -> None:
        self._store, self._tokens = store, tokens

    def age(self) -> IndexAge:
        """Return how far the index is behind. Raise UnavailableError if the store fails."""
        fresh = self._store.freshness()
        return IndexAge(fresh.lag_ms, fresh.events_behind)

    def floods(self, number: str) -> list[FloodSpan]:
        """Return the floods of a number that reached THROTTLE, the newest first.

        Raises UnavailableError if the store does not answer.
        """
        wanted = (
            select(cases.c.first_ms, cases.c.last_ms, cases.c.ended_ms)
            .where(cases.c.recipient.in_(self._asked(number)))
            .where(cases.c.kind == "flood", cases.c.throttled)
            .order_by(cases.c.first_ms.desc())
            .limit(FLOODS_MAX)
        )
        with self._store.reading() as (connection, _):
            return [FloodSpan(*row) for row in connection.execute(wanted)]

    def changes(self, since_ms: int) -> list[FloodChange]:
        """Return the floods that reached THROTTLE and had a message or an end since `since_ms`.

        At most `CHANGES_MAX` (50,000). Raises UnavailableError if the store does not answer.
        """
        wanted = (
            select(cases.c.episode_id, cases.c.recipient, cases.c.first_ms, cases.c.ended_ms)
            .where((cases.c.last_ms >= since_ms) | (cases.c.ended_ms >= since_ms))
            .where(cases.c.kind == "flood", cases.c.throttled)
            .order_by(cases.c.last_ms.desc())
            .limit(CHANGES_MAX)
        )
        with self._store.reading() as (connection, _):
            return [FloodChange(*row) for row in connection.execute(wanted)]

    def leases(self, number: str, now_ms: int) -> list[Action]:
        """Return the leases of a number that gateways enforce now, at most two per form.

        For each form of the number the newest full lease and platform lease count. The forms are
        in different partitions, so revisions of different forms cannot be compared. Raises
        UnavailableError if the store does not answer.
        """
        newest = (
            select(leases.c.value)
            .order_by(leases.c.epoch.desc(), leases.c.revision.desc())
            .limit(1)
        )
        found = []
        with self._store.reading() as (connection, _):
            for form in self._asked(number):
                for kind in (("throttle", "release"), ("throttle_platforms",)):
                    wanted = newest.where(leases.c.recipient == form, leases.c.verb.in_(kind))
                    value = connection.scalar(wanted)
                    if value is not None:
                        found.append(decode_action(unpacked(value)))
        return [
            each
            for each in found
            if each.is_lease and each.mode == "enforce" and each.expires_at_ms > now_ms
        ]

    def held(self, number: str, client: SignalClient) -> int:
        """Return how many codes of the client's own platforms were refused in the newest flood."""
        floods = [each for each in self._store.find(number).cases if each.kind == "flood"]
        newest = max(floods, key=lambda each: each.first_ms, default=None)
        own = set(map(platform_id, client.platforms))
        refused = self._store.case(newest.episode_id).refused if newest is not None else ()
        return sum(each.refused for each in refused if each.platform_id in own)

    def _asked(self, number: str) -> tuple[str, ...]:
        return (number, *self._tokens(number))
