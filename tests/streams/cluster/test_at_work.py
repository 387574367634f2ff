"""Which gateways are at work, by a topic on which others say thousands of things a minute."""

from __future__ import annotations

from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.at_work import gateways_at_work
from streams.cluster.prompt import LATELY
from streams.common.clock import now_ms
from streams.config import Kafka
from streams.wire import Ack, encode_ack
from tests.nodes import Broker

MINUTE_MS = 60_000


@pytest.mark.kafka
def test_a_gateway_that_went_deaf_is_found_behind_thousands_of_acknowledgements(
    kafka: Broker, unique: str
) -> None:
    clients = client_arguments(Kafka(bootstrap=kafka.bootstrap))
    with Cluster(Kafka(bootstrap=kafka.bootstrap)) as cluster:
        cluster.create(unique, 2, 1, {})
    now = now_ms()
    spoken = [("smsc-old", now - 26 * 60 * MINUTE_MS), ("smsc-deaf", now - 200 * MINUTE_MS)]
    spoken += [("smsc-late", now - 4 * MINUTE_MS)]
    with closing(KafkaProducer(**clients)) as producer:
        for gateway, at_ms in spoken:
            for n in range(3 * LATELY):
                name = gateway if n < 20 else "smsc-1"
                ack = Ack(action_id=f"1:x:0:{n}", gateway_id=name, state="applied", why="",
                          at_ms=at_ms + n)  # fmt: skip
                producer.send(unique, encode_ack(ack), partition=n % 2, timestamp_ms=at_ms + n)
        for n, value in enumerate((b"nonsense", b'{"schema_version":9}')):
            producer.send(unique, value, partition=n, timestamp_ms=now)
        producer.flush()
    places = [TopicPartition(unique, number) for number in range(2)]
    with closing(KafkaConsumer(**clients, enable_auto_commit=False)) as consumer:
        found = gateways_at_work(consumer, places, now)
        assert set(found) == {"smsc-1", "smsc-deaf", "smsc-late"}
        assert found["smsc-deaf"] < now - 199 * MINUTE_MS
        assert [consumer.position(place) for place in places] == list(
            consumer.end_offsets(places).values()
        )
        assert consumer.paused() == set()
