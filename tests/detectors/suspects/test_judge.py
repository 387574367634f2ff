"""The judge: scores of one suspect against bars, on both sides of each bar."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import (
    BURST,
    CALM,
    Band,
    Finding,
    JudgeParams,
    bars_of,
    compare,
    instants,
    is_confirmed,
    judge,
    replay_scores,
    scores,
    strongest,
)
from detectors.suspects.suspect import Suspect, see
from detectors.thresholds import (
    BURST_EXACT,
    BURST_JITTER_120S,
    BURST_MINUTE,
    CONFIRMED_35MIN,
    COUNT_MIN,
    LARGE_MEMORY,
    RAW_24H,
    RAW_35MIN,
    SPACED_2MIN_3H,
    SPACED_5MIN_3H,
    SPACED_10MIN_24H,
    SPACED_50S_3H,
    Bar,
)

START_S = 200 * DAY_S
PLAIN = JudgeParams()


def suspect_of(
    *times_s: float,
    known: int = 0,
    memory: int = 0,
    stamps: ClockClass = ClockClass.EXACT,
) -> Suspect:
    """Novel platforms at these seconds after the start; the first `known` of them are known."""
    prints = [*range(1, known + 1), *range(20_000, 20_000 + memory)]
    suspect = Suspect(1, "1", 0, [], Memory(START_S // DAY_S - 60, prints))
    for i, after_s in enumerate(times_s):
        see(suspect, i + 1, START_S + int(after_s), stamps)
    return suspect


def found(suspect: Suspect, params: JudgeParams = PLAIN) -> Finding:
    return judge(params, suspect, suspect.bucket_s)


def every(gap_s: float, count: int) -> list[float]:
    return [i * gap_s for i in range(count)]


@pytest.mark.parametrize(
    ("times_s", "known", "band"),
    [
        (every(1, 2), 0, Band.HOLD),
        (every(1, 3), 0, Band.WATCH),
        (every(1, 4), 0, Band.WATCH),
        (every(1, 5), 0, Band.THROTTLE),
        (every(1, 6), 2, Band.WATCH),  # six in the bucket, four of them novel
        (every(1, 7), 2, Band.THROTTLE),
        (every(28, 3), 0, Band.WATCH),  # 3 - 2 * 28 * .025 = 1.6
        (every(29, 3), 0, Band.HOLD),
        (every(24, 5), 0, Band.THROTTLE),  # 5 - 4 * 24 * .025 = 2.6
        (every(25, 5), 0, Band.WATCH),
        (every(40, 12), 0, Band.HOLD),  # all of one leaks before the next
    ],
)
def test_the_bucket_has_its_bars_and_asks_for_novel_platforms(
    times_s: list[float], known: int, band: Band
) -> None:
    assert found(suspect_of(*times_s, known=known)).band is band


@pytest.mark.parametrize(
    ("rule", "gap_s", "bar"),
    [
        ("raw_35min", 45, RAW_35MIN),
        ("spaced_50s_3h", 60, SPACED_50S_3H),
        ("spaced_2min_3h", 130, SPACED_2MIN_3H),
        ("spaced_5min_3h", 310, SPACED_5MIN_3H[0]),
        ("spaced_10min_24h", 650, SPACED_10MIN_24H[0]),
    ],
)
def test_each_slow_rule_fires_at_its_bar_and_not_one_sighting_before(
    rule: str, gap_s: int, bar: Bar
) -> None:
    for band, count in ((Band.WATCH, int(bar.watch)), (Band.THROTTLE, int(bar.throttle))):
        at_bar = found(suspect_of(*every(gap_s, count)))
        assert (at_bar.band, at_bar.rule) == (band, rule)
        assert (at_bar.score, at_bar.threshold) == (count, bar[band - Band.WATCH])
        assert found(suspect_of(*every(gap_s, count - 1))).band < band


def test_a_day_counts_all_sittings_together() -> None:
    """Sittings of 6 platforms every three hours, in each no faster than people log in."""
    times_s = [h * 3 * 3600 + i * 45 for h in range(8) for i in range(8)]
    assert found(suspect_of(*times_s[: int(RAW_24H.watch) - 1])).band is Band.HOLD
    watched = found(suspect_of(*times_s[: int(RAW_24H.watch)]))
    assert (watched.band, watched.rule) == (Band.WATCH, "raw_24h")


def test_a_window_ends_where_it_says() -> None:
    """43 within 35 min: the last one second later, and the first has left the window."""
    times_s = every(50, 42)
    inside = found(suspect_of(*times_s, 35 * 60 - 1))
    outside = found(suspect_of(*times_s, 35 * 60))
    assert (inside.rule, inside.band) == ("raw_35min", Band.THROTTLE)
    assert outside.rule == "raw_35min"
    assert outside.band is Band.WATCH


def test_known_platforms_count_in_the_bucket_alone() -> None:
    assert found(suspect_of(*every(45, 60), known=60)).band is Band.HOLD


@pytest.mark.parametrize(
    ("params", "memory", "place"),
    [
        (PLAIN, 0, 0),
        (PLAIN, LARGE_MEMORY, 1),
        (JudgeParams(p_novel=0.5), 0, 2),
        (JudgeParams(p_novel=0.3), LARGE_MEMORY, 3),
        (JudgeParams(p_novel=0.51), 0, 0),
    ],
)
def test_the_spaced_bars_go_by_how_often_a_benign_sighting_is_novel(
    params: JudgeParams, memory: int, place: int
) -> None:
    suspect = suspect_of(*every(310, COUNT_MIN), memory=memory)
    bars = bars_of(params, suspect, suspect.bucket_s)
    assert bars.spaced_5min_3h == SPACED_5MIN_3H[place]
    assert bars.spaced_10min_24h == SPACED_10MIN_24H[place]


def test_a_margin_raises_the_bars_of_the_bucket_and_no_other() -> None:
    suspect = suspect_of(*every(1, 5))
    bars = bars_of(JudgeParams(burst_margin=1.5), suspect, suspect.bucket_s)
    assert bars.level == Bar(BURST_EXACT.watch + 1.5, BURST_EXACT.throttle + 1.5)
    assert bars.raw_35min == RAW_35MIN


def test_a_sighting_out_of_order_is_judged_at_every_instant_that_it_changed() -> None:
    """Four in four seconds, an hour of quiet with one more; then the fifth of the first four."""
    late = suspect_of(*every(1, 4), 3600)
    assert judge(PLAIN, late, START_S + 3600).band < Band.THROTTLE
    see(late, 99, START_S + 4)
    assert judge(PLAIN, late, START_S + 4).band is Band.THROTTLE


def test_coarse_stamps_bring_their_own_bars() -> None:
    exact = suspect_of(*every(1, 5))
    wild = suspect_of(*every(1, 5), stamps=ClockClass.JITTER_120S)
    assert judge(PLAIN, exact, START_S + 4).band is Band.THROTTLE
    watched = judge(PLAIN, wild, START_S + 4, ClockClass.JITTER_120S)
    assert watched.band is Band.WATCH, "pace is no evidence there"
    level = [bars.level for _, bars in instants(PLAIN, wild, START_S, START_S + 4)]
    assert level[-1] == BURST_JITTER_120S


def test_of_two_coarse_classes_the_higher_bars_hold() -> None:
    suspect = suspect_of(0, 1, stamps=ClockClass.MINUTE)
    see(suspect, 50, START_S + 2, ClockClass.JITTER_30S)
    last = list(instants(PLAIN, suspect, START_S, START_S + 2))[-1]
    bars = zip(BURST_MINUTE, BURST[ClockClass.JITTER_30S], strict=True)
    assert last[1].level == Bar(*(max(pair) for pair in bars))
    assert last[0].coarse == {ClockClass.MINUTE, ClockClass.JITTER_30S}


def test_the_strongest_bucket_is_told_where_classes_differ() -> None:
    suspect = suspect_of(0, 1, 2, 3, 5)
    see(suspect, 50, START_S + 4, ClockClass.JITTER_120S)
    evidence, bars = strongest(PLAIN, suspect, START_S + 5)
    assert (evidence.coarse, bars.level) == (frozenset(), BURST_EXACT)


def test_evidence_retraced_is_the_evidence_of_then() -> None:
    times_s = [0, 3, 30, 31, 200, 201, 202]
    replayed = list(replay_scores(suspect_of(*times_s), START_S))
    then = [scores(suspect_of(*times_s[: i + 1])) for i in range(len(times_s))]
    assert replayed == then
    assert all(a.at_s <= b.at_s for a, b in pairwise(replayed))


@pytest.mark.parametrize(
    ("times_s", "more_than_chance"),
    [
        (every(1, 5), True),  # a level of 4.9
        (every(20, 5), False),
        (every(80, CONFIRMED_35MIN), True),
        (every(90, CONFIRMED_35MIN - 1), False),
    ],
)
def test_an_episode_is_confirmed_by_more_than_chance(
    times_s: list[float], more_than_chance: bool
) -> None:
    suspect = suspect_of(*times_s)
    assert is_confirmed(PLAIN, suspect, START_S) is more_than_chance


def test_every_class_of_stamps_has_bars() -> None:
    assert set(BURST) == set(ClockClass)
    assert all(bar.watch < bar.throttle for bar in BURST.values())
    assert math.inf in BURST[ClockClass.JITTER_120S]


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_novel": -0.1},
        {"p_novel": 1.1},
        {"burst_margin": -0.5},
        {"burst_margin": 1e9},
    ],
)
def test_a_measurement_that_cannot_be_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"p_novel|burst_margin"):
        JudgeParams(**wrong)


def test_calm_is_under_every_bar() -> None:
    assert CALM.band is Band.HOLD
    assert found(suspect_of(0)) is CALM


@pytest.mark.parametrize("seed", range(12))
def test_counts_that_cannot_reach_their_bars_decide_nothing(seed: int) -> None:
    """Floods of every pace, so that each rule is met, at every kind of memory."""
    rng = Random(seed)
    found: set[str] = set()
    for _ in range(6):
        params = JudgeParams(p_novel=rng.choice([None, 0.5, 0.3]))
        gap_s, at_s = rng.choice([20, 55, 125, 310, 610]), 0.0
        suspect = suspect_of(memory=rng.choice([0, LARGE_MEMORY]))
        for platform in range(70):
            at_s += gap_s * rng.uniform(0.9, 1.1) if rng.random() < 0.9 else 0
            see(suspect, platform + 1, START_S + int(at_s))
            bars = bars_of(params, suspect, suspect.bucket_s)
            assert bars.least == min(bar.watch for bar in bars[1:-1])
            judged = compare(bars, scores(suspect, bars))
            assert judged == compare(bars, scores(suspect))
            found.add(judged.rule)
    assert len(found) > 2, "or the seed says nothing"
