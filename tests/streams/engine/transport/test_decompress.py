"""What a producer compressed is made whole up to a bound, and no more of it is ever held."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from aiokafka import codec
from hypothesis import given, strategies as st

from streams.engine.transport.decompress import UnreadableBatchError, decompress

MEGABYTE = 1 << 20
ENCODERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (1, codec.gzip_encode),
    "snappy of Java": (2, codec.snappy_encode),
    "snappy": (2, lambda data: bytes(codec.snappy_encode(data, xerial_compatible=False))),
    "lz4": (3, codec.lz4_encode),
    "zstd": (4, codec.zstd_encode),
}
every_codec = pytest.mark.parametrize("name", ENCODERS)


@every_codec
@given(data=st.binary(max_size=3000), times=st.integers(1, 400))
def test_it_is_what_was_compressed(name: str, data: bytes, times: int) -> None:
    number, encode = ENCODERS[name]
    whole = data * times
    assert decompress(number, encode(whole), 2 * MEGABYTE) == whole


@every_codec
def test_up_to_the_bound_it_is_made_and_a_byte_more_is_refused(name: str) -> None:
    number, encode = ENCODERS[name]
    assert len(decompress(number, encode(bytes(MEGABYTE)), MEGABYTE)) == MEGABYTE
    with pytest.raises(UnreadableBatchError):
        decompress(number, encode(bytes(MEGABYTE + 1)), MEGABYTE)


def test_several_members_of_gzip_count_together() -> None:
    members = gzip.compress(bytes(MEGABYTE // 2)) * 2
    assert len(decompress(1, members, MEGABYTE)) == MEGABYTE
    with pytest.raises(UnreadableBatchError):
        decompress(1, members + gzip.compress(b"x"), MEGABYTE)


@pytest.mark.parametrize("member", [b"", b"one", bytes(range(256)) * 20])
def test_each_member_of_gzip_is_read_once_however_many_come_behind_it(
    monkeypatch: pytest.MonkeyPatch, member: bytes
) -> None:
    """Each was handed all that was left: a megabyte of empty ones took 25 GB of copies."""
    given, real = 0, zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._member = real(wbits)

        def decompress(self, data: bytes, length: int) -> bytes:
            nonlocal given
            given += len(data)
            return self._member.decompress(data, length)

        def __getattr__(self, name: str) -> object:
            return getattr(self._member, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    packed = gzip.compress(member) * 500
    assert decompress(1, packed, MEGABYTE * 3) == member * 500
    assert given < 5 * len(packed)


@every_codec
@given(data=st.data())
def test_whatever_else_it_is_it_is_refused_or_stays_under_the_bound(
    name: str, data: st.DataObject
) -> None:
    number, encode = ENCODERS[name]
    good = bytearray(encode(b"verification code " * 200))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        assert len(decompress(number, cut, 10_000)) <= 10_000
    except UnreadableBatchError:
        return


@every_codec
def test_no_more_than_a_few_times_the_bound_is_held(name: str) -> None:
    number, encode = ENCODERS[name]
    bomb = encode(bytes(100 * MEGABYTE))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableBatchError):
            decompress(number, bomb, MEGABYTE)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * MEGABYTE + 2 * len(bomb)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(UnreadableBatchError):
        decompress(5, b"", MEGABYTE)
