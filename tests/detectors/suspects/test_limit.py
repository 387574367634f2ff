"""The limit of one platform, and the state of the lease that refuses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from detectors.model.fields import reader, writer
from detectors.model.times import DAY_S
from detectors.recipients.repeats import Repeats
from detectors.suspects.limit import Limit, PlatformLease, Total, judge_limit, judge_total
from detectors.thresholds import LIMIT_24H, LIMIT_35MIN

KEY = 8613800000001 << 32 | 7
NOW_S = 200 * DAY_S


def after(count: int, step_s: int) -> Repeats:
    repeats = Repeats()
    for n in range(count):
        repeats.add(KEY, NOW_S + n * step_s)
    return repeats


def test_a_limit_is_reached_within_its_window_and_lower_after_a_flood() -> None:
    fast, slow = (LIMIT_35MIN, 200), (LIMIT_24H, 4000)
    assert judge_limit(after(*fast), KEY, relapse=False) == ("limit_35min", 10, 10)
    assert judge_limit(after(*slow), KEY, relapse=False) == ("limit_24h", 20, 20)
    for count, step_s in (fast, slow):
        assert judge_limit(after(count - 1, step_s), KEY, relapse=False) is None
    assert judge_limit(after(5, 200), KEY, relapse=True) == ("limit_35min", 5, 5)
    assert judge_limit(after(7, 4000), KEY, relapse=True) == ("limit_24h", 7, 20 / 3)
    assert judge_limit(after(6, 4000), KEY, relapse=True) is None


def known(_platform: int) -> bool:
    return True


def unknown(_platform: int) -> bool:
    return False


def total_of(
    repeats: Repeats, platforms: Mapping[int, int], knows: Callable[[int], bool]
) -> Total | None:
    """The limit that all codes so far reach. `platforms`: platform -> time of its first code."""
    newest_s = max(times[-1] for times in repeats.codes.values())
    return judge_total(repeats, KEY >> 32 << 32, platforms, knows, newest_s)


def first_codes(*platforms: int, at_s: int = NOW_S - 2 * 3600) -> dict[int, int]:
    """Platforms whose first code of the day came at this time."""
    return dict.fromkeys(platforms, at_s)


def test_a_limit_on_all_platforms_together_spares_the_first_codes_of_a_day() -> None:
    repeats = Repeats()
    for n in range(53):
        repeats.add(KEY + n % 20, NOW_S + n)
    assert total_of(repeats, first_codes(*range(7, 27), at_s=NOW_S), unknown) is None
    repeats.add(KEY + 20, NOW_S + 60)  # the second code of the day of one more platform
    total = total_of(repeats, first_codes(*range(7, 28)), unknown)
    end_s = NOW_S + 3600  # then 53 codes lie in the hour
    assert total == (("limit_total_1h", 54, 54), dict.fromkeys(range(7, 28), end_s))
    assert total_of(repeats, first_codes(*range(9, 28)), unknown) is None, "others' platforms"
    slow = Repeats()
    for n in range(145):
        slow.add(KEY + n % 2, NOW_S + n * 310)
    total = total_of(slow, first_codes(7, 8), known)
    assert total == (("limit_total_24h", 145, 145), {7: NOW_S + DAY_S, 8: NOW_S + DAY_S})


def test_known_platforms_may_send_more_than_unknown_ones() -> None:
    repeats, platforms = Repeats(), first_codes(*range(7, 15))
    for n in range(57):
        repeats.add(KEY + n % 8, NOW_S + n)
        assert total_of(repeats, platforms, known) is None
    repeats.add(KEY + 57 % 8, NOW_S + 57)
    total = total_of(repeats, platforms, lambda p: p != 7)
    assert total == (("limit_total_1h", 58, 58), dict.fromkeys(range(8, 15), NOW_S + 3600) | {
        7: NOW_S + 4 + 3600})  # fmt: skip


def flooded(codes_each: int, platforms: int, more: int = 0) -> Repeats:
    """Repeated codes of platforms in turn, from platform 7 on, and `more` of the first ones."""
    repeats = Repeats()
    for n in range(codes_each * platforms + more):
        repeats.add(KEY + n % platforms, NOW_S + n)
    return repeats


def test_a_known_platform_that_sends_less_than_the_others_is_spared_at_the_limit() -> None:
    repeats = flooded(7, 8)
    for at_s in (80, 81, 82):  # a bank's, beside the flood's seven of each
        repeats.add(KEY + 20, NOW_S + at_s)
    total = total_of(repeats, first_codes(*range(7, 28)), known)
    assert total is not None
    assert [*total.ends_s] == [*range(7, 15)]


def test_a_known_platform_with_five_repeated_codes_is_spared_at_the_limit() -> None:
    repeats = flooded(8, 7)
    for at_s in range(80, 85):
        repeats.add(KEY + 20, NOW_S + at_s)
    total = total_of(repeats, first_codes(*range(7, 28)), known)
    assert total is not None
    assert [*total.ends_s] == [*range(7, 14)]


def test_past_the_limit_every_known_platform_that_came_is_refused() -> None:
    """Otherwise a list of platforms that the recipient knows brings two codes of each."""
    platforms = first_codes(*range(7, 14)) | first_codes(20, at_s=NOW_S) | first_codes(21)
    for more, refused in ((9, [*range(7, 14)]), (10, [*range(7, 14), 19, 20])):
        repeats = flooded(8, 7, more)
        repeats.add(KEY + 12, NOW_S + 90)  # the second code of platform 19
        total = total_of(repeats, platforms | first_codes(19), known)
        assert total is not None
        assert total.limit.score == 57 + more
        assert [*total.ends_s] == refused


def test_far_past_the_limit_every_platform_of_a_week_is_refused_before_it_comes() -> None:
    """Otherwise a list of 50 known platforms brings one more code of each."""
    week = first_codes(20, at_s=NOW_S - 6 * DAY_S) | first_codes(21, at_s=NOW_S - 8 * DAY_S)
    for flood, refused in ((81, [*range(7, 15)]), (82, [*range(7, 15), 20])):
        repeats = flooded(10, 8, flood - 80)
        total = total_of(repeats, first_codes(*range(7, 15)) | week, known)
        assert total is not None
        assert total.limit.score == flood
        assert sorted(total.ends_s) == refused


def test_in_a_day_three_codes_of_a_known_platform_are_enough_and_one_far_past_the_limit() -> None:
    """Otherwise 43 platforms that had their turn late brought six codes each."""
    platforms = first_codes(7, 8, 9, 10, 11)
    for flood, refused in ((140, [7, 9]), (163, [7, 9, 10, 11])):
        repeats = Repeats()
        for n in range(flood):
            repeats.add(KEY, NOW_S + n * 400)
        for platform, codes in ((9, 3), (10, 2), (11, 1)):
            for n in range(codes):
                repeats.add(KEY - 7 + platform, NOW_S + n * 4000 + platform)
        total = total_of(repeats, platforms, known)
        assert total is not None
        assert total.limit == ("limit_total_24h", flood + 6, 145)
        assert sorted(total.ends_s) == refused


def test_a_lease_refuses_what_it_names_while_it_lasts_and_is_restored() -> None:
    lease = PlatformLease("1:t:0:9:limit")
    lease.put(7, 5000, "shadow")
    lease.put(7, 4000, "enforce")
    assert lease.ends_ms == {"enforce": {7: 5000}, "shadow": {}}, "the later end, the newer mode"
    lease.refused, lease.issued_ms, lease.expires_ms, lease.mode = (7,), 1000, 5000, "enforce"
    lease.again_ms, lease.offset, lease.limit = {7: (1500, 1500, 0)}, 9, Limit("limit_24h", 20, 20)
    assert [lease.refuses(7, ms) for ms in (1000, 1001, 4999, 5000)] == [False, True, True, False]
    assert not lease.refuses(8, 2000)
    state = writer(PlatformLease)(lease)
    assert writer(PlatformLease)(reader(PlatformLease)(state)) == state
    lease.forget_from(1001)
    assert lease.refuses(7, 2000)
    lease.forget_from(1000)
    assert not lease.refuses(7, 2000)


def test_a_row_of_refused_codes_shows_once_that_a_platform_goes_on() -> None:
    """They may be a sender's retries of one message, but not if they go on for half an hour."""
    minute = 60_000
    lease = PlatformLease("1:t:0:9:limit")
    lease.again_ms = {7: (0, 0, 0)}
    rows = [start * minute + n * 45_000 for start in (2, 10) for n in range(6)]
    assert not any(lease.observe_refused(7, ms, limited=True) for ms in rows)
    assert lease.follows_refused(7, rows[-1] + 89_999)
    assert not lease.follows_refused(7, rows[-1] + 90_000)
    assert lease.observe_refused(7, 20 * minute, limited=True), "the third row begins"
    assert not lease.observe_refused(7, 20 * minute + 45_000, limited=True)
    assert lease.observe_refused(7, 60 * minute, limited=True)
    steady = [
        lease.observe_refused(7, 60 * minute + n * minute, limited=True) for n in range(1, 31)
    ]
    assert [*map(bool, steady)].index(True) == 29
    assert not lease.observe_refused(8, minute, limited=True), "no limit of it was reached"


def test_a_refused_code_of_a_known_platform_has_retries_and_prolongs_nothing() -> None:
    lease = PlatformLease("1:t:0:9:limit")
    times_ms = range(0, 7_200_000, 45_000)
    assert not any(lease.observe_refused(7, ms, limited=False) for ms in times_ms)
    assert lease.follows_refused(7, times_ms[-1] + 89_999)
    assert not lease.follows_refused(7, times_ms[-1] + 90_000)


def test_one_code_of_a_whole_minute_is_a_retry_and_its_second_delivery_is_too() -> None:
    lease = PlatformLease("1:t:0:9:limit")
    lease.observe_refused(7, 60_000, limited=False)
    assert lease.is_retry(7, 120_000, 121_000)
    lease.end_row(7, 120_000, 121_000)
    assert lease.is_retry(7, 120_000, 121_000), "a second delivery"
    assert not lease.is_retry(7, 120_000, 122_000), "another code of the same minute"
    assert not lease.is_retry(7, 180_000, 180_000)
