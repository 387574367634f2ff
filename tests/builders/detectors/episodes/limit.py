"""Builders that test_limit.py shares with other tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detectors.chain import Decisions
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action
from tests.detectors.stand_in import Event
from tests.scenarios.play import Gateway


def alone(decisions: Decisions) -> list[Action]:
    """New platform leases: not those that are told again with other retry windows."""
    return [a for a in decisions.actions if a.verb == "throttle_platforms" and not a.update]


def delivered(decisions: Decisions, events: Sequence[Event]) -> Counter[str]:
    return Counter(event.platform for event in arrivals(decisions, events))


def arrivals(decisions: Decisions, events: Sequence[Event]) -> list[Event]:
    gateway = Gateway()
    return [
        event
        for n, event in enumerate(events)
        if gateway.ask(
            [a for a in decisions.actions if a.cause.at_ms < event.at_ms and a.revision < n],
            event.at_ms,
            platform_id(event.platform),
            Trust(event.trust),
        )
        != "refuse"
    ]
