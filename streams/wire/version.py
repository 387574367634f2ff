"""Encode records, and build decoders that check the schema version and raise one kind of error.

Unknown fields are ignored, so fields may be added at any time. A record with a higher schema
version is refused.

Every decoder raises `UnreadableError` for a bad record. The JSON parser itself raises several kinds
of errors (invalid UTF-8, nesting that is too deep). A consumer that did not catch one of them would
stop at the same record of a compacted topic at every start.
"""

import sys
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from detectors.model.event import Trust
from detectors.model.records import Level
from streams.common.limits import GATEWAY_ID

SCHEMA_VERSION: Final = 1
TIME_MAX_MS: Final = 253_402_300_799_999
"""End of the year 9999. Python's `datetime` cannot represent later times."""

TimeMs = Annotated[int, Meta(ge=0, le=TIME_MAX_MS)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A signed integer of 64 bits. Without this limit the parser accepts any number of digits."""
Number63 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Word32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
WORD_MAX: Final = 256
ShortText = Annotated[str, Meta(max_length=WORD_MAX)]
GatewayId = Annotated[str, Meta(pattern=rf"\A{GATEWAY_ID}\Z")]

TrustName = Literal["none", "bank", "government", "carrier", "emergency"]
LevelName = Literal["clear", "watch", "throttle"]
_ENUMS: Final[dict[Any, Any]] = {Trust: TrustName, Level: LevelName}

encode_json: Final = msgspec.json.Encoder().encode

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors that msgspec's decoders raise for untrusted bytes: invalid JSON, a wrong type, invalid
UTF-8, or nesting that is too deep."""

_T = TypeVar("_T")


def derive(
    source: type, names: str, *, omit_defaults: bool = False, gc: bool = True, **types: Any
) -> Any:
    """Build the struct of a record, or of a part of it: `names` are its fields in their order.

    A field has the type that it has in `source`, a type of `detectors/`, with the limits of the
    wire. `types` names the types of the other fields; a pair is a type and a default. A struct with
    a schema version is made by keywords, others also by position.

    >>> from detectors.model.records import Cause
    >>> msgspec.json.encode(derive(Cause, "offset topic", topic=(str, "sms"))(7))
    b'{"offset":7,"topic":"sms"}'
    """
    hints = {**get_type_hints(source), "schema_version": (int, SCHEMA_VERSION), **types}
    fields: list[Any] = []
    for name in map(sys.intern, names.split()):  # structs find interned keywords faster
        kind = _ENUMS.get(hints[name], hints[name])
        if kind is int:
            kind = TimeMs if name.endswith("_ms") else Integer
        fields.append((name, *kind) if isinstance(kind, tuple) else (name, kind))
    return msgspec.defstruct(
        source.__name__,
        fields,
        kw_only=fields[0][0] == "schema_version",
        omit_defaults=omit_defaults,
        gc=gc,
    )


def several(kind: Any, most: int | None = None, *, least: int | None = None) -> Any:
    """Return the type of an array with `least` to `most` elements."""
    return Annotated[tuple.__class_getitem__((kind, ...)), Meta(min_length=least, max_length=most)]


def left_out(kind: Any) -> Any:
    """Return type and default of a field that is left out if it has no value."""
    return kind | UnsetType, UNSET


class UnreadableError(ValueError):
    """A record does not match its schema. The error message contains no value of the record."""

    kind: ClassVar = "bad"  # label value in the metrics


class VersionError(UnreadableError):
    """A record has a schema version that is newer than this program can read."""

    kind = "newer"


class _Versioned(msgspec.Struct):
    schema_version: Integer


_version: Final = msgspec.json.Decoder(_Versioned).decode


def reader(contract: type[_T], newest: int = SCHEMA_VERSION) -> Callable[[bytes], _T]:
    """Return a decoder for the type `contract`. The decoder raises only UnreadableError.

    `newest` is the highest schema version that the decoder accepts. A higher version raises
    VersionError, which is a subclass of UnreadableError.

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
        except Exception as error:  # noqa: BLE001 - the parser raises many kinds of errors
            raise UnreadableError(_describe_error(error)) from None
        raise VersionError(f"schema version {version}; this program knows {newest}")

    return read


def _describe_error(error: Exception) -> str:
    """Return the error's class name and the field's path, without the field's value."""
    _, found, place = str(error).rpartition(" - at ")
    return f"{type(error).__name__} at {place}" if found else type(error).__name__
