"""Two configurations over one log: only what differs is listed, whatever the chunks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from streams.config import Settings
from streams.tools.operate.comparison import Comparison
from streams.tools.scenarios import generate

LINES = [json.dumps(event.value).encode() for event in generate("A1", 3)]
PLAIN = Settings()


def compared(after: Settings, size: int = len(LINES)) -> dict[str, Any]:
    found = Comparison([PLAIN, after])
    chunks = (
        (LINES[at : at + size], np.arange(at, min(at + size, len(LINES))))
        for at in range(0, len(LINES), size)
    )
    assert sum(found.run(0, chunks)) == len(LINES)
    return found.report()


def test_the_same_configuration_differs_for_nobody() -> None:
    assert compared(PLAIN)["recipients"] == []
    assert compared(PLAIN)["leases"]["before"] > 0


@pytest.mark.parametrize("size", [1, 7, len(LINES)])
def test_a_later_throttle_lists_its_victim_leases_and_codes(size: int) -> None:
    told = compared(Settings(detect={"burst_margin": 3}), size)
    assert told == compared(Settings(detect={"burst_margin": 3}))
    (victim,) = told["recipients"]
    assert victim["recipient"].startswith("8617")
    assert victim["refused_only"]["before"] > victim["refused_only"]["after"]
    assert {lease["only"] for lease in victim["leases"]} == {"before", "after"}


def test_leases_in_shadow_count_as_enforced_and_another_mode_is_a_difference() -> None:
    told = compared(Settings(mode="enforce"))
    (victim,) = told["recipients"]
    assert victim["refused_only"] == {"before": 0, "after": 0}
    assert {lease["mode"] for lease in victim["leases"]} == {"shadow", "enforce"}
