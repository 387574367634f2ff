"""Builders that test_overrides_tidied.py shares with other tests."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaProducer

from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from streams.wire import Override, encode_override, override_key
from tests.nodes import Broker
from tests.reading import written


class Words:
    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self.clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
        with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
            cluster.create(name, 1, 1, {"cleanup.policy": "compact"})
        self.producer = KafkaProducer(**self.clients, acks="all")

    def say(self, *words: Override) -> None:
        for word in words:
            self.producer.send(self.name, encode_override(word), key=override_key(word))
        self.producer.flush()

    def standing(self) -> Mapping[bytes, bytes]:
        """What a reader of all of the topic ends up with."""
        newest = {record.key: record.value for record in written(self.clients, self.name)}
        return {key: value for key, value in newest.items() if value is not None}
