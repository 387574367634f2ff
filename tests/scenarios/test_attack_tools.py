"""Paces of real tools: a table that can be read, and what platforms let through of it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from streams.tools.scenarios import DEFAULT_START_MS, Role
from streams.tools.scenarios.platform_profiles import PLATFORMS
from tests.scenarios.attack_tools import (
    FAST,
    FEW,
    REPEATED,
    ROUND,
    TOOLS,
    UNLISTED_BANK,
    draw_delivered,
    limits_of,
)
from tests.scenarios.catalog import generate


def test_the_table_has_a_dozen_families_and_their_paces_are_ranges() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS) >= 12
    for tool in TOOLS:
        for low, high in (tool.alive, tool.gap_s, tool.round_s, tool.rest_min):
            assert 0 <= low <= high
        assert tool.at_once >= 1
        assert tool.minutes > 0


@pytest.mark.parametrize("family", range(len(TOOLS)))
def test_platforms_keep_to_their_limits_whatever_a_tool_asks(family: int) -> None:
    tool = TOOLS[family]
    used = PLATFORMS[: tool.alive[1]]
    arrived = draw_delivered(Random(1), tool, used, DEFAULT_START_MS)
    assert arrived
    times: dict[str, list[int]] = {}
    for at_ms, who in arrived:
        times.setdefault(who.name, []).append(at_ms)
    for who in used:
        least_ms = 1000 if len(used) <= FEW else 1000 * limits_of(who).resend_s
        gaps = [b - a for a, b in pairwise(times.get(who.name, []))]
        assert min(gaps, default=least_ms) > least_ms - 2000  # codes take up to two seconds


def test_the_three_shapes_are_a_fast_list_a_slow_round_and_a_small_list_repeated() -> None:
    def flood(family: int) -> Counter[str]:
        events = generate("A20", 1, family=family, history=False)
        return Counter(e.truth.platform for e in events if e.truth.role is Role.ATTACK)

    fast, slow, repeated = (flood(family) for family in (FAST, ROUND, REPEATED))
    assert len(fast) >= 30
    assert 38 <= len(slow) <= 48
    assert max(slow.values()) - min(slow.values()) <= 2
    assert 9 <= len(repeated) <= 11
    assert repeated.total() > 500


def test_own_codes_and_those_of_an_unlisted_bank_come_during_a_flood() -> None:
    events = list(generate("A20", 1, own_codes=9, bank_codes=4))
    roles = Counter(e.truth.role for e in events if e.truth.scenario != "history")
    assert (roles[Role.KNOWN], roles[Role.BANK]) == (9, 4)
    bank = [e for e in events if e.truth.platform == UNLISTED_BANK.name]
    assert len(bank) == 6
    assert not UNLISTED_BANK.trusted
