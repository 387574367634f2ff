"""Quotas by client and minute, and by client, number and hour."""

from __future__ import annotations

import pytest

from detectors.model.times import HOUR_MS, MINUTE_MS
from streams.people.signal import clients
from streams.people.signal.clients import Quotas, SignalClient

CLIENT = SignalClient("a", per_minute=3, number_per_hour=2)


def test_a_minute_holds_so_many_questions_and_the_next_as_many() -> None:
    quotas = Quotas()
    assert [quotas.take(CLIENT, str(n), 0) for n in range(4)] == ["", "", "", "TOO_MANY_REQUESTS"]
    assert quotas.take(SignalClient("b"), "1", 0) == ""
    assert quotas.take(CLIENT, "9", MINUTE_MS) == ""


def test_one_number_may_be_asked_about_so_often_in_an_hour() -> None:
    quotas = Quotas()
    asked = [quotas.take(CLIENT, "1", n * MINUTE_MS) for n in range(3)]
    assert asked == ["", "", "QUOTA_EXCEEDED"]
    assert quotas.take(CLIENT, "2", 3 * MINUTE_MS) == ""
    assert quotas.take(CLIENT, "1", HOUR_MS) == ""


def test_numbers_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "NUMBERS_MAX", 2)
    quotas = Quotas()
    for n in ("1", "2", "3"):
        quotas.take(SignalClient("a"), n, 0)
    assert len(quotas._hours) == 2
