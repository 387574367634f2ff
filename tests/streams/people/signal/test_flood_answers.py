"""Meaning of `flooded`: at which age of a flood, and how own codes fare under a lease."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.model.event import Trust, platform_id
from detectors.model.times import HOUR_MS
from streams.people.signal.lookup import FloodSpan, is_flooded, own_codes
from tests.enforce.records import LEASE_MS, START_MS, action

NOW = START_MS + 100 * HOUR_MS
OPEN = FloodSpan(NOW - 3 * HOUR_MS, NOW - 2 * HOUR_MS, None)
OVER = FloodSpan(NOW - 30 * HOUR_MS, NOW - 24 * HOUR_MS, NOW - 23 * HOUR_MS)


@pytest.mark.parametrize(
    ("floods", "max_age_h", "expected"),
    [
        ([], 24, False),
        ([OPEN], 0, True),
        ([OPEN], 1, True),  # it goes on, however long ago its last message was
        ([OVER], 0, False),
        ([OVER], 23, False),
        ([OVER], 24, True),
        ([OVER, OPEN], 0, True),
    ],
)
def test_a_flood_is_told_while_it_lasts_and_for_so_long_after(
    floods: list[FloodSpan], max_age_h: int, expected: bool
) -> None:
    assert is_flooded(floods, NOW, max_age_h) is expected


def test_own_codes_pass_unless_the_lease_in_force_refuses_them() -> None:
    lease = action(pass_ids=(platform_id("sig:甲"),))
    assert own_codes([], ["sig:乙"], Trust.NONE, START_MS) == "PASSED"
    assert own_codes([lease], ["sig:乙"], Trust.NONE, START_MS) == "HELD"
    assert own_codes([lease], ["sig:甲"], Trust.NONE, START_MS) == "PASSED"
    assert own_codes([lease], ["sig:甲", "sig:乙"], Trust.NONE, START_MS) == "HELD"
    assert own_codes([lease], ["sig:乙"], Trust.BANK, START_MS) == "PASSED"
    assert own_codes([lease], ["sig:乙"], Trust.NONE, START_MS + LEASE_MS) == "PASSED"
    other = action("h1:00112233445566aa", 9, pass_ids=(platform_id("sig:乙"),))
    for some in ([lease, other], [other, lease]):  # of two forms of one number, in no order
        assert own_codes(some, ["sig:乙"], Trust.NONE, START_MS) == "HELD"
    released = replace(action(revision=2, verb="release"))
    assert own_codes([released], ["sig:乙"], Trust.NONE, START_MS) == "PASSED"
    narrow = replace(action(verb="throttle_platforms"), refused_ids=(platform_id("sig:甲"),))
    assert own_codes([narrow], ["sig:甲"], Trust.NONE, START_MS) == "HELD"
    assert own_codes([narrow], ["sig:乙"], Trust.NONE, START_MS) == "PASSED"
    assert (
        own_codes([replace(narrow, refused_ids=())], ["sig:甲"], Trust.NONE, START_MS) == "PASSED"
    )
