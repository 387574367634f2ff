"""What the live screen reads: records as they come, and explanations with or without numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from detectors.model.records import Level
from streams import config
from streams.cases.store.opening import CASE_TOPICS
from streams.cli import top_feed
from streams.cli.shared import ago_ms
from streams.cli.top_feed import TopFeed
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import records
from streams.common.errors import ConfigError
from streams.wire import decode_audit, encode_episode, encode_override, override_key
from tests.builders.streams.cases.standing import OPENED
from tests.builders.streams.cli.cases import Desk, desk
from tests.builders.streams.cli.top import put_flood
from tests.enforce.records import override
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

__all__ = ["desk"]

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("numbers", [False, True])
def test_a_flood_that_begins_is_seen_and_explained(desk: Desk, numbers: bool) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    with TopFeed(settings, ago_ms("1h"), numbers=numbers) as feed:
        assert feed.frame().floods == 0
        put_flood(desk, 5, 8)

        def seen() -> bool:
            feed.step()
            return [row.case.state for row in feed.frame().rows] == ["throttled"]

        wait_until(seen)
        (row,) = feed.frame().rows
        told = "\n".join(feed.explain(row.case.episode_id))
        assert "THROTTLE (enforce)" in told
        assert ("8613900000005" in told) is numbers
        assert feed.explain("1:sms.delivery.v1:9:9") == ["this flood is over"]
    clients = client_arguments(settings.kafka)
    looks = [decode_audit(each.value) for each in records(clients, desk.topics["audit"])]
    assert [(each.verb, each.detail) for each in looks] == (
        [("search", row.case.episode_id)] if numbers else []
    )


def test_overrides_are_read_from_their_beginning_and_floods_from_a_time(desk: Desk) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    word = override("mode", recipient="*", mode="off", issued_at_ms=1000, expires_at_ms=None)
    topic, key = desk.topics["everyone"], override_key(word)
    old_ms = int(time.time() * 1000) - 3_600_000
    desk.producer.send(topic, encode_override(word), key, timestamp_ms=old_ms).get(timeout=END_S)
    put_flood(desk, 1, 8)
    with TopFeed(settings, int(time.time() * 1000) + 1, numbers=False) as feed:
        caught_up(feed)
        frame = feed.frame()
        off = "off (kill switch; end: otpguard mode normal)"
        assert (frame.mode, frame.floods) == (off, 0)
        put_flood(desk, 2, 8)

        def is_shown() -> bool:
            feed.step()
            frame = feed.frame()
            return frame.lines()[0] == f"mode {off}   1 flood: 0 refused, 1 observed"

        wait_until(is_shown)
        desk.producer.send(topic, None, key).get(timeout=END_S)

        def seen() -> bool:
            feed.step()
            frame = feed.frame()
            return (frame.mode, [each.case.state for each in frame.rows]) == (
                "shadow",
                ["throttled"],
            )

        wait_until(seen)


def test_what_cannot_be_read_is_counted_and_a_missing_topic_is_left_out(desk: Desk) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    desk.put("episode", b"{")
    put_flood(desk, 1, 8, Level.WATCH)
    for name, floods in (("counts", 1), ("episode", 0)):
        topics = settings.topics.model_copy(update={name: "nowhere"})
        nowhere = settings.model_copy(update={"topics": topics})
        with TopFeed(nowhere, ago_ms("1h"), numbers=False) as feed:
            caught_up(feed)
            assert (feed.frame().floods, feed.frame().unreadable) == (floods, floods)
    topics = settings.topics.model_copy(update=dict.fromkeys(CASE_TOPICS, "nowhere"))
    with pytest.raises(ConfigError, match="no topic nowhere"):
        TopFeed(settings.model_copy(update={"topics": topics}), 0, numbers=False)


def test_floods_that_are_long_over_are_forgotten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    put_flood(desk, 1, 8)
    ended = replace(OPENED, episode_id="1:sms.delivery.v1:0:2", level=Level.CLEAR)  # long ago
    desk.put("episode", encode_episode(ended))
    with TopFeed(settings, ago_ms("1h"), numbers=False) as feed:
        assert "still reading" in feed.frame().lines()[-1]
        caught_up(feed)
        assert "still reading" not in feed.frame().lines()[-1]
        assert "over" in feed.explain(ended.episode_id)[0]
        monkeypatch.setattr(top_feed, "FORGET_S", 0.0)
        feed.step()
        assert feed.explain(ended.episode_id) == ["this flood is over"]
        assert feed.frame().floods == 1


@pytest.mark.kafka
def test_a_topic_that_is_created_again_is_read_anew(desk: Desk, kafka: Broker) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    for n in (1, 2):
        put_flood(desk, n, 8)
    with (
        TopFeed(settings, ago_ms("1h"), numbers=False) as feed,
        closing(KafkaAdminClient(**client_arguments(desk.kafka))) as admin,
        Cluster(desk.kafka) as cluster,
    ):
        caught_up(feed)
        assert feed.frame().floods == 2
        topics = {desk.topics["episode"], desk.topics["throttle"]}
        admin.delete_topics([*topics])
        wait_until(lambda: not cluster.names() & topics)
        for topic in topics:
            cluster.create(topic, 3, 1, {})
        wait_until(lambda: cluster.names() >= topics)
        for n in range(3, 15):  # More records than the old topic had: no offset tells of it.
            put_flood(desk, n, 8)

        def seen() -> bool:
            feed.step()
            shown = sorted(each.case.recipient[-4:] for each in feed.frame().rows)
            return shown == [f"{n:04}" for n in range(3, 15)]

        wait_until(seen)


@pytest.mark.kafka
def test_brokers_that_restart_are_waited_for(
    own_kafka: Callable[..., Broker], tmp_path: Path, unique: str
) -> None:
    broker = own_kafka()
    desk = Desk(broker, tmp_path, unique)
    settings = config.load(tmp_path / "otpguard.toml")
    put_flood(desk, 1, 8)

    def shows(floods: int, unanswered: bool) -> bool:
        feed.step()
        frame = feed.frame()
        silent = any("no broker answers since" in line for line in frame.lines())
        return (frame.floods, silent) == (floods, unanswered)

    with TopFeed(settings, ago_ms("1h"), numbers=False) as feed:
        wait_until(lambda: shows(1, unanswered=False))
        broker.stop()
        wait_until(lambda: shows(1, unanswered=True))
        broker.start()
        with closing(desk.producer):
            put_flood(desk, 2, 8)
        wait_until(lambda: shows(2, unanswered=False))


def caught_up(feed: TopFeed) -> None:
    while feed.is_behind():
        feed.step()


def test_what_brokers_do_not_tell_is_not_known(desk: Desk) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    topics = settings.topics.model_copy(update={"dead_letters": "nowhere"})
    nowhere = settings.model_copy(update={"topics": topics})
    with TopFeed(nowhere, ago_ms("1h"), numbers=False) as feed:
        facts = feed.frame().facts
    assert (facts.lag, facts.dead_letters) == ({}, None)  # no worker yet, and no such topic
