"""Strangers by neighbourhood, in one partition: a function of the log, and bounded."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from detectors.chain import Params, Partition, process, restore, snapshot
from detectors.model.event import TICK_OFFSETS, TOKEN_BIT
from detectors.model.fields import reader, writer
from detectors.platforms import first_contacts as module
from detectors.platforms.first_contacts import (
    FOLD_OFFSETS,
    NO_THOUSAND,
    SLOT_S,
    Strangers,
    SweepPart,
)
from streams.tools.scenarios import DEFAULT_START_MS, generate, merge_streams, ordinary
from tests.detectors.platforms.logs import Log

NUMBER = 8613800138000


def meet(strangers: Strangers, *met: tuple[int, int, bool]) -> None:
    platform, recipient, fresh = zip(*met, strict=True)
    strangers.meet(
        np.array(platform, np.uint32), np.array(recipient, np.uint64), np.array(fresh, np.bool_)
    )


def test_a_part_is_given_out_after_five_minutes_with_the_thousands_of_numbers() -> None:
    strangers = Strangers()
    assert strangers.tick(10 * SLOT_S, TICK_OFFSETS) is None
    meet(strangers, (7, NUMBER + 1, True), (7, NUMBER + 999, False), (7, NUMBER + 1000, False))
    assert strangers.tick(10 * SLOT_S + 60, TICK_OFFSETS) is None
    token = 1 << 63 | 12345
    meet(strangers, (5, token, True), (5, token + 1000, False))
    part = strangers.tick(11 * SLOT_S, TICK_OFFSETS)
    assert part is not None
    assert part.thousands == (
        (5, 0, 2, 1), (7, 8613800138, 2, 1), (7, 8613800139, 1, 0),
    )  # fmt: skip
    assert strangers.tick(12 * SLOT_S, TICK_OFFSETS) is None, "nothing came"


def test_past_the_bound_those_of_most_strangers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_MOST", 3)
    monkeypatch.setattr(module, "PAIRS_PART", 2)
    strangers = Strangers()
    strangers.tick(SLOT_S, TICK_OFFSETS)
    for platform, number in ((1, 1), (2, 3), (3, 2), (4, 2)):
        meet(strangers, *[(platform, NUMBER, False)] * number)
    strangers.tick(SLOT_S + 1, FOLD_OFFSETS)
    assert strangers.sums[:, 0].tolist() == [2, 3, 4]
    part = strangers.tick(2 * SLOT_S, TICK_OFFSETS)
    assert part is not None
    assert [platform for platform, *_ in part.thousands] == [2, 3]


def stored(strangers: Strangers) -> list[Any]:
    strangers.fold()
    held: list[Any] = writer(Strangers)(strangers)
    return held


def test_copies_of_the_state_move_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_MOST", 5)
    one, two = Strangers(), Strangers()
    rng = Random(2)
    for number in range(200):
        some = [(rng.randrange(1, 30), NUMBER, False) for _ in range(1 + rng.randrange(8))]
        for strangers in (one, two):
            meet(strangers, *some)
            strangers.tick(SLOT_S + number % SLOT_S, number * TICK_OFFSETS)
        if rng.random() < 0.3:
            two = reader(Strangers)(stored(two))
    assert stored(one) == stored(two)
    assert len(one.sums) >= 5


def test_a_state_comes_back_and_one_that_is_none_is_refused() -> None:
    strangers = Strangers()
    strangers.tick(SLOT_S, TICK_OFFSETS)
    meet(strangers, (7, NUMBER, True), (5, NUMBER, False), (7, NUMBER + 5, False))
    again = reader(Strangers)(stored(strangers))
    meet(again, (5, NUMBER, True))
    meet(strangers, (5, NUMBER, True))
    assert stored(again) == stored(strangers)
    number, sums = stored(again)
    with pytest.raises(ValueError, match="reshape"):
        reader(Strangers)([number, sums[:-8]])


def parts(log: Log, edges: list[int], *, restarts: bool = False) -> list[SweepPart]:
    params = Params()
    state, found = Partition(params), []
    for first, last in pairwise(edges):
        batch, codes = log.part(first, last)
        found += process(params, state, batch, codes).parts
        if restarts:
            state = restore(params, snapshot(state))
    return [each.sweep for each in found if each.sweep is not None]


def test_any_batches_and_restarts_give_the_same_and_each_recipient_is_fresh_once() -> None:
    people = ordinary(1_500, DEFAULT_START_MS, 5, duration_ms=3 * 3_600_000)
    attack = generate("A1", 1, recipient=90_001, start_ms=DEFAULT_START_MS + 900_000)
    log = Log(merge_streams(people, attack))
    whole = parts(log, [0, len(log)])
    assert len(whole) >= 3
    rng = Random(2)
    edges = [0, *sorted(rng.sample(range(1, len(log)), 40)), len(log)]
    assert parts(log, edges) == whole
    assert parts(log, edges, restarts=True) == whole
    strangers = sum(each[2] for part in whole for each in part.thousands)
    fresh = sum(each[3] for part in whole for each in part.thousands)
    state = Partition(Params())
    process(Params(), state, *log.part(0, len(log)))
    assert 0 < fresh < strangers
    assert fresh <= state.recipients
    assert state.strangers is not None
    assert fresh + int(state.strangers.sums[:, 3].sum()) <= state.recipients


@pytest.mark.parametrize("span", [1, 5_000, 10**12, 10**15])
@pytest.mark.parametrize("tokens", [0.0, 0.3, 1.0])
def test_strangers_are_counted_alike_however_far_apart_their_numbers_are(
    span: int, tokens: float
) -> None:
    """In one country, where a word holds each, and over the world, where it does not."""
    rng = Random(span)
    strangers = Strangers()
    expected: dict[tuple[int, int], list[int]] = {}
    for _ in range(3):
        met = []
        for _ in range(400):
            number = NUMBER + rng.randrange(span) * 1000 % 10**15
            recipient = TOKEN_BIT | number if rng.random() < tokens else number
            platform, fresh = rng.choice([1, 7, 0xFFFF_FFFF]), rng.random() < 0.4
            met.append((platform, recipient, fresh))
            thousand = NO_THOUSAND if recipient & TOKEN_BIT else number // 1000
            sums = expected.setdefault((platform, thousand), [0, 0])
            sums[0] += 1
            sums[1] += fresh
        meet(strangers, *met)
        if rng.random() < 0.5:
            strangers.fold()
    strangers.fold()
    assert strangers.sums.tolist() == [[*pair, *sums] for pair, sums in sorted(expected.items())]
