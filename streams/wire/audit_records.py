"""Encode and decode `otpguard.audit.v1`: the audit log of who saw or did what.

Each record holds the SHA-256 of the previous record's value in the same chain. A record that is
changed, or removed from the middle of a chain, is therefore detected. Each writer has a chain of
its own, whose name is the key of the records. `decode_audit` raises VersionError for a newer
schema, else UnreadableError.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streams.wire.version import (
    SCHEMA_VERSION,
    WORD_MAX,
    Number63,
    ShortText,
    TimeMs,
    encode_json,
    reader,
)

AuditChannel = Literal["desk", "cli", "mo", "api"]

_Chain = Annotated[str, Meta(min_length=1, max_length=128)]
_Kind = Annotated[str, Meta(pattern="^[a-z][a-z_]{0,31}$")]
_Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a person, or of a program on behalf of a person, including refused actions.

    `verb` names the action, for example search, view, unmask, release, allow, exempt, mode,
    propose, approve, reject, export, notice or login. `outcome` names its result, for example
    asked, done, failed, refused or nothing.
    """

    chain: _Chain
    seq: Number63  # position in the chain: 0, 1, 2 ...
    prev: _Sha256  # hash of the previous record's value; `chain_start` in the first record
    at_ms: TimeMs
    actor: ShortText
    channel: AuditChannel
    verb: _Kind
    outcome: _Kind
    role: ShortText = ""
    auth: ShortText = ""  # authentication method: os, password, oidc, proxy, once, msisdn, mtls
    address: ShortText = ""  # network address of the actor's machine
    subject: ShortText = ""  # recipient in canonical form, "*" for everyone, or another subject
    episode_id: ShortText = ""
    detail: ShortText = ""  # for example the platform of `allow`, the new mode, an override's id
    reason: ShortText = ""
    ticket: ShortText = ""
    until_ms: TimeMs | None = None
    schema_version: int = SCHEMA_VERSION


encode_audit: Final[Callable[[AuditRecord], bytes]] = encode_json
decode_audit: Final = reader(AuditRecord)


def audit_record(fields: Mapping[str, Any]) -> AuditRecord:
    """Build an audit record from its fields. Strings are cut to `WORD_MAX` characters.

    Raises `msgspec.ValidationError` if a field is invalid even after the cut.
    """
    cut = {
        name: told[:WORD_MAX] if isinstance(told, str) else told for name, told in fields.items()
    }
    return msgspec.convert(cut, AuditRecord)


def chain_start(chain: str) -> str:
    """Return the `prev` field of the first record of a chain: 64 hex digits.

    >>> chain_start("cli/a")[:16]
    '0e9cadb9ac68a238'
    """
    return hashlib.sha256(f"otpguard.audit/1\n{chain}".encode()).hexdigest()


def hash_record(value: bytes) -> str:
    """Return the `prev` field of the record that follows the record with this value."""
    return hashlib.sha256(value).hexdigest()
