"""Ticks: which suspects are let go, what is forgotten, and that each step is bounded."""

from __future__ import annotations

import pytest

from detectors import upkeep
from detectors.chain import Params, Partition, restore, snapshot
from detectors.model.event import TICK_OFFSETS, platform_id
from tests.builders.detectors.chain import ENFORCE, VICTIM, changes, flood, idle
from tests.detectors.stand_in import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event, run


def test_a_tick_after_a_campaign_looks_at_so_many_suspects_and_leaves_the_others_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "RELEASE_MAX", 2 * upkeep.END_LOOKS)
    partition = Partition(ENFORCE)
    run(
        ENFORCE,
        sorted(e._replace(recipient=VICTIM + v) for v in range(5) for e in flood(6)),
        partition,
    )
    ended, released = [], []
    for tick in range(24):
        at_ms = START_MS + HOUR_MS + tick // 12 * 4 * DAY_MS
        decisions = run(ENFORCE, idle(TICK_OFFSETS, at_ms, 0), partition)
        ended.append([c for c, _ in changes(decisions)].count("ended"))
        released.append(decisions.released)
    assert (max(ended), sum(ended)) == (2, 5), "each counts as several looks"
    assert max(released) == 5, "a look that ends nothing counts as one"


@pytest.mark.parametrize("restored", range(13))
@pytest.mark.slow
def test_a_restore_lets_go_of_the_same_at_the_same_offsets(
    monkeypatch: pytest.MonkeyPatch, restored: int
) -> None:
    """Each suspect leaves an entry behind when its episode opens, which a restore does not keep."""
    monkeypatch.setattr(upkeep, "RELEASE_MAX", 3 * upkeep.END_LOOKS)

    def ended(restored: int) -> list[tuple[int, str, str]]:
        partition = Partition(ENFORCE)
        floods = sorted(e._replace(recipient=VICTIM + v) for v in range(9) for e in flood(6))
        pieces = [floods, *(idle(TICK_OFFSETS, START_MS + HOUR_MS, 0) for _ in range(12))]
        found = []
        for i, piece in enumerate(pieces):
            found += run(ENFORCE, piece, partition).episodes
            if i == restored:
                partition = restore(ENFORCE, snapshot(partition))
        return [(e.revision, e.recipient, e.change) for e in found]

    assert ended(restored) == ended(-1)


@pytest.mark.slow
def test_what_waits_for_a_tick_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that become suspects and are let go again and again leave nothing behind."""
    monkeypatch.setattr(upkeep, "DUE_SPARE", 16)
    partition = Partition(ENFORCE)
    for turn in range(40):
        start_ms = START_MS + turn * 40 * MINUTE_MS
        floods = [
            e._replace(recipient=VICTIM + v, platform=f"{turn} {e.platform}")
            for v in range(20)
            for e in flood(5, start_ms=start_ms)
        ]
        run(ENFORCE, sorted(floods) + idle(TICK_OFFSETS - 100, start_ms, 0), partition)
        assert len(partition.due) <= 2 * len(partition.suspects) + 16 + 2 * 100


def test_suspects_are_bounded_and_those_in_an_episode_stay() -> None:
    params = Params(suspects_max=10)
    partition = Partition(params)
    events = flood(6)
    for i in range(50):  # eight platforms in a day, no faster than one an hour
        events += [Event(START_MS + k * HOUR_MS + i, VICTIM + 1 + i, f"slow {k}") for k in range(8)]
    events += flood(200, start_ms=START_MS + 600_000, gap_ms=10 * MINUTE_MS)
    run(params, sorted(events) + idle(TICK_OFFSETS, START_MS + 12 * HOUR_MS, 0), partition)
    assert len(partition.suspects) <= 10
    assert VICTIM in partition.suspects


def test_past_the_bound_even_episodes_are_given_up_and_say_so() -> None:
    params = Params(suspects_max=2)
    partition = Partition(params)
    events = sorted(e._replace(recipient=VICTIM + v) for v in range(5) for e in flood(6))
    decisions = run(params, events + idle(TICK_OFFSETS, START_MS, 0), partition)
    assert len(partition.suspects) == 2
    assert [c for c, _ in changes(decisions)].count("ended") == 3


def test_one_bad_clock_does_not_drag_the_watermark() -> None:
    partition = Partition(ENFORCE)
    events = idle(TICK_OFFSETS, START_MS, 10)
    ahead = [
        e._replace(at_ms=e.at_ms + 30 * DAY_MS) if i % 3 == 0 else e for i, e in enumerate(events)
    ]
    run(ENFORCE, ahead, partition)
    assert abs(partition.watermark_ms - START_MS) < 60_000
    run(ENFORCE, idle(TICK_OFFSETS, START_MS - DAY_MS), partition)
    assert partition.watermark_ms >= START_MS, "it never goes back"


def test_names_are_forgotten_by_last_use_and_then_read_as_numbers() -> None:
    params = Params(names_max=100)
    partition = Partition(params)
    crowd = [Event(START_MS + i, 10_000 + i, f"name {i}") for i in range(TICK_OFFSETS)]
    run(params, flood(2) + crowd, partition)
    assert len(partition.book.names) <= 100
    decisions = run(params, flood(4, start_ms=START_MS + 40_000, first=2), partition)
    assert decisions.episodes[0].sightings[0].platform == f"#{platform_id('new 0')}"
    assert decisions.episodes[0].sightings[-1].platform.startswith("new")
