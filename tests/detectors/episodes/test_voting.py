"""Who votes, and for which platforms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.chain import Params, Partition
from detectors.episodes.voting import choose_platforms, may_vote
from detectors.model.event import Trust, platform_id
from detectors.model.records import Level, Step
from detectors.suspects.judge import JudgeParams
from detectors.suspects.suspect import Suspect
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import DAY_MS, START_MS, Event, run

RULES = JudgeParams()


def suspect_after(events: list[Event]) -> tuple[Partition, Suspect]:
    partition = Partition(ENFORCE)
    run(ENFORCE, history() + events, partition)
    return partition, partition.suspects[VICTIM]


def led(suspect: Suspect) -> Suspect:
    """The same, as if hot platforms alone had raised it."""
    assert suspect.episode is not None
    suspect.episode.path = [Step(Level.THROTTLE, START_MS, 3, "hot", 8, 8)]
    return suspect


def votes(suspect: Suspect) -> bool:
    assert suspect.episode is not None
    return may_vote(RULES, suspect, suspect.episode, suspect.last_s)


def test_what_passes_a_bar_by_its_pace_votes() -> None:
    _, suspect = suspect_after(flood(8))
    assert votes(suspect)
    _, watched = suspect_after(flood(4))
    assert not votes(watched)


def test_what_hot_platforms_alone_show_does_not_vote_until_its_own_evidence_does() -> None:
    fast = flood(4)
    _, suspect = suspect_after(fast)
    assert not votes(led(suspect))
    _, suspect = suspect_after(fast + flood(4, 20_000, START_MS + 80_000, first=4))
    assert votes(led(suspect)), "by its pace"


def test_known_and_trusted_platforms_are_not_voted_for() -> None:
    bank = Event(START_MS + 30_000, VICTIM, "a new bank", Trust.BANK)
    own = Event(START_MS + 31_000, VICTIM, "known 1")
    partition, suspect = suspect_after(sorted([*flood(8), bank, own]))
    found = choose_platforms(partition.book.names, suspect, 0)
    assert sorted(found) == sorted(platform_id(f"new {i}") for i in range(8))
    assert len(choose_platforms(partition.book.names, suspect, suspect.last_s)) == 1, (
        "of the episode alone"
    )


@pytest.mark.parametrize(("days", "votes"), [(2, 2), (3, 3), (5, 3)])
def test_who_is_throttled_on_three_days_of_fourteen_has_no_vote(days: int, votes: int) -> None:
    """The third vote is of the episode before, which ends when the third flood begins."""
    partition = Partition(ENFORCE)
    partition.book.hot.votes.turn(1000)
    told = []
    for day in range(days):
        start_ms = START_MS + day * DAY_MS
        partition.book.hot.votes.held.clear()  # as if two weeks had passed
        run(ENFORCE, flood(8, 20_000, start_ms, f"day {day}"), partition)
        told.append(bool(partition.book.hot.votes.held))
    assert sum(told) == votes


def test_where_hot_platforms_are_off_nobody_votes() -> None:
    off = Params(judge=replace(RULES, hot=False), episode=ENFORCE.episode)
    partition = Partition(off)
    partition.book.hot.votes.turn(1000)
    run(off, flood(8), partition)
    assert partition.book.hot.votes.held == {}
