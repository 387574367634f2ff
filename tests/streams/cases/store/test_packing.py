"""Values and ids as they lie in the store."""

from __future__ import annotations

import msgspec
from hypothesis import given, strategies as st

from streams.cases.store.packing import id_bytes, ids_of, kept_json, kept_text, pack, unpack


@given(st.binary(max_size=2_000))
def test_a_value_comes_back_as_it_was(value: bytes) -> None:
    assert unpack(pack(value)) == value


@given(st.lists(st.integers(0, 2**32 - 1), max_size=200))
def test_ids_come_back_once_each_and_ascending(ids: list[int]) -> None:
    assert ids_of(id_bytes(ids)) == sorted(set(ids))
    assert len(id_bytes(ids)) == 4 * len(set(ids))


@given(st.text('\0\\"u0甲\U0001f600', max_size=40))
def test_json_says_the_text_that_is_kept(text: str) -> None:
    kept = kept_json(msgspec.json.encode({"text": text}))
    assert msgspec.json.decode(kept) == {"text": kept_text(text)}


def test_half_a_pair_of_surrogates_is_not_kept() -> None:
    assert kept_text("a\ud800b\0甲") == "a\ufffdb\ufffd甲"
