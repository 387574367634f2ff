"""Encode and decode `otpguard.incident.v1`: the messages of a flood, kept for months.

The victim and the police can later ask for this evidence. A record's bytes depend on its content
alone, as in `streams.wire.outputs`. Empty fields are left out: refused messages have most fields,
messages that pass have few.
"""

import math
from typing import Annotated, Any, Final

from msgspec import Meta

from detectors.model.incidents import (
    Basis,
    EarlierSighting,
    FloodMessage,
    IncidentRecord,
    KnownPrint,
    Unlisted,
)
from detectors.model.records import Rung
from detectors.thresholds import INCIDENT_RECORD_MAX
from streams.wire.outputs import (
    TRUST_NAMES,
    TRUSTS,
    CauseField,
    DetectorField,
    Headers,
    RungField,
    cause_of,
    cloud_event,
    floating,
)
from streams.wire.version import (
    SCHEMA_VERSION,
    Integer,
    Number63,
    Word32,
    derive,
    encode_json,
    reader,
    several,
)

EARLIER_MAX: Final = 128
KNOWN_MAX: Final = 14

_Print = Annotated[int, Meta(ge=0, le=2**16 - 1)]


_Message: Final = derive(
    FloodMessage,
    "offset at_ms would novel trust gateway_id platform platform_id sender account_id message_id "
    "lease",
    gateway_id=(str, ""),
    platform=(str, ""),
    platform_id=(Word32, 0),
    sender=(str, ""),
    account_id=(str, ""),
    message_id=(str, ""),
    lease=(Integer, -1),
    omit_defaults=True,
    gc=False,  # created in millions
)
_Earlier: Final = derive(
    EarlierSighting,
    "at_ms novel trust platform platform_id hot offset",
    platform=(str, ""),
    platform_id=(Word32, 0),
    hot=(bool, False),
    offset=(Integer, -1),
    omit_defaults=True,
    gc=False,
)
_Known: Final = derive(KnownPrint, "print level last_ms", print=_Print)
_Basis: Final = derive(
    Basis,
    "reason rungs born_ms known clock list_version",
    rungs=several(RungField),
    known=several(_Known, KNOWN_MAX),
)
_Unlisted: Final = derive(Unlisted, "passed refused", passed=Number63, refused=Number63)
_Incident: Final = derive(
    IncidentRecord,
    "schema_version episode_id epoch revision recipient mode at_ms first messages unlisted basis "
    "earlier cause detector",
    schema_version=int,
    first=Number63,
    messages=several(_Message, INCIDENT_RECORD_MAX),
    unlisted=(_Unlisted | None, None),
    basis=(_Basis | None, None),
    earlier=(several(_Earlier, EARLIER_MAX), ()),
    cause=CauseField,
    detector=DetectorField,
    omit_defaults=True,
)

_incident: Final = reader(_Incident)


def encode_incident(record: IncidentRecord) -> bytes:
    """Return the value of a record on the incident topic. Its key is the recipient."""
    names = TRUST_NAMES
    return encode_json(
        _Incident(
            schema_version=SCHEMA_VERSION,
            episode_id=record.episode_id,
            epoch=record.epoch,
            revision=record.revision,
            recipient=record.recipient,
            mode=record.mode,
            at_ms=record.at_ms,
            first=record.first,
            messages=tuple(
                [
                    _Message(a, b, c, d, names[e], f, g, h, i, j, k, m)
                    for a, b, c, d, e, f, g, h, i, j, k, m in record.messages
                ]
            ),
            unlisted=None if record.unlisted is None else _Unlisted(*record.unlisted),
            basis=None if record.basis is None else _basis(record.basis),
            earlier=tuple([_Earlier(e[0], e[1], names[e[2]], *e[3:]) for e in record.earlier]),
            cause=CauseField(*record.cause[:3]),
            detector=DetectorField(record.version, record.config),
        )
    )


def decode_incident(value: bytes) -> IncidentRecord:
    """Decode an incident record. Raises VersionError for a newer schema, else UnreadableError."""
    read = _incident(value)
    return IncidentRecord(
        episode_id=read.episode_id,
        epoch=read.epoch,
        revision=read.revision,
        recipient=read.recipient,
        mode=read.mode,
        at_ms=read.at_ms,
        first=read.first,
        messages=tuple(
            FloodMessage(
                m.offset, m.at_ms, m.would, m.novel, TRUSTS[m.trust], m.gateway_id, m.platform,
                m.platform_id, m.sender, m.account_id, m.message_id, m.lease,
            )
            for m in read.messages
        ),
        unlisted=None
        if read.unlisted is None
        else Unlisted(read.unlisted.passed, read.unlisted.refused),
        basis=None if read.basis is None else _basis_of(read.basis),
        earlier=tuple(
            EarlierSighting(
                e.at_ms, e.novel, TRUSTS[e.trust], e.platform, e.platform_id, e.hot, e.offset
            )
            for e in read.earlier
        ),
        cause=cause_of(read.cause, read.at_ms),
        version=read.detector.version,
        config=read.detector.config,
    )  # fmt: skip


def incident_headers(record: IncidentRecord) -> Headers:
    """Return CloudEvents 1.0 headers in Kafka's binary mode.

    An episode has many records. The id contains the number of the record's first message, because
    one input event can end a record and begin the next: its offset is not unique.
    """
    identity = f"{record.episode_id}/{record.revision}/{record.first}"
    return cloud_event("otpguard.incident.v1", identity, record.cause, record.at_ms)


def _basis(basis: Basis) -> Any:
    return _Basis(
        floating(basis.reason),
        tuple(
            RungField(
                rung.rule,
                float(rung.score),
                float(rung.watch),
                None if math.isinf(rung.throttle) else float(rung.throttle),
            )
            for rung in basis.rungs
        ),
        basis.born_ms,
        tuple(_Known(*known) for known in basis.known),
        basis.clock,
        basis.list_version,
    )


def _basis_of(read: Any) -> Basis:
    return Basis(
        read.reason,
        tuple(
            Rung(r.rule, r.score, r.watch, math.inf if r.throttle is None else r.throttle)
            for r in read.rungs
        ),
        read.born_ms,
        tuple(KnownPrint(k.print, k.level, k.last_ms) for k in read.known),
        read.clock,
        read.list_version,
    )
