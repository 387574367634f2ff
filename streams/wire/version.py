"""The one rule about versions: fields may be added at will; a higher major version is refused."""

from __future__ import annotations

from typing import Final

import msgspec

SCHEMA_VERSION: Final = 1


class VersionError(ValueError):
    """A record of a major version that is not known here: a newer program has to read it."""


class _Versioned(msgspec.Struct):
    schema_version: int


_version: Final = msgspec.json.Decoder(_Versioned).decode


def check_version(value: bytes) -> None:
    """Raise VersionError, or msgspec.DecodeError if the value has no version at all."""
    version = _version(value).schema_version
    if version > SCHEMA_VERSION:
        raise VersionError(f"schema version {version}; this program knows {SCHEMA_VERSION}")
