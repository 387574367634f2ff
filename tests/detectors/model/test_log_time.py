"""The time told by the log: medians, codes that are refused, and the watermark at ticks."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.model.log_time import (
    AGREE,
    AHEAD_S,
    BACK_S,
    LEAP_S,
    TICKS,
    LogTime,
    latest,
    watermark,
)
from detectors.model.times import DAY_S

NOW_S = 200 * DAY_S


def log(times_s: list[int], before_s: list[int] | None = None, watermark_s: int = NOW_S) -> LogTime:
    return LogTime(before_s or [], np.array(times_s, np.int64), watermark_s)


def middle(times_s: list[int]) -> int:
    return sorted(times_s)[(len(times_s) - 1) // 2]


@pytest.mark.parametrize("seed", range(6))
def test_the_time_is_the_lower_median_of_the_last_codes_and_never_before_the_watermark(
    seed: int,
) -> None:
    rng = random.Random(seed)
    before = [NOW_S + rng.randint(-500, 500) for _ in range(rng.choice([0, 3, AGREE - 1]))]
    times = [NOW_S + rng.randint(-500, 500) for _ in range(80)]
    told = log(times, before).at(np.arange(80)).tolist()
    line = before + times
    for i in range(80):
        window = line[max(0, len(before) + i + 1 - AGREE) : len(before) + i + 1]
        assert told[i] == max(NOW_S, middle(window))


def test_the_edge_of_a_pass_changes_no_time() -> None:
    rng = random.Random(1)
    times = [NOW_S + rng.randint(0, 3000) for _ in range(90)]
    whole = log(times).at(np.arange(90)).tolist()
    first = log(times[:40])
    second = log(times[40:], first.newest_s)
    parts = first.at(np.arange(40)).tolist() + second.at(np.arange(50)).tolist()
    assert whole == parts


@pytest.mark.parametrize(("wrong", "moved"), [(15, False), (16, True)])
def test_fifteen_wrong_codes_in_a_row_do_not_move_the_time(wrong: int, moved: bool) -> None:
    times = [NOW_S] * AGREE + [NOW_S + 30 * DAY_S] * wrong
    told = log(times).at(np.array([len(times) - 1]))[0]
    assert bool(told > NOW_S) is moved


def test_a_code_a_week_ahead_of_all_is_refused() -> None:
    times = [NOW_S] * AGREE + [NOW_S + AHEAD_S, NOW_S + AHEAD_S + 1, NOW_S]
    assert log(times).ahead().tolist() == [AGREE + 1]
    assert log(times, watermark_s=0).ahead().tolist() == [], "none before the first tick"
    assert log(times[AGREE:]).ahead().tolist() == [], "nor among the first codes"


def test_codes_that_all_lie_ahead_are_believed_after_sixteen() -> None:
    times = [NOW_S] * AGREE + [NOW_S + 30 * DAY_S] * 20
    assert log(times).ahead().tolist() == list(range(AGREE, AGREE + 15))


def test_codes_taken_out_still_bear_on_the_time_of_the_others() -> None:
    times = [NOW_S] * AGREE + [NOW_S + 30 * DAY_S, NOW_S + 60]
    whole, fewer = log(times), log(times)
    fewer.without(fewer.ahead())
    assert fewer.at(np.array([AGREE])).tolist() == whole.at(np.array([AGREE + 1])).tolist()


def test_a_newest_median_that_leaps_waits_until_most_agree() -> None:
    steady = [NOW_S, NOW_S + 60, NOW_S + 120]
    near, far = NOW_S + 60 + LEAP_S, NOW_S + 30 * DAY_S
    assert watermark(NOW_S + 120, [*steady, near]) == near
    assert watermark(NOW_S + 120, [*steady, far]) == NOW_S + 120
    assert watermark(NOW_S + 120, [*steady[1:], far, far, far]) == far


def test_a_watermark_that_was_dragged_goes_back_when_most_ticks_are_behind_it() -> None:
    dragged = NOW_S + 30 * DAY_S
    assert watermark(dragged, [NOW_S, NOW_S]) == dragged, "two ticks are too few"
    assert watermark(dragged, [NOW_S, NOW_S, NOW_S]) == NOW_S
    assert watermark(NOW_S + BACK_S, [NOW_S] * 3) == NOW_S + BACK_S, "and only from far ahead"


@pytest.mark.parametrize("seed", range(6))
def test_a_watermark_of_honest_ticks_only_rises(seed: int) -> None:
    rng = random.Random(seed)
    held, now = 0, NOW_S
    medians: list[int] = []
    for _ in range(60):
        now += rng.choice([1, 60, 900])
        medians = [*medians, now - rng.randint(0, 30)][-TICKS:]
        risen = watermark(held, medians)
        assert held <= risen <= now
        held = risen


def test_the_latest_time_is_what_ticks_or_most_codes_say() -> None:
    assert latest(NOW_S, [], []) == NOW_S
    assert latest(NOW_S, [NOW_S + 5], [NOW_S - 9]) == NOW_S + 5
    assert latest(NOW_S, [], [NOW_S + 9, NOW_S + 9, NOW_S + DAY_S]) == NOW_S + 9
