"""Every setting of the detector may change over a restart, and the state goes on."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from detectors.chain import Decisions, Params, Partition, restore, snapshot
from detectors.model.event import TICK_OFFSETS
from detectors.model.records import Level
from streams.config import Detect, Settings
from tests.detectors.stand_in import HOUR_MS, MINUTE_MS, START_MS, Event, run

VICTIM = 8613800000001
CHANGES: dict[str, Any] = {
    "recipients_max": 16_384,
    "window_s": 60,
    "suspects_max": 2,
    "names_max": 10,
    "p_novel": 0.3,
    "burst_margin": 0.5,
    "lease_s": 60,
    "lease_max_s": 600,
    "hot": "off",
    "hot_key": "a key of sixteen",
    "hot_key_file": "nothing reads it where no list is taken",
    "hot_old_key_file": "likewise",
    "memory_key_file": Path(__file__),  # its first line is a key
    "hot_lead": 10,
    "hot_cold_half": True,
    "again": False,
    "again_records": True,
    "quiet_s": 700,
    "episode_max_s": 2000,
    "cold_known": 0,
    "cold_days": 0,
    "enforce_cold": True,
    "chronic_days": 1,
    "rules": {"returns": "off", "limit": "shadow", "narrow": "off"},
    "stamps": {"gw": "minute"},
}


def params_of(**detect: Any) -> Params:
    return Settings(detect=Detect(**detect)).params()


def flood(start_ms: int, recipient: int, name: str) -> list[Event]:
    return [Event(start_ms + i * 15_000, recipient, f"{name} {i}") for i in range(12)]


def crowd(start_ms: int, count: int, first: int = 0) -> list[Event]:
    return [
        Event(start_ms + i * 60, 20_000_000_000 + first + i, f"p{i % 50}") for i in range(count)
    ]


def before(params: Params) -> Partition:
    partition = Partition(params)
    events = crowd(START_MS - HOUR_MS, 25_000)
    events += [e for v in range(4) for e in flood(START_MS, VICTIM + v, "new")]
    run(params, sorted(events), partition)
    assert len(partition.suspects) == 4
    return partition


def after(params: Params, partition: Partition) -> Decisions:
    """An hour and more of traffic, and another flood."""
    start_ms = START_MS + 5 * MINUTE_MS
    events = [Event(start_ms + i * 300, 20_000_000_000 + i, "a") for i in range(16_000)]
    events += flood(START_MS + 40 * MINUTE_MS, VICTIM + 9, "other")
    events += crowd(START_MS + 100 * MINUTE_MS, 2 * TICK_OFFSETS, first=50_000)
    return run(params, sorted(events), partition)


def test_the_walk_leaves_no_setting_out() -> None:
    assert CHANGES.keys() == Detect.model_fields.keys()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_a_state_goes_on_under_another_setting(*, name: str, back: bool) -> None:
    others: dict[str, dict[str, Any]] = {
        "recipients_max": {"suspects_max": 4000},
        "hot_key": {"hot": "network"},
    }
    more = others.get(name, {})
    old, new = params_of(), params_of(**{name: CHANGES[name]}, **more)
    if back:
        old, new = new, old
    partition = before(old) if name != "suspects_max" or not back else before(new)
    partition = restore(new, snapshot(partition))
    decisions = after(new, partition)
    ended = [e.recipient for e in decisions.episodes if e.change == "ended"]
    assert set(ended) >= {str(VICTIM + v) for v in range(4)}, "what was open ends"
    raised = {e.recipient for e in decisions.episodes if e.level is Level.THROTTLE}
    assert str(VICTIM + 9) in raised, "what comes is found"
    starts = [w.start_ms for w in decisions.windows]
    assert starts == sorted(starts)
    assert {b - a for a, b in pairwise(starts[1:])} >= {new.sieve.window_s * 1000}, (
        "windows close, by the setting of now"
    )
    assert sum(w.codes for w in decisions.windows) > 10_000
    assert partition.recipients <= new.sieve.rows_max
    assert len(partition.suspects) <= new.suspects_max


def test_a_state_of_other_names_is_refused() -> None:
    held = snapshot(before(params_of()))
    assert held.header["name_version"] == 2
    held.header["name_version"] = 1
    with pytest.raises(ValueError, match="platform names are of version 1, not 2"):
        restore(params_of(), held)
