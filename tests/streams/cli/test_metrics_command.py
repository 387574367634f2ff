"""`otpguard metrics list`: the whole table, for people and for machines."""

from __future__ import annotations

import json

from streams.telemetry.metrics import PREFIX, TABLE
from tests.streams.cli.called import called


def test_every_metric_is_listed_with_its_closed_sets() -> None:
    listed = json.loads(called("metrics", "list", "--json"))
    assert [each["name"] for each in listed] == [PREFIX + metric.name for metric in TABLE]
    for each, metric in zip(listed, TABLE, strict=True):
        assert each["labels"] == {name: list(values) for name, values in metric.labels.items()}
        assert each["meaning"] == metric.meaning


def test_people_get_a_table_with_one_line_each() -> None:
    lines = called("metrics", "list").splitlines()
    assert lines[0].split() == ["name", "type", "unit", "labels", "meaning"]
    assert len(lines) == len(TABLE) + 1
