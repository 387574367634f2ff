"""Platforms and banks: distinct, many, and each with one to three wordings."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.tools.scenarios.platform_profiles import BANKS, PLATFORMS


def test_platforms_differ_by_name_and_by_sender_and_there_are_enough_for_a_rotation() -> None:
    everybody = (*PLATFORMS, *BANKS)
    assert len({p.name for p in everybody}) == len({p.sender for p in everybody}) == len(everybody)
    assert len(PLATFORMS) >= 600


def test_only_banks_are_trusted() -> None:
    assert all(bank.trusted for bank in BANKS)
    assert not any(platform.trusted for platform in PLATFORMS)


def test_a_wording_has_a_place_for_the_name_s_code_of_four_or_six_digits() -> None:
    for platform in (*PLATFORMS, *BANKS):
        for _, text in platform.wordings:
            filled = text.format(name=platform.name, code="482913")
            assert "482913" in filled
            assert platform.trusted or platform.name in filled
        assert platform.digits in (4, 6)


def test_a_half_of_the_platforms_writes_in_one_way_and_the_others_in_two_or_three() -> None:
    usual = Counter(platform.usual for platform in PLATFORMS)
    assert usual.keys() == {1, 2, 3}
    assert usual[1] / len(PLATFORMS) == pytest.approx(0.5, abs=0.05)
    for platform in PLATFORMS:
        assert len({wording.sender for wording in platform.wordings}) == 3
    assert {platform.usual for platform in BANKS} == {1}


def test_known_platforms_of_both_kinds_are_the_popular_ones() -> None:
    kinds = [platform.sender.isdigit() for platform in PLATFORMS[:40]]
    assert kinds[:8] == [True, True, True, False] * 2
    assert all(platform.sender.isdigit() for platform in PLATFORMS[-300:]), "then invented ones"
