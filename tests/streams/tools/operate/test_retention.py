"""Topics that hold an erased number, and until when, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.model.times import DAY_MS
from streams.cluster.topics import create
from streams.common.language import moment
from streams.config import Settings
from streams.tools.operate.retention import still_held
from tests.builders.streams.cases.store.indexer import Site
from tests.enforce.records import START_MS
from tests.nodes import Broker

NEWEST = dict.fromkeys(("episode", "throttle", "acks", "incident", "override", "notice", "audit"),
                       START_MS)  # fmt: skip


@pytest.mark.broker
def test_each_topic_says_until_when_by_the_brokers_own_settings(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    site = Site(broker, unique, tmp_path)
    site.producer.close()
    assert create(site.settings) == []
    said = dict(still_held(site.settings, NEWEST))
    name = site.names
    episode = moment(START_MS + 30 * DAY_MS + 3 * DAY_MS)  # the retention, and a segment
    assert said[name["episode"]] == f"until {episode} at the latest"
    assert said[name["incident"]] == f"until {moment(START_MS + 198 * DAY_MS)} at the latest"
    assert "1.1 days after the number's last message" in said[name["input"]]
    assert "texts and all" in said[name["dead_letters"]]
    assert "tidy" in said[name["override"]]
    assert name["everyone"] not in said, "it names nobody"
    assert name["counts"] not in said, "it names leases alone"
    assert "longest idle" in said[site.settings.changelog]


def test_topics_of_which_nothing_is_known_are_left_out_and_brokers_may_be_away() -> None:
    settings = Settings(kafka={"bootstrap": "127.0.0.1:1"})
    said = dict(still_held(settings, {"episode": START_MS}))
    assert set(said) == {
        settings.topics.input, settings.topics.dead_letters, settings.topics.undeliverable,
        settings.topics.episode, settings.changelog,
    }  # fmt: skip
