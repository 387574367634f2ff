"""Starts a worker as an operator does, for measurements: settings from the environment, figures
from its metrics.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest.mock import patch

from streams.cluster import topics
from streams.config import Settings, load
from streams.engine.worker.app import PREPARED
from tests.bench.harness import PeerError, scraped
from tests.bench.traffic import Traffic
from tests.nodes import Broker
from tests.ports import free_port

AWAIT_S: Final = 300


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

    def ready(self) -> bool:
        """Whether its states are restored and it reads on from where they end."""
        try:
            with urllib.request.urlopen(self.page.replace("/metrics", "/health/ready"), timeout=2):
                return True
        except OSError:  # HTTPError, 503, is one
            return False

    def await_assigned(self, partitions: int, process: subprocess.Popen[bytes]) -> None:
        """Return when it has so many partitions and reads them."""
        self._await(
            process,
            lambda series: (
                series.get("otpguard_partitions_assigned") == partitions
                and series.get("otpguard_recovery_progress_ratio") == 1
            ),
        )

    def await_drained(self, process: subprocess.Popen[bytes]) -> float:
        """Return when it has read everything: the seconds that took."""
        began = time.monotonic()
        self._await(process, lambda series: series.get("otpguard_records_behind") == 0)
        return time.monotonic() - began

    def await_covered(self, process: subprocess.Popen[bytes]) -> None:
        """Return when checkpoints cover all that it has read."""
        self._await(process, lambda series: series.get("otpguard_checkpoint_age_seconds") == 0)

    def await_prepared(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Return when it has compiled all patterns, which takes a tenth of a core till then."""
        said = PREPARED.encode()
        self._await(process, lambda _: said in log.read_bytes())

    def _await(
        self, process: subprocess.Popen[bytes], reached: Callable[[dict[str, float]], bool]
    ) -> None:
        deadline = time.monotonic() + AWAIT_S
        while True:
            self.progress()
            if reached(self.series):
                return
            if process.poll() is not None:
                raise PeerError(f"the worker ended (exit code {process.returncode})")
            if time.monotonic() > deadline:
                raise PeerError("the worker does not get there")
            time.sleep(0.1)


@contextmanager
def configured(
    broker: Broker, traffic: Traffic, name: str, **worker_settings: object
) -> Iterator[Worker]:
    """A worker of its own group, with every topic but the input its own too."""
    port = free_port()
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
        return load()
