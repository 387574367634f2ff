"""A platform past its limit is refused alone, whatever else comes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import TICK_OFFSETS, EventKind, platform_id
from detectors.model.records import Level
from detectors.suspects.judge import JudgeParams, RuleMode
from detectors.thresholds import AGAIN_TOTAL
from tests.builders.detectors.chain import VICTIM, changes, flood, history, idle
from tests.builders.detectors.episodes.limit import alone, delivered
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))


def codes(
    count: int, gap_ms: int, platforms: int = 1, start_ms: int = START_MS, trust: int = 0
) -> list[Event]:
    return [Event(start_ms + n * gap_ms, VICTIM, f"n{n % platforms}", trust) for n in range(count)]


@pytest.mark.parametrize(("platforms", "most"), [(1, 20), (3, 40), (4, 60)])
@pytest.mark.parametrize("gap_s", [2, 10, 40])
def test_floods_of_few_platforms_are_refused_and_nothing_else_is(
    platforms: int, most: int, gap_s: int
) -> None:
    new = range(4 - platforms)  # with a fifth new platform this is a flood of another kind
    own = [Event(START_MS + n * 7 * MINUTE_MS + 500, VICTIM, f"mine {n}") for n in new]
    count = 3 * 3600 // gap_s
    events = sorted(history() + codes(count, gap_s * 1000, platforms) + own)
    decisions = run(ENFORCE, events)
    came = delivered(decisions, events)
    assert sum(came[f"n{n}"] for n in range(platforms)) <= most
    assert all(came[f"mine {n}"] == 1 for n in new)
    assert not [a for a in decisions.actions if a.verb == "throttle"]
    assert {a.mode for a in decisions.actions} == {"enforce"}


def test_ten_codes_after_the_first_in_35_minutes_or_twenty_in_a_day_reach_the_limit() -> None:
    assert not alone(run(ENFORCE, history() + codes(10, 3 * MINUTE_MS)))
    (lease,) = alone(run(ENFORCE, history() + codes(11, 3 * MINUTE_MS)))
    assert (lease.reason.rule, lease.reason.score) == ("limit_35min", 10)
    assert lease.refused_ids == (platform_id("n0"),)
    assert lease.expires_at_ms - lease.issued_at_ms == HOUR_MS
    assert lease.level is Level.WATCH
    assert not alone(run(ENFORCE, history() + codes(20, HOUR_MS)))
    (lease,) = alone(run(ENFORCE, history() + codes(21, HOUR_MS)))
    assert (lease.reason.rule, lease.reason.score) == ("limit_24h", 20)


def test_known_platforms_share_one_limit_without_a_flood_and_trusted_ones_have_none() -> None:
    known = [
        e._replace(platform=f"known {n % 2}") for n, e in enumerate(codes(540, 20_001, platforms=2))
    ]
    assert not run(ENFORCE, history() + known[:59]).actions
    (lease,) = alone(run(ENFORCE, history() + known[:60]))
    assert (lease.reason.rule, lease.reason.score) == ("limit_total_1h", 58)
    assert set(lease.refused_ids) == {platform_id("known 0"), platform_id("known 1")}
    assert lease.expires_at_ms == known[2].at_ms // 1000 * 1000 + HOUR_MS, "57 are then left"
    own = [Event(known[-1].at_ms - n * HOUR_MS // 4, VICTIM, "known 3") for n in (1, 2)]
    events = sorted(history() + known + own)
    came = delivered(run(ENFORCE, events), events)
    assert came["known 3"] == came["known 2"] + 2, "a platform's second code of a day passes"
    # In the third hour the limit of the day is reached first.
    assert 145 <= came["known 0"] + came["known 1"] - 2 * came["known 2"] <= 3 * 62
    assert not alone(run(ENFORCE, history() + codes(90, 20_000, trust=1)))


@pytest.mark.parametrize(("beside", "most"), [(2, 1), (1, 2)])
def test_past_the_limit_of_all_the_next_known_platform_has_one_code(beside: int, most: int) -> None:
    """From nine codes past the limit on, a first code of the day counts as taking part.

    First codes that pass while the limit is in force are counted: "known 10" has no other code.
    """
    flood = [e._replace(platform=f"known {n % 7}") for n, e in enumerate(codes(90, 2_001))]
    more = [Event(START_MS + 240_000 + n * 5_000, VICTIM, "known 8") for n in range(6)]
    more += [Event(START_MS + 300_000 + n * 5_000, VICTIM, "known 10") for n in range(beside)]
    another = [Event(START_MS + 400_000 + n * 200_000, VICTIM, "known 9") for n in range(4)]
    events = history() + flood + more + another
    came = delivered(run(ENFORCE, events), events)
    assert sum(came[f"known {n}"] - 2 for n in range(7)) == 7 + 58
    assert (came["known 8"], came["known 10"]) == (2 + 6, 2 + beside)
    assert came["known 9"] == 2 + most


def test_past_the_limit_of_a_day_a_platform_beside_the_flood_is_spared() -> None:
    flood = [e._replace(platform=f"known {n % 7}") for n, e in enumerate(codes(300, 100_000))]
    more = [
        Event(START_MS + 7 * HOUR_MS + n * 240_000, VICTIM, f"known {10 + n % 2}")
        for n in range(12)  # ten repeated codes, so the limit is passed by more than eight
    ]
    own = [Event(START_MS + hours * HOUR_MS + 500, VICTIM, "known 9") for hours in (1, 8)]
    events = sorted(history() + flood + more + own)
    decisions = run(ENFORCE, events)
    assert any(a.reason.rule == "limit_total_24h" for a in decisions.actions)
    assert delivered(decisions, events)["known 9"] == 2 + len(own)


def test_past_the_limit_of_a_day_an_hour_brings_one_code_and_retry_windows() -> None:
    """When a lease ended, a code of each platform passed as a retry of its last refused one."""
    flood = [e._replace(platform=f"known {n % 7}") for n, e in enumerate(codes(8640, 10_001))]
    events = history() + flood
    came = delivered(run(ENFORCE, events), events)
    in_windows = 24 // 3 * AGAIN_TOTAL
    assert 145 <= sum(came[f"known {n}"] - 2 for n in range(7)) <= 7 + 145 + 24 + in_windows


@pytest.mark.parametrize("mode", ["off", "shadow", "enforce"])
def test_past_the_limit_of_all_a_third_of_the_messages_is_a_flood(mode: RuleMode) -> None:
    """Otherwise a code of each of 32 new platforms passed before a lease refused all of them."""
    rules = replace(ENFORCE, judge=replace(ENFORCE.judge, rules={"limit": mode}))
    known = [e._replace(platform=f"known {n % 2}") for n, e in enumerate(codes(66, 7_001))]
    new = [Event(START_MS + 600_000 + n * 40_001, VICTIM, f"n{n // 9}") for n in range(90)]
    throttled = [a for a in run(rules, history() + known + new).actions if a.verb == "throttle"]
    if mode != "enforce":
        assert not throttled
        return
    assert (throttled[0].reason.rule, throttled[0].reason.threshold) == ("volume_6h", 40)


def test_past_the_limit_of_all_the_next_new_platform_has_one_code() -> None:
    """Otherwise 23 new platforms beside known ones brought two codes of each."""
    known = [e._replace(platform=f"known {n % 2}") for n, e in enumerate(codes(66, 7_001))]
    taught = codes(4, 10_001, platforms=2, start_ms=START_MS + 600_000)
    events = history() + known + [e._replace(platform=f"new {e.platform}") for e in taught]
    (first, second) = alone(run(ENFORCE, events))[-2:]
    assert [first.revision, second.revision] == [len(events) - 4, len(events) - 3]
    assert {platform_id("new n0"), platform_id("new n1")} <= set(second.refused_ids)


def test_codes_of_known_platforms_close_a_new_one_and_are_spared_themselves() -> None:
    known = [e._replace(platform=f"known {n % 2}") for n, e in enumerate(codes(58, 7_001))]
    new = codes(4, 10_001, start_ms=START_MS + 600_000)
    (lease,) = alone(run(ENFORCE, history() + known + new[:2]))
    assert (lease.reason.rule, lease.reason.score) == ("limit_total_1h", 57)
    assert lease.refused_ids == (platform_id("n0"),)
    assert not alone(run(ENFORCE, history() + known + new[:1])), "the first code of its day"


def test_a_flood_of_known_new_and_young_platforms_closes_the_new_and_young_ones() -> None:
    names = ["known 0", "taught", "new"]
    taught = [Event(START_MS - DAY_MS, VICTIM, "taught")]
    attack = [Event(START_MS + n * 15_000, VICTIM, names[n % 3]) for n in range(720)]
    events = sorted(history() + taught + attack)
    came = delivered(run(ENFORCE, events), events)
    assert came["taught"] <= 1 + 21
    assert came["new"] <= 21


def test_a_platform_that_came_on_one_day_before_is_limited_and_after_two_days_no_more() -> None:
    taught = codes(1, 1, start_ms=START_MS - DAY_MS)
    assert alone(run(ENFORCE, history() + taught + codes(30, 20_000)))
    twice = codes(1, 1, start_ms=START_MS - 3 * DAY_MS) + taught
    assert not alone(run(ENFORCE, history() + twice + codes(30, 20_000)))


def test_three_more_codes_prolong_it_once_half_of_the_hour_is_over() -> None:
    refused = codes(3, 12 * MINUTE_MS, start_ms=START_MS + 25 * MINUTE_MS)
    first, *more = alone(run(ENFORCE, history() + codes(11, MINUTE_MS) + refused))
    assert [a.issued_at_ms for a in more] == [refused[-1].at_ms]
    assert more[0].expires_at_ms == refused[-1].at_ms + HOUR_MS
    assert more[0].action_id != first.action_id
    assert len(alone(run(ENFORCE, history() + codes(11, MINUTE_MS) + refused[:2]))) == 1


def test_codes_of_one_whole_minute_count_one_by_one() -> None:
    stamped = [
        e._replace(at_ms=e.at_ms - e.at_ms % MINUTE_MS) for e in codes(40, 5000, platforms=2)
    ]
    first, *_ = alone(run(ENFORCE, history() + stamped))
    assert first.revision == len(history()) + 20, "the eleventh code of one platform"


def test_codes_of_one_whole_minute_that_are_delivered_twice_count_once() -> None:
    stamped = [
        e._replace(at_ms=e.at_ms - e.at_ms % MINUTE_MS, message_id=str(i))
        for i, e in enumerate(codes(40, 5000, platforms=2))
    ]
    once = alone(run(ENFORCE, history() + stamped))
    twice = alone(run(ENFORCE, history() + [e for e in stamped for _ in range(2)], size=1))
    assert once
    assert [a.refused_ids for a in twice] == [a.refused_ids for a in once]
    first = len(history())
    assert [first + (a.revision - first) // 2 for a in twice] == [a.revision for a in once]


def test_a_young_row_has_no_limit_and_a_cold_one_has_it_in_shadow() -> None:
    assert not alone(run(ENFORCE, codes(90, 20_000)))
    old = [Event(START_MS - 20 * DAY_MS, VICTIM, "known 0")]
    assert {a.mode for a in alone(run(ENFORCE, old + codes(90, 20_000)))} == {"shadow"}


@pytest.mark.parametrize(("mode", "told"), [("off", set()), ("shadow", {"shadow"})])
def test_the_rule_is_switched(mode: str, told: set[str]) -> None:
    params = replace(ENFORCE, judge=JudgeParams(rules={"limit": mode}))  # type: ignore[dict-item]
    assert {a.mode for a in run(params, history() + codes(90, 20_000)).actions} == told


def test_a_second_request_passes_and_a_new_owner_of_the_number_has_no_lease() -> None:
    presses = [Event(START_MS + 31 * MINUTE_MS + s * 1000, VICTIM, "n0") for s in (0, 70)]
    events = history() + codes(11, MINUTE_MS) + presses
    decisions = run(ENFORCE, events)
    assert delivered(decisions, events)["n0"] == 12
    recycled = Event(START_MS + 33 * MINUTE_MS, VICTIM, "", 0, EventKind.RECYCLED)
    last = run(ENFORCE, [*events, recycled]).actions[-1]
    assert (last.verb, last.refused_ids, last.mode) == ("throttle_platforms", (), "enforce")
    assert last.expires_at_ms == last.issued_at_ms


def test_a_lease_and_its_counts_outlive_a_restart() -> None:
    events = history() + codes(300, 20_000, platforms=3)
    whole = run(ENFORCE, events)
    for cut in (len(history()) + 20, len(history()) + 40):
        partition = Partition(ENFORCE)
        first = run(ENFORCE, events[:cut], partition)
        again = run(ENFORCE, events[cut:], restore(ENFORCE, snapshot(partition)))
        assert first.actions + again.actions == whole.actions


@pytest.mark.parametrize(
    ("days", "others"), [(2, 0), (6, 0), (8, 0), (150, 0), (6, 9), (8, 9), (150, 9)]
)
def test_a_platform_that_came_once_has_no_limit_a_week_later(days: int, others: int) -> None:
    """The victim's own codes arrive while a flood abuses the same platform.

    With nine other platforms behind the first code, the row has a print of the platform. Then the
    row's oldest sighting is what decides.
    """
    once = [Event(START_MS - days * DAY_MS, VICTIM, "once")]
    later = [e._replace(at_ms=e.at_ms + n * 6 * HOUR_MS, platform=f"o{n}")
             for e in once for n in range(1, others + 1)]  # fmt: skip
    abused = [Event(START_MS + 5 * MINUTE_MS + n * 15_000, VICTIM, "once") for n in range(100)]
    long_ago = [e._replace(at_ms=e.at_ms - 200 * DAY_MS) for e in history()]
    events = sorted(long_ago + once + later + flood(60, 20_000) + abused)
    came = delivered(run(ENFORCE, events), events)["once"]
    assert came == 60 if days > 7 else came <= 1 + 11


def test_known_platforms_without_a_limit_of_their_own_have_one_during_a_flood() -> None:
    """Eight codes in ten minutes, 16 in an hour. Platforms that pause pass."""
    attack = flood(60, 20_000)
    fast = [Event(START_MS + 5 * MINUTE_MS + n * 5000, VICTIM, "known 0") for n in range(180)]
    slow = [Event(START_MS + n * 6 * MINUTE_MS, VICTIM, "known 1") for n in range(3)]
    taught = [Event(START_MS - DAY_MS, VICTIM, "taught")]
    bank = [e._replace(platform="bank", trust=1) for e in fast]
    young = [e._replace(platform="taught", at_ms=e.at_ms + 1) for e in fast]
    events = sorted(history() + attack + fast + slow + taught + young + bank)
    params = replace(ENFORCE, judge=JudgeParams(rules={"known": "enforce"}))
    came = delivered(run(params, events), events)
    assert 8 <= came["known 0"] - came["known 2"] <= 16 + 2
    assert came["known 1"] == 3 + came["known 2"]
    assert came["taught"] <= 1 + 11, "the limit of one platform counts for a young one too"
    assert came["bank"] == 180
    alone_past = alone(run(params, sorted(history() + attack + fast)))
    assert {a.expires_at_ms % MINUTE_MS for a in alone_past} == {0}, "some gateways know no more"


def test_people_see_a_limit_when_it_begins_and_soon_after_its_end_without_a_further_code() -> None:
    events = history() + codes(11, 3 * MINUTE_MS)
    calm = idle(4 * TICK_OFFSETS, START_MS + 33 * MINUTE_MS, step_ms=200)
    decisions = run(ENFORCE, events + calm)
    (lease,) = alone(decisions)
    assert changes(decisions, "limit") == [("opened", Level.WATCH)]
    later = idle(4 * TICK_OFFSETS, lease.expires_at_ms + MINUTE_MS, step_ms=25)
    decisions = run(ENFORCE, events + calm + later)
    opened, ended = (each for each in decisions.episodes if each.kind == "limit")
    assert opened.episode_id == ended.episode_id == lease.episode_id
    assert (opened.evidence.messages, ended.level) == (10, Level.CLEAR)
    assert [each.platform for each in opened.sightings] == ["n0"]
    assert 0 <= ended.at_ms - lease.expires_at_ms <= 10 * MINUTE_MS


def test_a_recycled_number_has_no_limit_that_people_see() -> None:
    events = history() + codes(11, 3 * MINUTE_MS)
    gone = Event(START_MS + HOUR_MS, VICTIM, "", kind=EventKind.RECYCLED)
    decisions = run(ENFORCE, [*events, gone])
    assert changes(decisions, "limit") == [("opened", Level.WATCH), ("recycled", Level.CLEAR)]
    assert alone(decisions)[-1].ends
