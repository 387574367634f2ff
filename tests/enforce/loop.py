"""Starts and stops the whole loop with real parts, for a test.

Client, Jasmin, Redis, feed, Kafka, worker, adapter, Redis, Jasmin, SMSC.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.cluster.topics import create
from streams.config import Settings, Topics, load
from streams.wire import decode_action
from streams.wire.desired_state import DesiredState, desired_lease, take_action
from tests.enforce.services import (
    Jasmin,
    ours,
    redis_client,
    redis_server,
)
from tests.enforce.smpp_ends import smsc
from tests.nodes import Broker
from tests.waiting import END_S, wait_until


class Loop:
    """Everything between a sender and a phone."""

    def __init__(
        self, broker: Broker, folder: Path, name: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.redis = redis_server(folder / "redis")
        self.config = folder / "otpguard.toml"
        topics = [each for each in Topics.model_fields if each not in ("partitions", "replication")]
        lines = [
            f'app_id = "{name}"',
            'mode = "enforce"',
            'input = {country = "CN"}',
            f'kafka = {{bootstrap = "{broker.bootstrap}"}}',
            f'redis = {{url = "redis://127.0.0.1:{self.redis.port}/0"}}',
            f'worker = {{data_dir = "{folder}/worker"}}',
            "[topics]",
            "partitions = 4",
            "replication = 1",
            *(f'{topic} = "{name}.{topic}"' for topic in topics),
            "[detect]",
            "recipients_max = 200_000",
            *(f"{key} = {value}" for key, value in (settings or {}).items()),
        ]
        self.config.write_text("\n".join(lines) + "\n")
        self.settings = load(self.config)
        program = partial(ours, self.config, folder)
        self.worker = program("worker", "worker")
        self.feed = program("feed", "feed", "redis", "--consumer", "feed-1")
        self.adapter = program("adapter", "enforce", "redis", "--gateway-id", "jasmin-1")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            create(self.settings)
            self.centre = stack.enter_context(smsc())
            stack.enter_context(self.redis)
            self.jasmin = stack.enter_context(
                Jasmin(self.folder / "jasmin", self.redis.port, self.centre.port)
            )
            for server in (self.worker, self.feed, self.adapter):
                stack.enter_context(server)
            self.keys = stack.enter_context(closing(redis_client(self.redis)))
            for server in (self.worker, self.adapter):
                wait_until(lambda: ready(server.port), f"{server.name} is ready")  # noqa: B023
            self.client = stack.enter_context(closing(self.jasmin.client()))
            self.client.submit("8613000000000", "10690000000", "imports the interceptor")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def remember(self, values: Iterable[Mapping[str, Any]]) -> None:
        """Put a history on the input topic, as a feed of old records would."""
        remember(self.settings, values)

    def throttled(self) -> set[str]:
        """Recipients under lease in Redis."""
        keys = self.keys.scan_iter("otpguard:throttle:*")
        return {key.decode().rsplit(":", 1)[-1] for key in keys}

    def lease(self, recipient: str) -> dict[str, Any]:
        """What Redis says of a recipient under lease."""
        value = self.keys.get(f"otpguard:throttle:{recipient}")
        assert value is not None
        return json.loads(value)

    def held(self) -> dict[str, str]:
        """The action that Redis holds for each recipient."""
        return {each: self.lease(each)["action"] for each in self.throttled()}

    def expected(self) -> dict[str, str]:
        """What it should hold, by the topic alone."""
        book = DesiredState(RailParams())
        clients = client_arguments(self.settings.kafka)
        for record in records(clients, self.settings.topics.throttle):
            take_action(book, decode_action(record.value), now_ms())
        standing_now = {each: desired_lease(book, each, now_ms()) for each in book.entries}
        return {
            each: lease.action_id
            for each, lease in standing_now.items()
            if isinstance(lease, Lease)
        }

    def crossing(self, recipient: str) -> dict[str, Any]:
        """The event that brought a recipient under lease."""
        return cause(self.settings, self.lease(recipient)["action"])


def cause(settings: Settings, action_id: str) -> dict[str, Any]:
    """The event that caused an action: the id says where it is."""
    _, _, partition, offset = action_id.rsplit(":", 3)
    place = TopicPartition(settings.topics.input, int(partition))
    with closing(KafkaConsumer(**client_arguments(settings.kafka))) as consumer:
        consumer.assign([place])
        consumer.seek(place, int(offset))
        found = consumer.poll(timeout_ms=int(1000 * END_S), max_records=1)
    value: dict[str, Any] = json.loads(found[place][0].value)
    return value


def remember(settings: Settings, values: Iterable[Mapping[str, Any]]) -> None:
    """Put events on the input topic, and wait until they are there."""
    with closing(KafkaProducer(**client_arguments(settings.kafka), acks="all")) as out:
        for value in values:
            out.send(
                settings.topics.input,
                json.dumps(value).encode(),
                key=str(value["recipient"]).lstrip("+").encode(),
            )
        out.flush()


def ready(port: int) -> bool:
    """Tell if a program of ours says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=END_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def now_ms() -> int:
    """The time of the real clock."""
    return time.time_ns() // 1_000_000
