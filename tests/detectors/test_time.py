"""Decisions know spans of event time, and no calendar: no year, month, summer time or zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.chain import Decisions, Params
from detectors.episodes.lease import EpisodeParams
from streams import wire
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run

VICTIM = 8613800000001
ENFORCE = Params(episode=EpisodeParams(mode="enforce"))


def utc(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


INSTANTS = {
    "new year in UTC": utc(2026, 12, 31, 23, 58),
    "new year in Shanghai": utc(2026, 12, 31, 15, 58),
    "leap day": utc(2028, 2, 28, 23, 50),
    "Europe's clocks go forward": utc(2027, 3, 28, 0, 55),
    "Europe's clocks go back": utc(2027, 10, 31, 0, 55),
    "New York's clocks go back": utc(2027, 11, 7, 5, 55),
    "month's end at noon": utc(2027, 4, 30, 12, 0),
}


def fast(start_ms: int) -> list[Event]:
    return [Event(start_ms + i * 20_000, VICTIM, f"new {i}") for i in range(20)]


def slow(start_ms: int) -> list[Event]:
    """A platform every 12 min: it takes most of a day's window to tell, whatever day it is."""
    return [Event(start_ms + i * 12 * MINUTE_MS, VICTIM, f"new {i}") for i in range(110)]


def back_after_a_day(start_ms: int) -> list[Event]:
    """Four platforms; again within 24 h, which is no sighting, and again after them, which is."""
    return [
        Event(start_ms + after_ms + i * 15_000, VICTIM, f"new {i}")
        for after_ms in (0, DAY_MS - HOUR_MS, 2 * DAY_MS + HOUR_MS)
        for i in range(4)
    ]


def told(decisions: Decisions, start_ms: int) -> list[Any]:
    """What was decided, with times since the start."""
    return [
        *((a.verb, a.revision, a.issued_at_ms - start_ms, a.expires_at_ms - start_ms, a.reason)
          for a in decisions.actions),
        *((e.change, e.level, e.revision, e.at_ms - start_ms, e.reason, len(e.sightings))
          for e in decisions.episodes),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [fast, slow, back_after_a_day])
@pytest.mark.parametrize("instant", INSTANTS)
def test_the_same_traffic_is_decided_the_same_whatever_the_date(instant: str, shape: Any) -> None:
    start_ms = INSTANTS[instant]
    expected = told(run(ENFORCE, shape(START_MS)), START_MS)
    assert expected
    assert told(run(ENFORCE, shape(start_ms)), start_ms) == expected


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def published(start_ms: int) -> list[Any]:
    decisions = run(ENFORCE, fast(start_ms))
    return [
        *((wire.encode_action(a), wire.action_headers(a)) for a in decisions.actions),
        *((wire.encode_episode(e), wire.episode_headers(e)) for e in decisions.episodes),
    ]


HERE = published(INSTANTS["new year in UTC"])


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"], indirect=True)
@pytest.mark.usefixtures("zone")
def test_what_is_published_does_not_depend_on_the_zone_of_the_machine() -> None:
    assert time.timezone != 0
    assert published(INSTANTS["new year in UTC"]) == HERE
    opened = dict(HERE[0][1])["ce_time"]
    assert opened.startswith((b"2026-12-31T23:5", b"2027-01-01T00:0"))
    assert opened.endswith(b"Z")
