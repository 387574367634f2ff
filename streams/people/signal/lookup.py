"""Answers for banks: if a number is flooded, and if a bank's own codes reach it.

A flood is a fact about messages that arrived. So the answer does not depend on the reaction: it is
the same in shadow mode, during a cold start, and for an exempted or released number. An episode
counts from the level THROTTLE on. WATCH is too early: each day 1 in 10,000 numbers reaches WATCH,
and nearly all of these numbers are innocent. After a flood, the answer stays true until its last
message is older than the client's `maxAge`.

The desk loads complete cases. A bank's request needs only a few columns of one table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import select

from detectors.leases.gateway_rule import forbids, lease_of
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action
from detectors.model.times import HOUR_MS
from streams.cases.store.answers import Freshness
from streams.cases.store.index_tables import cases, leases
from streams.cases.store.packing import unpack
from streams.cases.store.store import CaseStore
from streams.people.signal.clients import SignalClient
from streams.wire import decode_action

MAX_AGE_H: Final = 24  # Default of `maxAge` in hours, as in CAMARA's SIM Swap API.

OwnCodes = Literal["PASSED", "HELD"]


@dataclass(frozen=True, slots=True)
class FloodSpan:
    """One flood: times of its first and last message, in ms, and of its end.

    `ended_ms` is None if the flood is ongoing. `recipient`: number or pseudonym, as in the store.
    """

    first_ms: int
    last_ms: int
    ended_ms: int | None
    episode_id: str = ""
    recipient: str = ""


def is_flooded(floods: Iterable[FloodSpan], now_ms: int, max_age_h: int) -> bool:
    """Return true if a flood is ongoing, or its last message is at most `max_age_h` hours old."""
    oldest_ms = now_ms - max_age_h * HOUR_MS
    return any(
        each.ended_ms is None or (max_age_h > 0 and each.last_ms >= oldest_ms) for each in floods
    )


def own_codes(
    leases: Sequence[Action], platforms: Iterable[str], trust: Trust, now_ms: int
) -> OwnCodes:
    """Return "HELD" if a lease in force refuses codes of one of these platforms, else "PASSED".

    `leases`: leases that gateways enforce, the newest for each form of the number. `platforms`:
    keys such as `sig:示例银行`.
    """
    own = [platform_id(key) for key in platforms]
    held = any(
        forbids(lease_of(each), platform, trust)
        for each in leases
        if each.is_lease and each.expires_at_ms > now_ms
        for platform in own
    )
    return "HELD" if held else "PASSED"


CHANGES_MAX: Final = 50_000
"""Maximum number of floods of the last hour that are read for webhooks. Ten large campaigns."""

FLOODS_MAX: Final = 200  # Maximum number of floods read for one number. The newest are read first.


_SPAN: Final = [cases.c[name] for name in FloodSpan.__slots__]


class Lookup:
    """Queries on a case store. Thread-safe."""

    def __init__(self, store: CaseStore) -> None:
        self._store = store
        self.forms = store.forms

    def age(self) -> Freshness:
        """Return how far the index is behind. Raise UnavailableError if the store fails."""
        return self._store.freshness()

    def floods(self, number: str) -> list[FloodSpan]:
        """Return the floods against a number that reached the level THROTTLE, the newest first.

        Raises UnavailableError if the store does not answer.
        """
        return self._floods(cases.c.recipient.in_(self.forms(number)), cases.c.first_ms, FLOODS_MAX)

    def changes(self, since_ms: int) -> list[FloodSpan]:
        """Return the floods that reached THROTTLE and had a message or an end since `since_ms`.

        At most `CHANGES_MAX` (50,000). Raises UnavailableError if the store does not answer.
        """
        changed = (cases.c.last_ms >= since_ms) | (cases.c.ended_ms >= since_ms)
        return self._floods(changed, cases.c.last_ms, CHANGES_MAX)

    def _floods(self, where: Any, newest_by: Any, limit: int) -> list[FloodSpan]:
        wanted = (
            select(*_SPAN)
            .where(where, cases.c.kind == "flood", cases.c.throttled)
            .order_by(newest_by.desc())
            .limit(limit)
        )
        with self._store.reading() as (connection, _):
            return [FloodSpan(*row) for row in connection.execute(wanted)]

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
            for form in self.forms(number):
                for kind in (("throttle", "release"), ("throttle_platforms",)):
                    wanted = newest.where(leases.c.recipient == form, leases.c.verb.in_(kind))
                    value = connection.scalar(wanted)
                    if value is not None:
                        found.append(decode_action(unpack(value)))
        return [
            each
            for each in found
            if each.is_lease and each.mode == "enforce" and each.expires_at_ms > now_ms
        ]

    def count_refused(self, number: str, client: SignalClient) -> int:
        """Return how many codes of the client's own platforms were refused in the newest case."""
        found = [each for each in self._store.find(number).cases if each.kind != "resend"]
        newest = max(found, key=lambda each: each.first_ms, default=None)
        own = set(map(platform_id, client.platforms))
        refused = self._store.case(newest.episode_id).refused if newest is not None else {}
        return sum(n for platform, n in refused.items() if platform in own)
