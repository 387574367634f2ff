"""Count codes that a person probably requested twice because the first one was refused. Pure.

No record shows whether a refused code was requested by the person. But a person whose code does not
arrive presses "send again" after a minute or two. Attack tools go on to the next platform instead.
So a second message of the same platform within that time is the best available sign of the person's
own code. If the second message passed, the person got the code after all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.bars import AGAIN_FROM_MS, AGAIN_UNTIL_MS
from detectors.model.incidents import IncidentRecord


@dataclass(frozen=True, slots=True)
class SecondRequestCount:
    """Number of refused codes that somebody requested again, and how many of those arrived."""

    asked: int  # refused codes that were followed by a second message at a human interval
    arrived: int  # of these, codes whose second message passed the lease


def second_requests(
    incidents: Iterable[IncidentRecord], from_ms: int, until_ms: int
) -> SecondRequestCount:
    """Count the second requests of enforced floods whose first message lies in a period.

    Records may be duplicated and in any order. Two cases are not counted: a platform that came
    before the lease, and a second message sooner or later than people ask for it.
    """
    messages: dict[tuple[str, int], dict[int, tuple[int, bool]]] = {}
    before: set[tuple[str, int]] = set()
    for record in incidents:
        if record.mode != "enforce":
            continue
        before.update((record.episode_id, each.platform_id) for each in record.earlier)
        for each in record.messages:
            if each.platform_id:
                found = messages.setdefault((record.episode_id, each.platform_id), {})
                found[each.offset] = each.at_ms, each.would == "refuse"
    asked = arrived = 0
    for place in messages.keys() - before:
        (first_ms, held), *more = sorted(messages[place].values())
        if not (held and more and from_ms <= first_ms < until_ms):
            continue
        second_ms, held = more[0]
        if AGAIN_FROM_MS <= second_ms - first_ms < AGAIN_UNTIL_MS:
            asked += 1
            arrived += not held
    return SecondRequestCount(asked, arrived)
