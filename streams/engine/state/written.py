"""Checks the types of the state that a checkpoint contains beside the recipients' rows.

A checksum proves that the bytes are unchanged, but not that they are a valid state. Another program
version, or a person with write access to the changelog, may have written them. A checkpoint with
other types is refused completely before any part is used. Otherwise it would stop a worker hours
later, and again after every restart.

The types follow from the fields that `detectors.partition.State` declares.
`detectors.chain.restore` checks that the values are consistent with each other.
"""

from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from detectors.model.fields import shape, stored_names
from detectors.partition import State


def check_types(rest: dict[str, Any]) -> dict[str, Any]:
    """Check the types of a decoded state and convert lists to tuples where a type is a tuple.

    Raises ValueError if a value has another type.
    """
    # A checkpoint from before memory records has no recycled numbers.
    return msgspec.structs.asdict(msgspec.convert({"recycled": []} | rest, type=_types()))


@cache
def _types() -> type[msgspec.Struct]:
    _, _, parts, _, _ = shape(State)
    types = [_plain_type(part) for part in parts]
    return msgspec.defstruct("State", list(zip(stored_names(State), types, strict=True)))


def _plain_type(kind: Any) -> Any:
    """Return the type of the plain data that a value of this kind is stored as."""
    form, _, parts, _, bounds = shape(kind)
    inner = [_plain_type(part) for part in parts]
    match form:
        case "as":
            told = inner[0]
        case "optional":
            told = inner[0] | None
        case "each":
            told = list[inner[0]]  # type: ignore[valid-type]
        case "pairs":
            told = list[tuple[*inner]]  # type: ignore[valid-type]
        case "fields":
            told = tuple[*inner]  # type: ignore[valid-type]
        case _:
            told = kind if bounds is None else get_args(kind)[0]
    if bounds is None:
        return told
    least, most = bounds
    if get_args(kind)[0] is int:
        return Annotated[told, Meta(ge=least, le=most)]
    return Annotated[told, Meta(min_length=least, max_length=most)]
