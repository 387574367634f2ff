"""Encode and decode the records that a worker publishes: leases, episodes and dead letters.

An episode record explains a decision. A record's bytes depend on its content alone: fields have the
order of the structs below, and numbers have their shortest form. A replay therefore repeats each
record byte for byte.
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta

from detectors.model.event import Trust
from detectors.model.records import (
    ALWAYS_PASS,
    NOWHERE,
    Action,
    AgainWindow,
    Cause,
    EpisodeRecord,
    Evidence,
    Level,
    Reason,
    Rung,
    Scope,
    Sighting,
    Step,
)
from detectors.thresholds import AGAIN_HELD
from streams.common import utc_exact
from streams.wire.events import Reject, RejectReason as Refusal
from streams.wire.version import (
    SCHEMA_VERSION,
    Integer,
    LevelName,
    TimeMs,
    TrustName,
    UnreadableError,
    Word32,
    derive,
    encode_json,
    left_out,
    reader,
    several,
)

DEAD_LETTER_BYTES_MAX: Final = 100_000
"""Largest size of a dead letter's value, in bytes; longer values are cut. 100 kB shows what the
value is, and is under the record limit of every broker."""

PLATFORM_CHARS_MAX: Final = 1024
"""Largest length of a platform's key, in characters. A name in an event has at most 64 characters,
a host in a text at most 575. One record with 64 such keys, at six bytes per character, is under the
record limit of every broker."""

ID_CHARS_MAX: Final = 512
"""Largest length of the id of an episode or a campaign, in characters. The id consists of the
topic's name (at most 249 characters) and three numbers of up to 20 digits each."""

MESSAGES_MAX: Final = 2**40
"""Largest number of messages of one flood: a thousand per second for 34 years. The sum over 50,000
floods still fits into 63 bits."""

REFUSED_MAX: Final = 256  # Largest number of platforms that a lease refuses by name.

PlatformKey = Annotated[str, Meta(max_length=PLATFORM_CHARS_MAX)]
EpisodeId = Annotated[str, Meta(max_length=ID_CHARS_MAX)]
_Messages = Annotated[int, Meta(ge=0, le=MESSAGES_MAX)]
Headers = tuple[tuple[str, bytes], ...]
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


_Scope: Final = derive(
    Scope,
    "category trust pass_ids pass_prints",
    trust=several(TrustName),
    pass_ids=several(Word32),
    pass_prints=several(Word32),
)
CauseField: Final = derive(Cause, "topic partition offset")
_Evidence: Final = derive(Evidence, "messages platforms novel first_ms last_ms", messages=_Messages)
DetectorField: Final = derive(Action, "version config")
_Window: Final = derive(
    AgainWindow, "id from_ms until_ms hot", id=Word32, hot=(bool, False), omit_defaults=True
)
_Step: Final = derive(Step, "level at_ms offset rule score threshold", score=float, threshold=float)
_Sighting: Final = derive(
    Sighting,
    "platform platform_id at_ms novel trust hot",
    platform=PlatformKey,
    platform_id=Word32,
    hot=(bool, False),
    omit_defaults=True,
)
RungField: Final = derive(Rung, "rule score watch throttle", throttle=float | None)
"""One rule's score and its two thresholds. None is infinity, which JSON cannot represent."""

_Throttle: Final = derive(
    Action,
    "schema_version action_id episode_id epoch revision recipient verb mode scope issued_at_ms "
    "expires_at_ms opened_ms level reason evidence cause detector again refused_ids",
    scope=_Scope,
    opened_ms=(TimeMs | None, None),  # absent in records of older versions
    evidence=_Evidence,
    cause=CauseField,
    detector=DetectorField,
    again=left_out(several(_Window, AGAIN_HELD)),
    refused_ids=left_out(several(Word32, REFUSED_MAX)),
)

NARROW_VERSION: Final = 2
"""Schema version of platform leases and retry-window records. A reader of version 1 skips them. It
would otherwise take a platform lease for a full one."""

_NARROW: Final = ("throttle_platforms", "retry_windows")

RENEWAL_VERSION: Final = 2
"""Schema version of an episode's renewal, which contains only what changed. All other episode
records keep version 1, so that an older reader misses only the renewals."""

LIMIT_VERSION: Final = 3
"""Schema version of the records of kind `limit`, which readers of version 1 and 2 skip."""


_Episode: Final = derive(
    EpisodeRecord,
    "schema_version episode_id kind change epoch revision recipient level mode at_ms reason "
    "evidence since_ms path sightings rungs scope known memory_days chronic cause detector",
    episode_id=EpisodeId,
    evidence=_Evidence,
    since_ms=left_out(TimeMs),  # only in a renewal, which has no other such field
    path=left_out(several(_Step)),
    sightings=several(_Sighting),
    rungs=left_out(several(RungField)),
    scope=left_out(_Scope),
    known=left_out(Integer),
    memory_days=left_out(Integer),
    chronic=left_out(bool),
    cause=CauseField,
    detector=DetectorField,
)

_throttle: Final = reader(_Throttle, NARROW_VERSION)
_episode: Final = reader(_Episode, LIMIT_VERSION)


def action_key(action: Action) -> bytes:
    """Return the key of a record on the throttle topic, which is compacted.

    Each kind has its own key, so that none replaces another. The part before the slash selects the
    partition, so all records of a recipient are in one partition.
    """
    suffixes = {"throttle_platforms": "/platforms", "retry_windows": "/windows"}
    return f"{action.recipient}{suffixes.get(action.verb, '')}".encode()


def encode_action(action: Action) -> bytes:
    """Return the value of a record on the throttle topic."""
    return encode_json(
        _Throttle(
            schema_version=NARROW_VERSION if action.verb in _NARROW else SCHEMA_VERSION,
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
            cause=CauseField(*action.cause[:3]),
            detector=DetectorField(action.version, action.config),
            again=tuple([_Window(a, b, c, d) for a, b, c, d in action.again]) or UNSET,
            refused_ids=action.refused_ids or UNSET,
        )
    )


def decode_action(value: bytes) -> Action:
    """Decode an action. Raises VersionError for a newer schema, else UnreadableError.

    A record without `opened_ms` gets the time of the episode's first message.
    """
    read = _throttle(value)
    if (read.verb in _NARROW) is not (read.schema_version == NARROW_VERSION):
        raise UnreadableError("a verb of another schema version") from None
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
        cause=cause_of(read.cause, read.issued_at_ms),
        version=read.detector.version,
        config=read.detector.config,
        again=tuple(AgainWindow(w.id, w.from_ms, w.until_ms, w.hot) for w in read.again or ()),
        refused_ids=read.refused_ids or (),
    )


def encode_episode(record: EpisodeRecord) -> bytes:
    """Return the value of a record on the episode topic. Its key is the recipient."""
    more: dict[str, Any] = {"schema_version": RENEWAL_VERSION, "since_ms": record.since_ms}
    if record.since_ms is None:
        more = {
            "schema_version": LIMIT_VERSION if record.kind == "limit" else SCHEMA_VERSION,
            "path": tuple(
                _Step(
                    _LEVEL_NAMES[step.level], step.at_ms, step.offset, step.rule,
                    float(step.score), float(step.threshold),
                )
                for step in record.path
            ),
            "rungs": tuple(
                RungField(
                    rung.rule, float(rung.score), float(rung.watch),
                    None if math.isinf(rung.throttle) else float(rung.throttle),
                )
                for rung in record.rungs
            ),
            "scope": _scope(record.scope),
            "known": record.known,
            "memory_days": record.memory_days,
            "chronic": record.chronic,
        }  # fmt: skip
    return encode_json(
        _Episode(
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
            cause=CauseField(*record.cause[:3]),
            detector=DetectorField(record.version, record.config),
            **more,
        )
    )


def decode_episode(value: bytes) -> EpisodeRecord:
    """Decode an episode. Raises VersionError for a newer schema, else UnreadableError."""
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
        cause=cause_of(read.cause, read.at_ms),
        version=read.detector.version,
        config=read.detector.config,
    )
    if (read.kind == "limit") is not (read.schema_version == LIMIT_VERSION):
        raise UnreadableError("a kind of another schema version") from None
    if read.schema_version == RENEWAL_VERSION:
        if read.since_ms is UNSET or read.change != "renewed":
            raise UnreadableError("no renewal, or not since when") from None
        return replace(told, since_ms=read.since_ms)
    whole = read.path, read.rungs, read.scope, read.known, read.memory_days, read.chronic
    if any(each is UNSET for each in whole):
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
    """Return CloudEvents 1.0 headers in Kafka's binary mode."""
    identity = f"{action.action_id}/{action.revision}" if action.update else action.action_id
    return cloud_event("otpguard.throttle.v1", identity, action.cause, action.issued_at_ms)


def episode_headers(record: EpisodeRecord) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode.

    The id contains the revision, because an episode has one record for each change.
    """
    identity = f"{record.episode_id}/{record.revision}"
    return cloud_event("otpguard.episode.v1", identity, record.cause, record.at_ms)


def dead_letter(reject: Reject, topic: str, partition: int) -> tuple[bytes, bytes, Headers]:
    """Return key, value and headers of the dead letter for a refused record.

    The value is the refused record's value, cut to `DEAD_LETTER_BYTES_MAX`. The refused record's
    key becomes the header `key`, so that the record can be replayed. Only this topic may contain a
    recipient or a text. A null value becomes an empty value, because null would be a tombstone.

    The header `size` is the original length of the value in bytes. It exists only if the value or
    the key was cut; such a dead letter cannot be replayed. A dead letter for a whole batch has no
    value: its `size` is 0, and its header `last_offset` is the last offset of the batch.
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
    """Return CloudEvents 1.0 headers of a record that an input event caused.

    `cause` gives the source: the topic and partition of the input event. `at_ms` is the time.
    """
    return agent_event(kind, identity, _source(cause.topic, cause.partition), at_ms)


def agent_event(kind: str, identity: str, source: str, at_ms: int) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode for the given attributes.

    `kind` is the event type, `identity` its id, `at_ms` its time in ms since 1970.
    """
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


def _scope(scope: Scope) -> Any:
    trust = _ALWAYS_PASS  # faster than hashing enum members; only resends differ
    if scope.trust is not ALWAYS_PASS:
        trust = tuple(TRUST_NAMES[each] for each in scope.trust)
    return _Scope(scope.category, trust, scope.pass_ids, scope.pass_prints)


def _scope_of(scope: Any) -> Scope:
    trust = tuple(TRUSTS[each] for each in scope.trust)
    return Scope(scope.category, trust, scope.pass_ids, scope.pass_prints)


def _evidence(given: Evidence) -> Any:
    return _Evidence(given.messages, given.platforms, given.novel, given.first_ms, given.last_ms)


def _evidence_of(read: Any) -> Evidence:
    return Evidence(read.messages, read.platforms, read.novel, read.first_ms, read.last_ms)


def cause_of(cause: Any, at_ms: int) -> Cause:
    """Return the cause of a record. `at_ms` is the time of the record, which is the cause's too."""
    return Cause(cause.topic, cause.partition, cause.offset, at_ms)


def floating(reason: Reason) -> Reason:
    """Return the reason with score and threshold as floats.

    Some rules count in integers. 5 and 5.0 would be different bytes in the record.
    """
    return Reason(reason.rule, float(reason.score), float(reason.threshold), reason.text)
