"""Whether a refused platform was wanted: what is a use, and that it is a function of the log."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.chain import Params, Partition, restore, snapshot
from detectors.defaults import QUIET_S
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.used_later import (
    HORIZON_S,
    PLATFORMS_MAX,
    UsedLater,
    confirm,
    note_refusal,
    note_use,
)
from detectors.model.event import TICK_OFFSETS, EventKind
from tests.detectors.stand_in import DAY_MS, HOUR_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))
VICTIM = 8613800000001
AT_S = 10_000
LATE_S = AT_S + 2 * HORIZON_S


def uses(*codes: tuple[int, bool]) -> int:
    """How many uses stand, of codes of one platform: seconds after the first refusal, refused?"""
    used_later: UsedLater[str] = UsedLater()
    note_refusal(used_later, "r", 7, AT_S)
    for after_s, refused in codes:
        if refused:
            note_refusal(used_later, "r", 7, AT_S + after_s)
        else:
            note_use(used_later, "r", 7, AT_S + after_s)
    return len(confirm(used_later, LATE_S))


@pytest.mark.parametrize(
    ("codes", "stand"),
    [
        ([], 0),
        ([(QUIET_S - 1, False)], 0),  # the flood goes on
        ([(QUIET_S, False)], 1),
        ([(HORIZON_S - 1, False)], 1),
        ([(HORIZON_S, False)], 0),
        ([(QUIET_S, False), (2 * QUIET_S, False)], 1),  # told once
        ([(QUIET_S, False), (2 * QUIET_S - 1, True)], 0),  # it opened the next flood
        ([(QUIET_S, False), (2 * QUIET_S, True)], 1),
        ([(QUIET_S - 1, True), (QUIET_S, False)], 0),
    ],
)
def test_what_is_a_use(codes: list[tuple[int, bool]], stand: int) -> None:
    assert uses(*codes) == stand


def test_another_platform_or_recipient_is_no_use() -> None:
    used_later: UsedLater[str] = UsedLater()
    note_refusal(used_later, "r", 7, AT_S)
    note_use(used_later, "r", 8, AT_S + QUIET_S)
    note_use(used_later, "s", 7, AT_S + QUIET_S)
    assert confirm(used_later, LATE_S) == []


def test_a_use_is_told_when_nothing_was_refused_for_half_an_hour() -> None:
    used_later: UsedLater[str] = UsedLater()
    note_refusal(used_later, "r", 7, AT_S)
    note_use(used_later, "r", 7, AT_S + QUIET_S)
    assert confirm(used_later, AT_S + 2 * QUIET_S - 1) == []
    assert confirm(used_later, AT_S + 2 * QUIET_S) == [("r", 7)]
    assert confirm(used_later, LATE_S) == []
    assert not used_later.entries


def test_it_is_bounded_and_those_refused_longest_ago_go_first() -> None:
    used_later: UsedLater[int] = UsedLater(recipients_max=3)
    for recipient in (1, 2, 3, 1, 4):
        for platform in range(PLATFORMS_MAX + 9):
            note_refusal(used_later, recipient, platform, AT_S)
    assert list(used_later.entries) == [3, 1, 4]
    assert all(len(held.platforms) == PLATFORMS_MAX for held in used_later.entries.values())


def test_people_who_were_taken_for_victims_show_and_victims_do_not() -> None:
    known = [
        Event(START_MS - days * DAY_MS + i * HOUR_MS, who, f"known {i}")
        for days in (40, 7)
        for who in (VICTIM, VICTIM + 1)
        for i in range(14)
    ]
    # Both are throttled; the second comes back to three of the platforms that were refused.
    floods = [
        Event(START_MS + i * 10_000, who, f"new {i}")
        for i in range(30)
        for who in (VICTIM, VICTIM + 1)
    ]
    back = [Event(START_MS + 5 * HOUR_MS + i * HOUR_MS, VICTIM + 1, f"new {20 + i}")
            for i in range(3)]  # fmt: skip
    # In the evening the victim's flood comes again, with the same platforms.
    again = [Event(START_MS + 9 * HOUR_MS + i * 10_000, VICTIM, f"new {i}") for i in range(30)]
    passes = [Event(START_MS + 12 * HOUR_MS + i * 1000, 1, "") for i in range(TICK_OFFSETS)]
    decisions = run(ENFORCE, [*known, *floods, *back, *again, *passes])
    assert decisions.refused > 40
    assert decisions.used_later == 3


@st.composite
def traffic(draw: st.DrawFn) -> list[Event]:
    """Floods, pauses, comings back and recycled numbers of two recipients."""
    at_ms, events = START_MS, []
    for _ in range(draw(st.integers(1, 6))):
        at_ms += draw(st.sampled_from([0, HOUR_MS, 2 * HOUR_MS, DAY_MS]))
        who = draw(st.sampled_from([VICTIM, VICTIM + 1]))
        kind = draw(st.sampled_from([EventKind.MESSAGE] * 5 + [EventKind.RECYCLED]))
        count, first = draw(st.integers(1, 25)), draw(st.integers(0, 20))
        gap_ms = draw(st.sampled_from([5_000, 20_000]))
        for i in range(count if kind is EventKind.MESSAGE else 1):
            events.append(Event(at_ms, who, f"new {first + i}", kind=kind))
            at_ms += gap_ms
    return events


@given(traffic(), st.integers(1, 40), st.integers(0, 140))
def test_batch_edges_and_restarts_change_nothing(events: list[Event], size: int, cut: int) -> None:
    offsets = [i * 97 for i in range(len(events))]  # a tick every forty-second event
    whole, parts = Partition(ENFORCE), Partition(ENFORCE)
    total = run(ENFORCE, events, whole, offsets=offsets)
    first = run(ENFORCE, events[:cut], parts, size=size, offsets=offsets[:cut])
    parts = restore(ENFORCE, snapshot(parts))
    second = run(ENFORCE, events[cut:], parts, size=size, offsets=offsets[cut:])
    assert snapshot(parts).rest["hindsight"] == snapshot(whole).rest["hindsight"]
    assert first.refused + second.refused == total.refused
    assert first.used_later + second.used_later == total.used_later
