"""Clocks that are ahead: what they may do to a partition, and that it heals."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from detectors.chain import Decisions, Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.used_later import HORIZON_S, UsedLater, confirm, note_refusal
from detectors.model.event import TICK_OFFSETS
from detectors.model.log_time import AGREE, AHEAD_S, ASTRAY_S, TICKS, LogTime, watermark
from detectors.model.records import Level
from detectors.model.times import DAY_S
from detectors.recipients.sieve import SieveParams
from tests.detectors.stand_in import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Event,
    run,
)

VICTIM = 8613800000001
ENFORCE = Params(episode=EpisodeParams(mode="enforce"))
YEAR_MS = 365 * DAY_MS
DAYS = (0, 30, 200, 360)


def flood(day: int = 0, count: int = 60, gap_ms: int = 20_000) -> list[Event]:
    start_ms = START_MS + day * DAY_MS
    return [Event(start_ms + i * gap_ms, VICTIM, f"day {day}: {i}") for i in range(count)]


def others(start_ms: int, count: int = 60, step_ms: int = 5_000) -> list[Event]:
    """Codes of people of whom each gets one."""
    return [
        Event(start_ms + i * step_ms, 5_000_000_000 + start_ms % 10**9 + i) for i in range(count)
    ]


def idle(count: int, start_ms: int, step_ms: int = 20) -> list[Event]:
    """Messages that are no codes: they move ticks and the watermark."""
    return [Event(start_ms + i * step_ms, 1, "") for i in range(count)]


def opened(decisions: Decisions) -> list[int]:
    """The days since the start on which an episode of a flood was throttled."""
    return sorted(
        {(a.issued_at_ms - START_MS) // DAY_MS for a in decisions.actions if a.verb == "throttle"}
    )


def known(days_before: int = 40) -> list[Event]:
    return [
        Event(START_MS - d * DAY_MS + i * HOUR_MS, VICTIM, f"known {i}")
        for d in (days_before, 7)
        for i in range(8)
    ]


# ------------------------------------------------------------- one event ahead

AHEAD = {
    "a stranger": [Event(START_MS + YEAR_MS, VICTIM, "stranger")],
    "an acquaintance": [Event(START_MS + YEAR_MS, VICTIM, "known 3")],
    "a clock at its end": [Event(4_102_444_800_000, VICTIM, "stranger")],
    "a burst": [Event(START_MS + YEAR_MS + i * 5000, VICTIM, f"stranger {i}") for i in range(7)],
    "a flood": [Event(START_MS + YEAR_MS + i * 5000, VICTIM, f"stranger {i}") for i in range(40)],
    "a month": [Event(START_MS + 30 * DAY_MS, VICTIM, "stranger")],
    "three days": [Event(START_MS + 3 * DAY_MS, VICTIM, "stranger")],
    "eight hours": [Event(START_MS + 8 * HOUR_MS, VICTIM, "stranger")],
}


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.slow
def test_floods_after_a_clock_that_was_ahead_are_all_found(
    ahead: str, first: bool, around: bool, ticks: bool
) -> None:
    events = AHEAD[ahead] + known() if first else known() + AHEAD[ahead]
    for day in DAYS:
        start_ms = START_MS + day * DAY_MS
        events += idle(TICK_OFFSETS * 4, start_ms - HOUR_MS) if ticks else []
        events += others(start_ms - 30 * MINUTE_MS) if around else []
        events += flood(day)
    assert set(DAYS) <= set(opened(run(ENFORCE, events)))


def test_a_code_a_year_ahead_of_a_partition_at_work_is_refused_and_leaves_nothing() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, others(START_MS - HOUR_MS) + idle(TICK_OFFSETS, START_MS - HOUR_MS), partition)
    assert partition.watermark_s
    offset = partition.next_offset
    before = partition.recipients
    ahead = Event(START_MS + YEAR_MS, VICTIM, "stranger")
    decisions = run(ENFORCE, [*others(START_MS), ahead, *others(START_MS + HOUR_MS)], partition)
    assert decisions.ahead == [offset + 60]
    assert decisions.codes == 120
    assert partition.recipients == before + 120
    assert VICTIM not in partition.suspects


def test_after_a_pause_of_over_a_week_a_few_codes_are_refused_and_then_none() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, others(START_MS) + idle(TICK_OFFSETS, START_MS), partition)
    week = run(ENFORCE, others(START_MS + 6 * DAY_MS), partition)
    assert week.ahead == []
    offset = partition.next_offset
    later = run(ENFORCE, others(START_MS + 30 * DAY_MS, 200), partition)
    assert later.ahead == list(range(offset, offset + AGREE // 2))


def test_a_lease_of_a_clock_that_is_ahead_gives_way_to_one_of_its_own_time() -> None:
    ahead = [e._replace(at_ms=e.at_ms + 8 * HOUR_MS) for e in flood(count=6)]
    decisions = run(ENFORCE, [*others(START_MS), *ahead, *flood(count=40)[6:]])
    first, second, *_ = [a for a in decisions.actions if not a.update]
    assert first.issued_at_ms > START_MS + 8 * HOUR_MS
    assert second.issued_at_ms < START_MS + HOUR_MS
    assert second.revision > first.revision


def test_what_is_known_stays_known_when_its_sighting_was_ahead() -> None:
    ahead = [Event(START_MS + YEAR_MS, VICTIM, f"known {i}") for i in range(8)]
    decisions = run(ENFORCE, known() + ahead + flood())
    scope = decisions.actions[-1].scope
    only = run(ENFORCE, known() + flood()).actions[-1].scope
    assert scope.pass_prints == only.pass_prints


def test_a_suspect_of_a_clock_that_was_ahead_is_let_go() -> None:
    partition = Partition(ENFORCE)
    events = others(START_MS, 20) + [
        Event(START_MS + YEAR_MS + i * 5000, VICTIM, f"stranger {i}") for i in range(9)
    ]
    run(ENFORCE, events, partition)
    assert VICTIM in partition.suspects
    decisions = Decisions()
    for day in range(12):
        decisions = run(ENFORCE, idle(TICK_OFFSETS, START_MS + day * DAY_MS), partition)
    assert VICTIM not in partition.suspects
    assert decisions.ahead == []
    assert partition.levels() == {Level.WATCH: 0, Level.THROTTLE: 0}
    assert len(partition.due) <= 1


@pytest.mark.parametrize("hours", [2, 8, 30, 24 * 365])
def test_one_message_ahead_does_not_hide_one_platform_that_sends_again_and_again(
    hours: int,
) -> None:
    ahead = Event(START_MS + hours * HOUR_MS, VICTIM, "stranger")
    again = [Event(START_MS + i * 10_000, VICTIM, "again") for i in range(60)]
    decisions = run(ENFORCE, [*others(START_MS - HOUR_MS), ahead, *again])
    assert "resend" in [e.kind for e in decisions.episodes]


# ------------------------------------------------------------- ticks


def steady(partition: Partition, ticks: int, start_ms: int, victim: int = 0) -> Decisions:
    """Ticks 82 s apart, each with some messages of a flood at the victim."""
    events = idle(ticks * TICK_OFFSETS, start_ms)
    for i in range(200, len(events), 400):
        if victim:
            events[i] = Event(events[i].at_ms, victim, f"{start_ms}: {i}")
    return run(ENFORCE, events, partition)


@pytest.mark.parametrize("ahead_ms", [3 * HOUR_MS, 8 * HOUR_MS, DAY_MS, 30 * DAY_MS, YEAR_MS])
def test_a_tick_whose_clocks_are_ahead_ends_no_episode(ahead_ms: int) -> None:
    partition = Partition(ENFORCE)
    tick_ms = TICK_OFFSETS * 20
    steady(partition, 4, START_MS)
    begun = steady(partition, 2, START_MS + 4 * tick_ms, VICTIM)
    assert begun.episodes[0].change == "opened"
    held_ms = partition.watermark_ms
    wrong = idle(TICK_OFFSETS, START_MS + 6 * tick_ms + ahead_ms)
    run(ENFORCE, wrong, partition)
    assert partition.watermark_ms < held_ms + 2 * tick_ms
    later = steady(partition, 6, START_MS + 7 * tick_ms, VICTIM)
    assert "ended" not in [e.change for e in begun.episodes + later.episodes]
    assert abs(partition.watermark_ms - START_MS - 13 * tick_ms) < 2 * tick_ms


def test_a_log_that_begins_with_wrong_clocks_comes_to_its_time() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, idle(TICK_OFFSETS, START_MS + YEAR_MS), partition)
    decisions = steady(partition, 16, START_MS, VICTIM + 1)
    assert abs(partition.watermark_ms - START_MS) < 16 * TICK_OFFSETS * 20
    assert decisions.windows, "windows go on being told"
    attacked = steady(partition, 3, START_MS + 16 * TICK_OFFSETS * 20, VICTIM)
    assert "opened" in [e.change for e in attacked.episodes]
    assert "ended" not in [e.change for e in attacked.episodes]


def test_months_in_the_first_tick_do_not_make_the_present_a_clock_that_is_ahead() -> None:
    """A history played fast: the first median lies weeks before the flood in the same tick."""
    past = [
        Event(START_MS - 60 * DAY_MS + i * 1_200_000, 5_000_000_000 + i)
        for i in range(TICK_OFFSETS - 100)
    ]
    partition = Partition(ENFORCE)
    events = [*past, *others(START_MS - HOUR_MS, 40), *flood(count=60)]
    events += others(START_MS + 20 * MINUTE_MS, 100)
    assert run(ENFORCE, events, partition).actions
    assert partition.watermark_ms < START_MS - 7 * DAY_MS
    assert len(partition.suspects[VICTIM].sightings) >= 60
    assert partition.levels()[Level.THROTTLE] == 1


def test_a_backlog_of_two_ticks_does_not_turn_the_watermark_back() -> None:
    partition = Partition(ENFORCE)
    steady(partition, 6, START_MS)
    held_ms = partition.watermark_ms
    steady(partition, 2, START_MS - 3 * DAY_MS)
    assert partition.watermark_ms == held_ms


def test_the_watermark_keeps_up_with_slow_and_with_fast_ticks() -> None:
    for apart_s in (1, 80, 600, 3 * 3600, 6 * 3600):
        medians, held = list[int](), 0
        for tick in range(1, 12):
            medians = [*medians, tick * apart_s][-TICKS:]
            held = watermark(held, medians)
            assert held >= (tick - 1) * apart_s
        assert held == 11 * apart_s


@pytest.mark.parametrize("seed", range(200))
def test_the_watermark_is_near_the_time_whatever_two_of_five_ticks_say(seed: int) -> None:
    rng = random.Random(seed)
    now_s, medians, held = 10**8, list[int](), 0
    wrong = [False, False]
    for tick in range(60):
        now_s += rng.randint(60, 120)
        ahead = tick > 4 and sum(wrong[-4:]) < 2 and rng.random() < 0.3
        wrong.append(ahead)
        stray_s = rng.choice([3 * 3600, DAY_S, 400 * DAY_S]) if ahead else 0
        medians = [*medians, now_s + stray_s][-TICKS:]
        held = watermark(held, medians)
        assert now_s - 600 <= held <= now_s + 900


# ------------------------------------------------------------- what else has times


def test_a_throttle_of_next_year_does_not_stop_the_count_of_chronic_days() -> None:
    ahead = [e._replace(at_ms=e.at_ms + YEAR_MS) for e in flood(count=10)]
    days = [e for day in range(9) for e in others(START_MS + day * DAY_MS) + flood(day)]
    decisions = run(ENFORCE, ahead + days)
    assert [e.chronic for e in decisions.episodes if e.change == "raised"][-2:] == [True, True]


def test_hindsight_does_not_wait_for_a_refusal_of_next_year() -> None:
    used_later: UsedLater[str] = UsedLater()
    note_refusal(used_later, "ahead", 7, 10**6 + 400 * DAY_S)
    note_refusal(used_later, "victim", 7, 10**6)
    confirm(used_later, 10**6 + HORIZON_S)
    assert list(used_later.entries) == []


def test_recipients_of_a_clock_that_is_ahead_are_the_first_to_be_forgotten() -> None:
    params = Params(sieve=SieveParams(rows_max=4 * TICK_OFFSETS), suspects_max=100)
    partition = Partition(params)
    ahead = [Event(START_MS + YEAR_MS, 7_000_000_000 + i) for i in range(10)]
    events = ahead + [Event(START_MS + i * 20, 5_000_000_000 + i) for i in range(TICK_OFFSETS * 4)]
    decisions = run(params, events, partition)
    assert decisions.evicted
    held = set(partition.table.words[: partition.table.used, 0].tolist())
    assert not held & {event.recipient for event in ahead}


def test_a_checkpoint_holds_the_logs_time() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, others(START_MS) + idle(TICK_OFFSETS, START_MS), partition)
    held = snapshot(partition)
    rest = msgspec.msgpack.decode(msgspec.msgpack.encode(held.rest))
    again = restore(ENFORCE, type(held)(held.header, held.rows, rest))
    assert (again.recent_s, again.medians_s) == (partition.recent_s, partition.medians_s)
    assert len(again.recent_s) == AGREE - 1


def test_times_of_the_log_are_those_that_most_of_the_last_codes_agree_on() -> None:
    rng = random.Random(4)
    times = [
        10**8 + i * 10 + rng.randrange(100) + rng.choice([0] * 9 + [10**7]) for i in range(300)
    ]
    expected = []
    for i in range(300):
        last = sorted(times[max(0, i - AGREE + 1) : i + 1])
        expected.append(last[(len(last) - 1) // 2])
    for cuts in ([0, 300], [0, 1, 2, 30, 31, 32, 200, 300]):
        found, before = [], list[int]()
        for a, b in pairwise(cuts):
            log = LogTime(before, np.array(times[a:b], np.int64), 0)
            found += log.at(np.arange(b - a)).tolist()
            before = log.newest_s
        assert found == expected
    assert max(expected) < 10**8 + 10**4
    assert AHEAD_S > ASTRAY_S > DAY_S


@pytest.mark.parametrize("each", [1, 2, 3])
def test_a_clock_that_comes_and_goes_is_decided_alike_whatever_the_batch(each: int) -> None:
    events = [
        Event(START_MS + i * 1000 + (i % 2) * YEAR_MS, VICTIM, f"p{i // each}")
        for i in range(TICK_OFFSETS // 4)
    ]
    whole = run(ENFORCE, events)
    partition = Partition(ENFORCE)
    cut = [run(ENFORCE, events[i : i + 100], partition) for i in range(0, len(events), 100)]
    assert whole.episodes == [e for each in cut for e in each.episodes]
    assert whole.judged > len(events) // 2, "such a recipient is the judge's: no rounds for it"
