"""How a gateway's adapter of version 1 reads the throttle topic and Redis. Kept as it was.

Only what such an adapter uses of a record is here. `tests/streams/wire/test_version_1.py` shows
that it skips records of version 2, and takes a full lease with refused platforms as one without.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

NEWEST = 1


class Scope(msgspec.Struct):
    """The exceptions of a throttle."""

    category: str
    trust: tuple[str, ...]
    pass_ids: tuple[int, ...]
    pass_prints: tuple[int, ...]


class Throttle(msgspec.Struct, kw_only=True):
    """`otpguard.throttle.v1`."""

    schema_version: int
    action_id: str
    episode_id: str
    epoch: int
    revision: int
    recipient: str
    verb: Literal["throttle", "release"]
    mode: Literal["shadow", "enforce"]
    scope: Scope
    issued_at_ms: int
    expires_at_ms: int
    opened_ms: int | None = None
    level: str
    again: tuple[dict[str, Any], ...] = ()


class NewerError(ValueError):
    """A record has a newer schema version: it is counted and passed over."""


def read(value: bytes) -> Throttle:
    """Decode a record. Raise NewerError for a newer schema version."""
    version = json.loads(value)["schema_version"]
    if version > NEWEST:
        raise NewerError(version)
    return msgspec.json.decode(value, type=Throttle)


def read_redis(value: bytes) -> dict[str, Any]:
    """Decode a lease in Redis. Raise NewerError for another version: then the message passes."""
    fields = json.loads(value)
    if fields["v"] != NEWEST:
        raise NewerError(fields["v"])
    names = "action", "until", "category", "trust", "ids", "prints"
    return {name: fields[name] for name in names} | {"again": fields.get("again", [])}
