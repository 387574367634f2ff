"""The list: who is on it, where it ends, when it is made, and that it is part of the state."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.hot import listed
from detectors.hot.base import Base
from detectors.hot.listed import Hot, choose
from detectors.hot.votes import FEW_VOTES, Votes
from detectors.model.event import TICK_OFFSETS, platform_id
from detectors.model.fields import reader, writer
from detectors.model.times import DAY_S
from detectors.suspects.judge import JudgeParams
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, idle
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run

TOOL = range(1000, 1060)


def known(votes: dict[int, list[int]], base: dict[int, int]) -> tuple[Votes, Base]:
    """Votes of recipients for platforms, and how often each platform is met."""
    cast, met = Votes(), Base()
    cast.turn(100)
    for who, platforms in votes.items():
        cast.cast(who, who, platforms)
    met.one = [platform for platform, count in base.items() for _ in range(count)]
    met.fold()
    return cast, met


PEOPLE = dict.fromkeys(range(100), 50)
"""Five thousand codes of a hundred platforms."""


def voters(count: int, platforms: Iterable[int], first: int = 1) -> dict[int, list[int]]:
    """So many recipients that vote for the same platforms."""
    return {first + who: [*platforms] for who in range(count)}


def test_the_first_votes_of_a_campaign_outweigh_many_old_ones() -> None:
    old = {who: [5000 + who, 6000 + who % 7] for who in range(200)}
    base = PEOPLE | dict.fromkeys(TOOL, 10)
    chosen = choose(*known(old | voters(8, TOOL[:20], 900), base))
    assert set(TOOL[:20]) <= set(chosen)
    cast, met = known(voters(8, TOOL[:20]) | {9 + who: each for who, each in old.items()}, base)
    assert not set(TOOL[:20]) & set(choose(cast, met)), "they are not the newest"


def test_platforms_that_several_floods_share_are_hot() -> None:
    assert set(choose(*known(voters(5, TOOL[:30]), PEOPLE))) == set(TOOL[:30])
    apart = voters(4, TOOL[:30]) | {9: [*TOOL[30:]]}
    assert choose(*known(apart, PEOPLE)) == [], "an attacker may have four numbers of his own"
    assert choose(*known({}, PEOPLE)) == []


def test_a_popular_platform_drops_out_by_its_lift() -> None:
    base = PEOPLE | {1000: 600}  # a tenth of what people meet; a thirtieth of the votes
    assert 1000 not in choose(*known(voters(5, TOOL[:30]), base))


def test_nobody_is_hot_while_too_little_is_known_of_what_people_meet() -> None:
    few = dict.fromkeys(range(100), 9)
    assert choose(*known(voters(5, TOOL), few)) == []


@pytest.mark.parametrize("seed", range(20))
def test_no_votes_make_more_than_a_twentieth_of_what_people_meet_hot(seed: int) -> None:
    """Whatever is voted for: chosen at random, the rare alone, or what many people use."""
    rng = random.Random(seed)
    base = {p: max(1, round(2000 / (1 + p))) for p in range(400)}
    pool = rng.choice([list(range(400)), list(range(200, 400)), list(range(60))])
    votes = {who: rng.sample(pool, rng.randint(1, 60)) for who in range(rng.randint(2, 40))}
    cast, met = known(votes, base)
    chosen = choose(cast, met)
    share = sum(base[p] for p in chosen) / sum(base.values())
    assert share <= 0.05
    assert len(chosen) <= 1000


def test_the_cap_binds_and_keeps_what_stands_out_most() -> None:
    base = PEOPLE | dict.fromkeys(TOOL, 20)  # each a third of a per cent of people's
    cast, met = known({who: [*TOOL] for who in range(5)} | {9: [1000, 1001], 8: [1000, 1001]}, base)
    chosen = choose(cast, met)
    assert chosen[:2] == [1000, 1001], "those of most weight first"
    assert len(chosen) < len(TOOL)
    assert int(met.common(np.array(chosen, np.uint32)).sum()) <= 0.05 * met.total
    assert int(met.common(np.array(chosen, np.uint32)).sum()) > 0.04 * met.total


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "HOT_MAX", 7)
    assert len(choose(*known(voters(5, TOOL), PEOPLE))) == 7


def people(count: int, day: int) -> list[Event]:
    """Codes of many platforms at as many people, of a day before the start."""
    first_ms = START_MS - day * DAY_MS
    return [
        Event(
            first_ms + i * 9000, 8613700000000 + i % 2250, f"of people {(i * 7 + i // 2250) % 150}"
        )
        for i in range(count)
    ]


OFFSETS_APART = 8


def play(params: Params, partition: Partition, events: list[Event]) -> list[str]:
    """Rules by which anybody was throttled."""
    first = partition.next_offset + -partition.next_offset % OFFSETS_APART
    offsets = [first + OFFSETS_APART * i for i in range(len(events))]
    decisions = run(params, events, partition, offsets=offsets)
    return [e.reason.rule for e in decisions.episodes if e.change in ("raised", "opened")]


def floods(victims: int, start_ms: int, count: int = 20, gap_ms: int = 5000) -> list[Event]:
    return sorted(
        e._replace(recipient=VICTIM + v)
        for v in range(victims)
        for e in flood(count, gap_ms, start_ms + v * 1000, "tool")
    )


def after_floods(params: Params = ENFORCE) -> Partition:
    """A partition of people, and of five floods that ended a day before the start."""
    partition = Partition(params)
    play(params, partition, people(9000, 3) + floods(5, START_MS - DAY_MS))
    play(params, partition, idle(TICK_OFFSETS, START_MS - DAY_MS // 2, 0))
    return partition


def test_a_slow_flood_is_found_by_what_fast_ones_before_it_abused() -> None:
    partition = after_floods()
    assert {platform_id(f"tool {i}") for i in range(10)} <= partition.book.hot.platforms
    slow = flood(20, 6 * MINUTE_MS, START_MS, "tool")
    slow = [e._replace(recipient=VICTIM + 99) for e in slow]
    assert play(ENFORCE, partition, slow) == ["hot", "hot"], "WATCH after 5 codes, THROTTLE after 8"
    assert play(ENFORCE, Partition(ENFORCE), slow) == []


def test_a_lead_alone_votes_for_nothing() -> None:
    partition = after_floods()
    before = dict(partition.book.hot.votes.held)
    more = flood(12, 6 * MINUTE_MS, START_MS, "tool") + flood(5, 6 * MINUTE_MS, START_MS, "mine")
    play(ENFORCE, partition, sorted(e._replace(recipient=VICTIM + 99) for e in more))
    assert partition.book.hot.votes.held == before


def test_where_it_is_off_nothing_is_counted_and_a_state_that_has_it_lets_it_go() -> None:
    off = Params(judge=JudgeParams(hot=False), episode=ENFORCE.episode)
    nothing, stored = writer(Hot)(Hot()), writer(Hot)
    assert stored(after_floods(off).book.hot) == nothing
    assert stored(restore(off, snapshot(after_floods())).book.hot) == nothing


def test_the_list_is_part_of_the_state() -> None:
    partition = after_floods()
    hot = partition.book.hot
    state = writer(Hot)(hot)
    assert writer(Hot)(reader(Hot)(state)) == state
    assert writer(Hot)(restore(ENFORCE, snapshot(partition)).book.hot) == state


def test_the_list_ends_a_week_after_the_floods() -> None:
    partition = after_floods()
    for day in range(5):
        play(ENFORCE, partition, idle(TICK_OFFSETS // 4, START_MS + day * DAY_MS, 0))
        assert partition.book.hot.platforms, f"day {day}"
    play(ENFORCE, partition, idle(TICK_OFFSETS, START_MS + 7 * DAY_MS, 0))
    assert partition.book.hot.platforms == frozenset()


def test_a_campaign_makes_it_a_few_dozen_times_and_at_once_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    hot = Hot()
    hot.votes.turn(100)

    def noted(votes: Votes, _base: Base) -> list[int]:
        made.append(votes.voters)
        return []

    monkeypatch.setattr(listed, "choose", noted)
    partition = Partition(ENFORCE)
    partition.book.hot = hot
    for v in range(300):
        some = [e._replace(recipient=VICTIM + v) for e in flood(6, 2000, START_MS, "tool")]
        play(ENFORCE, partition, some)
    assert made[:FEW_VOTES] == [*range(1, FEW_VOTES + 1)], "the first votes of a day"
    assert 60 <= len(made) <= 90
    assert made[-1] >= 300 * 6 / 7 - 60


def test_before_the_log_has_a_time_nobody_votes() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, floods(3, START_MS), partition)
    assert partition.watermark_s < DAY_S
    assert partition.book.hot.votes.held == {}
