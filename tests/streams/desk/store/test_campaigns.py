"""Floods that belong together, and those that only look so."""

from __future__ import annotations

import random

from streams.desk.store.campaigns import APART_MS, Flood, campaigns


def flood(n: int, ids: list[int], first_ms: int = 0, recipient: str = "") -> Flood:
    return Flood(f"e{n:04}", recipient or f"r{n}", first_ms, first_ms + 60_000, True, 10,
                 frozenset(ids))  # fmt: skip


def test_lists_that_share_half_belong_together_whatever_the_order() -> None:
    draw = random.Random(3)
    one, two = list(range(80)), list(range(200, 280))
    floods = [flood(n, draw.sample(one if n % 2 else two, 50), n * 1_000) for n in range(40)]
    draw.shuffle(floods)
    found = campaigns(floods)
    assert [each.victims for each in found] == [20, 20]
    assert all(len({int(e[1:]) % 2 for e in each.episode_ids}) == 1 for each in found)
    assert {p // 200 for p in found[0].platform_ids} == {p // 200 for p in found[0].platform_ids}


def test_platforms_that_everybody_abuses_join_nobody() -> None:
    common = list(range(5))
    floods = [flood(n, common + list(range(1_000 * n, 1_000 * n + 20))) for n in range(1, 10)]
    assert campaigns(floods) == []


def test_a_list_that_comes_back_much_later_is_another_campaign() -> None:
    ids = list(range(20))
    late_ms = 60_000 + APART_MS + 1
    floods = [flood(n, ids, (n // 2) * late_ms) for n in range(4)]
    assert [each.victims for each in campaigns(floods)] == [2, 2]


def test_one_victim_is_no_campaign_and_few_platforms_say_nothing() -> None:
    ids = list(range(20))
    assert campaigns([flood(1, ids, recipient="r"), flood(2, ids, 1, recipient="r")]) == []
    assert campaigns([flood(1, ids[:4]), flood(2, ids[:4])]) == []


def test_what_a_campaign_says_of_itself() -> None:
    ids = list(range(10))
    (found,) = campaigns([flood(1, ids, 5), flood(2, ids[:8], 9), flood(3, [*ids[:6], 99], 7)])
    assert (found.first_ms, found.last_ms, found.open, found.messages) == (5, 60_009, 3, 30)
    assert found.platform_ids == tuple(range(10)) or set(found.platform_ids) <= set(ids)
    assert 99 not in found.platform_ids
    assert found.episode_ids == ("e0001", "e0003", "e0002")
