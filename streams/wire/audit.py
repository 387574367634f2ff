"""`otpguard.audit.v1`: who saw or did what, each record chained to the one before it.

A record holds the SHA-256 of the value before it in its chain, so that none can be changed or taken
out of the middle unseen. A chain has one writer, and several writers have a chain each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streams.wire.version import SCHEMA_VERSION, TimeMs, reader

AuditChannel = Literal["desk", "cli", "mo", "api"]

WORD_MAX: Final = 256
_Word = Annotated[str, Meta(max_length=WORD_MAX)]
_Chain = Annotated[str, Meta(min_length=1, max_length=128)]
_Kind = Annotated[str, Meta(pattern="^[a-z][a-z_]{0,31}$")]
_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a person, or a program in somebody's name, saw or did or was refused.

    `verb` is one word such as search, view, unmask, release, allow, exempt, mode, propose, approve,
    reject, export, notice, login; `outcome` such as asked, done, failed, refused, nothing.
    """

    chain: _Chain
    seq: _Number  # 0, 1, 2 … in its chain
    prev: _Sha256  # of the value before; of the first of a chain `chain_start`
    at_ms: TimeMs
    actor: _Word
    channel: AuditChannel
    verb: _Kind
    outcome: _Kind
    role: _Word = ""
    auth: _Word = ""  # how the actor is known: os, password, oidc, proxy, once, msisdn, mtls
    address: _Word = ""  # of the actor's machine
    subject: _Word = ""  # the recipient in canonical form, "*" for everyone; or whom it is about
    episode_id: _Word = ""
    detail: _Word = ""  # the platform of `allow`, the switch of `mode`, the id of the word
    reason: _Word = ""
    ticket: _Word = ""
    until_ms: TimeMs | None = None
    schema_version: int = SCHEMA_VERSION


_encode: Final = msgspec.json.Encoder().encode
_audit: Final = reader(AuditRecord)


def audit_record(fields: Mapping[str, Any]) -> AuditRecord:
    """Return the record of these fields, each word cut to what one may have.

    Raise `msgspec.ValidationError` for what no cut makes right.
    """
    cut = {
        name: told[:WORD_MAX] if isinstance(told, str) else told for name, told in fields.items()
    }
    return msgspec.convert(cut, AuditRecord)


def encode_audit(record: AuditRecord) -> bytes:
    """The record's value; its key is its chain."""
    return _encode(record)


def decode_audit(value: bytes) -> AuditRecord:
    """Raise VersionError, or UnreadableError if it is no record of an audit."""
    return _audit(value)


def chain_start(chain: str) -> str:
    """The `prev` of a chain's first record: 64 hex digits.

    >>> chain_start("cli/a")[:16]
    '0e9cadb9ac68a238'
    """
    return hashlib.sha256(f"otpguard.audit/1\n{chain}".encode()).hexdigest()


def chained(value: bytes) -> str:
    """The `prev` of the record behind the one with this value."""
    return hashlib.sha256(value).hexdigest()
