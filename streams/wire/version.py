"""Readers of records: one rule about versions, one error about everything else.

Fields may be added at will; a higher major version is refused. Whoever reads a topic has one error
to pass over, whatever its bytes are: a decoder's own errors are of many kinds (a string that is no
UTF-8, nesting without end), and one that a reader forgot would stop it for good on a compacted
topic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Final, TypeVar

import msgspec
from msgspec import Meta

SCHEMA_VERSION: Final = 1
TIME_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last that a calendar of the standard library can show."""

TimeMs = Annotated[int, Meta(ge=0, le=TIME_MAX_MS)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""Versions that every reader can hold; the parser alone would take any number of digits."""
Word32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors that msgspec's decoders raise of an outsider's bytes: no JSON, none of the type, strings
that are no UTF-8, nesting without end."""

_T = TypeVar("_T")


class UnreadableError(ValueError):
    """A record that is none of its contract. The message holds nothing of the record."""

    kind: ClassVar = "bad"  # the label by which metrics count it


class VersionError(UnreadableError):
    """A record of a major version that is not known here: a newer program has to read it."""

    kind = "newer"


class _Versioned(msgspec.Struct):
    schema_version: Integer


_version: Final = msgspec.json.Decoder(_Versioned).decode


def reader(contract: type[_T], newest: int = SCHEMA_VERSION) -> Callable[[bytes], _T]:
    """Return the decoder of a contract, which raises UnreadableError and nothing else.

    `newest` is the highest version that the contract has.

    >>> class Word(msgspec.Struct):
    ...     text: str
    >>> reader(Word)(b'{"schema_version": 1, "text": 7}')
    Traceback (most recent call last):
    ...
    streams.wire.version.UnreadableError: ValidationError at `$.text`
    """
    decode = msgspec.json.Decoder(contract).decode

    def read(value: bytes) -> _T:
        try:
            version = _version(value).schema_version
            if version <= newest:
                return decode(value)
        except Exception as error:  # noqa: BLE001 - of what kind it is, is the parser's business
            raise UnreadableError(_said(error)) from None
        raise VersionError(f"schema version {version}; this program knows {newest}")

    return read


def _said(error: Exception) -> str:
    """The kind of an error and the place in the record, without what stands there."""
    _, found, place = str(error).rpartition(" - at ")
    return f"{type(error).__name__} at {place}" if found else type(error).__name__
