"""The records that a worker publishes: leases, explanations, dead letters.

A record's bytes are a function of what it says: fields in the order written here, numbers in their
shortest form. So a replay repeats a record byte for byte.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from detectors.bars import AGAIN_HELD
from detectors.model.event import Trust
from detectors.model.records import (
    ALWAYS_PASS,
    NOWHERE,
    Action,
    AgainWindow,
    Cause,
    Change,
    EpisodeRecord,
    Evidence,
    Kind,
    Level,
    Mode,
    Reason,
    Rung,
    Scope,
    Sighting,
    Step,
    Verb,
)
from streams.clock import utc_exact
from streams.wire.events import Reject
from streams.wire.events import RejectReason as Refusal
from streams.wire.version import SCHEMA_VERSION, Integer, TimeMs, UnreadableError, Word32, reader

DEAD_LETTER_BYTES_MAX: Final = 100_000
"""Of a refused value, so much is kept: enough to see what it is, and under every broker's limit."""

PLATFORM_CHARS_MAX: Final = 1024
"""Of a platform's key. A name in an event has 64 characters at most, a host in a text 575. Keys of
64 platforms, in six bytes a character, are under every broker's limit as one record."""

ID_CHARS_MAX: Final = 512
"""Of an episode's id, which a campaign has too. A topic's name has 249 characters at most, and the
three numbers beside it 20 digits each."""

MESSAGES_MAX: Final = 2**40
"""Of one flood: a thousand a second for 34 years. The sum of 50,000 floods fits in 63 bits."""

PlatformKey = Annotated[str, Meta(max_length=PLATFORM_CHARS_MAX)]
EpisodeId = Annotated[str, Meta(max_length=ID_CHARS_MAX)]
_Messages = Annotated[int, Meta(ge=0, le=MESSAGES_MAX)]
Headers = tuple[tuple[str, bytes], ...]
TrustName = Literal["none", "bank", "government", "carrier", "emergency"]
LevelName = Literal["clear", "watch", "throttle"]

TRUST_NAMES: Final[dict[Trust, TrustName]] = {
    Trust.NONE: "none",
    Trust.BANK: "bank",
    Trust.GOVERNMENT: "government",
    Trust.CARRIER: "carrier",
    Trust.EMERGENCY: "emergency",
}
TRUSTS: Final = {name: trust for trust, name in TRUST_NAMES.items()}
_LEVEL_NAMES: Final[dict[Level, LevelName]] = {
    Level.CLEAR: "clear",
    Level.WATCH: "watch",
    Level.THROTTLE: "throttle",
}
_LEVELS: Final = {name: level for level, name in _LEVEL_NAMES.items()}
_ALWAYS_PASS: Final = tuple(TRUST_NAMES[each] for each in ALWAYS_PASS)


class _Scope(msgspec.Struct):
    category: str
    trust: tuple[TrustName, ...]
    pass_ids: tuple[Word32, ...]
    pass_prints: tuple[Word32, ...]


class _Cause(msgspec.Struct):
    topic: str
    partition: Integer
    offset: Integer


class _Evidence(msgspec.Struct):
    messages: _Messages
    platforms: Integer
    novel: Integer
    first_ms: TimeMs
    last_ms: TimeMs


class DetectorField(msgspec.Struct):
    """The version and the settings that a record comes from."""

    version: str
    config: str


class _Window(msgspec.Struct, omit_defaults=True):
    """A refused platform whose next code passes within this time, once."""

    id: Word32
    from_ms: TimeMs
    until_ms: TimeMs
    hot: bool = False  # left out where it is not


class _Throttle(msgspec.Struct, kw_only=True):
    """`otpguard.throttle.v1`."""

    schema_version: int = SCHEMA_VERSION
    action_id: str
    episode_id: str
    epoch: Integer
    revision: Integer
    recipient: str
    verb: Verb
    mode: Mode
    scope: _Scope
    issued_at_ms: TimeMs
    expires_at_ms: TimeMs
    opened_ms: TimeMs | None = None  # a record of before has none
    level: LevelName
    reason: Reason
    evidence: _Evidence
    cause: _Cause
    detector: DetectorField
    again: Annotated[tuple[_Window, ...], Meta(max_length=AGAIN_HELD)] | msgspec.UnsetType = (
        msgspec.UNSET
    )  # left out where there are none


class _Step(msgspec.Struct):
    level: LevelName
    at_ms: TimeMs
    offset: Integer
    rule: str
    score: float
    threshold: float


class _Sighting(msgspec.Struct, omit_defaults=True):
    platform: PlatformKey
    platform_id: Word32
    at_ms: TimeMs
    novel: bool
    trust: TrustName
    hot: bool = False  # left out where it is not


class RungField(msgspec.Struct):
    """One rule's score beside its bars, as records have it."""

    rule: str
    score: float
    watch: float
    throttle: float | None  # None where no score is enough: JSON has no infinity


RENEWAL_VERSION: Final = 2
"""Of a renewal, which says what changed. All other records are as they were in version 1, and bear
that, so that a reader of then misses renewals and nothing else."""


class _Episode(msgspec.Struct, kw_only=True):
    """`otpguard.episode.v1`. What may be unset is there in all but renewals."""

    schema_version: int = SCHEMA_VERSION
    episode_id: EpisodeId
    kind: Kind
    change: Change
    epoch: Integer
    revision: Integer
    recipient: str
    level: LevelName
    mode: Mode
    at_ms: TimeMs
    reason: Reason
    evidence: _Evidence
    since_ms: TimeMs | msgspec.UnsetType = msgspec.UNSET  # of a renewal alone
    path: tuple[_Step, ...] | msgspec.UnsetType = msgspec.UNSET
    sightings: tuple[_Sighting, ...]
    rungs: tuple[RungField, ...] | msgspec.UnsetType = msgspec.UNSET
    scope: _Scope | msgspec.UnsetType = msgspec.UNSET
    known: Integer | msgspec.UnsetType = msgspec.UNSET
    memory_days: Integer | msgspec.UnsetType = msgspec.UNSET
    chronic: bool | msgspec.UnsetType = msgspec.UNSET
    cause: _Cause
    detector: DetectorField


_encode: Final = msgspec.json.Encoder().encode
_throttle: Final = reader(_Throttle)
_episode: Final = reader(_Episode, RENEWAL_VERSION)


def encode_action(action: Action) -> bytes:
    """The value of a record on the throttle topic; its key is the recipient."""
    return _encode(
        _Throttle(
            action_id=action.action_id,
            episode_id=action.episode_id,
            epoch=action.epoch,
            revision=action.revision,
            recipient=action.recipient,
            verb=action.verb,
            mode=action.mode,
            scope=_scope(action.scope),
            issued_at_ms=action.issued_at_ms,
            expires_at_ms=action.expires_at_ms,
            opened_ms=action.opened_ms,
            level=_LEVEL_NAMES[action.level],
            reason=floating(action.reason),
            evidence=_evidence(action.evidence),
            cause=_Cause(*action.cause[:3]),
            detector=DetectorField(action.version, action.config),
            again=tuple([_Window(a, b, c, d) for a, b, c, d in action.again]) or msgspec.UNSET,
        )
    )


def decode_action(value: bytes) -> Action:
    """Raise VersionError, or UnreadableError if it is no action at all.

    A record without `opened_ms` counts as opened by its first message.
    """
    read = _throttle(value)
    return Action(
        action_id=read.action_id,
        episode_id=read.episode_id,
        epoch=read.epoch,
        revision=read.revision,
        recipient=read.recipient,
        verb=read.verb,
        mode=read.mode,
        scope=_scope_of(read.scope),
        issued_at_ms=read.issued_at_ms,
        expires_at_ms=read.expires_at_ms,
        opened_ms=read.opened_ms or read.evidence.first_ms,
        level=_LEVELS[read.level],
        reason=read.reason,
        evidence=_evidence_of(read.evidence),
        cause=_cause_of(read.cause, read.issued_at_ms),
        version=read.detector.version,
        config=read.detector.config,
        again=()
        if isinstance(read.again, msgspec.UnsetType)
        else tuple(AgainWindow(w.id, w.from_ms, w.until_ms, w.hot) for w in read.again),
    )


def encode_episode(record: EpisodeRecord) -> bytes:
    """The value of a record on the episode topic; its key is the recipient."""
    value = _Episode(
        episode_id=record.episode_id,
        kind=record.kind,
        change=record.change,
        epoch=record.epoch,
        revision=record.revision,
        recipient=record.recipient,
        level=_LEVEL_NAMES[record.level],
        mode=record.mode,
        at_ms=record.at_ms,
        reason=floating(record.reason),
        evidence=_evidence(record.evidence),
        sightings=tuple(
            _Sighting(s.platform, s.platform_id, s.at_ms, s.novel, TRUST_NAMES[s.trust], s.hot)
            for s in record.sightings
        ),
        cause=_Cause(*record.cause[:3]),
        detector=DetectorField(record.version, record.config),
    )
    if record.since_ms is not None:
        value.schema_version, value.since_ms = RENEWAL_VERSION, record.since_ms
        return _encode(value)
    value.path = tuple(
        _Step(
            _LEVEL_NAMES[step.level],
            step.at_ms,
            step.offset,
            step.rule,
            float(step.score),
            float(step.threshold),
        )
        for step in record.path
    )
    value.rungs = tuple(
        RungField(rung.rule, float(rung.score), float(rung.watch), _bar(rung.throttle))
        for rung in record.rungs
    )
    value.scope = _scope(record.scope)
    value.known = record.known
    value.memory_days = record.memory_days
    value.chronic = record.chronic
    return _encode(value)


def decode_episode(value: bytes) -> EpisodeRecord:
    """Raise VersionError, or UnreadableError if it is no episode at all."""
    read = _episode(value)
    told = EpisodeRecord(
        episode_id=read.episode_id,
        kind=read.kind,
        change=read.change,
        epoch=read.epoch,
        revision=read.revision,
        recipient=read.recipient,
        level=_LEVELS[read.level],
        mode=read.mode,
        at_ms=read.at_ms,
        reason=read.reason,
        evidence=_evidence_of(read.evidence),
        path=(),
        sightings=tuple(
            Sighting(s.platform, s.platform_id, s.at_ms, s.novel, TRUSTS[s.trust], s.hot)
            for s in read.sightings
        ),
        rungs=(),
        scope=NOWHERE,
        known=0,
        memory_days=0,
        chronic=False,
        cause=_cause_of(read.cause, read.at_ms),
        version=read.detector.version,
        config=read.detector.config,
    )
    if read.schema_version == RENEWAL_VERSION:
        if isinstance(read.since_ms, msgspec.UnsetType) or read.change != "renewed":
            raise UnreadableError("no renewal, or not since when") from None
        return replace(told, since_ms=read.since_ms)
    if (
        isinstance(read.path, msgspec.UnsetType)
        or isinstance(read.rungs, msgspec.UnsetType)
        or isinstance(read.scope, msgspec.UnsetType)
        or isinstance(read.known, msgspec.UnsetType)
        or isinstance(read.memory_days, msgspec.UnsetType)
        or isinstance(read.chronic, msgspec.UnsetType)
    ):
        raise UnreadableError("no renewal, and not everything") from None
    return replace(
        told,
        path=tuple(
            Step(_LEVELS[s.level], s.at_ms, s.offset, s.rule, s.score, s.threshold)
            for s in read.path
        ),
        rungs=tuple(
            Rung(r.rule, r.score, r.watch, math.inf if r.throttle is None else r.throttle)
            for r in read.rungs
        ),
        scope=_scope_of(read.scope),
        known=read.known,
        memory_days=read.memory_days,
        chronic=read.chronic,
    )


def action_headers(action: Action) -> Headers:
    """CloudEvents 1.0 in Kafka's binary mode."""
    identity = f"{action.action_id}/{action.revision}" if action.update else action.action_id
    return cloud_event("otpguard.throttle.v1", identity, action.cause, action.issued_at_ms)


def episode_headers(record: EpisodeRecord) -> Headers:
    """As `action_headers`; an episode has a record for each change of it."""
    identity = f"{record.episode_id}/{record.revision}"
    return cloud_event("otpguard.episode.v1", identity, record.cause, record.at_ms)


def dead_letter(reject: Reject, topic: str, partition: int) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a refused record.

    The value is the record's own, cut. Its own key is a header, for whoever replays it: this topic
    is the one place that may hold a recipient or a text. A null value becomes an empty one, since
    null would be a tombstone. The header `size`, the bytes of the value as it came, is there only
    where something was cut: such a letter cannot be replayed. So is a batch's, whose value is not
    kept; it says its `last_offset` too.
    """
    headers = [
        ("reason", reject.reason.encode()),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(reject.offset).encode()),
        ("time", str(reject.timestamp_ms).encode()),
    ]
    if reject.key is not None:
        headers.append(("key", reject.key[:DEAD_LETTER_BYTES_MAX]))
    value = reject.value or b""
    if reject.reason == Refusal.BATCH_UNREADABLE:
        headers.append(("last_offset", str(reject.last_offset).encode()))
        headers.append(("size", b"0"))
    if max(len(value), len(reject.key or b"")) > DEAD_LETTER_BYTES_MAX:
        headers.append(("size", str(len(value)).encode()))
    kept = value[:DEAD_LETTER_BYTES_MAX]
    return f"{partition}-{reject.offset}".encode(), kept, tuple(headers)


def cloud_event(kind: str, identity: str, cause: Cause, at_ms: int) -> Headers:
    """As `agent_event`, of a record that an event of a topic caused."""
    return agent_event(kind, identity, _source(cause.topic, cause.partition), at_ms)


def agent_event(kind: str, identity: str, source: str, at_ms: int) -> Headers:
    """Headers of CloudEvents 1.0 of a record of this kind and identity."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", identity.encode()),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("ce_time", utc_exact(at_ms).encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(64)
def _source(topic: str, partition: int) -> str:
    return f"/otpguard/{topic}/{partition}"


def _scope(scope: Scope) -> _Scope:
    trust = _ALWAYS_PASS  # of all but a resend's: an enumeration's hash is Python's own
    if scope.trust is not ALWAYS_PASS:
        trust = tuple(TRUST_NAMES[each] for each in scope.trust)
    return _Scope(scope.category, trust, scope.pass_ids, scope.pass_prints)


def _scope_of(scope: _Scope) -> Scope:
    trust = tuple(TRUSTS[each] for each in scope.trust)
    return Scope(scope.category, trust, scope.pass_ids, scope.pass_prints)


def _evidence(given: Evidence) -> _Evidence:
    return _Evidence(given.messages, given.platforms, given.novel, given.first_ms, given.last_ms)


def _evidence_of(read: _Evidence) -> Evidence:
    return Evidence(read.messages, read.platforms, read.novel, read.first_ms, read.last_ms)


def _cause_of(cause: _Cause, at_ms: int) -> Cause:
    return Cause(cause.topic, cause.partition, cause.offset, at_ms)


def _bar(throttle: float) -> float | None:
    return None if math.isinf(throttle) else float(throttle)


def floating(reason: Reason) -> Reason:
    """Return it with floats where a rule counts in integers: 5 and 5.0 are different bytes."""
    return Reason(reason.rule, float(reason.score), float(reason.threshold), reason.text)
