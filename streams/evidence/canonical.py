"""Bytes that are the same wherever they are made: canonical JSON, digests, base64. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives import hashes

from streams.language import tr

FORMAT: Final = "otpguard.evidence/1"
"""Name and version of the pack's format; also the seed of the chain."""
REPORT_FORMAT: Final = "otpguard.report/1"
"""The same of a month's report, which has no chain: each of its files is in the manifest."""


class PackError(ValueError):
    """A pack that is not as it was made, or cannot be made; the message says where."""


def canonical(value: Any) -> bytes:
    """Return JSON by RFC 8785. Raise PackError for what not every reader holds.

    That is a number that is too large, a name that is no Unicode, and what nests too deep.

    >>> canonical({"b": 1.0, "a": "x"})
    b'{"a":"x","b":1}'
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise PackError(tr("no canonical JSON: {error}").format(error=error)) from None


def parsed(data: bytes) -> Any:
    """Return the value of canonical JSON; PackError if it is written in any other way."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise PackError(tr("no JSON")) from None
    if canonical(value) != data:
        raise PackError(tr("not written canonically"))
    return value


def sha256(data: bytes) -> str:
    """Return SHA-256 in hex digits."""
    return hashlib.sha256(data).hexdigest()


def sm3(data: bytes) -> str:
    """Return SM3 (GB/T 32905-2016) in hex digits.

    >>> sm3(b"abc")[:16]
    '66c7f0f462eeedd9'
    """
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def encoded(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


def decoded(text: Any) -> bytes:
    """Return the bytes of base64 as it is written here; PackError if written in any other way."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise PackError(tr("no base64")) from None
    if encoded(data) != text:
        raise PackError(tr("base64 with bits to spare"))
    return data


def entry(path: str, data: bytes) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    return {"bytes": len(data), "path": path, "sha256": sha256(data), "sm3": sm3(data)}
