"""What a gateway lets through at second requests."""

from __future__ import annotations

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.leases.retry_budget import SecondPasses, window_of
from detectors.model.event import Trust, platform_id
from detectors.model.records import ALWAYS_PASS, AgainWindow, Scope
from detectors.thresholds import AGAIN_BUDGET_MS, AGAIN_HOT_MOST, AGAIN_MOST

WHO = "8613900000001"


def window(platform: int, *, hot: bool = False, from_ms: int = 0) -> AgainWindow:
    return AgainWindow(platform, from_ms, from_ms + 95_000, hot)


def test_a_window_lets_one_message_pass() -> None:
    passes = SecondPasses()
    assert passes.take(WHO, window(7), 1000)
    assert not passes.take(WHO, window(7), 1001)
    assert passes.take("another", window(7), 1001)


def test_no_more_pass_than_the_budget_has_of_each_kind() -> None:
    passes = SecondPasses()
    cold = [passes.take(WHO, window(n), n) for n in range(10)]
    hot = [passes.take(WHO, window(100 + n, hot=True), n) for n in range(10)]
    assert (sum(cold), sum(hot)) == (AGAIN_MOST, AGAIN_HOT_MOST)
    assert not passes.take(WHO, window(50), AGAIN_BUDGET_MS - 1)
    assert passes.take(WHO, window(51), AGAIN_BUDGET_MS)


def test_of_whom_nothing_passed_nothing_is_remembered_and_the_others_are_bounded() -> None:
    passes = SecondPasses(recipients_max=3)
    for n in range(10):
        passes.take(f"r{n}", window(1), n)
    assert list(passes.taken) == ["r7", "r8", "r9"]
    passes.take("r9", window(1), 10 + AGAIN_BUDGET_MS)
    assert [each for each, _ in passes.taken["r9"]] == [10 + AGAIN_BUDGET_MS]


def test_the_window_of_another_platform_or_time_is_none() -> None:
    opens = AgainWindow(platform_id("sig:A"), 55_000, 150_000, hot=False)
    lease = Lease("a1", 600_000, Scope("otp", ALWAYS_PASS, (), ()), (opens,))
    for platform, now_ms, wanted in (
        ("sig:A", 54_999, Ruling.REFUSE),
        ("sig:A", 55_000, Ruling.AGAIN),
        ("sig:A", 149_999, Ruling.AGAIN),
        ("sig:A", 150_000, Ruling.REFUSE),
        ("sig:B", 100_000, Ruling.REFUSE),
    ):
        found = rule(lease, otp=True, platform=platform, trust=Trust.NONE, now_ms=now_ms)
        assert found is wanted
        assert (window_of(lease, platform, now_ms) is not None) == (wanted is Ruling.AGAIN)
