"""The list of a network of partitions finds what none of them can find by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.tools.scenarios import DEFAULT_START_MS, Role
from tests.scenarios.evaluate import Row, play_part, stream
from tests.scenarios.network import Agent, play_network
from tests.scenarios.people import PLAIN

SMALL = Row(
    "", "A6", 1, 1, {"recipients": 64, "codes": 20, **PLAIN},
    others=1200, partitions=16, network=True,
)  # fmt: skip


@pytest.mark.slow
def test_few_victims_in_each_partition_are_found_by_the_network_and_not_by_each_alone() -> None:
    found = play_part(SMALL, 0, 1)
    alone = play_part(replace(SMALL, network=False), 0, 1)
    assert found.recipients == alone.recipients == 64
    assert found.missed < 0.3  # under 0.1 while two voters were enough for the list
    assert alone.missed > 0.5
    assert found.share_refused(Role.ATTACK) > alone.share_refused(Role.ATTACK)
    assert found.refused[Role.BANK] == 0
    # The log of the history is so sparse that a tick takes some rows for those of a clock ahead.
    assert found.refused[Role.KNOWN] <= 0.04 * found.sent[Role.KNOWN]


def test_where_nobody_is_flooded_no_list_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    listen = Agent.told

    def noted(agent: Agent, now_ms: int) -> object:
        told.append(listen(agent, now_ms))
        return told[-1]

    monkeypatch.setattr(Agent, "told", noted)
    quiet = replace(SMALL, name="B1", parameters={}, others=300, partitions=1)
    outcomes = play_network(stream(quiet, 0, 1), 4, DEFAULT_START_MS, listed=True)
    assert len(outcomes) == 1
    assert told
    assert not any(told)
