"""Columns of strings: both forms say the same of the same strings."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from detectors.model.strings import SPARE, StringBuffer, StringList, join_strings, lines

STRINGS = st.lists(
    st.text(st.characters(), max_size=6)
    | st.sampled_from(["", "a", "ab", "\0", "a\0", "\ud800", "淘宝", "10690001", "x" * 40, "y\n"]),
    max_size=12,
)


@given(STRINGS, st.data())
def test_both_forms_say_the_same(strings: list[str], data: st.DataObject) -> None:
    written, lying = StringList(strings), StringBuffer.of(StringList(strings))
    octets = [string.encode("utf-8", "surrogatepass") for string in strings]
    rows = data.draw(st.lists(st.sampled_from(range(len(strings))))) if strings else []
    chosen = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(strings)))[: len(strings)], bool
    )
    for column in (written, lying):
        assert len(column) == len(strings)
        assert list(column) == [column[i] for i in range(len(strings))] == strings
        assert column.pieces() == octets
        assert column.length.tolist() == list(map(len, octets))
        assert column.any() == any(strings)
        assert column.counts() == Counter(strings)
        assert list(column.take(np.array(rows, np.int64))) == [strings[i] for i in rows]
        assert list(column.take(chosen)) == [
            s for s, keep in zip(strings, chosen, strict=True) if keep
        ]
        matrix = column.matrix()
        if matrix is not None:
            assert [bytes(row) for row in matrix] == octets
        elif octets and len(set(map(len, octets))) == 1 and octets[0]:
            assert column is written
            assert b"\n" in b"".join(octets)


@given(STRINGS, STRINGS, st.integers(0, 9))
def test_columns_are_joined_in_any_order_and_of_any_form(
    first: list[str], then: list[str], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(first) + len(then))
    expected = [(first + then)[i] for i in order]
    for one in (StringList(first), StringBuffer.of(StringList(first))):
        for other in (StringList(then), StringBuffer.of(StringList(then))):
            column = join_strings([one, other], order)
            assert list(column) == expected


@given(STRINGS)
def test_what_is_behind_a_string_belongs_to_no_other(strings: list[str]) -> None:
    lying = StringBuffer.of(StringList(strings))
    octets = np.frombuffer(lying.buffer, np.uint8).copy()
    for spare in range(SPARE):
        octets[lying.stop + spare] = 255
    assert list(StringBuffer(octets.tobytes(), lying.start, lying.stop)) == strings


def test_many_different_strings_are_counted() -> None:
    strings = [f"gw{n % 40:02}" for n in range(200)]
    assert StringBuffer.of(StringList(strings)).counts() == Counter(strings)


@pytest.mark.parametrize(
    ("joined_lines", "n", "expected"),
    [
        (b"ab\ncd\n", 2, [b"ab", b"cd"]),
        (b"ab\ncd\n", 3, None),
        (b"a\nbcd\n", 2, None),  # as long as two lines of two
        (b"abc\n\n", 2, None),
        (b"\n\n", 2, None),
        (b"", 0, None),
    ],
)
def test_lines_of_one_width(joined_lines: bytes, n: int, expected: list[bytes] | None) -> None:
    rows = lines(joined_lines, n)
    assert (rows if rows is None else [bytes(row) for row in rows]) == expected
