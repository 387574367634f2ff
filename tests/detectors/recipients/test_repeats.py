"""Counts of codes that one platform sent again, beside the rows."""

from __future__ import annotations

import tracemalloc

import pytest

from detectors.model.fields import reader, writer
from detectors.model.times import DAY_S
from detectors.recipients import repeats as module
from detectors.recipients.repeats import Repeats, StoredRepeats, spread_s
from detectors.thresholds import LIMIT_24H, LIMIT_35MIN, REPEAT_TIMES_MAX

KEY = 8613800000001 << 32 | 7
NOW_S = 200 * DAY_S


def counted(times_s: list[int]) -> Repeats:
    repeats = Repeats()
    for at_s in times_s:
        repeats.add(KEY, at_s)
    return repeats


@pytest.mark.parametrize(("most", "span_s"), [(LIMIT_35MIN, 35 * 60), (LIMIT_24H, DAY_S)])
def test_the_code_that_reaches_a_limit_is_told_before_it_is_counted(most: int, span_s: int) -> None:
    step_s = (span_s - 1) // (most - 1)
    times_s = [NOW_S + n * step_s for n in range(most)]
    assert not counted(times_s[:-2]).is_over(KEY, times_s[-2])
    assert counted(times_s[:-1]).is_over(KEY, times_s[-1])
    assert not counted(times_s[:-1]).is_over(KEY, times_s[0] + span_s)
    assert not counted(times_s[:-1]).is_over(KEY, times_s[-2]), "delivered twice"


def test_the_newest_times_are_kept_in_whatever_order_codes_come() -> None:
    times_s = [NOW_S + n for n in range(2 * REPEAT_TIMES_MAX)]
    repeats = counted(times_s[::-1])
    assert repeats.codes[KEY].tolist() == times_s[-REPEAT_TIMES_MAX:]
    assert repeats.count(KEY, 10) == 10


def test_times_take_little_memory() -> None:
    """As lists of integers, 20 times of one pair took 950 bytes."""
    repeats, pairs, times = Repeats(), 1_000, 20
    tracemalloc.start()
    for pair in range(pairs):
        for n in range(times):
            repeats.add(KEY + pair, NOW_S + pair + 60 * n)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / pairs < 450


def test_codes_of_one_whole_minute_are_spread_over_it_but_not_to_its_begin() -> None:
    """The first code of the day has the minute itself, so a code with 0 s would be its copy."""
    assert {spread_s(f"message {n}") for n in range(2000)} == set(range(1, 60))


def test_a_platform_is_young_for_a_day_from_its_sighting() -> None:
    repeats = Repeats()
    repeats.young[KEY] = NOW_S
    assert [repeats.is_young(KEY, NOW_S + s) for s in (0, DAY_S - 1, DAY_S)] == [True, True, False]
    assert not repeats.is_young(KEY + 1, NOW_S)


def test_old_entries_go_and_of_too_many_those_that_were_silent_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REPEATS_MAX", 3)
    repeats = Repeats()
    for n in range(5):
        repeats.add(KEY + n, NOW_S + n)
        repeats.young[KEY + n] = NOW_S + n
    repeats.add(KEY + 5, NOW_S - 2 * DAY_S)
    repeats.add(KEY + 6, NOW_S + 9 * DAY_S)
    repeats.first = {KEY + n: NOW_S + 600 - 3600 + n for n in range(6)}
    repeats.drop_old(NOW_S, NOW_S + 1, NOW_S + DAY_S)
    assert len(repeats.codes) == 7, "not in the same step"
    repeats.drop_old(NOW_S, NOW_S + 600, NOW_S + DAY_S)
    assert [*repeats.codes] == [*repeats.young] == [KEY + n for n in (2, 3, 4)]
    assert [*repeats.first] == [KEY + n for n in (3, 4, 5)]


def test_a_recipient_is_forgotten_and_a_state_is_restored() -> None:
    repeats = counted([NOW_S, NOW_S + 1])
    repeats.young[KEY] = NOW_S
    repeats.first[KEY] = NOW_S + 1
    again = reader(StoredRepeats)(writer(StoredRepeats)(repeats))
    assert (again.codes, again.young, again.first) == (
        repeats.codes, repeats.young, repeats.first,
    )  # fmt: skip
    repeats.drop(KEY >> 32)
    assert not {**repeats.codes, **repeats.young, **repeats.first}
