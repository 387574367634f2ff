"""The cohort: a fair sample in bounded memory, and what is counted over its people."""

from __future__ import annotations

import numpy as np

from detectors.model.times import DAY_S
from streams.tools.calibrate.cohort import KNOWN_MAX, SITTING_S, Cohort, zeros_of


def test_the_cohort_knows_how_many_recipients_there_are_from_a_sample() -> None:
    cohort, rng = Cohort(people_max=4096), np.random.default_rng(1)
    everyone = np.arange(8_613_900_000_000, 8_613_900_200_000, dtype=np.uint64)
    for _ in range(4):
        rng.shuffle(everyone)
        n = len(everyone)
        cohort.observe(everyone, np.full(n, 9), np.zeros(n, np.uint32), np.zeros(n, np.bool_))
    assert len(cohort.people) <= 4096
    assert abs(cohort.recipients / 200_000 - 1) < 0.05


def test_pace_and_novelty_are_those_of_the_people() -> None:
    at_s = 1_000_000
    cohort = Cohort()

    def sit(start_s: int, platforms: range, gap_s: int) -> None:
        k = len(platforms)
        cohort.observe(
            np.full(k, 8_613_900_000_001, np.uint64),
            start_s + gap_s * np.arange(k),
            np.array(platforms, np.uint32),
            np.ones(k, np.bool_),
        )

    sit(at_s, range(1, 11), 62)
    sit(at_s + 10 * 86_400, range(6, 16), 62)
    cohort.close()
    assert cohort.gaps[62 // 5] == cohort.gaps.sum() == 18
    assert cohort.spree_days == {at_s // DAY_S: [10, 10], at_s // DAY_S + 10: [5, 10]}


def test_recipients_left_out_are_counted_and_measured_no_more() -> None:
    cohort = Cohort()
    who = np.array([8_613_900_000_001], np.uint64)
    cohort.observe(who, np.array([9]), np.array([5], np.uint32), np.array([True]))
    cohort.leave_out(int(who[0]))
    cohort.observe(who, np.array([99]), np.array([6], np.uint32), np.array([True]))
    assert cohort.recipients == 1
    assert cohort.gaps.sum() == 0


WHO = 8_613_900_000_001
AT_S = 1_000_000


def see(cohort: Cohort, *codes: tuple[int, int], who: int = WHO, otp: bool = True) -> None:
    """Codes of one recipient: seconds after the start, platform."""
    n = len(codes)
    cohort.observe(
        np.full(n, who, np.uint64),
        AT_S + np.array([at for at, _ in codes]),
        np.array([platform for _, platform in codes], np.uint32),
        np.full(n, otp),
    )


def test_a_repeat_within_a_day_is_no_sighting_and_a_pause_ends_a_sitting() -> None:
    cohort = Cohort()
    see(cohort, (0, 1), (60, 2), (90, 1), (60 + SITTING_S, 3))
    cohort.close()
    assert cohort.sittings == {2: 1, 1: 1}
    assert cohort.gaps.sum() == 1
    cohort.close()
    assert cohort.sittings.total() == 2, "closing twice counts nothing twice"


def test_only_three_platforms_and_more_are_a_spree() -> None:
    cohort = Cohort()
    see(cohort, (0, 1), (60, 2))
    see(cohort, (0, 1), (60, 2), (120, 3), who=WHO + 1)
    cohort.close()
    assert cohort.sittings == {2: 1, 3: 1}
    assert cohort.spree_days == {AT_S // DAY_S: [3, 3]}


def test_a_memory_is_as_large_as_a_row_s() -> None:
    cohort = Cohort()
    see(cohort, *[(i * DAY_S, i) for i in range(KNOWN_MAX + 5)])
    assert len(cohort.people[WHO].platforms) == KNOWN_MAX
    assert 0 not in cohort.people[WHO].platforms, "the longest unseen is forgotten"


def test_messages_that_are_no_codes_make_people_and_no_sightings() -> None:
    cohort = Cohort()
    see(cohort, (0, 0), otp=False)
    assert (cohort.recipients, cohort.sittings.total()) == (1, 0)


def test_a_hash_begins_with_a_zero_for_one_in_two() -> None:
    zeros = zeros_of(np.arange(8_613_800_000_000, 8_613_800_100_000, dtype=np.uint64))
    for least in range(6):
        assert abs((zeros >= least).mean() * 2**least - 1) < 0.05
