"""Fixtures for brokers: shared ones that are started once a session, and private ones to kill.

Every test uses the shared brokers, so topics and groups need unique names (`unique`). In CI
(`CI=true`) any broker other than Apache Kafka fails the run, because the promises hold for Apache
Kafka.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests import clusters
from tests.nodes import Broker

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

started: list[str] = []
"""What ran in this session, for the closing summary."""


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The shared broker, of the best kind that this machine can run. Never stop it."""
    kind = clusters.choose()
    if IN_CI and kind != "kafka":
        pytest.fail(f"CI must test on Apache Kafka: {clusters.why_no_kafka() or kind}")
    with clusters.broker(kind) as running:
        started.append(str(running))
        yield running


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> Broker:
    """The shared broker, where it is Apache Kafka; elsewhere the test is skipped and says why."""
    running: Broker = request.getfixturevalue("broker")
    if running.kind == "tansu":
        pytest.skip(clusters.why_no_kafka())  # never in CI: there `broker` has failed already
    return running


def need_kafka() -> None:
    """Skip what cannot run without Apache Kafka; in CI go on, and fail where it is started."""
    if (why := clusters.why_no_kafka()) and not IN_CI:
        pytest.skip(why)  # on a machine without Java or Maven


@pytest.fixture
def own_kafka() -> Iterator[Callable[..., Broker]]:
    """Starts Apache Kafka for this test alone: `own_kafka(nodes=3)`, to be killed at will."""
    need_kafka()
    with ExitStack() as stack:

        def start(nodes: int = 1, **options: object) -> Broker:
            running = stack.enter_context(clusters.broker("kafka", nodes, **options))  # type: ignore[arg-type]
            started.append(str(running))
            return running

        yield start


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test has: for topics, groups and applications on a shared broker."""
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in request.node.name)
    return f"{words[:60].strip('-').lower()}-{uuid.uuid4().hex[:8]}"
