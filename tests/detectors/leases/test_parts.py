"""Whose a long message is: remembered from its first part on, bounded, and worth each part once."""

from __future__ import annotations

from detectors.leases.gateway_rule import Lease, Ruling
from detectors.leases.parts import NAME_CHARS, PARTS_S, FirstPart, LongMessages
from detectors.model.event import Trust, platform_id
from detectors.model.records import ALWAYS_PASS, Scope

LEASE = Lease("a1", 600_000, Scope("otp", ALWAYS_PASS, (platform_id("sig:known"),), ()))
ONE = ("8613900000001", "1069", 7)


def fate(
    held: LongMessages, part: int, parts: int = 3, now_ms: int = 0, now_s: float = 0.0
) -> Ruling | None:
    return held.fate(ONE, part, parts, LEASE, now_ms, now_s)


def bank(parts: int = 3) -> FirstPart:
    return FirstPart(parts, "sig:bank", Trust.BANK)


def test_what_a_first_part_without_a_lease_is_worth_the_lease_says_that_comes() -> None:
    for first, wanted in (
        (bank(), Ruling.TRUSTED),
        (FirstPart(3, "sig:known", Trust.NONE), Ruling.KNOWN),
        (FirstPart(3, "sig:other", Trust.NONE), None),
    ):
        held = LongMessages()
        held.begin(ONE, first, None, 0.0)
        assert fate(held, 2) is wanted


def test_a_later_part_passes_once_and_only_as_it_was_announced() -> None:
    held = LongMessages()
    held.begin(ONE, bank(), LEASE, 0.0)
    assert [fate(held, part) for part in (2, 2, 3)] == [Ruling.TRUSTED, None, Ruling.TRUSTED]
    held.begin(ONE, bank(), LEASE, 0.0)
    assert fate(held, 4, parts=4) is None
    assert fate(held, 2) is Ruling.TRUSTED


def test_what_was_refused_is_refused_to_its_end_while_the_lease_stands() -> None:
    held = LongMessages()
    held.begin(ONE, FirstPart(3, "sig:other", Trust.NONE, refused=True), LEASE, 0.0)
    assert [fate(held, part) for part in (2, 2)] == [Ruling.REFUSE] * 2
    assert fate(held, 3, now_ms=LEASE.expires_at_ms) is Ruling.OVER
    assert fate(held, 3, now_s=PARTS_S) is None


def test_a_refused_part_takes_along_what_is_left_but_nothing_of_whoever_passes() -> None:
    held = LongMessages()
    held.refuse(ONE, 3, LEASE, 0, 0.0)
    assert fate(held, 3) is Ruling.REFUSE
    held.begin(ONE, bank(), LEASE, 0.0)
    held.refuse(ONE, 3, LEASE, 0, 0.0)  # a repetition
    assert fate(held, 3) is Ruling.TRUSTED
    held.forget(ONE)
    assert fate(held, 2) is None


def test_first_parts_without_a_lease_push_out_none_with_one_and_both_are_bounded() -> None:
    held = LongMessages(parts_max=2)
    held.begin(ONE, bank(), LEASE, 0.0)
    for n in range(5):
        held.begin(("r", "s", n), bank(), None, 0.0)
    assert list(held.leased) == [ONE]
    assert list(held.free) == [("r", "s", 3), ("r", "s", 4)]
    for n in range(5):
        held.begin(("r", "s", n), bank(), LEASE, 0.0)
    assert (list(held.leased), len(held.free)) == ([("r", "s", 3), ("r", "s", 4)], 0)


def test_a_name_without_end_is_not_kept() -> None:
    held = LongMessages()
    held.begin(ONE, FirstPart(3, "host:" + "a" * NAME_CHARS, Trust.BANK), LEASE, 0.0)
    assert held.leased[ONE].platform == ""
    assert fate(held, 2) is None
