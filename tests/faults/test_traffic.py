"""What fault runs are fed with decides differently where a list is lost, or held by another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from detectors import chain
from detectors.model.times import HOUR_MS
from streams import wire
from streams.config import Detect, Settings
from tests.faults.driver import RESTARTS, Plan
from tests.faults.traffic import LIST_KEY, traffic

START_MS = 1_790_000_000_000
SETTINGS = Settings(app_id="test", detect=Detect(hot="network", hot_key=LIST_KEY))

Lose = Callable[[chain.Snapshot], None]


def outputs(seed: int, lose: Lose | None) -> tuple[set[bytes], set[str]]:
    """All outputs of a run's traffic with its restarts, and the rules of its episodes.

    `lose` takes something away from each state before it is restored; None: no restarts.
    """
    plan = Plan(seed, events=40_000, lists=True)  # as in the run that is among the tests
    records = list(
        traffic(
            seed, plan.events, plan.partitions, START_MS, 2 * HOUR_MS, lists=True, one_platform=True
        )
    )
    cuts = [plan.part * n for n in range(1, RESTARTS + 1)] if lose else []
    intake, params, recogniser = SETTINGS.intake(), SETTINGS.params(), SETTINGS.recogniser()
    made, rules = set[bytes](), set[str]()
    states = [chain.Partition(params) for _ in range(plan.partitions)]
    for begin, end in pairwise([0, *cuts, len(records)]):
        for partition, state in enumerate(states):
            if begin and lose:
                held = chain.snapshot(state)
                lose(held)
                state = states[partition] = chain.restore(params, held)  # noqa: PLW2901
            part = [record for record in records[begin:end] if record.partition == partition]
            first, following = state.next_offset, state.next_offset + len(part)
            decoded = wire.decode(
                intake, "in", partition, [r.value for r in part], [r.key for r in part],
                range(first, following), [r.timestamp_ms for r in part], following,
            )  # fmt: skip
            found = chain.process(params, state, decoded.batch, recogniser.columns(decoded.batch))
            made.update(map(wire.encode_action, found.actions))
            made.update(map(wire.encode_episode, found.episodes))
            rules |= {step.rule for record in found.episodes for step in record.path}
    return made, rules


def nothing(_: chain.Snapshot) -> None:
    """A checkpoint as it is."""


def the_list(held: chain.Snapshot) -> None:
    """That the newest list was adopted, and which; what is hot now stays."""
    held.rest["network"] = [None, held.rest["network"][1]]


def what_is_hot(held: chain.Snapshot) -> None:
    """The platforms that are hot; the newest list stays, and counts when the next is made."""
    held.rest["hot"][4] = []


def test_the_traffic_causes_leases_of_both_kinds() -> None:
    made, _ = outputs(12, None)
    for verb in (b'"throttle"', b'"throttle_platforms"'):
        assert any(b'"verb":' + verb in each for each in made), verb


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 9])
def test_who_loses_a_list_at_a_restore_decides_otherwise(seed: int) -> None:
    expected, rules = outputs(seed, None)
    assert {"hot", "burst"} <= rules, "lists decide, and others do"
    assert outputs(seed, nothing)[0] == expected
    for lose in (the_list, what_is_hot):
        other, _ = outputs(seed, lose)
        assert other != expected, f"nobody notices without {lose.__doc__}"
