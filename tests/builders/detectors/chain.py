"""Builders that test_chain.py shares with other tests."""

from __future__ import annotations

from detectors.chain import Decisions, Params
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import (
    Trust,
    platform_id,
)
from detectors.model.records import Action, Level, refuses
from tests.detectors.stand_in import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    Event,
)

VICTIM = 8613800000001


ENFORCE = Params(episode=EpisodeParams(mode="enforce"))


def history(known: int = 14, recipient: int = VICTIM) -> list[Event]:
    """Two uses of each known platform, the last a week before the start."""
    return [
        Event(START_MS - days * DAY_MS + i * HOUR_MS, recipient, f"known {i}")
        for days in (40, 7)
        for i in range(known)
    ]


def calm_history() -> list[Event]:
    """The same, but so slow that no judge listens: eight are known by id, six by their print."""
    return [
        Event(START_MS - days * DAY_MS + i * 6 * HOUR_MS, VICTIM, f"known {i}")
        for days in (40, 7)
        for i in range(14)
    ]


def many_platforms(known: int, recipient: int = VICTIM) -> list[Event]:
    """Two uses of each known platform, months and six hours apart, so that no judge listens."""
    return [
        Event(START_MS - days * DAY_MS + i * 6 * HOUR_MS, recipient, f"known {i}")
        for days in (60, 30)
        for i in range(known)
    ]


def flood(
    count: int, gap_ms: int = 20_000, start_ms: int = START_MS, name: str = "new", first: int = 0
) -> list[Event]:
    return [Event(start_ms + i * gap_ms, VICTIM, f"{name} {i + first}") for i in range(count)]


def idle(count: int, start_ms: int, step_ms: int = 1000) -> list[Event]:
    """Messages that are no codes: they move ticks and the watermark."""
    return [Event(start_ms + i * step_ms, 1, "") for i in range(count)]


def throttles(decisions: Decisions) -> list[Action]:
    return [a for a in decisions.actions if a.verb == "throttle" and not a.update]


def changes(decisions: Decisions, kind: str = "flood") -> list[tuple[str, Level]]:
    return [(e.change, e.level) for e in decisions.episodes if e.kind == kind]


def refused(events: list[Event], actions: list[Action]) -> list[Event]:
    """What a gateway that obeys these actions refuses of these messages, by the event clock."""
    out = []
    for event in events:
        live = [a for a in actions if a.issued_at_ms < event.at_ms < a.expires_at_ms]
        if live and refuses(live[-1].scope, platform_id(event.platform), Trust(event.trust)):
            out.append(event)
    return out
