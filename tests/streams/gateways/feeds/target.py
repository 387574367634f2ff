"""An empty topic that a feed publishes to."""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from tests.nodes import Broker
from tests.reading import written


class TargetTopic:
    """A topic of this test alone, and its producer."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self.clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
        with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
            cluster.create(name, 2, 1, {})
        self.producer = KafkaProducer(**self.clients, acks="all", linger_ms=1)

    def records(self) -> list[Any]:
        """All that was published, to the end of the topic."""
        return written(self.clients, self.name)
