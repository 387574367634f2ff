"""Attacks of the evaluation alone; their shapes are in `test_catalog`."""

from __future__ import annotations

import pytest

from streams.tools.scenarios import DEFAULT_START_MS
from streams.tools.scenarios.message_writer import MessageWriter
from tests.builders.streams.tools.scenarios.catalog import attack, run
from tests.scenarios.attacks import a18


def test_a_later_wave_succeeds_in_a_fifth() -> None:
    for seed in range(20):
        flood = attack(run("A3", seed, waves=11, platforms=300, period_s=60))
        assert (len(flood) - 300) / 10 == pytest.approx(60, rel=0.1)


def test_behind_one_sender_only_the_text_names_a_platform() -> None:
    flood = attack(list(a18(MessageWriter("A18", 1, 5), DEFAULT_START_MS)))
    assert {event.value["sender"] for event in flood} == {"AUTHMSG"}
    assert all(event.truth.platform in event.value["text"] for event in flood)
