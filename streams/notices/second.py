"""Codes that a person seems to have asked for twice, since the first was refused. Pure.

Whether a refused code was the person's own no record says. But who waits for a code that does not
come presses "send again" after a minute or two, and tools go on to the next platform: so a refused
platform's second message within that time is the nearest sign of a code that was the person's own,
and if that one passed it arrived after all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.bars import AGAIN_FROM_MS, AGAIN_UNTIL_MS
from detectors.model.incidents import IncidentRecord


@dataclass(frozen=True, slots=True)
class SecondRequestCount:
    """Second requests: refused codes that somebody asked for once more, and what came of them."""

    asked: int  # refused codes of which one more came as a person asks for it
    arrived: int  # of these, those whose second passed the lease


def second_requests(
    incidents: Iterable[IncidentRecord], from_ms: int, until_ms: int
) -> SecondRequestCount:
    """Count the second requests of enforced floods whose first message is of a span of time.

    Records may come twice and in any order. A platform that came before the lease, or whose second
    message came sooner or later than people ask, is not counted.
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
