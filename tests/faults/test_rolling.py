"""A rolling restart of the workers while events come, through formats of their state too."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.demo.brokers import Broker
from streams.state.checkpoint import Key, Manifest
from tests.faults.driver import Fault, Plan, Run
from tests.faults.oracle import compute_outcome, read_outcome
from tests.threads import meanwhile
from tests.waiting import END_S


@pytest.mark.integration
@pytest.mark.kafka
def test_workers_that_restart_one_after_the_other_under_load_lose_nothing(
    kafka: Broker, unique: str, tmp_path: Path
) -> None:
    restarts = (Fault(0.0, "join", 1, 0), Fault(8.0, "term", 0, 0), Fault(13.0, "term", 1, 0))
    run = Run(
        Plan(4, events=72_000, per_s=4_000, script=restarts, stall_s=END_S), kafka, unique, tmp_path
    )
    wrong = run.execute()
    assert not wrong, f"{wrong}\nlogs in {tmp_path}"
    for slot in run.slots:
        assert slot.exits == [0, 0], "told to stop once at work, and once more at the end"
        assert slot.log.read_text().count("reading from") >= 2


class Written:
    """Formats of checkpoints as they are written: those that are superseded are compacted away."""

    def __init__(self, run: Run) -> None:
        self.formats: set[int] = set()
        self._run = run

    def watch(self, over: threading.Event) -> None:
        """Read the changelog until it is over, and then to its end."""
        settings = self._run.settings
        asked = {"bootstrap.servers": self._run.broker.bootstrap,
                 "group.id": f"{self._run.name}-look", "enable.partition.eof": True}  # fmt: skip
        with closing(Consumer(asked)) as consumer:
            topic = consumer.list_topics(settings.changelog, END_S).topics[settings.changelog]
            left = set(topic.partitions)
            consumer.assign([TopicPartition(settings.changelog, each, 0) for each in left])
            while left or not over.is_set():
                record = consumer.poll(0.2)
                if record is None:
                    continue
                if record.error() is not None:
                    left.discard(record.partition())
                    continue
                left.add(record.partition())
                if record.value() and Key.decode(record.key()).name == "manifest":
                    manifest = Manifest.decode(record.key().decode(), record.value())
                    self.formats.add(manifest.header["format"])


async def _counting(run: Run) -> set[int]:
    """Formats of the checkpoints that count in the end."""
    outcome = await read_outcome(run.settings)
    return {format_ for _, held in outcome.states.values() for format_ in held}


@pytest.mark.integration
@pytest.mark.kafka
@pytest.mark.parametrize(("old", "new"), [(2, 3), (3, 2)], ids=["up", "down"])
def test_a_fleet_goes_from_one_format_to_the_other_and_partitions_move_between_them(
    kafka: Broker, unique: str, tmp_path: Path, old: int, new: int
) -> None:
    """First one worker is restarted with the other format, then the other one.

    No event is lost. Outputs are not compared: a state that was written in format 2 has forgotten
    the hot platforms that only format 3 holds, and begins them afresh.
    """
    script = (
        Fault(0.0, "join", 1, 0),
        Fault(8.0, "format", 0, new),
        Fault(8.1, "term", 0, 0),
        Fault(13.0, "format", 1, new),
        Fault(13.1, "term", 1, 0),
    )
    plan = Plan(7, events=72_000, per_s=4_000, script=script, stall_s=END_S)
    run = Run(plan, kafka, unique, tmp_path)
    run.slots[0].environment = {
        **run.slots[0].environment,
        "OTPGUARD_WORKER_STATE_FORMAT": str(old),
    }
    run.slots[1].environment = dict(run.slots[0].environment)
    run.create_topics()
    written = Written(run)
    with meanwhile(written.watch):
        run.execute()
    for slot in run.slots:
        # A worker that is told to stop while it starts has no handler yet: the signal ends it.
        allowed = {0, 75, -signal.SIGTERM}
        assert set(slot.exits) <= allowed, "told to stop, or to try again: never refused"
        assert slot.log.read_text().count("reading from") >= 2
    ours = asyncio.run(read_outcome(run.settings))
    theirs = asyncio.run(compute_outcome(run.settings))
    ends = {partition: end for partition, (end, _) in theirs.states.items()}
    assert {partition: end for partition, (end, _) in ours.states.items()} == ends
    assert (written.formats, asyncio.run(_counting(run))) == ({old, new}, {new})
