"""Attacks: who sends, how often, and the victim's own life; their shapes are in `test_catalog`."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from detectors.model.times import HOUR_MS
from streams.tools.scenarios import DEFAULT_START_MS, Role
from streams.tools.scenarios.attacks import REPEATS_MAX, a10, hits, own_life
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.platform_profiles import PLATFORMS
from tests.builders.streams.tools.scenarios.catalog import at


@pytest.mark.parametrize("count", [10, 60, 68, 180, 500])
def test_every_platform_sends_once_before_any_repeats_itself(count: int) -> None:
    sent = Counter(platform.name for platform in hits(Random(1), count, PLATFORMS[:60]))
    assert sent.total() == count
    assert len(sent) == min(count, 60)
    if count <= 60 * (1 + REPEATS_MAX):
        assert max(sent.values()) <= 1 + REPEATS_MAX


def test_the_victim_gets_its_bank_s_code_twice_and_what_it_asked_for() -> None:
    pen = MessageWriter("A", 1, 7, memory=14)
    used = pen.strangers(20)
    events = own_life(pen, DEFAULT_START_MS, HOUR_MS, used, known=2, new=3)
    roles = Counter(role for role, _ in {(e.truth.role, e.truth.platform) for e in events})
    assert roles == {Role.BANK: 1, Role.KNOWN: 2, Role.NEW: 3}
    new = {event.truth.platform for event in events if event.truth.role is Role.NEW}
    assert not new & {platform.name for platform in used}
    assert at(events[1]) - at(events[0]) == 65_000


def test_a_sweep_walks_from_number_to_number() -> None:
    events = list(a10(MessageWriter("A10", 1, 5), DEFAULT_START_MS, recipients=30))
    told = list(dict.fromkeys(event.value["recipient"] for event in events))
    assert told == [str(int(told[0]) + i) for i in range(30)]
    assert len({event.truth.platform for event in events}) == 1
