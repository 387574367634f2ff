"""The rule at a gateway, case by case and in its order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.model.event import Trust, platform_id, platform_print
from detectors.model.records import ALWAYS_PASS, AgainWindow, Scope

END_MS = 600_000
KNOWN, TWIN = "sig:淘宝", "sig:京东"
LEASE = Lease(
    "a1",
    END_MS,
    Scope("otp", ALWAYS_PASS, (platform_id(KNOWN),), (platform_print(platform_id(TWIN)),)),
)


def check(ruling: Ruling, *, lease: Lease | None = LEASE, **message: object) -> None:
    asked = {"otp": True, "platform": "sig:新", "trust": Trust.NONE, "now_ms": 0, **message}
    assert rule(lease, **asked) is ruling  # type: ignore[arg-type]


def test_only_a_novel_untrusted_code_under_a_lease_is_refused() -> None:
    check(Ruling.REFUSE)
    check(Ruling.NO_LEASE, lease=None)
    check(Ruling.NOT_A_CODE, otp=False)
    check(Ruling.KNOWN, platform=KNOWN)
    check(Ruling.KNOWN, platform=TWIN)


@pytest.mark.parametrize("trust", ALWAYS_PASS)
def test_every_trusted_class_passes(trust: Trust) -> None:
    check(Ruling.TRUSTED, trust=trust)
    check(Ruling.TRUSTED, trust=trust, platform=KNOWN)


def test_a_named_platform_is_refused_although_it_is_known_unless_it_is_trusted() -> None:
    lease = replace(LEASE, refused_ids=frozenset({platform_id(KNOWN)}))
    check(Ruling.REFUSE, lease=lease, platform=KNOWN)
    check(Ruling.TRUSTED, lease=lease, platform=KNOWN, trust=Trust.BANK)
    check(Ruling.KNOWN, lease=lease, platform=TWIN)
    window = AgainWindow(platform_id(KNOWN), 10, 20, hot=False)
    check(Ruling.AGAIN, lease=replace(lease, again=(window,)), platform=KNOWN, now_ms=10)


def test_a_platform_lease_refuses_the_platforms_that_it_names_and_no_others() -> None:
    lease = replace(LEASE, refused_ids=frozenset({platform_id(KNOWN)}), narrow=True)
    check(Ruling.REFUSE, lease=lease, platform=KNOWN)
    check(Ruling.OTHER, lease=lease)
    check(Ruling.TRUSTED, lease=lease, trust=Trust.BANK)
    check(Ruling.NOT_A_CODE, lease=lease, otp=False)


def test_a_lease_is_over_at_its_end_whatever_the_message() -> None:
    check(Ruling.REFUSE, now_ms=END_MS - 1)
    for otp in (True, False):
        check(Ruling.OVER, now_ms=END_MS, otp=otp)


def test_refuse_is_the_only_ruling_that_holds_a_message_back() -> None:
    passing = {r for r in Ruling if r is not Ruling.REFUSE}
    assert passing == {
        Ruling.NO_LEASE, Ruling.OVER, Ruling.NOT_A_CODE, Ruling.TRUSTED, Ruling.KNOWN,
        Ruling.AGAIN, Ruling.OTHER,
    }  # fmt: skip
