"""A rolling restart of the workers while events come."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.driver import Fault, Plan, Run
from tests.nodes import Broker
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
