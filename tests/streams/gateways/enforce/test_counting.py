"""When a gateway is asked how much it refused, and that nothing of it is remembered for ever."""

from __future__ import annotations

from dataclasses import replace

from streams.gateways.enforce.counting import Counting, due_after
from streams.gateways.enforce.gateway import LeaseTally
from streams.wire.desired_state import REMEMBER_MS
from tests.enforce.records import LEASE_MS, START_MS, action

FIRST, SECOND = action(), action(revision=2, at_ms=START_MS + LEASE_MS // 2)


def test_what_is_due_is_asked_once_and_again_five_minutes_later() -> None:
    counting = Counting()
    counting.begin(FIRST, 0)
    counting.begin(FIRST, 5)
    asked = [
        ms
        for ms in range(0, 900_001, 10_000)
        if counting.due(ms, START_MS, 10) == [FIRST.action_id]
    ]
    assert asked == [60_000, 120_000, 300_000, 600_000, 900_000]
    assert due_after(0, 900_000) == 1_200_000


def test_no_more_are_asked_about_than_a_call_takes() -> None:
    counting = Counting()
    for i in range(5):
        counting.begin(action(f"861390000000{i}", i), 0)
    assert [len(counting.due(60_000, START_MS, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_a_renewal_goes_on_with_its_episode_and_another_flood_begins_anew() -> None:
    renewed = replace(SECOND, episode_id=FIRST.episode_id)
    for next_, due_ms in ((renewed, 600_000), (replace(SECOND, episode_id="other"), 460_000)):
        counting = Counting()
        counting.begin(FIRST, 0)
        counting.begin(next_, 400_000)
        counting.end(FIRST.action_id)
        assert counting.due(due_ms - 1, START_MS, 10) == []
        assert counting.due(due_ms, START_MS, 10) == [next_.action_id]


def test_news_is_what_is_more_than_was_told() -> None:
    counting = Counting()
    counting.begin(FIRST, 0)
    told = [counting.news(FIRST.action_id, LeaseTally(n)) for n in (0, 3, 3, 2, 4)]
    assert told == [None, FIRST.episode_id, None, None, FIRST.episode_id]
    assert counting.news("other", LeaseTally(9)) is None


def test_a_lease_whose_end_nobody_told_is_let_go_when_it_is_long_over() -> None:
    counting = Counting()
    counting.begin(FIRST, 0)
    assert counting.due(60_000, FIRST.expires_at_ms + REMEMBER_MS + 1, 10) == []
    assert not counting._leases
