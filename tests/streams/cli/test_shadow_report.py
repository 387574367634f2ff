"""`otpguard shadow-report`: spans and brokers that cannot be; sums are in `operate/test_shadow`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.cli import shadow_report as command
from streams.config import Settings
from streams.errors import UnavailableError, UsageError
from tests.enforce.records import RECIPIENT, START_MS, action
from tests.streams.cli.called import NOWHERE, refused, settings_file


def test_a_span_that_is_none_is_refused_before_a_broker_is_asked(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UsageError, "soon", "shadow-report", "--since", "soon", "--config", config)


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    refused(UnavailableError, NOWHERE, "shadow-report", "--config", settings_file(tmp_path))


@pytest.mark.parametrize(
    ("counted_type", "counted"),
    [("submit", ["plain", "typed"]), ("deliver", ["delivered"])],
)
def test_only_what_a_worker_counts_meets_leases(
    monkeypatch: pytest.MonkeyPatch, counted_type: str, counted: list[str]
) -> None:
    shapes: dict[str, dict[str, object]] = {
        "plain": {},
        "typed": {"event_type": "submit", "segment": 1, "attempt": 1, "direction": "mt"},
        "delivered": {"event_type": "deliver"},
        "second part": {"segment": 2},
        "second attempt": {"attempt": 2, "event_type": counted_type},
        "from a phone": {"direction": "mo", "event_type": counted_type},
        "new owner": {"event_type": "recycled"},
    }
    names = list(shapes)

    def records(*_: object, **__: object) -> Iterator[Any]:
        for at, shape in enumerate(shapes.values()):
            value = {
                "schema_version": 1, "recipient": RECIPIENT, "sender": "1069",
                "event_time_ms": START_MS + at, "message_id": "m", **shape,
            }  # fmt: skip
            yield SimpleNamespace(key=RECIPIENT.encode(), value=json.dumps(value).encode())

    monkeypatch.setattr("streams.cluster.read.records", records)
    settings = Settings(input={"counted_type": counted_type})
    met = command._messages(settings, {}, {RECIPIENT: [action()]})
    assert [names[each.at_ms - START_MS] for each in met] == counted
