"""The worker as an operator starts it, for measuring: settings by the environment, figures from its
own metrics page."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from streams import topics
from streams.config import Settings
from streams.demo.brokers import Broker
from tests.bench.harness import scraped
from tests.bench.traffic import Traffic


@dataclass(slots=True)
class Worker:
    """How to start one, and how far it is."""

    command: list[str]
    env: dict[str, str]
    page: str
    series: dict[str, float] = field(default_factory=dict)  # as last read

    def progress(self) -> int:
        """Events that it has taken in."""
        self.series = scraped(self.page) or self.series
        return int(
            sum(n for name, n in self.series.items() if name.startswith("otpguard_events_total"))
        )


@contextmanager
def configured(
    broker: Broker, traffic: Traffic, name: str, **worker_settings: object
) -> Iterator[Worker]:
    """A worker of its own group, with every topic but the input its own too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        "OTPGUARD_APP_ID": name,
        "OTPGUARD_KAFKA_BOOTSTRAP": broker.bootstrap,
        "OTPGUARD_TOPICS_INPUT": traffic.topic,
        "OTPGUARD_TOPICS_PARTITIONS": str(traffic.partitions),
        "OTPGUARD_TOPICS_REPLICATION": "1",
        "OTPGUARD_HTTP_PORT": str(port),
        **{
            f"OTPGUARD_TOPICS_{role.upper()}": f"{name}.{role}"
            for role in ("throttle", "episode", "acks", "override", "dead_letters")
        },
        **{f"OTPGUARD_WORKER_{key.upper()}": str(one) for key, one in worker_settings.items()},
    }
    topics.create(settings_of(env))
    command = [sys.executable, "-m", "streams", "worker"]
    yield Worker(command, env, f"http://127.0.0.1:{port}/metrics")


def settings_of(env: dict[str, str]) -> Settings:
    """The settings that these variables make."""
    with patch.dict(os.environ, env):
        return Settings()
