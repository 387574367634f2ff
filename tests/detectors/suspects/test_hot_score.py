"""The lead of hot platforms: one table, and when it decides."""

from __future__ import annotations

import pytest

from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.hot_score import add_hot_score, lead
from detectors.suspects.judge import CALM, Band, Finding, JudgeParams, judge
from detectors.suspects.suspect import Suspect, see

HOT = frozenset(range(100, 200))
RULES = JudgeParams()
START_S = 50 * DAY_S


def suspect_of(steps: str, gap_s: int = 600) -> Suspect:
    """A suspect with a sighting for each letter: h a hot platform, c any other, k a known one."""
    suspect = Suspect(1, "1", 0, [], Memory(1))
    for n, step in enumerate(steps):
        platform = {"h": 100 + n, "c": 1 + n, "k": 100 + n}[step]
        if step == "k":
            see(suspect, platform, START_S - 2 * DAY_S)
    for n, step in enumerate(steps):
        platform = {"h": 100 + n, "c": 1 + n, "k": 100 + n}[step]
        see(suspect, platform, START_S + n * gap_s)
    return suspect


@pytest.mark.parametrize(
    ("steps", "score", "since"),
    [
        ("h", 1, 0), ("c", 0, 0), ("hhhhhhhh", 8, 0), ("cccchhh", 3, 4), ("hchchc", 0, 0),
        ("hhcchhh", 3, 4), ("hhchh", 3, 0), ("hhkh", 3, 0), ("chhch", 2, 1),
    ],
)  # fmt: skip
def test_a_hot_platform_adds_one_and_any_other_takes_one_away(
    steps: str, score: int, since: int
) -> None:
    suspect = suspect_of(steps)
    last_s = START_S + (len(steps) - 1) * 600
    found = lead(suspect, HOT, last_s)
    assert found.score == score
    if score:
        assert found.since_s == START_S + since * 600


@pytest.mark.parametrize("gap_s", [1, 60, 7000])
def test_pace_plays_no_part(gap_s: int) -> None:
    assert lead(suspect_of("hhhchhhhh", gap_s), HOT, START_S + 8 * gap_s).score == 7


def test_what_is_older_than_a_day_does_not_count() -> None:
    suspect = suspect_of("hhhh", gap_s=DAY_S // 3)
    assert lead(suspect, HOT, START_S + DAY_S).score == 3, "the first is a day old"


def test_a_code_that_comes_late_counts_at_every_instant_after_it() -> None:
    suspect = suspect_of("hhhhhcc")
    last_s = START_S + 6 * 600
    assert lead(suspect, HOT, last_s).score == 3
    see(suspect, 190, START_S + 5)
    assert lead(suspect, HOT, START_S + 5).score == 6, "before the others came"
    assert lead(suspect, HOT, last_s).score == 4


BURST = Finding(Band.WATCH, "burst", 1.7, 1.6, START_S + 600)
RUSH = Finding(Band.HOLD, "burst", 1.7, 1.6, START_S + 600)
"""Of two novel platforms, one fewer than WATCH asks for."""
SLOW = Finding(Band.WATCH, "raw_24h", 54, 54, START_S)
FAST = Finding(Band.THROTTLE, "burst", 2.7, 2.6, START_S)


@pytest.mark.parametrize(
    ("steps", "before", "band", "rule"),
    [
        ("hhhh", CALM, Band.HOLD, ""),
        ("hhhhh", CALM, Band.WATCH, "hot"),
        ("hhhhhhh", CALM, Band.WATCH, "hot"),
        ("hhhhhhhh", CALM, Band.THROTTLE, "hot"),
        ("hhhh", BURST, Band.WATCH, "burst"),
        ("hhhhh", BURST, Band.THROTTLE, "hot_burst"),
        ("hhhhhhhh", BURST, Band.THROTTLE, "hot"),
        ("hhhh", RUSH, Band.HOLD, ""),
        ("hhhhh", RUSH, Band.THROTTLE, "hot_burst"),
        ("hhhhhhhh", RUSH, Band.THROTTLE, "hot"),
        ("hhhhh", SLOW, Band.WATCH, "raw_24h"),
        ("hhhhhhhh", SLOW, Band.THROTTLE, "hot"),
        ("hhhhhhhh", FAST, Band.THROTTLE, "burst"),
    ],
)
def test_the_stronger_evidence_decides(steps: str, before: Finding, band: Band, rule: str) -> None:
    suspect = suspect_of(steps)
    found = add_hot_score(RULES, suspect, HOT, START_S + (len(steps) - 1) * 600, before)
    assert (found.band, found.rule) == (band, rule)
    if rule in ("hot", "hot_burst"):
        assert found.since_s == START_S
    without = add_hot_score(RULES, suspect, frozenset(), START_S, before)
    assert without == (before if before.band > Band.HOLD else CALM)


@pytest.mark.parametrize(
    ("gap_s", "rule"), [(16, "burst"), (17, ""), (600, "")], ids=["a rush", "a pause", "slow"]
)
def test_two_novel_platforms_at_once_are_a_rush_beside_a_lead_and_nothing_alone(
    gap_s: int, rule: str
) -> None:
    suspect = suspect_of("hhhh")
    last_s = START_S + 3 * 600 + gap_s
    see(suspect, 190, last_s)
    finding = judge(RULES, suspect, last_s)
    assert (finding.band, finding.rule) == (Band.HOLD, rule)
    assert add_hot_score(RULES, suspect, frozenset(), last_s, finding) is CALM
    hot = add_hot_score(RULES, suspect, HOT | {190}, last_s, finding)
    assert hot.rule == ("hot_burst" if rule else "hot")
    assert hot.band is (Band.THROTTLE if rule else Band.WATCH)


def test_a_rush_that_is_seen_out_of_order_counts_as_one_in_order() -> None:
    suspect = suspect_of("hhhh")
    last_s = START_S + 3 * 600
    see(suspect, 190, last_s - 10)
    finding = judge(RULES, suspect, last_s - 10)
    assert (finding.band, finding.rule) == (Band.HOLD, "burst")
    found = add_hot_score(RULES, suspect, HOT | {190}, last_s - 10, finding)
    assert (found.band, found.rule) == (Band.THROTTLE, "hot_burst")


@pytest.mark.parametrize(
    ("steps", "score"),
    [("hhhh", 4), ("hhc", 2), ("hchchc", 2), ("ccch", 1), ("hcc", 1), ("hcchcc", 1)],
)
def test_another_platform_may_take_half_a_point(steps: str, score: float) -> None:
    suspect = suspect_of(steps)
    assert lead(suspect, HOT, START_S, cold_half=True).score == score


def test_a_higher_bar_asks_for_more_and_half_a_point_finds_what_a_list_covers_half() -> None:
    eight, half = suspect_of("hhhhhhhh"), suspect_of("hc" * 16)
    assert add_hot_score(RULES, eight, HOT, START_S, CALM).band is Band.THROTTLE
    assert add_hot_score(JudgeParams(hot_lead=10), eight, HOT, START_S, CALM).band is Band.WATCH
    assert add_hot_score(RULES, half, HOT, START_S, CALM).band is Band.HOLD
    found = add_hot_score(JudgeParams(cold_half=True), half, HOT, START_S, CALM)
    assert (found.band, found.rule, found.threshold) == (Band.THROTTLE, "hot", 8)


@pytest.mark.parametrize("bar", [0, 7, 13])
def test_a_bar_that_was_not_measured_is_refused(bar: int) -> None:
    with pytest.raises(ValueError, match="hot_lead"):
        JudgeParams(hot_lead=bar)
