"""The clock that everything but the core reads."""

from __future__ import annotations

import time

from streams.common.clock import now_ms, utc, utc_exact


def test_now_is_what_the_machine_says_in_milliseconds() -> None:
    before = time.time_ns()
    assert before // 1_000_000 <= now_ms() <= time.time_ns() // 1_000_000


def test_a_time_for_programs_is_cut_to_the_second_and_says_its_zone() -> None:
    assert utc(0) == "1970-01-01T00:00:00Z"
    assert utc(1_999) == "1970-01-01T00:00:01Z"


def test_a_time_of_an_event_has_its_milliseconds() -> None:
    assert utc_exact(0) == "1970-01-01T00:00:00.000Z"
    assert utc_exact(1_999) == "1970-01-01T00:00:01.999Z"
