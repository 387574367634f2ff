"""What a throttle topic that forgets too soon does to leases that still hold.

`make integration` runs this: a broker of its own has to forget, which it does when its time comes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from streams.cluster.admin import Cluster
from streams.cluster.topics import review
from streams.config import Kafka, Settings
from tests.builders.streams.gateways.enforce.adapter import World, now_ms, throttled
from tests.enforce.records import action
from tests.enforce.services import redis_client, redis_server
from tests.nodes import Broker
from tests.waiting import wait_until

EAGER = {"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500"}
SHORT = {"cleanup.policy": "compact,delete", "retention.ms": "1000", "segment.ms": "100"}
RECIPIENT = "8613900000001"


@pytest.mark.integration
@pytest.mark.kafka
@pytest.mark.faults
def test_a_lease_that_kafka_forgets_is_gone_with_its_adapter_and_topics_check_warns_of_it(
    own_kafka: Callable[..., Broker], tmp_path: Path, unique: str
) -> None:
    broker = own_kafka(properties=EAGER)
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(f"{unique}.throttle", 4, 1, SHORT)
    with redis_server(tmp_path / "redis") as server, closing(redis_client(server)) as keys:
        world = World(broker, server, unique)
        with closing(world.producer), closing(KafkaConsumer(**world.clients)) as consumer:
            with world.adapter():
                world.say(action(RECIPIENT, 1, at_ms=now_ms()))
                wait_until(lambda: throttled(keys) == {RECIPIENT}, "the key is there")
            places = [TopicPartition(world.topics.throttle, number) for number in range(4)]
            wait_until(
                lambda: consumer.beginning_offsets(places) == consumer.end_offsets(places),
                "Kafka has forgotten the lease",
                60,
            )
            with world.adapter():  # fails open: what it does not know it does not hold
                wait_until(lambda: throttled(keys) == set(), "the lease is gone")
        settings = Settings(kafka=world.kafka, topics=world.topics)
        said = [each for each in review(settings)[1] if world.topics.throttle in each]
    assert len([each for each in said if "retention.ms=1000, less than a lease" in each]) == 1
