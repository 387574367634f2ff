"""Sweeps of a notifier for what others left: with no broker, and a clock that is set back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from streams.config import Topics
from streams.people.notices import notifier as module
from streams.people.notices.notice_book import NoticeBook, NotifyParams, PendingNotice, Unsent
from streams.people.notices.notifier import LEFT_MS, Notifier
from streams.telemetry.metrics import Metrics
from tests.builders.streams.people.notices.notice_book import notice
from tests.enforce.records import START_MS, action


class _Channel:
    name = "file"

    def rest(self) -> None:
        """Nothing to keep."""


def test_a_clock_that_is_set_back_keeps_no_sweep_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []

    def drop(notifier: Notifier, pending: PendingNotice, _: Unsent) -> None:
        dropped.append(pending.notice_id)
        notifier._book.remove(pending.notice_id)

    for name in ("KafkaConsumer", "KafkaProducer"):
        monkeypatch.setattr(module, name, lambda **_: None)
    monkeypatch.setattr(Notifier, "_drop", drop)
    now_ms, stop, book = [START_MS], threading.Event(), NoticeBook(NotifyParams())
    channel: Any = _Channel()
    texts: Any = None
    made = Notifier(book, channel, texts, {}, Topics(), Metrics("notifier"), lambda: now_ms[0])
    made._turn(stop)
    now_ms[0] -= 3_600_000
    left = notice(action(), "sending", at_ms=now_ms[0] - LEFT_MS - 1)
    book.take_notice(left)
    made._turn(stop)
    assert dropped == [left.notice_id], "what a process left is taken up"
