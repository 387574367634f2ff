"""The report on which somebody decides to enforce."""

from __future__ import annotations

from dataclasses import replace

from detectors.event import Trust, platform_id
from streams.enforce.shadow import Message, Shadow
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action

KNOWN = platform_id("sig:known")


def message(platform: str, at_ms: int, *, otp: bool = True, trust: Trust = Trust.NONE) -> Message:
    return Message(RECIPIENT, START_MS + at_ms, otp, platform, trust)


def test_what_a_lease_refuses_is_counted_by_platform_and_what_passes_by_reason() -> None:
    shadow = Shadow.of([action(mode="shadow", pass_ids=(KNOWN,))])
    for each in (
        message("sig:a", -1),  # before the lease
        message("sig:a", 0),
        message("sig:a", 1),
        message("sig:b", 2),
        message("sig:bank", 3, trust=Trust.BANK),
        message("sig:known", 4),
        message("sig:a", 5, otp=False),
        message("sig:c", LEASE_MS),  # after it
    ):
        shadow.meet(each)
    report = shadow.report()
    assert report["messages_refused"] == 3
    assert report["recipients_refused"] == 1
    assert report["leases_by_mode"] == {"shadow": 1}
    assert report["messages_passed_under_lease"] == {"trusted": 1, "known": 1, "not_a_code": 1}
    assert report["platforms"][0] == {"platform": "sig:a", "messages": 2, "recipients": 1}
    assert report["harm_ratio"] == 0.0


def test_a_platform_used_after_the_lease_was_probably_wanted() -> None:
    shadow = Shadow.of([action()])
    for each in (
        message("sig:a", 0),
        message("sig:a", 1),
        message("sig:b", 2),
        message("sig:b", LEASE_MS, otp=False),  # marketing is no use
        message("sig:a", LEASE_MS + 1),
    ):
        shadow.meet(each)
    report = shadow.report()
    assert report["messages_of_platforms_used_later"] == 2
    assert report["harm_ratio"] == 2 / 3


def test_renewals_extend_and_releases_end_what_is_refused() -> None:
    renewal = action(revision=2, at_ms=START_MS + 300_000)
    release = action(revision=3, verb="release", at_ms=START_MS + 700_000)
    shadow = Shadow.of([release, action(), renewal, replace(renewal)])
    for at_ms in (LEASE_MS - 1, LEASE_MS, 699_999, 700_000, 800_000):
        shadow.meet(message(f"sig:{at_ms}", at_ms))
    report = shadow.report()
    assert report["messages_refused"] == 3
    assert report["leases"] == 2
