"""A case store filled with records, as the indexer fills it, for whoever tests what is built on it.

`fill(store, record, …)` takes what the worker, adapters and people publish, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any, Final

from detectors.campaigns.campaign import Abused, Campaign
from detectors.model.event import Trust, platform_id
from detectors.model.incidents import EarlierSighting, FloodMessage, IncidentRecord
from detectors.model.records import Action, EpisodeRecord, Level, Scope, Sighting
from detectors.model.times import DAY_MS
from detectors.platforms.days import PlatformDay, PlatformFigures
from streams.cases.store.index_writer import LogRecord, PlaceRead, Source, Writer
from streams.cases.store.store import CaseStore
from streams.wire import (
    Ack,
    AuditRecord,
    Counts,
    Notice,
    Override,
    chain_start,
    encode_ack,
    encode_action,
    encode_audit,
    encode_campaign,
    encode_counts,
    encode_episode,
    encode_incident,
    encode_notice,
    encode_override,
    encode_platform,
    hash_record,
    override_key,
)
from tests.builders.streams.cases.standing import OPENED
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action

NOW_MS: Final = START_MS + 120_000
PLATFORMS: Final = ("sig:甲平台", "sig:乙平台", "sig:丙平台", "sig:丁平台", "sig:戊平台")

_ENCODED: Final[dict[type, tuple[Source, str, Any, Any]]] = {
    EpisodeRecord: (
        "episode", "otpguard.episode.v1", encode_episode, lambda r: r.recipient.encode()),
    Action: ("throttle", "otpguard.throttle.v1", encode_action, lambda r: r.recipient.encode()),
    Ack: ("acks", "otpguard.throttle.acks.v1", encode_ack, lambda r: r.action_id.encode()),
    Override: ("override", "otpguard.override.v1", encode_override, override_key),
    IncidentRecord: (
        "incident", "otpguard.incident.v1", encode_incident, lambda r: r.recipient.encode()),
    Counts: (
        "counts", "otpguard.throttle.counts.v1", encode_counts, lambda r: r.action_id.encode()),
    Notice: ("notice", "otpguard.notice.v1", encode_notice, lambda r: r.notice_id.encode()),
    Campaign: ("campaign", "otpguard.campaign.v1", encode_campaign,
               lambda r: r.campaign_id.encode()),
    PlatformFigures: ("platform", "otpguard.platform.v1", encode_platform,
                      lambda r: str(r.platform_id).encode()),
    AuditRecord: ("audit", "otpguard.audit.v1", encode_audit, lambda r: r.chain.encode()),
}  # fmt: skip


class FilledStore(CaseStore):
    """A store with a clock that stands where a test sets it (`at_ms`)."""

    def __init__(self, url: str, **more: Any) -> None:
        self.at_ms = NOW_MS
        super().__init__(url, clock=lambda: self.at_ms, **more)
        self.offsets: dict[str, int] = {}


@cache
def _empty() -> TemporaryDirectory[str]:
    """The files of an empty store: to copy them takes a sixth of the time that they took."""
    made = TemporaryDirectory()
    FilledStore(f"sqlite:///{made.name}/desk.db").close()
    return made


def opened(folder: Path, **more: Any) -> FilledStore:
    """A store of SQLite in a folder, empty where there was none."""
    if not (folder / "desk.db").exists():
        copytree(_empty().name, folder, dirs_exist_ok=True)
    return FilledStore(f"sqlite:///{folder / 'desk.db'}", **more)


def encoded(record: Any, offset: int, written_ms: int = NOW_MS) -> LogRecord:
    """A record as it would lie on its topic at this offset."""
    source, topic, encode, key = _ENCODED[type(record)]
    return LogRecord(source, topic, 0, offset, written_ms, key(record), encode(record))


def logged(store: FilledStore, records: Iterable[Any], written_ms: int) -> list[LogRecord]:
    """Records as they would lie on their topics, behind those of before."""
    found = []
    for record in records:
        topic = _ENCODED[type(record)][1]
        offset = store.offsets.get(topic, 0)
        store.offsets[topic] = offset + 1
        found.append(encoded(record, offset, written_ms))
    return found


def fill(store: FilledStore, *records: Any, written_ms: int | None = None) -> list[LogRecord]:
    """Write records into a store; everything is then read up to its present."""
    at_ms = store.at_ms if written_ms is None else written_ms
    before = dict(store.offsets)
    batch = logged(store, records, at_ms)
    Writer(store.index).take(
        batch,
        [
            PlaceRead(topic, 0, before.get(topic), end, end, at_ms, store.at_ms)
            for topic, end in store.offsets.items()
        ],
    )
    return batch


def flood(
    n: int = 0,
    *,
    recipient: str = RECIPIENT,
    at_ms: int = START_MS,
    platforms: Sequence[str] = (
        "sig:甲平台",
        "sig:乙平台",
        "sig:丙平台",
        "sig:丁平台",
        "sig:戊平台",
    ),
    mode: Any = "enforce",
    revision: int = 10,
) -> tuple[EpisodeRecord, Action]:
    """The record and the lease with which the flood number `n` began."""
    place = n * 1_000 + revision
    lease = action(recipient, place, at_ms=at_ms, mode=mode)
    lease = replace(lease, episode_id=f"1:sms.delivery.v1:0:{n * 1_000}")
    record = replace(
        OPENED,
        episode_id=lease.episode_id,
        recipient=recipient,
        revision=place,
        mode=mode,
        at_ms=at_ms,
        cause=lease.cause,
        evidence=replace(lease.evidence, messages=len(platforms), platforms=len(platforms)),
        sightings=tuple(
            Sighting(key, platform_id(key), at_ms - 1_000 * at, novel=True, trust=Trust.NONE)
            for at, key in reversed(list(enumerate(platforms)))
        ),
        scope=Scope("otp", lease.scope.trust, (3,), ()),
    )
    return record, lease


def ended(record: EpisodeRecord, at_ms: int = START_MS + LEASE_MS) -> EpisodeRecord:
    """The last record of a flood."""
    return replace(
        record, change="ended", level=Level.CLEAR, at_ms=at_ms, revision=record.revision + 500
    )


def acked(lease: Action, state: Any = "applied", gateway: str = "smsc-1", refused: int = 0) -> Ack:
    """A gateway's word about a lease."""
    return Ack(
        action_id=lease.action_id,
        gateway_id=gateway,
        state=state,
        why="",
        at_ms=lease.issued_at_ms + (LEASE_MS if state == "expired" else 200),
        refused_count=refused,
    )


def counted(lease: Action, by_platform: dict[int, int], gateway: str = "smsc-1") -> Counts:
    """A gateway's counts under a lease."""
    return Counts(
        action_id=lease.action_id,
        episode_id=lease.episode_id,
        gateway_id=gateway,
        at_ms=lease.issued_at_ms + 1_000 * sum(by_platform.values()),
        refused=sum(by_platform.values()),
        by_platform=by_platform,
    )


def incident(record: EpisodeRecord, messages: int = 3, first: int = 0) -> IncidentRecord:
    """The messages of a flood from THROTTLE on."""
    return IncidentRecord(
        episode_id=record.episode_id,
        epoch=record.epoch,
        revision=record.revision + first,
        recipient=record.recipient,
        mode=record.mode,
        at_ms=record.at_ms,
        first=first,
        messages=tuple(
            FloodMessage(
                record.revision + n,
                record.at_ms + 1_000 * n,
                "refuse",
                novel=True,
                trust=Trust.NONE,
                gateway="smsc-1",
                platform=f"sig:平台{n}",
                platform_id=1_000 + n,
                sender=f"1069000000{n:02}",
                account="acc-1",
                message_id=f"m-{n}",
            )
            for n in range(first, first + messages)
        ),
        unlisted=None,
        basis=None,
        earlier=()
        if first
        else tuple(
            EarlierSighting(s.at_ms, s.novel, s.trust, s.platform, s.platform_id)
            for s in record.sightings
        ),
        cause=record.cause,
        version="0",
        config="",
    )


def audited(*said: dict[str, Any], chain: str = "desk/desk-1") -> list[AuditRecord]:
    """Records of one chain of the audit, each with what it says beside the usual."""
    records: list[AuditRecord] = []
    prev = chain_start(chain)
    for seq, each in enumerate(said):
        usual: dict[str, Any] = {
            "actor": "li.lei",
            "channel": "desk",
            "verb": "search",
            "outcome": "done",
            "role": "agent",
            "at_ms": START_MS + seq,
        }
        records.append(AuditRecord(chain=chain, seq=seq, prev=prev, **{**usual, **each}))
        prev = hash_record(encode_audit(records[-1]))
    return records


def campaign(
    n: int = 0, *, victims: int = 12, end_ms: int = START_MS, platforms: Sequence[str] = PLATFORMS
) -> Campaign:
    """A campaign as its agent tells it."""
    return Campaign(
        campaign_id=f"1:sms.delivery.v1:0:{n * 1_000}",
        open=True,
        start_ms=end_ms - 1_800_000,
        opened_ms=end_ms - 1_700_000,
        newest_ms=end_ms - 60_000,
        end_ms=end_ms,
        victims=victims,
        victims_open=victims - 2,
        victims_throttled=victims - 1,
        messages=31 * victims,
        pace_per_minute=2.1,
        growth_per_minute=1.5,
        platforms=tuple(Abused(key, platform_id(key), victims) for key in platforms),
        platforms_total=len(platforms) + 60,
    )


def week_of(platform: str, codes: int = 5_000, at_ms: int = START_MS) -> PlatformFigures:
    """A platform's figures as their agent tells them: a fifth of its codes in floods."""
    today = at_ms // DAY_MS * DAY_MS
    days = (PlatformDay(today, codes, codes // 2, codes // 4, codes // 5),)
    return PlatformFigures(platform, platform_id(platform), today, days, codes, 0.2, 0.5, 1.8)
