"""Episode records for tests of campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from detectors.campaigns.floods import Floods
from detectors.model.event import Trust
from detectors.model.records import (
    NOWHERE,
    Cause,
    Change,
    EpisodeRecord,
    Evidence,
    Kind,
    Level,
    Reason,
    Sighting,
    Step,
)
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS

NOON_MS = 20_000 * DAY_MS + 12 * HOUR_MS
TOOL = tuple(range(1, 61))
OTHER = tuple(range(1001, 1061))


def record(
    number: int,
    at_ms: int,
    platforms: Iterable[int],
    *,
    change: Change = "opened",
    level: Level = Level.THROTTLE,
    kind: Kind = "flood",
    opened_ms: int | None = None,
    recipient: str = "",
    trust: Trust = Trust.NONE,
    novel: bool = True,
    revision: int | None = None,
    messages: int = 8,
) -> EpisodeRecord:
    """One record of the episode with this number, which is its offset too."""
    first_ms = at_ms if opened_ms is None else opened_ms
    renewal = change == "renewed"
    step = Step(level, first_ms, number, "burst", 3.0, 2.6)
    return EpisodeRecord(
        episode_id=f"1:sms:0:{number}",
        kind=kind,
        change=change,
        epoch=1,
        revision=number if revision is None else revision,
        recipient=recipient or f"86139{number:08}",
        level=level,
        mode="enforce",
        at_ms=at_ms,
        reason=Reason("burst", 3.0, 2.6, ""),
        evidence=Evidence(messages, 8, 8, first_ms - MINUTE_MS, at_ms),
        path=() if renewal else (step,),
        sightings=tuple(Sighting(f"sig:{each}", each, at_ms, novel, trust) for each in platforms),
        rungs=(),
        scope=NOWHERE,
        known=6,
        memory_days=9,
        chronic=False,
        cause=Cause("sms", 0, number, at_ms),
        version="0",
        config="",
        since_ms=first_ms if renewal else None,
    )


def tale(
    rng: Random,
    count: int,
    start_ms: int,
    *,
    first: int,
    tool: tuple[int, ...] = TOOL,
    span_ms: int = 10 * MINUTE_MS,
    codes: int = 20,
) -> Iterator[EpisodeRecord]:
    """Floods at so many recipients by one tool, whole lives: opened, renewed, ended."""
    for number in range(first, first + count):
        at_ms = start_ms + int(rng.random() * span_ms)
        sent = rng.sample(tool, codes)
        yield record(number, at_ms, sent[:6])
        yield record(number, at_ms + 5 * MINUTE_MS, sent[6:12], change="renewed",
                     opened_ms=at_ms, revision=number + 10_000, messages=20)  # fmt: skip
        yield record(number, at_ms + 60 * MINUTE_MS, sent, change="ended", level=Level.CLEAR,
                     opened_ms=at_ms, revision=number + 20_000, messages=30)  # fmt: skip


def told(records: Iterable[EpisodeRecord], horizon_ms: int = 0) -> Floods:
    """What is known after these records."""
    floods = Floods()
    floods.horizon_ms = horizon_ms
    for each in records:
        floods.take(each, each.at_ms)
    floods.forget()
    return floods
