"""Records: seconds and back, and what a scope refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.model.event import Trust, platform_print
from detectors.model.records import (
    ALWAYS_PASS,
    Cause,
    Scope,
    cause_partition,
    refuses,
    seconds,
    utc_ms,
)

EPOCH_MS = 1_577_836_800_000  # 2020


@given(st.integers(1, (1 << 31) - 1))
def test_seconds_and_milliseconds_are_each_other_s_inverse(at_s: int) -> None:
    assert seconds(utc_ms(at_s)) == at_s


@pytest.mark.parametrize(
    ("at_ms", "at_s"),
    [(0, 1), (EPOCH_MS, 1), (EPOCH_MS + 1_999, 1), (EPOCH_MS + 2_000, 2), (1 << 60, (1 << 31) - 1)],
)
def test_times_before_and_after_what_a_row_can_hold_are_clamped(at_ms: int, at_s: int) -> None:
    assert seconds(at_ms) == at_s
    assert Cause("t", 0, 0, at_ms).at_s == at_s


def test_every_class_of_trust_but_none_always_passes() -> None:
    assert set(ALWAYS_PASS) == set(Trust) - {Trust.NONE}


@pytest.mark.parametrize(
    ("platform", "trust", "refused"),
    [
        (7, Trust.NONE, True),
        (9, Trust.NONE, False),  # by its id
        (0x0005_0000, Trust.NONE, False),  # by its print
        (7, Trust.BANK, False),
        (7, Trust.CARRIER, True),  # a class that this scope does not name
    ],
)
def test_a_scope_lets_pass_what_it_names(platform: int, trust: Trust, refused: bool) -> None:
    scope = Scope("otp", (Trust.BANK,), (9,), (platform_print(5),))
    assert refuses(scope, platform, trust) is refused


def test_an_id_names_epoch_topic_partition_and_offset_and_its_partition_is_read_again() -> None:
    cause = Cause("sms.delivery.v1", 3, 12, 0)
    assert cause.id(2) == "2:sms.delivery.v1:3:12"
    assert cause_partition(cause.id(2), 2, "sms.delivery.v1") == 3
    for epoch, topic in ((1, "sms.delivery.v1"), (2, "sms.delivery")):
        assert cause_partition(cause.id(2), epoch, topic) == -1
