"""The chain on hand-made streams: what opens, holds and ends an episode, and what always passes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from detectors.chain import Decisions, Params, Partition, process, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.platform_names import AMBIGUOUS, Names
from detectors.leases.rails import RailParams, Rails, admit
from detectors.model.event import (
    TICK_OFFSETS,
    TOKEN_BIT,
    Trust,
    name_check,
    platform_id,
    platform_print,
)
from detectors.model.records import Action, Level, Scope, refuses, seconds
from detectors.suspects.clocks import ClockClass, ClockParams
from detectors.suspects.judge import JudgeParams
from tests.builders.detectors.chain import (
    ENFORCE,
    VICTIM,
    calm_history,
    changes,
    flood,
    history,
    idle,
    refused,
    throttles,
)
from tests.detectors.stand_in import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Event,
    add,
    batch_of,
    codes_of,
    run,
    twin_of,
)


def test_a_flood_is_watched_then_throttled_then_over() -> None:
    quiet_ms = START_MS + 10 * MINUTE_MS
    events = history() + flood(10) + idle(2 * TICK_OFFSETS, quiet_ms)
    decisions = run(ENFORCE, events)
    assert changes(decisions) == [
        ("opened", Level.WATCH),
        ("raised", Level.THROTTLE),
        ("ended", Level.CLEAR),
    ]
    action = decisions.actions[0]
    assert action.revision == len(history()) + 4, "the fifth new platform"
    assert (action.mode, action.level, action.verb) == ("enforce", Level.THROTTLE, "throttle")
    assert action.issued_at_ms == START_MS + 80_000
    assert action.expires_at_ms == action.issued_at_ms + 600_000
    assert action.action_id == f"1:sms.delivery.v1:3:{action.revision}"
    assert action.episode_id == f"1:sms.delivery.v1:3:{action.revision - 2}"
    assert action.evidence.novel == 5
    assert str(VICTIM) not in action.reason.text
    record = decisions.episodes[1]
    assert [s.platform for s in record.sightings] == [f"new {i}" for i in range(5)]
    assert [step.level for step in record.path] == [Level.WATCH, Level.THROTTLE]
    assert {r.rule for r in record.rungs} >= {"burst", "raw_35min", "spaced_10min_24h"}
    assert decisions.episodes[-1].revision % TICK_OFFSETS == 0, "announced at a tick"


def test_known_and_trusted_platforms_pass_a_throttle() -> None:
    attack = flood(30)
    own = [Event(START_MS + 5 * MINUTE_MS + i, VICTIM, f"known {i}") for i in range(14)]
    bank = [Event(START_MS + 6 * MINUTE_MS, VICTIM, "a new bank", Trust.BANK)]
    late = sorted(attack + own + bank)
    actions = throttles(run(ENFORCE, history() + late))
    held = refused(late, actions)
    assert held == attack[5:]


def test_a_platform_that_becomes_known_while_a_lease_runs_passes_it() -> None:
    """A day after its first code a platform is known: gateways learn that before, not too late."""
    first = Event(START_MS - DAY_MS + 2 * MINUTE_MS, VICTIM, "a new bank")
    own = Event(START_MS + 3 * MINUTE_MS, VICTIM, "a new bank")
    later = Event(first.at_ms + 11 * MINUTE_MS, VICTIM, "a new shop")
    events = sorted([*history(), first, later, *flood(6), own])
    decisions = run(ENFORCE, events)
    lease = throttles(decisions)[0]
    assert lease.issued_at_ms < first.at_ms + DAY_MS < own.at_ms < lease.expires_at_ms
    assert own not in refused(events, decisions.actions)
    assert platform_id("a new bank") in lease.scope.pass_ids
    assert platform_id("a new shop") not in lease.scope.pass_ids, "it is known after the lease only"


def test_platforms_used_once_before_a_great_flood_pass_it_too() -> None:
    once = history()[14:]
    attack = flood(300, gap_ms=2000)
    own = [Event(START_MS + 9 * MINUTE_MS + i, VICTIM, f"known {i}") for i in range(14)]
    late = sorted(attack + own)
    held = refused(late, throttles(run(ENFORCE, once + late)))
    assert not set(held) & set(own)
    assert len(held) >= 290


def test_what_a_print_cannot_tell_apart_passes() -> None:
    twin = next(i for i in range(2, 1 << 20) if (i >> 16 ^ i & 0xFFFF) == (5 ^ 1) and i >> 16 == 5)
    scope = Scope("otp", (Trust.BANK,), (77,), (5 ^ 1,))
    assert not refuses(scope, twin, Trust.NONE)
    assert not refuses(scope, 77, Trust.NONE)
    assert not refuses(scope, 78, Trust.BANK)
    assert refuses(scope, 78, Trust.NONE)


def test_signatures_forged_onto_the_print_of_a_known_platform_are_seen() -> None:
    """Where only the print is known they pass, but they are evidence all the same."""
    forged = [twin_of("known 3", i) for i in range(7)]
    attack = [Event(START_MS + i * 20_000, VICTIM, name) for i, name in enumerate(forged)]
    own = [Event(START_MS + HOUR_MS, VICTIM, "known 3")]
    decisions = run(ENFORCE, calm_history() + attack + own)
    assert [c for c, _ in changes(decisions)][:2] == ["opened", "raised"]
    assert refused(attack + own, throttles(decisions)) == []
    assert decisions.refused == 0, "nor does the machine think that it refuses them"
    pair = [Event(e.at_ms, VICTIM, name) for e, name in zip(attack, forged[:2], strict=False)]
    assert changes(run(ENFORCE, calm_history() + pair)) == []


def test_a_print_is_in_a_lease_only_where_no_id_is_known() -> None:
    forged = [
        Event(START_MS + 5 * MINUTE_MS + i, VICTIM, twin_of("known 10", i)) for i in range(60)
    ]
    printed = [Event(START_MS + 8 * MINUTE_MS + i, VICTIM, twin_of("known 3", i)) for i in range(7)]
    own = [Event(START_MS + 9 * MINUTE_MS + i, VICTIM, f"known {i}") for i in range(14)]
    events = sorted([*flood(30), *forged, *printed, *own])
    for before in (history(), calm_history()):
        decisions = run(ENFORCE, before + events)
        held = refused(events, throttles(decisions))
        assert set(forged) <= set(held), "the id is known, so what shares its print is refused"
        assert not set(own) & set(held)
        assert decisions.actions
        for scope in (action.scope for action in decisions.actions):
            assert not {*map(platform_print, scope.pass_ids)} & {*scope.pass_prints}
            assert len(scope.pass_ids) + len(scope.pass_prints) == 14
        assert {record.known for record in decisions.episodes if record.rungs} == {14}
    assert not set(printed) & set(held), "of this one no id is known"


@pytest.mark.parametrize("day", [0, 1])
def test_a_platform_that_shares_a_print_does_not_take_its_place_in_a_flood(day: int) -> None:
    """The oldest of 14 is remembered by its print alone, and its twin comes under the lease."""
    before = [Event(START_MS - (16 - i) * DAY_MS, VICTIM, f"known {i}") for i in range(14)]
    twin = Event(START_MS + day * DAY_MS + 3 * MINUTE_MS, VICTIM, twin_of("known 0"))
    own = Event(START_MS + day * DAY_MS + 9 * MINUTE_MS, VICTIM, "known 0")
    attack = flood(30) + flood(30, start_ms=START_MS + DAY_MS)
    events = sorted([*before, twin, *attack, own])
    held = refused(events, throttles(run(ENFORCE, events)))
    assert len(held) >= 50
    assert own not in held


def test_a_platform_whose_place_its_twin_takes_in_the_flood_passes_by_its_print() -> None:
    """It leaves the row while its twin is in it, so no print stands for it in the memory."""
    before = [
        Event(START_MS - (60 - 20 * day - i) * DAY_MS, VICTIM, f"known {i}")
        for day in range(2)
        for i in range(8)
    ]
    twin = Event(START_MS + 100, VICTIM, twin_of("known 0"))
    own = Event(START_MS + 9 * MINUTE_MS, VICTIM, "known 0")
    events = sorted([*before, twin, *flood(30), own])
    held = refused(events, throttles(run(ENFORCE, events)))
    assert len(held) >= 20
    assert own not in held


@pytest.mark.parametrize("times", [1, 2])
def test_messages_of_one_whole_minute_count_one_by_one(times: int) -> None:
    """One platform and one minute were one message, so nothing throttled 24 platforms an hour."""
    exact = [
        Event(START_MS + n * 5_000, VICTIM, f"new {n // 12}", message_id=str(n)) for n in range(160)
    ]
    whole = [e._replace(at_ms=e.at_ms - e.at_ms % MINUTE_MS) for e in exact for _ in range(times)]
    params = replace(ENFORCE, judge=JudgeParams(rules={"limit": "off"}))
    first = throttles(run(params, calm_history() + whole, size=1))[0]
    plain = throttles(run(params, calm_history() + exact))[0]
    assert first.reason.rule == plain.reason.rule == "mass_10min"
    after = len(calm_history())
    assert abs((first.revision - after) // times - (plain.revision - after)) <= 2


def test_a_twin_that_came_in_an_earlier_flood_does_not_take_a_platform_s_place_either() -> None:
    before = [Event(START_MS - (30 - i) * DAY_MS, VICTIM, f"known {i}") for i in range(14)]
    twin = Event(START_MS + 3 * MINUTE_MS, VICTIM, twin_of("known 0"))
    later_ms = START_MS + 5 * HOUR_MS
    own = Event(later_ms + 9 * MINUTE_MS, VICTIM, "known 0")
    events = sorted([*before, twin, *flood(30), *flood(30, start_ms=later_ms), own])
    decisions = run(ENFORCE, events)
    assert len({lease.episode_id for lease in throttles(decisions)}) == 2
    assert own not in refused(events, throttles(decisions))


def test_a_platform_whose_twin_came_before_the_flood_arrives_when_asked_for_again() -> None:
    """Nobody can tell the twin from the platform itself, which the lease names by the twin's id."""
    before = [Event(START_MS - (16 - i) * DAY_MS, VICTIM, f"known {i}") for i in range(14)]
    twin = Event(START_MS - DAY_MS, VICTIM, twin_of("known 0"))
    own = Event(START_MS + 9 * MINUTE_MS, VICTIM, "known 0")
    again = own._replace(at_ms=own.at_ms + 70_000)
    events = sorted([*before, twin, *flood(36), own, again])
    decisions = run(ENFORCE, events)
    assert own in refused(events, throttles(decisions))
    told = [a for a in decisions.actions if own.at_ms <= a.cause.at_ms < again.at_ms][-1]
    windows = {window.platform_id: window for window in told.again}
    window = windows[platform_id("known 0")]
    assert window.from_ms <= again.at_ms < window.until_ms


def minutes(actions: list[Action]) -> list[float]:
    return [(a.issued_at_ms - START_MS) / MINUTE_MS for a in actions]


def test_a_lease_is_renewed_when_half_over_by_three_platforms_of_the_flood() -> None:
    own = [Event(START_MS + 400_000 + i * MINUTE_MS, VICTIM, f"known {i}") for i in range(14)]
    assert len(throttles(run(ENFORCE, history() + flood(5) + own))) == 1
    for apart in (1, 2, 3):
        again = [
            Event(START_MS + m * MINUTE_MS, VICTIM, f"new {m % apart}")
            for m in (3, 4, 5, 6, 7, 8, 9, 11, 12, 13)
        ]
        actions = throttles(run(ENFORCE, history() + flood(5) + again))
        expected = [pytest.approx(80 / 60)] + ([7, 13] if apart == 3 else [])
        assert minutes(actions) == expected, f"{apart} platforms"


def test_a_flood_with_a_long_drip_before_it_keeps_within_the_rail_of_a_day() -> None:
    """A code in 29 min for a day, then 600 of twelve platforms: what counts is when it opened."""
    drip = flood(52, gap_ms=29 * MINUTE_MS, name="drip")
    start_ms = drip[-1].at_ms + MINUTE_MS
    fast = [Event(start_ms + n * 3000, VICTIM, f"new {n % 12}") for n in range(600)]
    actions = throttles(run(ENFORCE, history() + drip + fast))
    assert max(a.issued_at_ms - a.evidence.first_ms for a in actions) > DAY_MS
    rails = Rails()
    for a in actions:
        refusal = admit(
            RailParams(),
            rails,
            a.recipient,
            issued_at_ms=a.issued_at_ms,
            expires_at_ms=a.expires_at_ms,
            opened_ms=a.opened_ms,
            now_ms=a.issued_at_ms,
        )
        assert refusal is None


def test_an_episode_lasts_a_day_at_most_and_is_found_again() -> None:
    events = history() + flood(3000, gap_ms=30_000)
    decisions = run(ENFORCE, events)
    opened = [e for e in decisions.episodes if e.change == "opened"]
    ended = [e for e in decisions.episodes if e.change == "ended"]
    assert len(opened) == 2
    assert ended[0].at_ms - opened[0].at_ms == DAY_MS
    held = refused(events, throttles(decisions))
    assert len(held) >= 3000 - 12


def test_a_flood_of_every_day_never_becomes_known() -> None:
    events = history()
    for day in range(7):
        for i in range(100):
            at_ms = START_MS + day * DAY_MS + i * 15_000
            events.append(Event(at_ms, VICTIM, f"new {i * 7 % 40}"))
    decisions = run(ENFORCE, events)
    held = refused(events, throttles(decisions))
    for day in range(7):
        of_day = [e for e in held if (e.at_ms - START_MS) // DAY_MS == day]
        assert len(of_day) == (97 if day in (1, 2, 3) else 95), f"day {day}"


def test_what_was_seen_in_a_watch_is_not_known_the_day_after() -> None:
    watch = flood(4, gap_ms=25_000)
    later = START_MS + 27 * HOUR_MS
    again = [e._replace(at_ms=e.at_ms + 27 * HOUR_MS) for e in watch]
    events = history() + watch + idle(2 * TICK_OFFSETS, START_MS + HOUR_MS, 11_000)
    events += idle(TICK_OFFSETS, later - 25 * HOUR_MS, 0) + again
    partition = Partition(ENFORCE)
    before = run(ENFORCE, events[: -len(again)], partition)
    assert changes(before) == [("opened", Level.WATCH), ("ended", Level.CLEAR)]
    after = run(ENFORCE, again, restore(ENFORCE, snapshot(partition)))
    assert changes(after) == [("opened", Level.WATCH)]
    assert all(s.novel for s in after.episodes[0].sightings)


def watched(day: int) -> list[Event]:
    """Four platforms, fast enough for a WATCH, then nothing of theirs until the next day."""
    start_ms = START_MS + day * (DAY_MS + HOUR_MS)
    return flood(4, 25_000, start_ms) + idle(2 * TICK_OFFSETS, start_ms + HOUR_MS, 2000)


def test_what_comes_back_day_after_day_and_is_no_more_than_watched_becomes_known() -> None:
    events = history() + watched(0) + watched(1) + watched(2)
    decisions = run(ENFORCE, events)
    opened = [e for e in decisions.episodes if e.change == "opened"]
    assert [round((e.at_ms - START_MS) / (DAY_MS + HOUR_MS)) for e in opened] == [0, 1]
    assert throttles(decisions) == []


def test_a_flood_on_the_second_day_makes_nothing_known() -> None:
    second_ms = START_MS + DAY_MS + HOUR_MS
    more = flood(6, 10_000, second_ms + 2 * MINUTE_MS, name="more")
    events = history() + watched(0) + sorted(watched(1) + more) + watched(2)
    opened = [e for e in run(ENFORCE, events).episodes if e.change == "opened"]
    assert len(opened) == 3


def sized(count: int, gap_s: int, slowly: int = 0) -> list[Event]:
    """A throttle's worth of platforms at this gap, and so many more at 84 s, within 35 minutes."""
    fast = flood(count, gap_s * 1000)
    return fast + flood(slowly, 84_000, fast[-1].at_ms + 84_000, first=count)


@pytest.mark.parametrize(
    ("day", "throttled"),
    [
        (sized(5, 20), [0, 1, 2]),
        (sized(5, 10), [0, 1, 2]),  # 4.0 in the bucket
        (sized(6, 10), [0, 1, 2, 3]),  # 4.75
        (sized(5, 20, 19), [0, 1, 2]),
        (sized(5, 20, 20), [0, 1, 2, 3]),
    ],
    ids=["level-3", "level-4", "level-4.75", "24-in-35-min", "25-in-35-min"],
)
def test_only_a_throttle_that_may_be_chance_lets_its_platforms_become_known(
    day: list[Event], throttled: list[int]
) -> None:
    """Kept up for four days: by people who share a number, or by somebody who floods them."""
    step_ms = DAY_MS + HOUR_MS
    events = history()
    for n in range(4):
        events += [event._replace(at_ms=event.at_ms + n * step_ms) for event in day]
        events += idle(2 * TICK_OFFSETS, START_MS + n * step_ms + HOUR_MS, 2000)
    found = [e for e in run(ENFORCE, events).episodes if e.level is Level.THROTTLE]
    raised = [e for e in found if e.change in ("opened", "raised")]
    assert [(e.at_ms - START_MS) // step_ms for e in raised] == throttled


def test_the_second_day_of_what_was_watched_counts_however_late_it_comes() -> None:
    days = (0, 3, 6)
    opened = [
        e
        for e in run(ENFORCE, history() + [e for d in days for e in watched(d)]).episodes
        if e.change == "opened"
    ]
    assert len(opened) == 2


def test_a_suspect_let_go_is_judged_on_what_it_did_before() -> None:
    """It is let go when seven are left of a day; a message half an hour late is the eighth."""
    slow = [Event(START_MS + i * HOUR_MS, VICTIM, f"known {i}") for i in range(8)]
    partition = Partition(ENFORCE)
    events = history() + slow + idle(TICK_OFFSETS, START_MS + 24 * HOUR_MS, 0)
    run(ENFORCE, events, partition)
    assert list(partition.suspects) == [VICTIM], "eight within a day and an hour"
    run(ENFORCE, idle(TICK_OFFSETS, START_MS + 25 * HOUR_MS + 1000, 0), partition)
    assert partition.suspects == {}
    late = Event(START_MS + 24 * HOUR_MS + 30 * MINUTE_MS, VICTIM, "one more")
    run(ENFORCE, [late], partition)
    assert list(partition.suspects) == [VICTIM]


def test_a_quiet_half_hour_takes_the_level_down_before_the_next_message_counts() -> None:
    back = flood(3, start_ms=START_MS + 40 * MINUTE_MS, name="other")
    decisions = run(ENFORCE, history() + flood(6) + back)
    assert changes(decisions) == [
        ("opened", Level.WATCH),
        ("raised", Level.THROTTLE),
        ("ended", Level.CLEAR),
        ("opened", Level.WATCH),
    ]
    assert decisions.episodes[2].revision == len(history()) + 6


def test_messages_that_come_out_of_order_are_judged_by_event_time() -> None:
    in_order = history() + flood(6)
    disorder = history() + [flood(6)[i] for i in (3, 0, 5, 1, 4, 2)]
    levels = [e.level for e in run(ENFORCE, in_order).episodes]
    assert [e.level for e in run(ENFORCE, disorder).episodes] == levels
    assert max(levels) is Level.THROTTLE


def test_a_flushed_backlog_is_no_burst() -> None:
    slow = flood(20, gap_ms=3 * MINUTE_MS)
    assert run(ENFORCE, history() + slow).actions == []
    assert run(ENFORCE, history() + slow[::-1]).actions == []


def test_a_message_over_a_day_late_decides_nothing() -> None:
    early = flood(30, start_ms=START_MS - 30 * HOUR_MS, gap_ms=1000)
    decisions = run(ENFORCE, [*history(), Event(START_MS, VICTIM, "known 0"), *early])
    assert decisions.episodes == []


def test_a_token_is_written_as_it_came() -> None:
    token = TOKEN_BIT | 0xABC
    events = [e._replace(recipient=token) for e in flood(6)]
    assert run(ENFORCE, events).actions[0].recipient == f"h1:{token:x}"


def test_feeds_with_coarse_stamps_get_their_own_bars() -> None:
    def levels(stamps: ClockClass, events: list[Event]) -> Level:
        params = Params(stamps=ClockParams(gateways={"gw": stamps}))
        return max((e.level for e in run(params, history() + events).episodes), default=Level.CLEAR)

    five_at_once = flood(5, gap_ms=1)
    assert levels(ClockClass.EXACT, flood(5, gap_ms=20_000)) is Level.THROTTLE  # level 2.7
    assert levels(ClockClass.MINUTE, flood(5, gap_ms=20_000)) is Level.WATCH
    assert levels(ClockClass.MINUTE, five_at_once) is Level.THROTTLE
    assert levels(ClockClass.JITTER_120S, five_at_once + flood(20, 2000, name="x")) is Level.WATCH


def test_a_feed_of_whole_minutes_is_found_out() -> None:
    background = [
        Event((START_MS + i * 300) // 60_000 * 60_000, 5000 + i, "p", gateway="rounding")
        for i in range(TICK_OFFSETS)
    ]
    partition = Partition(ENFORCE)
    run(ENFORCE, background, partition)
    assert partition.stamps == {"rounding": ClockClass.MINUTE}


def test_a_log_that_jumps_far_ahead_costs_no_more_than_its_events() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, flood(6), partition)
    far = 1 << 50
    far_batch = batch_of([], [], far)
    decisions = process(ENFORCE, partition, far_batch, codes_of(far_batch))
    assert (partition.next_offset, decisions.events) == (far, 0)


@cache
def forged_pair() -> tuple[str, str]:
    """Two keys with one id; anybody can make as many as he likes."""
    found: dict[int, str] = {}
    for key in (f"id:brand {i * i}" for i in range(1 << 20)):
        other = found.setdefault(platform_id(key), key)
        if other != key:
            return other, key
    raise AssertionError("2**20 names without a collision")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("restored", [False, True])
def test_of_names_that_share_an_id_the_first_is_told_whatever_a_batch_holds(
    *, size: int, restored: bool
) -> None:
    one, other = forged_pair()
    assert name_check(one) != name_check(other)
    names = [one, "a", other, one, "b", other, other, one]
    events = [Event(START_MS + i, VICTIM + i, name) for i, name in enumerate(names)]
    partition = Partition(ENFORCE)
    told = []
    for first in range(0, len(events), size):
        run(ENFORCE, events[first : first + size], partition)
        told.append(partition.book.names[platform_id(one)].key)
        if restored:
            partition = restore(ENFORCE, snapshot(partition))
    assert told[-1] == one + AMBIGUOUS
    assert told[0] == (one if size <= 2 else one + AMBIGUOUS)
    assert partition.book.names[platform_id("a")].key == "a"


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("restored", [False, True])
def test_a_spoof_that_comes_first_leaves_a_bank_s_name_untrusted_no_longer_than_the_bank_is_silent(
    *, size: int, restored: bool
) -> None:
    """Floods voted for the bank then: it stood on the list of hot platforms."""
    trusts = [Trust.NONE, Trust.NONE, Trust.BANK, Trust.NONE]
    events = [Event(START_MS + i, VICTIM + i, "bank", trust) for i, trust in enumerate(trusts)]
    partition = Partition(ENFORCE)
    told = []
    for first in range(0, len(events), size):
        run(ENFORCE, events[first : first + size], partition)
        told.append(partition.book.names[platform_id("bank")].trust)
        if restored:
            partition = restore(ENFORCE, snapshot(partition))
    assert told[-1] is Trust.BANK
    assert partition.book.names.trusted == {platform_id("bank")}
    assert told[0] is (Trust.NONE if size <= 2 else Trust.BANK)


class Asked(Names):
    """Names that count how often they are asked for."""

    times = 0

    def get(self, key: int, default: Any = None) -> Any:
        self.times += 1
        return super().get(key, default)


def test_names_chosen_to_share_a_place_are_noted_like_any_others() -> None:
    """By the low bits of their ids, which anybody can compute."""
    chosen = [n for n in map(str, range(300_000)) if platform_id(n) % 4096 == 7][:60]
    assert len(chosen) == 60
    partition = Partition(replace(ENFORCE, seed=0x1234_5678_9ABC_DEF1))
    names = partition.book.names = Asked()
    events = [Event(START_MS + i, VICTIM + i, name) for i, name in enumerate(chosen)]
    run(ENFORCE, events, partition)
    assert names.times == 60
    run(ENFORCE, events, partition)
    assert names.times <= 66, "a few meet by chance"


def test_times_before_and_after_what_a_row_can_hold_are_clamped() -> None:
    assert seconds(0) == 1
    assert seconds(1 << 60) == (1 << 31) - 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EpisodeParams(lease_ms=1_800_000),
        lambda: EpisodeParams(mode="on"),  # type: ignore[arg-type]
        lambda: EpisodeParams(chronic_days=15),
        lambda: JudgeParams(p_novel=1.5),
        lambda: Params(suspects_max=0),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r".+"):
        wrong()


def test_decisions_add_up() -> None:
    total = Decisions()
    add(total, Decisions(codes=2))
    add(total, Decisions(codes=3, judged=1))
    assert (total.codes, total.judged) == (5, 1)
