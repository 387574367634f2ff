"""Figures of one partition, and that a log gives the same whatever its batches and restarts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from detectors.chain import Params, Partition, process, restore, snapshot
from detectors.model.event import TICK_OFFSETS
from detectors.model.fields import reader, writer
from detectors.model.records import Cause
from detectors.platforms import figures as module
from detectors.platforms.figures import PART_S, REST, Figures, PlatformPart
from detectors.platforms.first_contacts import FOLD_OFFSETS
from streams.tools.scenarios import DEFAULT_START_MS, generate, merge_streams, ordinary
from tests.detectors.platforms.logs import Log

CAUSE = Cause("sms", 3, 8192, 0)


def met(figures: Figures, *codes: int) -> None:
    figures.pending[module.CODES].append(np.array(codes, np.uint32))


def tick(figures: Figures, at_s: int, offset: int = CAUSE.offset) -> PlatformPart | None:
    return figures.tick(at_s, CAUSE._replace(offset=offset), 1, lambda key: f"sig:{key}")


def test_a_part_is_given_out_when_the_log_s_half_hour_is_over() -> None:
    figures = Figures()
    assert tick(figures, 10 * PART_S) is None
    met(figures, 5, 5, 9)
    figures.waiting[module.FLOODED] += [5]
    figures.waiting[module.SIGHTED] += [9, 5]
    assert tick(figures, 10 * PART_S + 900) is None
    met(figures, 9)
    part = tick(figures, 11 * PART_S)
    assert part is not None
    assert (part.partition, part.offset) == (3, 8192)
    assert [(e.platform, e.codes, e.recipients, e.strangers, e.flood_codes) for e in part.platforms] == [  # noqa: E501
        ("sig:5", 2, 1, 0, 1), ("sig:9", 2, 1, 0, 0),
    ]  # fmt: skip
    assert tick(figures, 12 * PART_S) is None, "nothing came"


def test_platforms_past_the_bound_are_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_PLATFORMS", 2)
    monkeypatch.setattr(module, "PLATFORMS_MOST", 3)
    figures = Figures()
    tick(figures, PART_S)
    met(figures, 1, 2, 2, 3, 3, 3, 4, 4)
    tick(figures, PART_S + 1, FOLD_OFFSETS)
    part = tick(figures, 2 * PART_S)
    assert part is not None
    assert [(e.platform_id, e.codes) for e in part.platforms] == [(REST, 3), (2, 2), (3, 3)]


def stored(figures: Figures) -> list[Any]:
    figures.fold()
    held: list[Any] = writer(Figures)(figures)
    return held


def restored(figures: Figures) -> Figures:
    again: Figures = reader(Figures)(stored(figures))
    return again


def test_when_it_is_counted_changes_nothing() -> None:
    one, two = Figures(), Figures()
    rng = Random(1)
    for _ in range(50):
        some = [rng.randrange(1, 30) for _ in range(rng.randrange(9))]
        met(one, *some)
        met(two, *some)
        if rng.random() < 0.3:
            two = restored(two)
    assert stored(one) == stored(two)


def test_copies_of_the_state_move_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLATFORMS_MOST", 5)
    one, two = Figures(), Figures()
    rng = Random(2)
    for number in range(200):
        some = [rng.randrange(1, 30) for _ in range(rng.randrange(9))]
        for figures in (one, two):
            met(figures, *some)
            tick(figures, PART_S + number, number * TICK_OFFSETS)
        if rng.random() < 0.3:
            two = restored(two)
    assert stored(one) == stored(two)
    assert any(one.rest)


def test_a_state_that_does_not_fit_together_is_refused() -> None:
    figures = Figures()
    met(figures, 1, 2)
    number, ids, counts, rest = stored(figures)
    with pytest.raises(ValueError, match="ascend"):
        reader(Figures)([number, ids + ids, counts + counts, rest])
    with pytest.raises(ValueError, match="reshape"):
        reader(Figures)([number, ids, counts[:-8], rest])


@pytest.fixture(scope="module")
def log() -> Log:
    """Ordinary people and floods, over some hours."""
    people = ordinary(1_500, DEFAULT_START_MS, 5, duration_ms=4 * 3_600_000)
    attacks = [
        generate("A1", seed, recipient=90_000 + seed, start_ms=DEFAULT_START_MS + seed * 900_000)
        for seed in range(6)
    ]
    return Log(merge_streams(people, *attacks))


def parts(log: Log, edges: list[int], *, restarts: bool = False) -> list[PlatformPart]:
    params = Params()
    state, found = Partition(params), []
    for first, last in pairwise(edges):
        batch, codes = log.part(first, last)
        found += process(params, state, batch, codes).parts
        if restarts:
            state = restore(params, snapshot(state))
    return found


def test_the_figures_are_right_and_any_batches_and_restarts_give_the_same(log: Log) -> None:
    whole = parts(log, [0, len(log)])
    assert len(whole) >= 3
    rng = Random(2)
    edges = [0, *sorted(rng.sample(range(1, len(log)), 40)), len(log)]
    assert parts(log, edges) == whole
    assert parts(log, edges, restarts=True) == whole
    codes = Counter[int]()
    for each in whole:
        codes.update({one.platform_id: one.codes for one in each.platforms})
    seen = log.codes_until(whole[-1].offset)
    refused = process(Params(), Partition(Params()), *log.part(0, len(log))).ahead
    assert codes == seen - log.codes_at(refused), "those ahead of the log count nowhere"
    total = [sum(getattr(one, name) for each in whole for one in each.platforms)
             for name in ("codes", "recipients", "strangers", "flood_codes")]  # fmt: skip
    assert total[0] > total[1] > total[2] > total[3] > 100


def test_without_figures_nothing_is_counted(log: Log) -> None:
    params = Params(figures=False)
    state = Partition(params)
    decisions = process(params, state, *log.part(0, len(log)))
    assert decisions.parts == []
    with_them = process(Params(), Partition(Params()), *log.part(0, len(log)))
    assert (decisions.actions, decisions.episodes) == (with_them.actions, with_them.episodes)
