"""One suspect: what is taken in, what is known and what tainted, and that it is bounded."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from detectors.model.event import platform_print
from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.clocks import ClockClass
from detectors.suspects.suspect import (
    LATE_S,
    SIGHTINGS_MAX,
    TAINT_S,
    Episode,
    Seen,
    Suspect,
    forget_tainted,
    newest_s,
    put_right,
    see,
    settle_tainted,
    taint_since,
)
from detectors.thresholds import LEAK_MILLI_S

DAY_ZERO = 200
START_S = DAY_ZERO * DAY_S


def suspect_of(kept: Iterable[int] = (), once: Iterable[int] = ()) -> Suspect:
    return Suspect(1, "1", 0, [], Memory(DAY_ZERO - 60, kept, once))


def held(suspect: Suspect) -> list[tuple[int, bool]]:
    """The platforms with sightings, oldest first, and if they are novel."""
    return [(w & 0xFFFF_FFFF, bool(w >> 32 & 1)) for w in suspect.sightings]


def consistent(suspect: Suspect) -> None:
    """What is kept beside the sightings says the same as they do."""
    again = Suspect(1, "1", 0, list(suspect.sightings), suspect.memory)
    for kept in ("seen", "novel_s", "prints_held", "bucket_level_milli", "bucket_novel"):
        assert getattr(suspect, kept) == getattr(again, kept), kept
    assert suspect.sightings == sorted(suspect.sightings)
    assert suspect.tainted.keys() | suspect.coarse.keys() <= suspect.seen.keys()


@pytest.mark.parametrize(
    ("after_s", "seen"),
    [
        (0, Seen.REPEAT),
        (DAY_S - 1, Seen.REPEAT),
        (DAY_S, Seen.YOUNG),
        (-DAY_S + 1, Seen.REPEAT),
        (-DAY_S, Seen.LATE),
    ],
)
def test_a_platform_has_one_sighting_in_a_day(after_s: int, seen: Seen) -> None:
    suspect = suspect_of()
    assert see(suspect, 7, START_S) is Seen.NOVEL
    assert see(suspect, 7, START_S + after_s) is seen
    consistent(suspect)


def test_what_is_over_a_day_older_than_the_newest_is_not_taken_in() -> None:
    suspect = suspect_of()
    see(suspect, 7, START_S)
    assert see(suspect, 8, START_S - DAY_S) is Seen.LATE
    assert held(suspect) == [(7, True)]
    assert suspect.last_s == START_S


def test_a_platform_of_the_memory_is_known_and_so_is_another_with_its_print() -> None:
    twin = 0x0007_0000
    assert platform_print(twin) == platform_print(7)
    suspect = suspect_of(once=[7])
    assert suspect.knows(7, START_S)
    assert suspect.knows(twin, START_S)
    see(suspect, twin, START_S)
    see(suspect, 7, START_S + 1)
    assert held(suspect) == [(twin, False), (7, False)]


def test_a_third_platform_of_one_print_in_a_day_is_novel() -> None:
    suspect = suspect_of(once=[7])
    platforms = [7, 0x0007_0000, 0x0001_0006, 0x0002_0005]
    seen = [see(suspect, each, START_S + i) for i, each in enumerate(platforms)]
    assert seen == [Seen.KNOWN, Seen.KNOWN, Seen.EXCESS, Seen.EXCESS]
    assert [novel for _, novel in held(suspect)] == [False, False, True, True]
    consistent(suspect)


def test_a_sighting_becomes_known_after_a_day_unless_it_is_tainted() -> None:
    suspect = suspect_of()
    see(suspect, 7, START_S)
    assert not suspect.knows(7, START_S + DAY_S - 1)
    assert suspect.knows(7, START_S + DAY_S)
    taint_since(suspect, START_S)
    assert not suspect.knows(7, START_S + DAY_S)


def test_what_is_tainted_is_known_when_it_came_on_two_days() -> None:
    suspect = suspect_of()
    see(suspect, 7, START_S)
    taint_since(suspect, START_S)
    see(suspect, 7, START_S + DAY_S)  # novel again
    assert suspect.tainted == {7: 2}
    assert suspect.knows(7, START_S + 2 * DAY_S)


def test_a_platform_that_came_on_three_barred_days_is_known_when_the_bar_ends() -> None:
    suspect = suspect_of()
    for day in range(3):
        suspect.barred = frozenset([7])
        assert see(suspect, 7, START_S + day * DAY_S) is Seen.NOVEL
        taint_since(suspect, START_S + day * DAY_S)
    soon_s = START_S + 2 * DAY_S + 600
    assert not suspect.knows(7, soon_s)
    assert suspect.list_known(soon_s) == []
    suspect.barred = frozenset()
    assert suspect.knows(7, soon_s)
    assert suspect.list_known(soon_s) == suspect.list_known(soon_s + DAY_S) == [7]


def test_the_second_day_of_what_is_tainted_may_come_when_the_row_holds_its_mark() -> None:
    suspect = suspect_of()
    for platform in range(1, 11):
        see(suspect, platform, START_S + platform)
    taint_since(suspect, START_S)
    settle_tainted(suspect, START_S + TAINT_S)
    assert suspect.memory.marks == tuple(range(3, 11)), "the newest, the newest last"
    assert not suspect.sightings
    assert not suspect.knows(9, START_S + TAINT_S)
    later_s = START_S + 40 * DAY_S
    see(suspect, 9, later_s)
    see(suspect, 11, later_s)
    taint_since(suspect, later_s)
    assert suspect.tainted == {9: 2, 11: 1}
    settle_tainted(suspect, later_s + TAINT_S)
    assert held(suspect) == [(9, False)], "it came on two days, and is no news any more"
    assert suspect.memory.marks == (4, 5, 6, 7, 8, 9, 10, 11)


def test_a_refused_message_adds_no_day_and_a_day_of_refusals_begins_the_count_anew() -> None:
    suspect = suspect_of()
    for day in range(4):
        assert see(suspect, 7, START_S + day * DAY_S, refused=True, counts_day=False) is Seen.NOVEL
        assert (
            see(suspect, 7, START_S + day * DAY_S + 60, refused=True, counts_day=False)
            is Seen.REPEAT
        )
        assert suspect.tainted == {7: 0}
    see(suspect, 7, START_S + 3 * DAY_S + 120)
    assert suspect.tainted == {7: 1}, "one of the day arrived"
    see(suspect, 7, START_S + 4 * DAY_S)
    assert suspect.tainted == {7: 2}
    assert suspect.knows(7, START_S + 5 * DAY_S)
    see(suspect, 8, START_S + 4 * DAY_S)
    taint_since(suspect, START_S + 4 * DAY_S)
    see(suspect, 8, START_S + 5 * DAY_S, refused=True, counts_day=False)
    assert suspect.tainted[8] == 0
    consistent(suspect)


def test_a_platform_that_a_lease_refuses_is_novel_although_its_print_is_known() -> None:
    suspect = suspect_of(once=[7])
    assert see(suspect, 0x0007_0000, START_S, refused=True, counts_day=False) is Seen.NOVEL
    assert held(suspect) == [(0x0007_0000, True)]


def test_what_is_marked_and_not_known_is_dropped_with_its_sighting() -> None:
    suspect = suspect_of()
    see(suspect, 7, START_S)
    see(suspect, 8, START_S + 1)
    taint_since(suspect, START_S + 1)
    forget_tainted(suspect, START_S + 2)
    assert held(suspect) == [(7, True)]
    assert (suspect.tainted, suspect.bucket_novel) == ({}, 1)
    consistent(suspect)


def test_an_open_episode_makes_nothing_known_that_was_first_seen_in_it() -> None:
    suspect = suspect_of()
    see(suspect, 7, START_S)
    suspect.episode = Episode("e", START_S, START_S)
    assert not suspect.knows(7, START_S + 2 * DAY_S)
    suspect.episode.since_s = START_S + 1
    assert suspect.knows(7, START_S + 2 * DAY_S)


def test_the_bucket_leaks_and_is_the_same_however_messages_are_ordered() -> None:
    times = [START_S, START_S + 10, START_S + 10, START_S + 90]
    forward, shuffled = suspect_of(), suspect_of()
    for i, at_s in enumerate(times):
        see(forward, i + 1, at_s)
    for i in (2, 0, 3, 1):
        see(shuffled, i + 1, times[i])
    level = max(0, 3000 - LEAK_MILLI_S * 10 - LEAK_MILLI_S * 80) + 1000
    assert forward.bucket_level_milli == shuffled.bucket_level_milli == level
    consistent(forward)
    consistent(shuffled)


@pytest.mark.parametrize("seed", range(8))
def test_a_suspect_is_bounded_and_consistent_whatever_comes(seed: int) -> None:
    rng = random.Random(seed)
    suspect = suspect_of(range(1, 9))
    at_s = START_S
    for i in range(600):
        at_s += rng.choice([1, 20, 400, DAY_S // 8])
        late_s = rng.choice([0, 0, 0, 3000, DAY_S])
        see(suspect, rng.randint(1, 400), at_s - late_s, rng.choice(list(ClockClass)))
        if i % 97 == 96:
            taint_since(suspect, at_s - DAY_S)
            forget_tainted(suspect, at_s)
        assert suspect.novels <= SIGHTINGS_MAX
        assert len(suspect.sightings) <= 2 * SIGHTINGS_MAX
        asked = [rng.randint(1, 400), rng.choice([*suspect.seen, 1]) << 16, *suspect.seen][:9]
        for platform in asked:
            assert suspect.knows(platform, at_s) == knows(suspect, platform, at_s)
        met = [p for p in suspect.seen if suspect.has_met(p, at_s)]
        old = [p for p in met if suspect.seen[p] >> 33 <= at_s - DAY_S]
        new = [p for p, w in suspect.seen.items() if not w >> 32 & 1]
        assert suspect.list_known(at_s) == sorted({*old, *new})
    consistent(suspect)


def knows(suspect: Suspect, platform: int, at_s: int) -> bool:
    """The same as the suspect says, by a look at everything."""
    wanted = platform_print(platform)
    met = {platform_print(p) for p in suspect.seen if suspect.has_met(p, at_s)}
    return wanted in met or wanted in suspect.memory.prints


def test_a_flood_pushes_out_its_own_oldest_and_never_what_is_known() -> None:
    suspect = suspect_of([9])
    see(suspect, 9, START_S)
    for i in range(2 * SIGHTINGS_MAX):
        see(suspect, 1000 + i, START_S + 1 + i)
    assert held(suspect)[0] == (9, False)
    assert suspect.novels == SIGHTINGS_MAX
    assert 1000 not in suspect.seen


def test_old_sightings_become_prints_as_in_a_row() -> None:
    suspect = suspect_of()
    for i in range(9):
        see(suspect, i + 1, START_S + i)
    later_s = START_S + DAY_S + LATE_S + 60
    for i in range(8):
        see(suspect, 100 + i, later_s + i)
    assert {platform for platform, _ in held(suspect)} == set(range(100, 108))
    assert set(suspect.memory.prints) == {platform_print(p) for p in range(1, 10)}
    assert suspect.memory_size(later_s + 10) == 9


def test_nothing_becomes_a_print_while_an_episode_is_open() -> None:
    suspect = suspect_of()
    for i in range(9):
        see(suspect, i + 1, START_S + i)
    suspect.episode = Episode("e", START_S, START_S)
    for i in range(8):
        see(suspect, 100 + i, START_S + 2 * DAY_S + i)
    assert suspect.memory.prints == ()


def test_what_a_clock_ahead_left_is_dropped_and_the_known_stays_known() -> None:
    suspect = suspect_of([9])
    ahead_s = START_S + 40 * DAY_S
    for platform, at_s in ((5, START_S), (9, ahead_s), (6, ahead_s + 1)):
        see(suspect, platform, at_s)
    assert newest_s(suspect) == ahead_s + 1
    put_right(suspect, START_S + DAY_S, START_S + 60)
    assert held(suspect) == [(9, False), (5, True)]
    assert newest_s(suspect) <= START_S + DAY_S
    assert suspect.knows(9, START_S + 60)
    consistent(suspect)


def test_known_ids_and_prints_are_told_apart() -> None:
    suspect = suspect_of(once=[300])
    see(suspect, 7, START_S)
    later_s = START_S + DAY_S + 1
    assert suspect.list_known(START_S) == []
    assert suspect.list_known(later_s) == [7]
    assert suspect.prints(later_s) == {300, 7}
    assert suspect.remembers(2, later_s)
    assert not suspect.remembers(3, later_s)
    assert not suspect.remembers(2, START_S), "the novel one is not known yet"
