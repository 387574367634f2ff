"""A rolling restart of the workers while events come, through formats of their state too."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from streams.demo.brokers import Broker
from streams.state.checkpoint import Key, Manifest
from tests.faults.driver import Fault, Plan, Run
from tests.faults.oracle import compute_outcome, read_outcome, records
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


async def _formats(run: Run) -> tuple[set[int], set[int]]:
    """Of all checkpoints on the changelog, and of those that count in the end."""
    written = set()
    async for record in records(run.settings, run.settings.changelog):
        if record.value and Key.decode(record.key).name == "manifest":
            manifest = Manifest.decode(record.key.decode(), record.value)
            written.add(manifest.header["format"])
    outcome = await read_outcome(run.settings)
    return written, {format_ for _, held in outcome.states.values() for format_ in held}


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
    written, counting = asyncio.run(_formats(run))
    assert (written, counting) == ({old, new}, {new})
