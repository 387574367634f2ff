"""Which failures of a Kafka client may pass, and which stay until somebody changes a setting."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from streams.cluster.admin import Cluster, client_arguments, in_a_sentence
from streams.common.errors import ConfigError, OtpguardError, UnavailableError
from streams.config import Kafka
from tests.nodes import Broker
from tests.waiting import END_S, wait_until


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.RequestTimedOutError(), UnavailableError),  # a broker that starts under load
        (errors.CoordinatorLoadInProgressError(), UnavailableError),
        (errors.NotControllerError(), UnavailableError),
        (errors.KafkaTimeoutError(), UnavailableError),
        (errors.KafkaConnectionError(), UnavailableError),
        (errors.TopicAuthorizationFailedError(), ConfigError),
        (errors.InvalidPartitionsError(), ConfigError),
        (ValueError("no such address"), ConfigError),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, expected: type[OtpguardError]) -> None:
    with pytest.raises(expected, match="at kafka:9092"), in_a_sentence("ask", "kafka:9092"):
        raise error


def test_a_librarys_event_loop_does_not_speak_in_our_logs_unless_it_crashes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    selector = logging.getLogger("kafka.net.selector")
    selector.warning("Task heartbeat left RUNNING after step; demoting to ready")
    assert caplog.records == []
    selector.error("IO loop crashed")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("host", ["kafka..svc", ".svc", "k" * 64])
@pytest.mark.parametrize("bootstrap", ["{host}:9092", "127.0.0.1:9,{host}:9092"])
def test_a_name_that_no_host_can_have_is_a_matter_of_configuration(
    host: str, bootstrap: str
) -> None:
    with pytest.raises(ConfigError, match=f"cannot connect at {host}:9092: label"):
        client_arguments(Kafka(bootstrap=bootstrap.format(host=host)))


def test_such_a_name_is_told_even_if_another_broker_answers() -> None:
    """Clients resolve every name, and the error of this one is none of Kafka's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ConfigError, match=r"cannot connect at kafka\.\.svc:9092: label"):
            client_arguments(Kafka(bootstrap=f"{near},kafka..svc:9092"))


@pytest.mark.broker
def test_lag_members_and_late_records_are_told_by_partition(broker: Broker, unique: str) -> None:
    kafka = Kafka(bootstrap=broker.bootstrap)
    clients = client_arguments(kafka)
    now_ms = int(time.time() * 1000)
    with Cluster(kafka) as cluster, closing(KafkaProducer(**clients)) as producer:
        cluster.create(unique, 2, 1, {})
        assert (cluster.lag(unique, unique), cluster.members(unique, unique)) == ({}, {})
        for partition, age_ms in ((0, 7_200_000), (0, 1000), (0, 0), (1, 0)):
            producer.send(unique, b"x", partition=partition, timestamp_ms=now_ms - age_ms).get(
                timeout=END_S
            )
        assert cluster.count_since(unique, now_ms - 3_600_000) == 3
        assert cluster.count_since(f"{unique}.none", 0) is None
        with closing(KafkaConsumer(unique, **clients, group_id=unique)) as consumer:
            wait_until(lambda: consumer.poll(timeout_ms=100) or consumer.assignment())
            places = {TopicPartition(unique, n): OffsetAndMetadata(1, "", -1) for n in (0, 1)}
            consumer.commit(places)
            assert cluster.lag(unique, unique) == {0: 2, 1: 0}
            assert list(cluster.members(unique, unique).values()) == [2]
