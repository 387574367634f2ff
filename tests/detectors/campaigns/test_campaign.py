"""Which floods are one campaign, and that nothing but the set of floods decides it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, strategies as st

from detectors.campaigns.campaign import (
    CROWD,
    PLATFORMS_MAX,
    UNCUT_MS,
    VICTIMS_LEAST,
    WINDOW_MS,
    Campaign,
    campaigns,
    final_ms,
)
from detectors.campaigns.floods import KEPT_DAYS
from detectors.model.records import EpisodeRecord
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detectors.campaigns.tales import NOON_MS, OTHER, TOOL, record, tale, told


def found(records: list[EpisodeRecord], horizon_ms: int = 0) -> list[Campaign]:
    floods = told(records, horizon_ms)
    return campaigns(floods, final_ms(floods))


def opening(
    count: int,
    *,
    first: int = 1,
    tool: tuple[int, ...] = TOOL,
    gap_ms: int = 20_000,
    start_ms: int = NOON_MS,
    codes: int = 20,
    seed: int = 0,
) -> list[EpisodeRecord]:
    """First records of so many floods, one after the other."""
    rng = Random(seed)
    return [record(first + n, start_ms + n * gap_ms, rng.sample(tool, codes)) for n in range(count)]


def test_a_campaign_is_told_as_one_without_a_number_in_it() -> None:
    (campaign,) = found(list(tale(Random(1), 100, NOON_MS, first=1)))
    assert campaign.victims == campaign.victims_throttled == 100
    assert campaign.victims_refused == 100
    assert (campaign.open, campaign.victims_open) == (False, 0)
    assert campaign.messages == 3000
    assert campaign.pace_per_minute == pytest.approx(30 / 61, abs=0.01)
    assert campaign.platforms_total == 60
    assert len(campaign.platforms) == 60
    assert [each.victims for each in campaign.platforms] == sorted(
        (each.victims for each in campaign.platforms), reverse=True
    )
    assert "86139" not in repr(campaign)


def test_its_id_is_its_first_flood_and_stays_as_it_grows() -> None:
    records = opening(50, codes=58)
    for n in (VICTIMS_LEAST, 20, 50):
        (campaign,) = found(records[:n])
        assert campaign.campaign_id == "1:sms:0:1"
        assert campaign.victims == n


def test_growth_is_of_the_newest_ten_minutes() -> None:
    (campaign,) = found(opening(100, gap_ms=60_000))
    assert campaign.growth_per_minute == 1.0


@pytest.mark.parametrize(("count", "campaigns_"), [(VICTIMS_LEAST - 1, 0), (VICTIMS_LEAST, 1)])
def test_so_many_victims_make_a_campaign(count: int, campaigns_: int) -> None:
    assert len(found(opening(count, codes=60))) == campaigns_


def test_the_same_victim_twice_is_one() -> None:
    records = [
        record(n, NOON_MS + n * MINUTE_MS, TOOL, recipient=f"8613{n % 4}") for n in range(1, 9)
    ]
    assert found(records) == []


def test_floods_of_as_many_tools_are_no_campaign() -> None:
    records = [
        record(n, NOON_MS + n * MINUTE_MS, range(n * 1000, n * 1000 + 40)) for n in range(1, 40)
    ]
    assert found(records) == []


def test_two_tools_at_the_same_minutes_are_two_campaigns() -> None:
    records = opening(40) + opening(40, first=1000, tool=OTHER)
    assert {each.victims for each in found(records)} == {40}
    assert len(found(records)) == 2


def test_a_flood_with_a_few_platforms_of_theirs_is_not_of_the_campaign() -> None:
    stranger = record(999, NOON_MS + MINUTE_MS, [*TOOL[:8], *range(2000, 2030)])
    (campaign,) = found([*opening(40), stranger])
    assert campaign.victims == 40


def test_the_same_tool_hours_later_is_another_campaign() -> None:
    later = opening(40, first=1000, start_ms=NOON_MS + 40 * 20_000 + WINDOW_MS + HOUR_MS)
    assert len(found(opening(40) + later)) == 2


def test_floods_at_the_edge_of_the_window_make_a_crowd() -> None:
    edge = WINDOW_MS // (CROWD - 1)
    (campaign,) = found(opening(8, gap_ms=edge, codes=60))
    assert campaign.victims == 8
    assert found(opening(8, gap_ms=edge + 1, codes=60)) == []


def test_a_long_campaign_is_cut_at_midnights_and_a_shorter_one_is_not() -> None:
    evening = NOON_MS + 10 * HOUR_MS
    assert len(found(opening(60, gap_ms=5 * MINUTE_MS, start_ms=evening, codes=60))) == 1
    days = opening(400, gap_ms=5 * MINUTE_MS, start_ms=NOON_MS, codes=60)
    cut = found(days)
    assert [each.opened_ms // DAY_MS - NOON_MS // DAY_MS for each in cut] == [0, 1]
    assert cut[0].campaign_id == "1:sms:0:1"
    assert sum(each.victims for each in cut) == 400


def test_a_campaign_names_a_bounded_number_of_platforms() -> None:
    wide = tuple(range(1, 101))
    (campaign,) = found(opening(60, tool=wide, codes=60))
    assert len(campaign.platforms) == PLATFORMS_MAX
    assert campaign.platforms_total == 100


@given(
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.integers(0, 60), st.integers(2, 12), st.booleans()), max_size=6),
)
def test_the_order_of_records_decides_nothing(
    rng: Random, attacks: list[tuple[int, int, bool]]
) -> None:
    records: list[EpisodeRecord] = []
    for n, (hour, count, other) in enumerate(attacks):
        records += opening(count, first=1 + 100 * n, start_ms=NOON_MS + hour * HOUR_MS,
                           tool=OTHER if other else TOOL, codes=30, seed=n)  # fmt: skip
    once = found(records)
    rng.shuffle(records)
    assert found(records + records[:10]) == once


@pytest.mark.parametrize("newest_day", [None, 19_995, 19_998, 20_000])
def test_what_a_reader_may_not_know_whole_is_final(newest_day: int | None) -> None:
    """It reads from the day 19,997 on, and a campaign may have been under way then."""
    floods = told([], 19_997 * DAY_MS)
    if newest_day is not None:
        floods.newest_ms = newest_day * DAY_MS
        floods.forget()
    assert final_ms(floods) == (19_999 if newest_day == 20_000 else 19_998) * DAY_MS


@pytest.mark.parametrize("seed", range(6))
def test_a_reader_that_begins_days_later_tells_the_same_campaigns(seed: int) -> None:
    """Over five days with pauses of minutes to hours, in runs that may pass many midnights."""
    rng = Random(seed)
    records: list[EpisodeRecord] = []
    at_ms = NOON_MS
    while at_ms < NOON_MS + 5 * DAY_MS:
        records.append(record(len(records) + 1, at_ms, rng.sample(TOOL, 40)))
        hours = rng.uniform(2, 14) if rng.random() < 0.01 else rng.uniform(1, 9) / 60
        at_ms += int(hours * HOUR_MS)
    whole = found(records)
    today = records[-1].at_ms // DAY_MS
    for back in (KEPT_DAYS, KEPT_DAYS + 1):
        assert found(records, (today - back) * DAY_MS) == whole
    assert whole
    assert all(each.newest_ms - each.opened_ms <= max(UNCUT_MS, DAY_MS) for each in whole)
    # And day by day: what was final yesterday is not told otherwise today.
    for day in range(NOON_MS // DAY_MS + 3, today + 1):
        until = [each for each in records if each.at_ms < (day + 1) * DAY_MS]
        assert found(until, (day - KEPT_DAYS) * DAY_MS) == found(until)
