"""What a partition tells of votes and of what people meet: when, and how much of it."""

from __future__ import annotations

from detectors.hot import published_sums as module
from detectors.hot.base import UNIT, Base
from detectors.hot.published_sums import BASE_S, VOTES_S, HotTelling, VoteSum
from detectors.hot.votes import VOTE, Votes
from detectors.model.fields import reader, writer
from detectors.model.times import DAY_S

NOW_S = 100 * DAY_S


def known() -> tuple[Votes, Base]:
    votes, base = Votes(), Base()
    votes.turn(100)
    votes.cast(1, 7, [10, 11])
    votes.cast(2, 8, [10])
    base.one = [5, 5, 10]
    base.fold()
    return votes, base


def test_first_all_is_told_and_then_what_is_new() -> None:
    votes, base = known()
    telling = HotTelling()
    assert telling.due(0, votes, base) is None, "before the first tick there is no time"
    first = telling.due(NOW_S, votes, base)
    assert first is not None
    assert first.votes == (VoteSum(10, 2, VOTE // 2 + VOTE), VoteSum(11, 1, VOTE // 2))
    assert (first.weight, first.base_total) == (2 * VOTE, 3 * UNIT)
    assert first.base == ((5, 2 * UNIT), (10, UNIT))
    assert telling.due(NOW_S + VOTES_S, votes, base) is None, "nothing is new"
    votes.cast(3, 9, [12])
    telling.news = True
    assert telling.due(NOW_S + VOTES_S - 1, votes, base) is None, "too soon"
    news = telling.due(NOW_S + VOTES_S, votes, base)
    assert news is not None
    assert [each.platform_id for each in news.votes] == [10, 11, 12]
    assert news.base is None


def test_what_people_meet_is_told_again_and_again() -> None:
    votes, base = known()
    telling = HotTelling()
    telling.due(NOW_S, votes, base)
    assert telling.due(NOW_S + BASE_S - 1, votes, base) is None
    later = telling.due(NOW_S + BASE_S, votes, base)
    assert later is not None
    assert later.base is not None


def test_it_is_bounded_and_keeps_what_counts(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "TOLD_MOST", 1)
    votes, base = known()
    part = HotTelling().due(NOW_S, votes, base)
    assert part is not None
    assert [each.platform_id for each in part.votes] == [10]
    assert part.base == ((5, 2 * UNIT),)
    assert part.base_total == 3 * UNIT, "the sum is of all"


def test_it_goes_on_after_a_restart() -> None:
    telling = HotTelling()
    telling.news = True
    telling.due(NOW_S, *known())
    assert reader(HotTelling)(writer(HotTelling)(telling)) == telling
