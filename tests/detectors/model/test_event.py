"""Identities of platforms: ids, checks and prints, none of which is ever nought."""

from __future__ import annotations

import zlib

from hypothesis import given, strategies as st

from detectors.model.event import TOKEN_BIT, name_check, platform_id, platform_print
from tests.detectors.stand_in import START_MS, Event, batch_of


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_an_id_is_the_crc_of_the_key(key: str) -> None:
    assert platform_id(key) == (zlib.crc32(key.encode("utf-8")) or 1)


def test_the_empty_slot_is_nobody_s_id() -> None:
    assert platform_id("") == 1, "its CRC is nought"


@given(st.text(max_size=40))
def test_a_check_has_fifteen_bits_and_is_never_nought(key: str) -> None:
    assert 1 <= name_check(key) < 1 << 15
    assert name_check(key) == name_check(key)


def test_keys_that_share_an_id_have_different_checks() -> None:
    one, other = "plumless", "buckeroo"
    assert platform_id(one) == platform_id(other)
    assert name_check(one) != name_check(other)


@given(st.integers(0, 0xFFFF_FFFF))
def test_a_print_has_sixteen_bits_and_is_never_nought(platform: int) -> None:
    assert 1 <= platform_print(platform) <= 0xFFFF


def test_the_halves_of_an_id_meet_in_its_print() -> None:
    assert platform_print(0x0007_0000) == platform_print(0x0000_0007) == 7
    assert platform_print(0x1234_1234) == 1


def test_a_batch_is_as_long_as_its_columns() -> None:
    assert len(batch_of([Event(START_MS, 8613800000001)] * 3, range(3))) == 3
    assert len(batch_of([], [], next_offset=9)) == 0


def test_no_phone_number_reaches_the_bit_of_a_token() -> None:
    assert TOKEN_BIT > 10**15
