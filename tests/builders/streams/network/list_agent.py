"""Builders that test_list_agent.py shares with other tests."""

from __future__ import annotations

from typing import Any

from detectors.hot.network import authentic
from detectors.model.event import HotList
from streams.cluster.admin import Cluster, client_arguments
from streams.config import Kafka
from streams.wire import Intake, Numbers, decode
from tests.nodes import Broker
from tests.reading import written

KEY = b"a key of sixteen"


PARTITIONS = 3


INTAKE = Intake(Numbers("CN"), listed=True)


class Input:
    def __init__(self, broker: Broker, name: str) -> None:
        kafka = Kafka(bootstrap=broker.bootstrap)
        self.clients: dict[str, Any] = client_arguments(kafka)
        self.name = name
        with Cluster(kafka) as cluster:
            cluster.create(name, PARTITIONS, 1, {})

    def lists(self) -> list[list[HotList]]:
        """By partition, as a worker reads them."""
        found: list[list[HotList]] = [[] for _ in range(PARTITIONS)]
        for record in written(self.clients, self.name):
            assert record.key is None
            batch = decode(INTAKE, "in", 0, [record.value], [record.key], [0], None, 1).batch
            assert batch.listed is not None
            told = batch.listed(0)
            assert told is not None
            assert authentic((KEY,), told)
            found[record.partition].append(told)
        return found
