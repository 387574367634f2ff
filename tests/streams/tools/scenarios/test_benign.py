"""Look-alikes: how people log in, and what they ask for; their shapes are in `test_catalog`."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean

import pytest

from streams.tools.scenarios import DEFAULT_START_MS, Role, person
from streams.tools.scenarios.benign import PRESS_S, log_ins, requests
from streams.tools.scenarios.message_writer import MessageWriter
from tests.builders.streams.tools.scenarios.catalog import at, of, run


@pytest.mark.parametrize(("name", "gap_s"), [("B1", 90), ("B2", 54)])
@pytest.mark.parametrize(("impatient", "repeats"), [(False, 0.23), (True, 0.43)])
def test_people_log_in_at_their_pace_and_some_press_again(
    name: str, gap_s: int, *, impatient: bool, repeats: float
) -> None:
    gaps, again = [], []
    people = [who for who in range(1500) if person(who).impatient is impatient][:120]
    for who in people:
        events = run(name, who, recipient=who)
        gaps += [at(b) - at(a) for a, b in pairwise(events)]
        again += [a.truth.platform == b.truth.platform for a, b in pairwise(events)]
    next_page = [gap for gap, same in zip(gaps, again, strict=True) if not same]
    pressed = [gap for gap, same in zip(gaps, again, strict=True) if same]
    assert mean(next_page) / 1000 == pytest.approx(gap_s, rel=0.03)
    assert mean(pressed) / 1000 == pytest.approx(PRESS_S, rel=0.05)
    assert mean(again) == pytest.approx(repeats, abs=0.03)


def test_the_share_of_log_ins_to_new_platforms_is_a_parameter() -> None:
    events = [e for seed in range(100) for e in run("B1", seed, memory=40, novel=0.5)]
    assert len(of(events, Role.NEW)) / len(events) == pytest.approx(0.5, abs=0.06)


def pen(seed: int = 1, memory: int = 14) -> MessageWriter:
    return MessageWriter("B", seed, 7, memory)


def test_who_logs_in_asks_each_platform_once_but_for_repeats() -> None:
    asked = requests(pen(), 30, novel=1.0)
    runs = [a for a, b in pairwise([*asked, None]) if a != b]
    assert len(runs) == len(set(runs)) == 30


def test_a_share_of_nought_new_platforms_asks_the_known_ones_while_there_are_any() -> None:
    writer = pen(memory=10)
    runs = list(dict.fromkeys(requests(writer, 12, novel=0.0)))
    assert set(runs[:9]) == set(writer.person.known)
    assert not set(runs[9:]) & set(writer.person.known)


def test_each_log_in_is_labelled_by_what_the_carrier_can_know() -> None:
    writer = pen()
    known = {platform.name for platform in writer.person.known}
    for event in log_ins(writer, DEFAULT_START_MS, 40, gap_s=54, novel=0.5):
        expected = Role.KNOWN if event.truth.platform in known else Role.NEW
        assert event.truth.role is expected
