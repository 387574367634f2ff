"""What the answers say of themselves."""

from __future__ import annotations

from streams.cases.store.answers import Freshness


def test_a_store_that_was_never_read_is_behind_by_all_of_time() -> None:
    assert Freshness(1_000, 0, None).lag_ms == 1_000
    assert Freshness(1_000, 900, None).lag_ms == 100
    assert Freshness(1_000, 1_001, None).lag_ms == 0, "clocks differ"
