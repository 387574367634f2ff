"""Canonical JSON, digests and base64: the same value gives the same bytes everywhere. Pure."""

import base64
import json
from typing import Any

import rfc8785
from cryptography.hazmat.primitives import hashes

from streams.common import tr
from streams.people.evidence.standalone import sha256


class PackError(ValueError):
    """The pack was changed, or cannot be made. The message says where."""


def canonical(value: Any) -> bytes:
    """Return JSON by RFC 8785. Raise PackError if some JSON readers would fail on the result.

    Readers may fail on numbers that are too large, invalid Unicode, and very deep nesting.
    >>> canonical({"b": 1.0, "a": "x"})
    b'{"a":"x","b":1}'
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise PackError(tr("no canonical JSON: {error}").format(error=error)) from None


def parse_canonical(data: bytes) -> Any:
    """Parse canonical JSON and return the value. Raise PackError if the JSON is not canonical."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise PackError(tr("no JSON")) from None
    if canonical(value) != data:
        raise PackError(tr("not written canonically"))
    return value


def sm3(data: bytes) -> str:
    """Return the SM3 digest (GB/T 32905-2016) in hex.

    >>> sm3(b"abc")[:16]
    '66c7f0f462eeedd9'
    """
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def encode_base64(data: bytes) -> str:
    """Encode bytes as base64 text."""
    return base64.b64encode(data).decode()


def entry(path: str, data: bytes) -> dict[str, Any]:
    """Return the manifest entry of a file: path, size in bytes, SHA-256 and SM3."""
    return {"bytes": len(data), "path": path, "sha256": sha256(data), "sm3": sm3(data)}
