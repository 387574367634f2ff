"""Shapes of topics: what they should be, what a worker refuses, and a real broker's word."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import replace

import pytest

from streams.cluster import topics as module
from streams.cluster.admin import Cluster, Shape
from streams.config import Settings
from streams.demo.brokers import Broker
from streams.errors import ConfigError, UnavailableError

WANTED = module.topics(Settings())
RIGHT = {topic.name: Shape(topic.partitions, topic.replication, topic.configs) for topic in WANTED}
INPUT, CHANGELOG = "sms.delivery.v1", "otpguard-recipients-changelog"


def check(found: dict[str, Shape], *sentences: str) -> None:
    assert module.problems(WANTED, found) == list(sentences)


def test_what_was_created_is_right() -> None:
    check(RIGHT)


def test_each_missing_topic_is_named() -> None:
    sentences = module.problems(WANTED, {})
    assert len(sentences) == len(WANTED)
    for topic, sentence in zip(WANTED, sentences, strict=True):
        assert sentence == f"topic {topic.name} is missing; `otpguard topics create` makes it"


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_a_changelog_that_deletes_is_refused(policy: str) -> None:
    shape = replace(RIGHT[CHANGELOG], configs={"cleanup.policy": policy})
    check(
        RIGHT | {CHANGELOG: shape},
        f"topic {CHANGELOG} has cleanup.policy={policy}; it must be compact alone",
    )


def test_unequal_partitions_of_input_and_changelog_are_refused() -> None:
    check(
        RIGHT | {INPUT: replace(RIGHT[INPUT], partitions=64)},
        f"topics {INPUT} and {CHANGELOG} have 64 and 32 partitions; these must be equal",
    )


def test_an_input_of_other_partitions_than_the_settings_say_is_refused() -> None:
    other = {name: replace(RIGHT[name], partitions=64) for name in (INPUT, CHANGELOG)}
    check(
        RIGHT | other,
        f"topic {INPUT} has 64 partitions, topics.partitions says 32: it tells which partition a "
        "key belongs to",
    )


def test_partitions_and_retention_of_outputs_are_the_operators() -> None:
    name = "otpguard.throttle.v1"
    check(RIGHT | {name: Shape(3, 1, {"cleanup.policy": "compact,delete", "retention.ms": "1"})})


def test_every_topic_says_why_it_has_its_shape() -> None:
    for topic in WANTED:
        assert topic.why
        assert ("compact" in topic.cleanup) or topic.retention_ms
    durable = {topic.role for topic in WANTED if topic.configs.get("min.insync.replicas") == "2"}
    assert durable == {topic.role for topic in WANTED}


def settings_for(bootstrap: str, name: str, partitions: int = 3) -> Settings:
    names = {topic.role: f"{name}.{topic.role}" for topic in WANTED if topic.role != "changelog"}
    return Settings(
        app_id=name,
        kafka={"bootstrap": bootstrap},
        topics={**names, "partitions": partitions, "replication": 1},
    )


@pytest.mark.broker
def test_topics_are_created_once_and_then_right(broker: Broker, unique: str) -> None:
    settings = settings_for(broker.bootstrap, unique)
    assert len(module.check(settings)) == len(module.topics(settings))
    assert module.create(settings) == [topic.name for topic in module.topics(settings)]
    assert module.create(settings) == []
    assert module.check(settings) == []
    with Cluster(settings.kafka) as cluster:
        shapes = cluster.shapes([settings.topics.input, settings.changelog, "no-such-topic"])
    assert {name: shape.partitions for name, shape in shapes.items()} == {
        settings.topics.input: 3,
        settings.changelog: 3,
    }


@pytest.mark.broker
def test_asking_for_topics_creates_none(broker: Broker, unique: str) -> None:
    settings = settings_for(broker.bootstrap, unique)
    missing = len(module.topics(settings))
    assert len(module.check(settings)) == len(module.check(settings)) == missing


@pytest.mark.broker
def test_a_real_changelog_with_the_wrong_shape_is_refused(kafka: Broker, unique: str) -> None:
    settings = settings_for(kafka.bootstrap, unique)
    with Cluster(settings.kafka) as cluster:
        cluster.create(settings.changelog, 2, 1, {"cleanup.policy": "delete"})
    module.create(settings)
    said = module.check(settings)
    assert [re.search(r"cleanup\.policy=delete|3 and 2 partitions", each) for each in said].count(
        None
    ) == 0
    assert len(said) == 2


def test_no_broker_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnavailableError, match=f"no broker answers at 127.0.0.1:{port}"):
        module.check(settings_for(f"127.0.0.1:{port}", "x"))


def test_a_listener_that_never_shakes_hands_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.cluster.admin.PROBE_S", 0.2)
    settings = settings_for("127.0.0.1:1", "x")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        kafka = settings.kafka.model_copy(update={"bootstrap": bootstrap, "security": "ssl"})
        with pytest.raises(UnavailableError, match="no answer"):
            Cluster(kafka)


def test_a_listener_without_tls_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.0 400 no\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        bootstrap = f"127.0.0.1:{plain.getsockname()[1]}"
        kafka = Settings().kafka.model_copy(update={"bootstrap": bootstrap, "security": "ssl"})
        with pytest.raises(ConfigError, match="does not speak TLS"):
            Cluster(kafka)
        thread.join()


def test_words_about_everyone_share_the_topic_of_the_others_unless_a_name_is_set() -> None:
    apart = module.topics(Settings(topics={"everyone": "otpguard.override.all.v1"}))
    assert {topic.name for topic in apart} - {topic.name for topic in WANTED} == {
        "otpguard.override.all.v1"
    }
    renamed = Settings(topics={"override": "words"}).topics
    assert renamed.everyone == renamed.override == "words"
