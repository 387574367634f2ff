"""Votes: who has one, how long it counts, how it is shared, and how many there are."""

from __future__ import annotations

import pytest

from detectors.hot import votes as of
from detectors.hot.votes import VOTE, Votes
from detectors.model.fields import reader, writer


def today(day: int = 100) -> Votes:
    votes = Votes()
    votes.turn(day)
    return votes


def weights(votes: Votes) -> dict[int, tuple[int, int]]:
    """By platform: how many voted for it, and with what weight."""
    two = dict(votes.several(2))
    return {p: (2 if p in two else 1, weight) for p, weight in votes.several(1)}


def test_a_vote_is_shared_among_its_platforms() -> None:
    votes = today()
    assert votes.cast(1, 7, [10, 11, 12, 13])
    assert votes.cast(2, 8, [10])
    assert weights(votes)[10] == (2, VOTE // 4 + VOTE)
    assert weights(votes)[11] == (1, VOTE // 4)
    assert votes.voters == 2
    assert sum(weight for _, weight in weights(votes).values()) == 2 * VOTE


def test_a_new_episode_replaces_the_vote_of_an_earlier_one() -> None:
    votes = today()
    assert votes.cast(1, 7, [10, 11])
    assert votes.cast(2, 8, [10])
    votes.turn(101)
    assert votes.cast(1, 1000, [12, 13])
    assert weights(votes).keys() == {10, 12, 13}
    assert (votes.voters, list(votes.held)) == (2, [2, 1]), "one vote each, and it is the newest"
    assert not votes.cast(1, 7, [10, 11, 12, 14]), "the earlier episode votes no more"
    assert not votes.cast(1, 2000, [])
    votes.turn(107)
    assert weights(votes).keys() == {12, 13}, "it counts from its own day on"


def test_the_first_votes_of_a_day_are_told_from_later_ones() -> None:
    votes = today()
    for who in range(of.FEW_VOTES):
        votes.cast(who, who, [10])
        assert votes.has_few_today()
    votes.cast(99, 99, [10])
    assert not votes.has_few_today()
    votes.turn(101)
    assert votes.has_few_today()


def test_the_share_of_the_newest_votes_is_in_units_of_all() -> None:
    votes = today()
    for who in range(of.NEWEST_VOTES):
        votes.cast(who, who, [10])
    for who in range(of.NEWEST_VOTES // 2):
        votes.cast(1000 + who, 1000 + who, [11, 12])
    newest = dict(votes.newest(5))
    assert newest[10] == votes.total // 2
    assert newest[11] == newest[12] == votes.total // 4
    assert list(today().newest(1)) == []


def test_more_platforms_of_the_same_flood_make_a_vote_better_and_not_heavier() -> None:
    votes = today()
    votes.cast(1, 7, [10, 11])
    assert votes.cast(1, 7, [10, 11, 12])
    assert weights(votes).keys() == {10, 11, 12}
    assert (votes.voters, weights(votes)[10]) == (1, (1, VOTE // 3))
    assert not votes.cast(1, 7, [10, 11, 12]), "nothing new"
    assert not votes.cast(1, 7, [10]), "what it named before stays"
    assert not votes.cast(2, 9, [])


def test_a_vote_counts_for_seven_days() -> None:
    votes = today()
    votes.cast(1, 7, [10])
    votes.turn(106)
    assert weights(votes).keys() == {10}
    votes.turn(107)
    assert (weights(votes), votes.voters) == ({}, 0)
    assert votes.held, "it is remembered that there was one"


def test_a_clock_that_went_back_forgets_what_is_ahead() -> None:
    votes = today(400)
    votes.cast(1, 7, [10])
    votes.turn(100)
    assert not votes.held
    assert weights(votes) == {}


def test_votes_are_bounded_and_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "VOTERS_MAX", 3)
    votes = today()
    for who in range(5):
        votes.cast(who, who, [10 + who])
    assert list(votes.held) == [2, 3, 4]
    assert weights(votes).keys() == {12, 13, 14}
    assert votes.voters == 3


def test_whose_vote_gave_way_has_no_other_one_in_two_weeks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a campaign each renewal of a lease was a vote, and pushed somebody else's out."""
    monkeypatch.setattr(of, "VOTERS_MAX", 3)
    votes = today()
    for who in range(5):
        votes.cast(who, 7, [10 + who])
    assert not votes.wants(0, 7, 64)
    assert not votes.cast(0, 7, [10, 11, 12])
    assert list(votes.held) == [2, 3, 4]
    for day, may in ((113, False), (114, True)):
        votes.turn(day)
        assert votes.wants(0, 9, 64) is may
        assert votes.cast(0, 9, [20]) is may
    assert list(votes.held) == [0]


def test_who_is_remembered_without_a_vote_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "VOTERS_MAX", 2)
    monkeypatch.setattr(of, "SPENT_MAX", 3)
    votes = today()
    for who in range(9):
        assert votes.cast(who, 7, [10])
    assert list(votes.spent) == [4, 5, 6]


def test_a_state_goes_on() -> None:
    votes = today()
    votes.cast(3, 1, [10, 11])
    votes.turn(104)
    votes.cast(1, 2, [11])
    again = reader(Votes)(writer(Votes)(votes))
    assert writer(Votes)(again) == writer(Votes)(votes)
    assert weights(again) == weights(votes)
    assert (again.voters, again.day) == (votes.voters, 104)
    assert list(again.held) == [3, 1]


def test_a_state_knows_whose_vote_gave_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "VOTERS_MAX", 1)
    votes = today()
    for who in (3, 1, 2):
        votes.cast(who, 7, [10])
    again = reader(Votes)(writer(Votes)(votes))
    assert [*again.spent.items()] == [*votes.spent.items()] == [(3, 100), (1, 100)]
    assert not again.cast(3, 8, [11])
