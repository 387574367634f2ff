"""The case store: how many records a second the indexer takes, and how soon a search answers."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from detectors.model.event import Trust, platform_id
from detectors.model.records import Level, Scope, Sighting
from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.desk.store import CaseStore
from streams.desk.store.indexer import SOURCES
from streams.desk.store.writer import LogRecord, Place, Source, Writer
from streams.wire import (
    Ack,
    Counts,
    Notice,
    encode_ack,
    encode_action,
    encode_counts,
    encode_episode,
    encode_incident,
    encode_notice,
)
from tests.enforce.records import action
from tests.streams.desk.store.filled import incident
from tests.streams.operate.test_cases import OPENED

NAMES: Final = tuple(f"sig:平台名{n:04}" for n in range(2_000))
IDS: Final = {name: platform_id(name) for name in NAMES}
GATEWAYS: Final = ("smsc-1", "smsc-2", "smsc-3")
RENEWALS: Final = 3
START_MS: Final = 1_790_000_000_000


def flood(n: int, draw: random.Random) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield what one flood leaves on the topics: role of the topic, key, value.

    Forty platforms in forty minutes: 6 episode records, 5 actions, 30 acknowledgements and 24
    counts of three gateways, 3 incident records of 64 messages, 2 states of a notice.
    """
    recipient = f"86139{n:08d}"
    key = recipient.encode()
    at_ms = START_MS + n * 1_000
    base = n * 10_000
    seen = [
        Sighting(name, IDS[name], at_ms + 60_000 * k, novel=True, trust=Trust.NONE)
        for k, name in enumerate(draw.sample(NAMES, 40))
    ]
    record = replace(OPENED, episode_id=f"1:sms.delivery.v1:0:{base}", recipient=recipient)
    opened = replace(
        record, revision=base + 1, level=Level.WATCH, sightings=tuple(seen[:5]), at_ms=at_ms,
        cause=record.cause._replace(offset=base + 1),
    )  # fmt: skip
    yield "episode", key, encode_episode(opened)
    for k in range(RENEWALS + 1):
        revision = base + 10 * (k + 1)
        now_ms = at_ms + k * 10 * MINUTE_MS
        lease = replace(action(recipient, revision, at_ms=now_ms), episode_id=record.episode_id)
        lease = replace(lease, scope=Scope("otp", lease.scope.trust, tuple(range(14)), ()))
        one = replace(
            opened, change="renewed" if k else "raised", level=Level.THROTTLE, revision=revision,
            at_ms=now_ms, since_ms=now_ms - 600_000 if k else None, cause=lease.cause,
            sightings=tuple(seen[10 * k : 10 * k + 10] if k else seen[:8]),
        )  # fmt: skip
        yield "episode", key, encode_episode(one)
        yield "throttle", key, encode_action(lease)
        yield from _gateways(lease.action_id, record.episode_id, now_ms, draw)
    for k in range(3):
        some = incident(record, 64, 64 * k)
        yield "incident", key, encode_incident(some)
    for state in ("sending", "sent"):
        told = Notice(
            notice_id=f"{record.episode_id}:victim_start", episode_id=record.episode_id,
            kind="victim_start", to=recipient, channel="smpp", template="victim_start/zh",
            state=state, why="", at_ms=at_ms,  # type: ignore[arg-type]
        )  # fmt: skip
        yield "notice", told.notice_id.encode(), encode_notice(told)
    ended = replace(
        opened, change="ended", level=Level.CLEAR, revision=base + 4_096, at_ms=at_ms + HOUR_MS,
        sightings=tuple(seen),
    )  # fmt: skip
    yield "episode", key, encode_episode(ended)


def _gateways(
    action_id: str, episode_id: str, at_ms: int, draw: random.Random
) -> Iterator[tuple[str, bytes, bytes]]:
    key = action_id.encode()
    for gateway in GATEWAYS:
        yield (
            "acks",
            key,
            encode_ack(
                Ack(action_id=action_id, gateway_id=gateway, state="applied", why="", at_ms=at_ms)
            ),
        )
        told: dict[int, int] = {}
        for minute in (1, 2):
            for name in draw.sample(NAMES, 10):
                told[IDS[name]] = told.get(IDS[name], 0) + 1
            yield "counts", key, encode_counts(
                Counts(
                    action_id=action_id, episode_id=episode_id, gateway_id=gateway,
                    at_ms=at_ms + minute * MINUTE_MS, refused=sum(told.values()), by_platform=told,
                )
            )  # fmt: skip
        yield "acks", key, encode_ack(
            Ack(action_id=action_id, gateway_id=gateway, state="expired", why="over",
                at_ms=at_ms + 600_000, refused_count=sum(told.values()))
        )  # fmt: skip


def writes(store: CaseStore, floods: int, batch: int = 2_000) -> dict[str, Any]:
    """Records a second of the writer alone: without Kafka, and without the making of records."""
    draw = random.Random(1)
    made: list[LogRecord] = []
    offsets: dict[str, int] = {}
    for n in range(floods):
        for role, key, value in flood(n, draw):
            at = offsets[role] = offsets.get(role, -1) + 1
            source: Source = SOURCES[role]
            made.append(LogRecord(source, role, 0, at, START_MS, key, value))
    writer = Writer(store.index)
    before: dict[str, int | None] = dict.fromkeys(offsets)
    started = time.perf_counter()
    cpu = time.process_time()
    for first in range(0, len(made), batch):
        some = made[first : first + batch]
        ends = {each.topic: each.offset + 1 for each in some}
        writer.take(
            some,
            [Place(topic, 0, before[topic], end, end, 0, 0) for topic, end in ends.items()],
        )
        before |= ends
    wall = time.perf_counter() - started
    return {
        "records": len(made),
        "records_per_s": round(len(made) / wall),
        "cpu_us_per_record": round((time.process_time() - cpu) / len(made) * 1e6, 1),
    }
