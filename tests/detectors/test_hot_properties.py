"""Hot platforms in every stream: no alarm is lost by them, and no edge changes them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Final

import pytest

from detectors.chain import Decisions, Params, Partition, process, restore, snapshot
from detectors.hot import listed
from detectors.hot.base import Base
from detectors.hot.network import sign_list
from detectors.hot.votes import Votes
from detectors.model.event import EventKind, HotList, platform_id
from tests.builders.detectors.chain_properties import (
    ENOUGH,
    STREAMS,
    alarms,
    alone,
    held_by,
    mixed,
    params_of,
    sure,
)
from tests.detectors.naive import Naive
from tests.detectors.stand_in import DAY_MS, START_MS, Event, add, batch_of, codes_of
from tests.detectors.streams import Stream, random_stream

PARTS = max(2, STREAMS // 200)


def abused(stream: Stream, seed: int) -> frozenset[int]:
    """Most of the platforms of a stream, or some, or few."""
    rng = random.Random(seed)
    share = rng.choice([0.9, 0.75, 0.5, 0.2])
    names = sorted({e.platform for e in stream.events if e.platform})
    return frozenset(platform_id(name) for name in names if rng.random() < share)


def run_with(
    params: Params, stream: Stream, hot: frozenset[int], seed: int, *, whole: bool = False
) -> Decisions:
    """In random batches and with restores, under a list that is there from the start."""
    rng, partition, total, at = random.Random(-seed), Partition(params), Decisions(), 0
    partition.book.hot.platforms = hot
    while at < len(stream.events):
        size = 20_000 if whole else rng.choice([1, 7, rng.randint(1, 50), 1000])
        batch = batch_of(stream.events[at : at + size], stream.offsets[at : at + size])
        at += size
        add(total, process(params, partition, batch, codes_of(batch)))
        if not whole and rng.random() < 0.3:
            partition = restore(params, snapshot(partition))
    return total


@pytest.mark.parametrize("part", range(PARTS))
def test_with_a_list_sieve_and_judge_equal_a_judge_that_sees_everything(
    monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    raised, rules = 0, set[str]()
    for seed in range(part, STREAMS // 16, PARTS):
        params, stream = params_of(seed), random_stream(seed)
        hot = abused(stream, seed)
        monkeypatch.setattr(listed, "choose", lambda _votes, _base, hot=hot: sorted(hot))
        oracle = Naive(params, hot)
        expected = oracle.run(*stream)
        expected.sort(key=attrgetter("offset", "recipient"))
        decisions = run_with(params, stream, hot, seed)
        assert sure(alarms(decisions), oracle) == sure(expected, oracle), f"seed {seed}"
        whole = run_with(params, stream, hot, seed, whole=True)
        assert whole.actions == decisions.actions, f"seed {seed}"
        assert whole.episodes == decisions.episodes, f"seed {seed}"
        raised += len(expected)
        rules |= {step.rule for e in decisions.episodes for step in e.path}
    assert raised
    assert rules & {"hot", "hot_burst"} or not ENOUGH


def campaign(seed: int) -> Stream:
    """People with a few codes each, some of whom a tool floods fast, and then others slowly.

    In the order of arrival, with some delay; over days, so that the list is made anew.
    """
    rng = random.Random(seed)
    tool = [f"tool {i}" for i in range(rng.randint(12, 30))]
    others = [f"other {i}" for i in range(80)]
    arrivals: list[tuple[int, Event]] = []

    def send(at_ms: int, recipient: int, platform: str) -> None:
        arrivals.append(
            (at_ms + rng.choice([0, 0, 900, 40_000]), Event(at_ms, recipient, platform))
        )

    for person in range(rng.randint(100, 300)):
        for platform in rng.sample(others + tool[:2], rng.randint(1, 4)):
            send(START_MS + rng.randrange(3 * DAY_MS), 8613900000000 + person, platform)
    for victim in range(rng.randint(4, 12)):
        at_ms = START_MS + DAY_MS + rng.randrange(2 * DAY_MS)
        pace_s = rng.choice([4, 20, 30, 60, 200, 600])
        for platform in rng.sample(tool, rng.randint(10, len(tool))):
            at_ms += int(rng.expovariate(1 / pace_s) * 1000)
            send(at_ms, 8613900000000 + victim, platform)
    events = [event for _, event in sorted(arrivals)]
    gap = rng.choice([1, 4, 40])
    return Stream(events, [8 * gap * n for n in range(1, len(events) + 1)])


@pytest.fixture
def young(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lists from little evidence, and the sizes of those that are made."""
    monkeypatch.setattr(listed, "HOT_BASE_LEAST", 20)
    monkeypatch.setattr(listed, "HOT_SHARE_MILLI", 300)
    sizes: list[int] = []
    choose = listed.choose

    def noted(votes: Votes, base: Base) -> list[int]:
        chosen = choose(votes, base)
        sizes.append(len(chosen))
        return chosen

    monkeypatch.setattr(listed, "choose", noted)
    return sizes


@pytest.mark.parametrize("part", range(PARTS))
def test_lists_that_a_log_makes_are_the_same_alone_and_in_any_mixture(
    young: list[int], part: int
) -> None:
    """Decisions and states, byte for byte: lists arrive between any batches and restores."""
    rules = set[str]()
    for seed in range(part, STREAMS // 25, PARTS):
        params = params_of(seed)
        streams = [campaign(seed * 10 + i) for i in range(3)]
        sizes = [[7, 30, 99], [1, 16, 78, 400]][seed % 2]
        totals, parts = mixed(params, seed, streams, sizes)
        for i, stream in enumerate(streams):
            expected, partition = alone(params, seed, i, stream, sizes)
            for field in fields(Decisions):
                found = getattr(totals[i], field.name)
                assert found == getattr(expected, field.name), f"seed {seed}, {i}: {field.name}"
            assert held_by(parts[i]) == held_by(partition), f"seed {seed}, {i}"
            rules |= {step.rule for e in expected.episodes for step in e.path}
    assert any(young) or not ENOUGH, "no list was made"
    assert rules & {"hot", "hot_burst"} or not ENOUGH, "no list decided anything"


KEYS = (b"the key of today", b"that of yesterday")


def with_lists(stream: Stream, seed: int) -> Stream:
    """The same log, in which the network's lists stand: good, forged, old, over and of nothing."""
    rng = random.Random(seed)
    tool = sorted({platform_id(e.platform) for e in stream.events if e.platform.startswith("tool")})
    events = list(stream.events)
    places = sorted(rng.sample(range(len(events)), rng.randint(4, 12)), reverse=True)
    for number, at in zip(range(len(places))[::-1], places, strict=True):
        now_ms = events[at].at_ms
        ids = rng.sample(tool, rng.randint(0, len(tool))) + rng.sample(range(1, 1 << 32), 3)
        key = rng.choice([*KEYS, *KEYS, b"nobody's, at all"])
        valid_ms = rng.choice([DAY_MS, DAY_MS, DAY_MS // 8, 0, 2 * DAY_MS])
        told = sign_list(key, now_ms + rng.choice([0, 60_000, -DAY_MS]), now_ms + valid_ms, ids)
        some = rng.choice([told, told, told, None, told._replace(platforms=told.platforms[1:])])
        if number < len(FIRST_LISTS):  # whatever chance does, these are met
            some = FIRST_LISTS[number](now_ms, ids)
        events.insert(at, Event(now_ms, 1, "", kind=EventKind.LISTED, told=some))
    step = stream.offsets[0]
    return Stream(events, [step * n for n in range(1, len(events) + 1)])


FIRST_LISTS: Final[Sequence[Callable[[int, list[int]], HotList | None]]] = (
    lambda now_ms, ids: sign_list(KEYS[0], now_ms, now_ms + DAY_MS, ids),
    lambda now_ms, ids: sign_list(KEYS[0], now_ms - DAY_MS, now_ms, ids),  # old, where that is held
    lambda now_ms, ids: sign_list(b"nobody's, at all", now_ms, now_ms + DAY_MS, ids),
    lambda _now_ms, _ids: None,
)


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize("part", range(PARTS))
def test_lists_of_the_network_are_met_at_their_own_offsets(part: int) -> None:
    """Alone, in batches of one to 20,000, in mixtures, with restores: the same, byte for byte."""
    became, rules = set[str](), set[str]()
    for seed in range(part, max(STREAMS // 100, PARTS), PARTS):
        params = replace(params_of(seed), list_keys=KEYS)
        streams = [with_lists(campaign(seed * 10 + i), seed * 10 + i) for i in range(3)]
        sizes = [[7, 30, 99], [1, 16, 78, 400]][seed % 2]
        totals, parts = mixed(params, seed, streams, sizes)
        for i, stream in enumerate(streams):
            expected, partition = alone(params, seed, i, stream, sizes)
            for one in ([1], [20_000])[i > 0 :]:
                found, other = alone(params, seed, i, stream, one)
                assert found == expected, f"seed {seed}, {i}, batches of {one}"
                assert held_by(other) == held_by(partition), f"seed {seed}, {i}"
            for field in fields(Decisions):
                got = getattr(totals[i], field.name)
                assert got == getattr(expected, field.name), f"seed {seed}, {i}: {field.name}"
            assert held_by(parts[i]) == held_by(partition), f"seed {seed}, {i}"
            became |= {*expected.lists}
            rules |= {step.rule for e in expected.episodes for step in e.path}
    assert "adopted" in became
    assert {"forged", "old", "unreadable"} <= became or not ENOUGH
    assert rules & {"hot", "hot_burst"} or not ENOUGH, "no list decided anything"
