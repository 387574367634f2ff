"""Shapes of topics: what they should be, what a worker refuses, and a real broker's word."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams.cli.topics_command import app
from streams.cluster import topics as module
from streams.cluster.admin import Cluster, Shape, client_arguments
from streams.cluster.read import records
from streams.common.errors import ConfigError, UnavailableError
from streams.config import Settings, load
from tests.nodes import Broker
from tests.waiting import END_S

ROLES_NAMED = (
    "input", "throttle", "episode", "acks", "override", "everyone", "undeliverable", "dead_letters",
    "incident", "counts", "audit", "notice", "campaign", "platform_parts",
    "platform",
)  # fmt: skip
WANTED = module.topics(Settings())
RIGHT = {topic.name: Shape(topic.partitions, topic.replication, topic.configs) for topic in WANTED}
INPUT, CHANGELOG = "sms.delivery.v1", "otpguard-recipients-changelog"


def check(found: dict[str, Shape], *sentences: str) -> None:
    assert module.problems(WANTED, found) == list(sentences)


def test_what_was_created_is_right() -> None:
    check(RIGHT)


def test_each_missing_topic_is_named() -> None:
    for topic in WANTED:
        found = {name: shape for name, shape in RIGHT.items() if name != topic.name}
        said = f"topic {topic.name} is missing; `otpguard topics create` makes it"
        needed = topic.role not in module.MEMORY
        check(found, *[said] * needed)
        assert module.cautions(WANTED, found) == [said] * (not needed)
    names = ", ".join(topic.name for topic in WANTED if topic.role not in module.MEMORY)
    check({}, f"topics {names} are missing; `otpguard topics create` makes them")


def test_what_only_remembers_may_be_missing_and_whoever_looks_is_told() -> None:
    (said,) = module.cautions(WANTED, {}, "user x")
    for role in module.MEMORY:
        assert next(topic.name for topic in WANTED if topic.role == role) in said
    assert "or user x has no right to see them" in said
    assert module.cautions(WANTED, RIGHT) == []


def test_who_may_not_look_at_rights_cannot_know_that_a_topic_is_not_there() -> None:
    found = {name: shape for name, shape in RIGHT.items() if name != INPUT}
    (sentence,) = module.problems(WANTED, found, "user otpguard-worker")
    assert f"topic {INPUT} is missing, or user otpguard-worker has no right to see it" in sentence
    assert "`otpguard topics acls` lists the rights" in sentence


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_a_changelog_that_deletes_is_refused(policy: str) -> None:
    shape = replace(RIGHT[CHANGELOG], configs={"cleanup.policy": policy})
    check(
        RIGHT | {CHANGELOG: shape},
        f"topic {CHANGELOG} has cleanup.policy={policy}; it must be compact alone; "
        f"`kafka-configs.sh --alter --topic {CHANGELOG} --add-config cleanup.policy=compact` "
        "mends it",
    )


def test_what_a_broker_does_not_report_is_not_judged() -> None:
    """Without DESCRIBE_CONFIGS a topic has no settings: a remedy would delete the kill switch."""
    silent = {name: replace(shape, configs={}) for name, shape in RIGHT.items()}
    check(silent)
    assert module.cautions(WANTED, silent) == []


def test_unequal_partitions_of_input_and_changelog_are_refused() -> None:
    check(
        RIGHT | {INPUT: replace(RIGHT[INPUT], partitions=64)},
        f"topics {INPUT} and {CHANGELOG} have 64 and 32 partitions; these must be equal",
    )


def test_an_input_of_other_partitions_than_the_settings_say_is_refused() -> None:
    other = {name: replace(RIGHT[name], partitions=64) for name in (INPUT, CHANGELOG)}
    check(
        RIGHT | other,
        f"topic {INPUT} has 64 partitions, topics.partitions is 32: the number decides which "
        "partition a key belongs to",
    )


def test_partitions_and_retention_of_outputs_are_the_operators() -> None:
    name = "otpguard.throttle.v1"
    check(RIGHT | {name: Shape(3, 1, {"cleanup.policy": "compact,delete", "retention.ms": "1"})})


@pytest.mark.parametrize("role", [each.role for each in WANTED if "delete" in each.cleanup])
def test_a_topic_that_deletes_is_made_of_segments_that_go_with_their_records(role: str) -> None:
    topic = next(each for each in WANTED if each.role == role)
    assert topic.retention_ms
    assert int(topic.configs["segment.ms"]) * 10 <= topic.retention_ms


@pytest.mark.parametrize("role", [each.role for each in WANTED if "delete" in each.cleanup])
def test_a_segment_that_outlasts_its_retention_is_a_caution_with_its_remedy(role: str) -> None:
    topic = next(each for each in WANTED if each.role == role)
    long_ms = worse(topic, "segment.ms")["segment.ms"]
    (said,) = module.cautions(
        WANTED, RIGHT | {topic.name: Shape(8, 3, {**topic.configs, "segment.ms": long_ms})}
    )
    assert said.startswith(f"topic {topic.name} has segment.ms={long_ms} at retention.ms=")
    assert f"--add-config segment.ms={topic.configs['segment.ms']}`" in said
    if role == "dead_letters":
        assert "records last up to 10.0 days" in said


@pytest.mark.parametrize(
    ("configs", "right"),
    [
        ({"message.timestamp.type": "LogAppendTime"}, True),
        ({"message.timestamp.type": "CreateTime"}, False),
        (
            {
                "message.timestamp.type": "CreateTime",
                "message.timestamp.after.max.ms": "9223372036854775807",
            },
            False,
        ),
        (
            {
                "message.timestamp.type": "CreateTime",
                "message.timestamp.after.max.ms": "3600000",
            },
            True,
        ),
        ({}, True),  # a broker that does not say
    ],
)
def test_an_input_that_takes_any_time_of_its_producers_is_a_caution(
    configs: dict[str, str], right: bool
) -> None:
    said = module.cautions(WANTED, RIGHT | {INPUT: Shape(32, 3, configs)})
    assert [f"--topic {INPUT} --add-config message.timestamp.type=" in each for each in said] == (
        [] if right else [True]
    )


def test_leases_that_kafka_forgets_before_they_are_over_are_a_caution() -> None:
    name = "otpguard.throttle.v1"
    short = {"cleanup.policy": "compact,delete", "retention.ms": "600000", "segment.ms": "60000"}
    (said,) = module.cautions(WANTED, RIGHT | {name: Shape(8, 3, short)})
    assert "less than a lease" in said


def test_a_topic_that_keeps_texts_for_ever_is_a_caution() -> None:
    for_ever = {"cleanup.policy": "delete", "retention.ms": "-1", "segment.ms": "604800000"}
    (said,) = module.cautions(WANTED, RIGHT | {"sms.delivery.v1.dlq": Shape(8, 3, for_ever)})
    assert "keeps records for ever" in said


def test_what_was_created_needs_no_caution() -> None:
    assert module.cautions(WANTED, RIGHT) == []


def test_overrides_in_several_partitions_are_a_caution() -> None:
    topic = next(each for each in WANTED if each.role == "override")
    (said,) = module.cautions(
        WANTED, RIGHT | {topic.name: Shape(8, topic.replication, topic.configs)}
    )
    assert said.startswith(f"topic {topic.name} has 8 partitions and must have one")


WEEK_MS = 604_800_000  # Kafka's own default of a segment

WORSE = {
    "retention.ms": {"retention.ms": "-1"},
    "segment.ms": {"segment.ms": "604800000"},
    "message.timestamp.type": {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": str(2**63 - 1),
    },
    "min.cleanable.dirty.ratio": {"min.cleanable.dirty.ratio": "0.5"},
    "max.compaction.lag.ms": {"max.compaction.lag.ms": str(2**63 - 1)},
    "min.compaction.lag.ms": {"min.compaction.lag.ms": "0"},
    "segment.bytes": {"segment.bytes": str(1 << 30)},
    "delete.retention.ms": {"delete.retention.ms": "86400000"},
    "min.insync.replicas": {"min.insync.replicas": "1"},
}
"""Most of them are Kafka's own defaults."""


def worse(topic: module.Topic, key: str) -> dict[str, str]:
    """The topic's settings with this one as a broker or a careless hand would have it."""
    if key == "cleanup.policy":
        return topic.configs | {key: "delete" if topic.cleanup == "compact" else "compact"}
    if key == "segment.ms" and (topic.retention_ms or 0) > 10 * WEEK_MS:
        return topic.configs | {key: str(topic.retention_ms)}  # to which a week does nothing
    return topic.configs | WORSE[key]


SET = [(topic, key) for topic in WANTED for key in topic.configs]


@pytest.mark.parametrize(("topic", "key"), SET, ids=[f"{t.role}-{key}" for t, key in SET])
def test_every_setting_that_create_sets_is_checked(topic: module.Topic, key: str) -> None:
    found = RIGHT | {topic.name: Shape(topic.partitions, 3, worse(topic, key))}
    (said,) = module.problems(WANTED, found) + module.cautions(WANTED, found)
    assert said.startswith(f"topic {topic.name} ")
    assert key in said or key in ("message.timestamp.type", "retention.ms")


@pytest.mark.parametrize("topic", WANTED, ids=[topic.role for topic in WANTED])
def test_fewer_copies_than_wanted_are_a_caution(topic: module.Topic) -> None:
    found = RIGHT | {topic.name: replace(RIGHT[topic.name], replication=2)}
    (said,) = module.cautions(WANTED, found)
    assert said.startswith(f"topic {topic.name} has 2 copies, topics.replication says 3")


def test_settings_that_are_stricter_than_ours_are_no_caution() -> None:
    stricter = {
        "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "9000",
        "min.compaction.lag.ms": "86400000", "segment.bytes": "1048576",
        "delete.retention.ms": "60000", "min.insync.replicas": "3",
    }  # fmt: skip
    for topic in WANTED:
        ours = {key: stricter.get(key, value) for key, value in topic.configs.items()}
        assert module.cautions(WANTED, RIGHT | {topic.name: Shape(topic.partitions, 4, ours)}) == []


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
    (sentence,) = module.review(settings)[0]
    assert "are missing" in sentence
    assert module.create(settings) == [topic.name for topic in module.topics(settings)]
    assert module.create(settings) == []
    assert module.review(settings)[0] == []
    with Cluster(settings.kafka) as cluster:
        shapes = cluster.shapes([settings.topics.input, settings.changelog, "no-such-topic"])
    assert {name: shape.partitions for name, shape in shapes.items()} == {
        settings.topics.input: 3,
        settings.changelog: 3,
    }


@pytest.mark.broker
def test_a_brokers_own_defaults_are_cautioned_about_and_created_topics_are_not(
    kafka: Broker, unique: str
) -> None:
    settings = settings_for(kafka.bootstrap, unique)
    name = settings.topics.dead_letters
    with Cluster(settings.kafka) as cluster:
        any_time = {"message.timestamp.after.max.ms": str(2**63 - 1)}  # Kafka 3's own default
        cluster.create(settings.topics.input, 3, 1, {"retention.ms": "86400000", **any_time})
        cluster.create(name, 3, 1, {"cleanup.policy": "delete", "retention.ms": "259200000"})
    module.create(settings)
    problems, said = module.review(settings)
    assert problems == []
    assert len(said) == 3
    assert "segment.ms=604800000" in said[0]
    assert "takes any time" in said[1]
    assert name in said[2]


@pytest.mark.broker
def test_a_real_broker_tells_each_setting_that_is_worse(kafka: Broker, unique: str) -> None:
    settings = settings_for(kafka.bootstrap, unique)
    wanted = {
        (topic.role, key): replace(topic, name=f"{unique}.{topic.role}.{key}", partitions=1)
        for topic in module.topics(settings)
        for key in topic.configs
    }
    with Cluster(settings.kafka) as cluster:
        for (_, key), topic in wanted.items():
            cluster.create(topic.name, 1, 1, worse(topic, key))
        found = cluster.shapes(topic.name for topic in wanted.values())
    for (role, key), topic in wanted.items():
        told = [
            topic if each.role == role else replace(each, partitions=1)
            for each in module.topics(settings)
        ]
        said = module.cautions(told, found) + module.problems(told, found)
        about = [each for each in said if f"topic {topic.name} " in each and "missing" not in each]
        assert about, (role, key)
        assert len(about) == 1 or key == "cleanup.policy", about  # what deletes, by Kafka's segment


@pytest.mark.broker
def test_create_names_what_is_wrong_with_topics_that_were_there(
    kafka: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "APP_ID": unique, "KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPICS_PARTITIONS": "2",
        "TOPICS_REPLICATION": "1",
        **{f"TOPICS_{role.upper()}": f"{unique}.{role}" for role in ROLES_NAMED},
    }.items():  # fmt: skip
        monkeypatch.setenv(f"OTPGUARD_{name}", value)
    with Cluster(load().kafka) as cluster:
        cluster.create(f"{unique}.dead_letters", 2, 1, {"retention.ms": "259200000"})
    done = CliRunner().invoke(app, ["create"])
    assert done.exit_code == 0, done.output
    assert f"note: topic {unique}.dead_letters has segment.ms=604800000" in done.output
    assert f"created {unique}.input" in done.output
    assert CliRunner().invoke(app, ["check"]).exit_code != 0


@pytest.mark.broker
def test_the_brokers_clock_dates_the_input_whatever_a_producer_writes(
    kafka: Broker, unique: str
) -> None:
    settings = settings_for(kafka.bootstrap, unique)
    module.create(settings)
    clients = client_arguments(settings.kafka)
    before_ms = time.time_ns() // 1_000_000
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for wrong_ms in (before_ms + 365 * 86_400_000, 0):
            sent = producer.send(settings.topics.input, b"{}", timestamp_ms=wrong_ms)
            sent.get(timeout=END_S)
    found = list(records(clients, settings.topics.input))
    assert len(found) == 2
    for record in found:
        assert abs(record.timestamp - before_ms) < 60_000


@pytest.mark.broker
def test_asking_for_topics_creates_none(broker: Broker, unique: str) -> None:
    settings = settings_for(broker.bootstrap, unique)
    wanted = module.topics(settings)
    names = ", ".join(topic.name for topic in wanted if topic.role not in module.MEMORY)
    for _ in range(2):
        (sentence,) = module.review(settings)[0]
        assert f"topics {names} are missing" in sentence


@pytest.mark.broker
def test_a_real_changelog_with_the_wrong_shape_is_refused(kafka: Broker, unique: str) -> None:
    settings = settings_for(kafka.bootstrap, unique)
    with Cluster(settings.kafka) as cluster:
        cluster.create(settings.changelog, 2, 1, {"cleanup.policy": "delete"})
    module.create(settings)
    said = module.review(settings)[0]
    assert [re.search(r"cleanup\.policy=delete|3 and 2 partitions", each) for each in said].count(
        None
    ) == 0
    assert len(said) == 2


def test_no_broker_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnavailableError, match=f"no broker answers at 127.0.0.1:{port}"):
        module.review(settings_for(f"127.0.0.1:{port}", "x"))


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
