"""Builders that test_read.py shares with other tests."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from streams.cluster.admin import Cluster
from streams.config import Kafka
from tests.waiting import wait_until


def remade(clients: dict[str, Any], topic: str, *values: bytes, partitions: int = 1) -> None:
    """Delete a topic, and create it anew with these values in its first partition."""
    with closing(KafkaAdminClient(**clients)) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in admin.list_topics(), "deleted")
    with Cluster(Kafka(bootstrap=",".join(clients["bootstrap_servers"]))) as cluster:
        cluster.create(topic, partitions, 1, {})
    with closing(KafkaProducer(**clients, acks="all")) as producer:
        for value in values:
            producer.send(topic, value, key=b"k", partition=0)
        producer.flush()
