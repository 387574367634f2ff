"""Stores dataclasses as plain data, and restores them, from the declaration of their fields.

The fields of a dataclass that its constructor takes are its stored fields. Their annotations say
how a value is copied, how it is restored, and which values are valid. Fields with `init=False` are
derived in `__post_init__`. `streams.engine.state.written` checks decoded data by the same
declarations, because data with a good checksum may still be no valid state.

Classes that hold phone numbers have `repr=False`, so that no log shows them.

Plain data are numbers, strings, bytes, None, lists and tuples. A dict becomes a list of pairs, so
its order and the type of its keys survive every encoding.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

Convert: TypeAlias = Callable[[Any], Any]


class Bounds(NamedTuple):
    """Smallest and largest valid number; for lists and bytes, the smallest and largest length."""

    least: int
    most: int | None = None


class As(NamedTuple):
    """Stores a value as a value of another kind: `Annotated[T, As(kind, write, read)]`.

    Give such an annotation a name in its module. Python evaluates the annotations of a class where
    a lambda does not see the module's names.
    """

    kind: Any
    write: Convert  # T -> kind
    read: Convert  # kind -> T


Count: TypeAlias = Annotated[int, Bounds(0, 2**53)]
Time: TypeAlias = Annotated[int, Bounds(-(2**40), 2**40)]
"""A time in seconds since `EPOCH_S`, or the number of a day, tick or window."""
TimeMs: TypeAlias = Annotated[int, Bounds(-(2**53), 2**53)]
Word: TypeAlias = Annotated[int, Bounds(0)]
"""A value of 64 bits: a sighting, a recipient or a template."""
Offset: TypeAlias = Annotated[int, Bounds(-1, 2**63 - 1)]
PlatformId: TypeAlias = Annotated[int, Bounds(0, 2**32 - 1)]
Print: TypeAlias = Annotated[int, Bounds(0, 2**16 - 1)]


class FieldShape(NamedTuple):
    """How the values of one kind are built from other values."""

    form: Literal["plain", "as", "optional", "each", "pairs", "fields"]
    make: Convert  # builds a value from its restored parts
    parts: tuple[Any, ...] = ()  # kinds of the parts
    take: Convert = list  # returns the parts of a value
    bounds: Bounds | None = None


@cache
def shape(kind: Any) -> FieldShape:
    """Return the shape of a kind: an annotation of a stored field."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner, note = parts
        if isinstance(note, As):
            return FieldShape("as", note.read, (note.kind,), note.write)
        return shape(inner)._replace(bounds=note)
    if origin in (Union, UnionType) and NoneType in parts:
        return FieldShape("optional", _same, parts[:1])
    if origin in (set, frozenset):
        return FieldShape("each", origin, parts, sorted)
    if origin is list or parts[1:] == (Ellipsis,):
        return FieldShape("each", origin, parts[:1])
    if origin is dict:
        return FieldShape("pairs", dict, parts)
    if origin is tuple:
        return FieldShape("fields", tuple, parts)
    if isinstance(kind, type) and is_dataclass(kind):
        names = stored_names(kind)
        hints = _hints(kind, names)
        return FieldShape("fields", lambda held: kind(*held), hints, attrgetter(*names))
    if hasattr(kind, "_fields"):
        return FieldShape("fields", kind._make, _hints(kind, kind._fields))
    return FieldShape("plain", kind if isinstance(kind, type) and issubclass(kind, Enum) else _same)


def _same(value: Any) -> Any:
    return value


def _hints(kind: Any, names: Any) -> tuple[Any, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(hints[name] for name in names)


@cache
def writer(kind: Any) -> Convert:
    """Return the function that copies a value of this kind to plain data."""
    form, _, parts, take, _ = shape(kind)
    inner = [writer(part) for part in parts]
    some = [(i, write) for i, write in enumerate(inner) if write is not _same]
    match form:
        case "as":
            return take if not some else lambda value: inner[0](take(value))
        case "optional":
            return lambda value: None if value is None else inner[0](value)
        case "each" if some:
            return lambda value: [inner[0](each) for each in value]
        case "pairs":
            write = inner[1]
            if write is _same:
                return lambda value: list(value.items())
            return lambda value: [(key, write(each)) for key, each in value.items()]
        case "fields" if some or take is not list:
            return lambda value: _each_by_its_own(some, take(value))
        case "plain" | "fields":  # a tuple of plain values is immutable
            return _same
    return take


@cache
def reader(kind: Any) -> Convert:
    """Return the function that restores a value of this kind from plain data."""
    form, make, parts, _, _ = shape(kind)
    inner = [reader(part) for part in parts]
    some = [(i, read) for i, read in enumerate(inner) if read is not _same]
    match form:
        case "as":
            return make if not some else lambda state: make(inner[0](state))
        case "optional":
            return lambda state: None if state is None else inner[0](state)
        case "each" if some:
            return lambda state: make([inner[0](each) for each in state])
        case "pairs" if some:
            read_key, read = inner
            return lambda state: {read_key(key): read(each) for key, each in state}
        case "fields" if some:
            return lambda state: make(_each_by_its_own(some, state))
    return make


def _each_by_its_own(some: list[tuple[int, Convert]], values: Any) -> list[Any]:
    held = list(values)
    for i, convert in some:
        held[i] = convert(held[i])
    return held


def stored_names(kind: type) -> list[str]:
    """Return the names of a dataclass's stored fields, in the order in which they are stored."""
    return [each.name for each in fields(kind) if each.init]
