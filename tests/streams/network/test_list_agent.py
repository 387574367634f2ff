"""The network's list on a broker: every partition gets it, when it changed and now and then."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from detectors.thresholds import HOT_VALID_MS
from streams.common.errors import ConfigError
from streams.network.list_agent import PACE_MS, REPEAT_MS, ListWriter
from streams.telemetry.metrics import Metrics
from tests.builders.streams.network.list_agent import KEY, Input
from tests.nodes import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture
def place(kafka: Broker, unique: str) -> Input:
    return Input(kafka, unique)


def test_every_partition_gets_what_changed_and_in_time_what_holds(place: Input) -> None:
    metrics = Metrics("platforms")
    now_ms = time.time_ns() // 1_000_000
    with closing(ListWriter(place.clients, place.name, KEY, metrics)) as writer:
        assert not writer.tell([], now_ms), "nothing was told, and nothing is"
        assert writer.tell([7, 5], now_ms)
        assert not writer.tell([5, 7], now_ms + 1), "the same"
        assert not writer.tell([5], now_ms + PACE_MS - 1), "too soon"
        assert writer.tell([5], now_ms + PACE_MS)
        assert not writer.tell([5], now_ms + PACE_MS + REPEAT_MS - 1)
        assert writer.tell([5], now_ms + PACE_MS + REPEAT_MS)
        assert writer.tell([], now_ms + 2 * PACE_MS + REPEAT_MS), "what was told is taken back"
        writer.forget()
        assert writer.tell([5], now_ms + 3 * PACE_MS + REPEAT_MS), "another owner told meanwhile"
    lists = place.lists()
    assert [told.platforms for told in lists[0]] == [(5, 7), (5,), (5,), (), (5,)]
    assert lists[0] == lists[1] == lists[2]
    assert all(told.valid_until_ms == told.version_ms + HOT_VALID_MS for told in lists[0])
    sample = metrics.registry.get_sample_value
    assert sample("otpguard_hot_lists_told_total") == 5
    assert sample("otpguard_hot_list_platforms") == 1


def test_without_the_input_there_is_nothing_to_write_to(place: Input) -> None:
    with pytest.raises(ConfigError, match="absent"):
        ListWriter(place.clients, f"{place.name}.absent", KEY, Metrics("platforms"))
