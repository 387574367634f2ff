"""Peaks: the highest scores of each day, sums over them, and who comes out again."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.episodes.episode_log import EpisodeLog
from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.judge import JudgeParams, bars_of, scores
from detectors.suspects.suspect import Suspect, see
from streams.tools.calibrate.peaks import (
    COUNTS,
    LEVEL_STEP,
    LEVELS,
    SIGHTINGS_SHOWN,
    Peaks,
    nearest,
)

START_S = 200 * DAY_S
PARAMS = JudgeParams()


def suspect_of(
    count: int, gap_s: int, *, name: str = "8613800000001", at_s: int = START_S
) -> Suspect:
    suspect = Suspect(int(name), name, 0, [], Memory(START_S // DAY_S - 60))
    for i in range(count):
        see(suspect, i + 1, START_S + i * gap_s)
    return suspect


def looked(peaks: Peaks, *suspects: Suspect) -> Peaks:
    held = {suspect.recipient: suspect for suspect in suspects}
    first = {suspect.recipient: suspect.sightings[0] >> 33 for suspect in suspects}
    peaks.observe(PARAMS, EpisodeLog(), held, first)
    return peaks


def test_a_day_has_the_highest_level_with_the_novel_platforms_of_a_throttle() -> None:
    peaks = looked(Peaks(), suspect_of(5, 10), suspect_of(4, 10, name="8613800000002"))
    level = 5 - 4 * 0.25
    assert [peak.level for peak in peaks.open.values()] == [pytest.approx(level), 0.0]
    peaks.close()
    assert np.flatnonzero(peaks.levels).tolist() == [0, round(level / LEVEL_STEP)]


def test_looking_twice_counts_once() -> None:
    suspect, peaks = suspect_of(5, 10), Peaks()
    looked(looked(peaks, suspect), suspect).close()
    assert (peaks.days, int(peaks.levels.sum())) == (1, 1)


def test_days_are_kept_apart_and_closed_when_they_are_over() -> None:
    suspect, peaks = suspect_of(4, 10), Peaks()
    looked(peaks, suspect)
    for i in range(4):
        see(suspect, 100 + i, START_S + DAY_S + i)
    looked(peaks, suspect)
    assert [day - START_S // DAY_S for _, day in peaks.open] == [0, 1]
    peaks.close(START_S // DAY_S + 1)
    assert (len(peaks.open), peaks.days) == (1, 1)


def test_who_is_set_aside_is_taken_out_again_and_counts_no_more() -> None:
    near, other = suspect_of(5, 20), suspect_of(4, 30, name="8613800000002")
    peaks = looked(Peaks(), near, other)
    peaks.close()
    before = int(peaks.levels.sum())
    peaks.set_aside(near.name)
    assert int(peaks.levels.sum()) == before - 1
    assert near.name not in [miss.recipient for miss in peaks.misses]
    looked(peaks, near).close()
    assert int(peaks.levels.sum()) == before - 1


def test_near_misses_are_the_nearest_without_a_throttle() -> None:
    peaks = Peaks(misses_max=2)
    for i, gap_s in enumerate((1, 26, 27, 28, 39)):  # the first is over the bar
        looked(peaks, suspect_of(5, gap_s, name=f"861380000000{i}"))
    peaks.close()
    assert [miss.recipient[-1] for miss in peaks.misses] == ["1", "2"]
    assert all(0.5 <= miss.near < 1 for miss in peaks.misses)
    assert len(peaks.misses[0].sightings) == 5


def test_shown_sightings_and_open_days_are_bounded() -> None:
    peaks = looked(Peaks(), suspect_of(SIGHTINGS_SHOWN + 15, 40 * 60))
    assert all(len(peak.sightings) <= SIGHTINGS_SHOWN for peak in peaks.open.values())
    few = Peaks(open_max=2)
    looked(few, *(suspect_of(3, 10, name=f"861380000000{i}") for i in range(5)))
    assert (len(few.open), few.days) == (2, 3)


def test_levels_past_the_last_are_the_last() -> None:
    peaks = looked(Peaks(), suspect_of(20, 0))
    peaks.close()
    assert peaks.levels[LEVELS - 1] == 1


@pytest.mark.parametrize(
    ("count", "gap_s", "rule"), [(5, 1, "burst"), (4, 1, "burst"), (30, 310, "spaced_5min_3h")]
)
def test_the_nearest_bar_is_the_one_most_of_which_is_reached(
    count: int, gap_s: int, rule: str
) -> None:
    suspect = suspect_of(count, gap_s)
    found, bars = scores(suspect), bars_of(PARAMS, suspect, suspect.bucket_s)
    share, name, score, bar = nearest(bars, found)
    assert name == rule
    if rule == "burst":
        assert share == pytest.approx(min(score / bar, count / 5))
    else:
        assert share == score / bar
    assert all(getattr(found, each) / getattr(bars, each).throttle <= share for each in COUNTS)
