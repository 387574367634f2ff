"""The network's figures: each part once, whatever comes twice or late."""

from __future__ import annotations

from random import Random

import pytest

from detectors.model.times import DAY_MS
from detectors.platforms import days as module
from detectors.platforms.days import KEPT_DAYS, NetworkDays
from detectors.platforms.figures import REST
from tests.builders.detectors.platforms.days import DAY, part

LATE_MS = 2 * DAY * DAY_MS  # nothing in these tests is later


def told(days: NetworkDays) -> dict[int, object]:
    return {platform: days.figures(platform) for platform in days.names}


def test_parts_of_all_partitions_are_one_sum() -> None:
    days = NetworkDays(DAY)
    for partition in range(4):
        assert days.take(part(partition, 4096, p1=100, p2=20, rest=7), LATE_MS)
    figures = days.figures(1)
    assert figures is not None
    assert (figures.platform, figures.codes, figures.flood_share) == ("sig:p1", 400, 0.1)
    assert figures.strangers_share == 0.5
    assert figures.trend is None
    assert days.flood_share() == pytest.approx(48 / 508)
    assert days.figures(3) is None
    assert REST not in days.changed


@pytest.mark.parametrize("seed", range(5))
def test_a_part_that_comes_again_counts_once_and_partitions_mix_at_will(seed: int) -> None:
    rng = Random(seed)
    lines = [[part(p, 4096 * n, p1=n, p2=p + 1) for n in range(1, 20)] for p in range(3)]
    once = NetworkDays(DAY)
    for line in lines:
        for each in line:
            once.take(each, LATE_MS)
    mixed, at = NetworkDays(DAY), [0, 0, 0]
    while any(at[p] < len(lines[p]) for p in range(3)):
        p = rng.choice([p for p in range(3) if at[p] < len(lines[p])])
        mixed.take(lines[p][at[p]], LATE_MS)
        at[p] = max(0, at[p] - rng.choice((0, 0, 0, 2))) + 1  # a restart goes back
    assert told(mixed) == told(once)


def test_a_log_that_begins_anew_has_a_higher_epoch() -> None:
    days = NetworkDays(DAY)
    days.take(part(0, 9000, p1=10), LATE_MS)
    assert not days.take(part(0, 4096, p1=10), LATE_MS)
    assert days.take(part(0, 4096, epoch=2, p1=10), LATE_MS)
    assert not days.take(part(0, 10_000, epoch=1, p1=10), LATE_MS), "a zombie of before"


def test_a_week_is_known_and_what_is_older_is_forgotten() -> None:
    days = NetworkDays(DAY)
    for n in range(KEPT_DAYS):
        days.take(part(0, n + 1, day=DAY + n, p1=100), LATE_MS)
    figures = days.figures(1)
    assert figures is not None
    assert len(figures.days) == KEPT_DAYS
    assert figures.trend == 1.0
    days.changed.clear()
    days.take(part(0, 100, day=DAY + 2 * KEPT_DAYS, p2=5), LATE_MS)
    assert days.figures(1) is None
    assert days.changed == {1, 2}, "whoever tells has to take it back"
    assert not days.take(part(1, 1, day=DAY, p1=1), LATE_MS)
    assert days.stale == 1


def test_a_part_of_a_time_to_come_moves_nothing() -> None:
    days = NetworkDays(DAY)
    limit_ms = part(0, 1).start_ms
    assert days.take(part(0, 1, p1=100), limit_ms)
    assert not days.take(part(1, 2**53, day=DAY + 8, p1=7), limit_ms)
    assert days.take(part(1, 1, p1=10), limit_ms), "nor the place in its partition"
    figures = days.figures(1)
    assert figures is not None
    assert (figures.codes, days.first_day, days.ahead, days.stale) == (110, DAY, 1, 0)


def test_the_rest_is_told_by_no_name() -> None:
    days = NetworkDays(DAY)
    days.take(part(0, 1, rest=3), LATE_MS)
    assert days.figures(REST) is None


def test_a_trend_is_of_yesterday_and_says_nothing_of_few_codes() -> None:
    days = NetworkDays(DAY)
    for n, codes in enumerate((100, 100, 300, 7)):
        days.take(part(0, n + 1, day=DAY + n, p1=codes, p2=codes // 50), LATE_MS)
    one, two = days.figures(1), days.figures(2)
    assert one is not None
    assert two is not None
    assert (one.trend, two.trend) == (3.0, None)


def test_platforms_are_bounded_and_those_of_most_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "NETWORK_MOST", 3)
    days = NetworkDays(DAY)
    days.take(part(0, 1, p1=10, p2=30, p3=20, p4=5, rest=1), LATE_MS)
    days.take(part(0, 2, day=DAY + 1, p1=1), LATE_MS)
    assert days.figures(4) is None
    assert days.figures(2) is not None
    assert {2, 3} <= days.names.keys()
    assert 4 in days.changed
