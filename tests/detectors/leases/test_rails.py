"""The rails: what they hold back, what they never touch, and how they come back."""

import pytest
from hypothesis import given, strategies as st

from detectors.leases.rails import (
    OFFERS_S,
    RailParams,
    Rails,
    Refusal,
    admit,
    forget,
    readmit,
    utilisation,
    withdraw,
)
from detectors.model.times import MINUTE_MS
from detectors.thresholds import LEASE_MAX_MS, RAILS_ALARM_RATIO

LEASE_MS = 600_000
SMALL = RailParams(new_per_minute=10, recipients_max=50)


def lease(rails: Rails, name: str, at_ms: int, *, params: RailParams = SMALL) -> Refusal | None:
    return admit(
        params,
        rails,
        name,
        issued_at_ms=at_ms,
        expires_at_ms=at_ms + LEASE_MS,
        opened_ms=at_ms - MINUTE_MS,
        now_ms=at_ms,
    )


def test_a_rush_is_cut_at_the_cap_and_those_before_it_stay() -> None:
    rails = Rails()
    answers = [lease(rails, f"r{n}", n) for n in range(15)]
    assert answers == [None] * 10 + [Refusal.RATE] * 5
    assert rails.open
    assert len(rails.until_ms) == 10


def test_renewals_pass_an_open_rail() -> None:
    rails = Rails()
    for n in range(15):
        lease(rails, f"r{n}", n)
    assert lease(rails, "r3", 20) is None


def test_an_open_rail_stays_open_while_the_rush_goes_on_and_shuts_under_the_ratio() -> None:
    rails = Rails()
    for n in range(11):
        lease(rails, f"r{n}", n)
    # 9 a minute is under the cap, but not under 80 % of it: the middle keeps what it finds.
    middle = [lease(rails, f"m{n}", MINUTE_MS * 2 + n) for n in range(9)]
    assert middle[:8] == [None] * 8  # a whole quiet minute went by before
    rails.rate_open = True
    assert lease(rails, "m9", MINUTE_MS * 2 + 9) is Refusal.RATE
    assert lease(rails, "q0", MINUTE_MS * 4) is None
    assert not rails.open


def test_refused_offers_keep_the_rail_open() -> None:
    rails = Rails()
    answers = [lease(rails, f"r{n}", n * 5_000) for n in range(60)]  # 12 a minute, for 5 minutes
    assert answers[:10] == [None] * 10
    assert set(answers[11:]) == {Refusal.RATE}


def test_the_share_rail_holds_and_frees_places_as_leases_end() -> None:
    rails = Rails()
    step = MINUTE_MS // 9
    answers = [lease(rails, f"r{n}", n * step) for n in range(60)]
    assert answers == [None] * 50 + [Refusal.SHARE] * 10
    assert lease(rails, "late", 49 * step + LEASE_MS - 1) is None


def test_a_withdrawn_lease_frees_its_place() -> None:
    params = RailParams(new_per_minute=1000, recipients_max=10)
    rails = Rails()
    for n in range(10):
        lease(rails, f"r{n}", n, params=params)
    for n in range(3):
        withdraw(rails, f"r{n}")
    assert lease(rails, "new", 11, params=params) is None
    forget(rails, 11 + LEASE_MS)
    assert rails.until_ms == {}


@pytest.mark.parametrize(
    ("lease_ms", "age_ms", "expected"),
    [
        (3_600_000, 0, None),
        (3_600_001, 0, Refusal.LEASE),
        (LEASE_MS, 86_400_000, None),
        (LEASE_MS, 86_400_001, Refusal.EPISODE),
    ],
)
def test_no_lease_over_an_hour_and_no_episode_over_a_day(
    lease_ms: int, age_ms: int, expected: Refusal | None
) -> None:
    at = 10**12
    answer = admit(
        SMALL,
        Rails(),
        "r",
        issued_at_ms=at,
        expires_at_ms=at + lease_ms,
        opened_ms=at - age_ms,
        now_ms=at,
    )
    assert answer is expected


def test_reading_the_log_again_admits_the_same() -> None:
    log = [(f"r{n * 7 % 40}", n * 1_700) for n in range(300)]
    first, again = Rails(), Rails()
    assert [lease(first, *each) for each in log] == [lease(again, *each) for each in log]


def test_memory_is_bounded_whatever_is_offered() -> None:
    rails = Rails()
    for n in range(20_000):
        lease(rails, f"r{n}", n * 1_000)
    for n in range(20_000):
        lease(rails, f"late{n}", 10_000_000 - n * 1_000)
    assert len(rails.offered) <= 2 * OFFERS_S + 1
    assert len(rails.until_ms) <= SMALL.recipients_max
    assert len(rails.ends) <= SMALL.recipients_max


def test_a_whole_campaign_fits_under_the_caps_of_any_operator_and_alarms_before_them() -> None:
    params = RailParams.for_network(100_000)
    rails = Rails()
    loads = []
    for n in range(5_000):  # A6: 5,000 recipients within 10 minutes
        assert lease(rails, f"r{n}", n * 120, params=params) is None
        loads.append(utilisation(params, rails, n * 120))
    assert max(loads) > RAILS_ALARM_RATIO
    assert not rails.open


@given(st.data())
def test_no_order_of_reading_refuses_a_lease_that_was_in_no_crowded_minute(
    data: st.DataObject,
) -> None:
    steps = data.draw(st.lists(st.integers(0, 9_000), min_size=1, max_size=80))
    times, at = [], 10**12
    for step in steps:
        at += step
        times.append(at)
    seconds = [time // 1_000 for time in times]
    crowded = any(
        sum(first <= second < first + 60 for second in seconds) > SMALL.new_per_minute
        for first in seconds
    )
    rails = Rails()
    log = data.draw(st.permutations(list(enumerate(times))))
    answers = [lease(rails, f"r{n}", time) for n, time in log]
    assert (Refusal.RATE in answers) <= crowded


@given(st.data())
def test_in_no_order_more_new_leases_than_the_cap_get_into_one_minute(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 200), min_size=1, max_size=80))
    rails = Rails()
    params = RailParams(new_per_minute=10, recipients_max=1_000)
    admitted = [
        second
        for n, second in enumerate(times)
        if lease(rails, f"r{n}", 10**12 + second * 1_000, params=params) is None
    ]
    for first in admitted:
        assert sum(first <= second < first + 60 for second in admitted) <= 10


def test_partitions_read_one_after_another_are_no_rush() -> None:
    """5,000 leases in 10 minutes and a renewal of each after 5, over 32 partitions, in runs."""
    params = RailParams(new_per_minute=800, recipients_max=20_000)
    log = [(n * 120, n, False) for n in range(5_000)]
    log += [(n * 120 + LEASE_MS // 2, n, True) for n in range(5_000)]
    rails = Rails()
    refused = [
        admit(
            params, rails, f"r{n}", issued_at_ms=at, expires_at_ms=at + LEASE_MS, opened_ms=at,
            now_ms=at, renewal=renewal,
        )
        for part in range(32)
        for at, n, renewal in sorted(log)
        if n % 32 == part
    ]  # fmt: skip
    assert set(refused) == {None}
    assert len(rails.until_ms) == 5_000


def test_a_lease_of_the_future_makes_no_rail_forget_the_others() -> None:
    params = RailParams(new_per_minute=1_000, recipients_max=10)
    rails = Rails()
    at = 10**12
    for n in range(9):
        lease(rails, f"r{n}", at + n, params=params)
    future = at + 50 * MINUTE_MS
    answer = admit(
        params,
        rails,
        "ahead",
        issued_at_ms=future,
        expires_at_ms=future + LEASE_MS,
        opened_ms=at,
        now_ms=at + 9,
    )
    assert answer is None
    assert len(rails.until_ms) == 10
    assert lease(rails, "r10", at + 10, params=params) is Refusal.SHARE
    forget(rails, at + 9 + LEASE_MAX_MS)
    assert rails.until_ms == {}


def again(rails: Rails, name: str, at_ms: int, times: int) -> Refusal | None:
    return readmit(
        SMALL.multiply(times), rails, name, issued_at_ms=at_ms, expires_at_ms=at_ms + LEASE_MS
    )


def test_raised_rails_let_in_what_was_refused_as_far_as_there_is_room() -> None:
    rails = Rails()
    for n in range(15):
        lease(rails, f"r{n}", n)
    assert [again(rails, f"r{n}", n, 2) for n in range(10, 15)] == [None] * 5
    assert len(rails.until_ms) == 15
    for n in range(15, 40):
        lease(rails, f"r{n}", n)
    assert again(rails, "r20", 20, 2) is Refusal.RATE, "forty a minute are over twice ten"
    assert again(rails, "r20", 20, 4) is None
    crowded = Rails(until_ms={f"h{n}": MINUTE_MS * 9 for n in range(100)})
    assert again(crowded, "one more", 0, 2) is Refusal.SHARE
    assert again(crowded, "h7", 0, 2) is None, "who holds a place holds it"


def test_what_was_let_in_frees_its_place_when_its_lease_ends() -> None:
    rails = Rails()
    for n in range(15):
        lease(rails, f"r{n}", n)
    again(rails, "r12", 12, 2)
    forget(rails, 12 + LEASE_MS)
    assert "r12" not in rails.until_ms
