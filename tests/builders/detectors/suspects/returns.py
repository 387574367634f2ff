"""Builders that test_returns.py shares with other tests."""

from __future__ import annotations

from detectors.chain import Params
from detectors.episodes.lease import EpisodeParams
from tests.builders.detectors.chain import history, idle, refused
from tests.detectors.stand_in import HOUR_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))


def passed(events: list[Event], before: list[Event] | None = None) -> int:
    """Codes that reach the recipient where the gateway obeys at once, but for retry windows."""
    span_ms = events[-1].at_ms - START_MS + HOUR_MS
    others = idle(span_ms // 4000, START_MS, 4000)  # they move the log's ticks on
    old = history() if before is None else before
    decisions = run(ENFORCE, old + sorted(events + others))
    return len(events) - len(refused(events, decisions.actions))
