"""Stored fields: a dataclass becomes plain data and comes back, by what it declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Any, NamedTuple

import msgspec
import pytest

from detectors.model.fields import As, Bounds, PlatformId, Word, reader, shape, stored_names, writer


class Colour(IntEnum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    colour: Colour


Wide = Annotated[
    int, As(tuple[Word, Word], lambda n: divmod(n, 1000), lambda t: t[0] * 1000 + t[1])
]


@dataclass(slots=True)
class Inner:
    name: str
    seen: dict[PlatformId, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Outer:
    ids: set[int]
    frozen: frozenset[int]
    pair: tuple[int, str]
    many: tuple[Point, ...]
    inner: Inner | None
    absent: Inner | None
    by_name: dict[str, Inner]
    wide: list[Wide]
    colour: Colour
    bounded: Annotated[list[int], Bounds(1, 3)]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = len(self.ids)


def example() -> Outer:
    return Outer(
        ids={3, 1}, frozen=frozenset([9, 2]), pair=(1, "a"), many=(Point(1, Colour.BLUE),),
        inner=Inner("i", {7: [1, 2], 5: []}), absent=None, by_name={"b": Inner("b")},
        wide=[5_007], colour=Colour.RED, bounded=[1],
    )  # fmt: skip


def restored(plain: Any) -> Outer:
    told: Outer = reader(Outer)(plain)
    return told


def test_a_value_comes_back_as_it_was_also_through_bytes() -> None:
    plain = writer(Outer)(example())
    again = restored(msgspec.msgpack.decode(msgspec.msgpack.encode(plain)))
    assert again == restored(plain) == example()
    assert again.count == 2, "derived, and not stored"
    assert again.inner is not None
    assert list(again.inner.seen) == [7, 5], "in the order in which it was"
    assert type(again.many[0]) is Point
    assert type(again.many[0].colour) is type(again.colour) is Colour


def test_plain_data_is_a_copy_that_later_changes_do_not_reach() -> None:
    value = example()
    plain = writer(Outer)(value)
    before = msgspec.msgpack.encode(plain)
    again = restored(plain)
    for each in (value, again):
        assert each.inner is not None
        each.inner.seen[7].append(3)
        each.inner.seen[8] = []
        each.ids.add(4)
        each.wide.clear()
        each.bounded.append(2)
    assert msgspec.msgpack.encode(plain) == before


def test_only_what_the_constructor_takes_is_stored() -> None:
    assert "count" not in stored_names(Outer)
    assert len(writer(Outer)(example())) == len(stored_names(Outer)) == 10


def test_a_shape_names_bounds_and_parts() -> None:
    assert shape(Annotated[list[int], Bounds(1, 3)]).bounds == (1, 3)
    assert shape(Annotated[list[int], Bounds(1, 3)]).parts == (int,)
    assert shape(dict[int, str]).parts == (int, str)
    assert shape(Inner).form == "fields"


def test_a_list_of_another_length_is_no_tuple_of_fields() -> None:
    with pytest.raises(TypeError):
        restored([*writer(Outer)(example()), 1])
