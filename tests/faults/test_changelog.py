"""A changelog that begins to delete while a worker runs: what is gone is noticed, not made up.

`make integration` runs this: a broker of its own has to delete, which it does when its time comes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from streams.common.errors import Exit
from tests.builders.streams.engine.worker.app import (
    await_exit,
    difference,
    is_rebuilt,
    produce,
    running_worker,
    start_worker,
    wait_until_read,
)
from tests.faults.driver import Plan, Run
from tests.faults.traffic import TEXT
from tests.nodes import Broker
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.integration]

EAGER = {"log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500"}
DELETING = {
    "cleanup.policy": "delete",
    "retention.bytes": "1",
    "segment.ms": "1000",
    "file.delete.delay.ms": "100",
}
AS_IT_WAS = {"cleanup.policy": "compact", "retention.bytes": "-1", "segment.ms": "604800000"}
FIRST = 9_000  # recipients: more rows than the first chunk has, which later ones then leave alone
MORE = 200


@pytest.fixture
def run(own_kafka: Callable[..., Broker], unique: str, tmp_path: Path) -> Run:
    run = Run(
        Plan(1, script=(), partitions=1, cycle_s=1.0, stall_s=END_S),
        own_kafka(properties=EAGER),
        unique,
        tmp_path,
    )
    run.create_topics()
    return run


def codes(first: int, number: int) -> list[bytes | None]:
    """One code for each of so many recipients."""
    now_ms = int(time.time() * 1000)
    return [
        json.dumps(
            {
                "schema_version": 1,
                "recipient": f"86138{first + i:08d}",
                "sender": "10690001",
                "event_time_ms": now_ms,
                "message_id": f"{first + i}",
                "text": TEXT.format("平台", i),
            }
        ).encode()
        for i in range(number)
    ]


def alter(run: Run, configs: dict[str, str]) -> None:
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in configs.items()
    ]
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, run.settings.changelog, incremental_configs=changes
    )
    admin = AdminClient({"bootstrap.servers": run.broker.bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(END_S)

    def known() -> bool:
        """Tell if the broker goes by them: what took them may not have told it yet."""
        asked = ConfigResource(ConfigResource.Type.TOPIC, run.settings.changelog)
        now = admin.describe_configs([asked])[asked].result(END_S)
        return all(now[name].value == value for name, value in configs.items())

    wait_until(known, "the broker goes by the new settings")


def first_offset(run: Run) -> int:
    """Of the changelog."""
    consumer = Consumer({"bootstrap.servers": run.broker.bootstrap, "group.id": "a look"})
    try:
        changelog = TopicPartition(run.settings.changelog, 0)
        return consumer.get_watermark_offsets(changelog, END_S, cached=False)[0]
    finally:
        consumer.close()


def rebuild(run: Run) -> None:
    """Start once with --rebuild; afterwards a plain start works, and the state is its log."""
    process = start_worker(run, "--rebuild")
    try:
        wait_until(lambda: is_rebuilt(run), "it is rebuilt", pause_s=0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        code, _ = await_exit(process)
    assert code == Exit.DONE
    asyncio.run(produce(run, codes(90_000, MORE)))
    with running_worker(run):
        pass
    assert difference(run) == []


def test_chunks_that_retention_took_are_missed_by_name_and_a_rebuild_makes_them_anew(
    run: Run,
) -> None:
    asyncio.run(produce(run, codes(0, FIRST)))
    with running_worker(run) as process:
        alter(run, DELETING)
        made = itertools.count(FIRST, MORE)

        def taken() -> bool:
            """Ask after further codes: a segment ends with the next record alone."""
            asyncio.run(produce(run, codes(next(made), MORE)))
            return first_offset(run) > 0

        wait_until(taken, "retention takes the first chunks", pause_s=1)
        wait_until_read(run)
        assert process.poll() is None, "it has its state, and goes on"
        code, said = await_exit(start_worker(run))
        assert code == Exit.CONFIG
        assert "it must be compact alone" in said[-1]
        alter(run, AS_IT_WAS)
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert "|r0|" in said[-1]
    assert "it is missing" in said[-1]
    assert "--rebuild" in said[-1]
    rebuild(run)


def test_a_changelog_that_was_emptied_is_no_new_beginning(run: Run) -> None:
    asyncio.run(produce(run, codes(0, FIRST)))
    with running_worker(run):
        pass
    alter(run, {**DELETING, "retention.ms": "1"})
    wait_until(lambda: first_offset(run) > 0, "retention takes the beginning", pause_s=0.2)
    alter(run, {**AS_IT_WAS, "retention.ms": "604800000"})
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert "the group has a committed offset but no checkpoint" in said[-1]
    rebuild(run)
