"""Builders that test_standing.py shares with other tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detectors.model.event import Trust
from detectors.model.records import EpisodeRecord, Level, Rung, Sighting, Step
from streams.cases.store.answers import CaseFile
from streams.cases.store.opening import of_records
from streams.cases.store.store import ReadModel
from streams.wire import Ack
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action

LEASE = action(revision=7)


OPENED = EpisodeRecord(
    episode_id=LEASE.episode_id,
    kind="flood",
    change="opened",
    epoch=1,
    revision=7,
    recipient=RECIPIENT,
    level=Level.THROTTLE,
    mode="enforce",
    at_ms=START_MS,
    reason=LEASE.reason,
    evidence=LEASE.evidence,
    path=(Step(Level.THROTTLE, START_MS, 7, "burst", 2.7, 2.6),),
    sightings=(
        Sighting("sig:从未见过", 1, START_MS - 60_000, novel=True, trust=Trust.NONE),
        Sighting("sig:招商银行", 2, START_MS - 30_000, novel=True, trust=Trust.BANK),
        Sighting("sig:美团", 3, START_MS, novel=False, trust=Trust.NONE),
    ),
    rungs=(Rung("burst", 2.7, 1.6, 2.6), Rung("raw_24h", 8, 54, 61)),
    scope=replace(LEASE.scope, pass_ids=(3,)),
    known=8,
    memory_days=52,
    chronic=False,
    cause=LEASE.cause,
    version="0",
    config="",
)


LATER = replace(
    OPENED, episode_id="1:sms.delivery.v1:0:900", revision=900, level=Level.WATCH, mode="shadow",
    evidence=replace(OPENED.evidence, messages=3, first_ms=START_MS + 9),
    cause=LEASE.cause._replace(offset=900),
)  # fmt: skip
"""Another case of the same number, newer and not as bad."""


ENDED = replace(OPENED, change="ended", revision=99, level=Level.CLEAR, at_ms=START_MS + LEASE_MS)


def ack(state: str, refused: int = 0, action_id: str = LEASE.action_id) -> Ack:
    return Ack(
        action_id=action_id,
        gateway_id="smsc-1",
        state=state,  # type: ignore[arg-type]
        why="",
        at_ms=START_MS,
        refused_count=refused,
    )


def model_of(*records: Any, at_ms: int = START_MS + 1) -> ReadModel:
    """The read model of these records, as they would come from their topics."""
    from tests.streams.cases.store.filled import encoded

    return of_records(
        (encoded(each, offset) for offset, each in enumerate(records)), clock=lambda: at_ms
    )


def file_of(*records: Any, at_ms: int = START_MS + 1) -> CaseFile:
    """The case that counts."""
    found = model_of(*records, at_ms=at_ms).find(RECIPIENT).newest
    assert found is not None
    return found
