"""What must hold of the chain for every stream: it loses no alarm, and no edge changes it."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from operator import attrgetter

import pytest

from detectors.chain import Decisions, Params, Partition, process, restore, snapshot
from detectors.recipients.sieve import SieveParams
from detectors.suspects.clocks import ClockClass, ClockParams
from detectors.suspects.judge import JudgeParams
from tests.detectors.naive import Alarm, Naive
from tests.detectors.stand_in import add, batch_of, codes_of, run, twin_of
from tests.detectors.streams import Stream, ahead_of_time, random_stream

STREAMS = int(os.environ.get("OTPGUARD_TEST_STREAMS", "1000"))
PARTS = 20


TOLD = ClockParams(gateways={"gw": ClockClass.EXACT})
"""Out of order by minutes a gateway would be classed, and the oracle knows no classes."""


def params_of(seed: int) -> Params:
    return Params(judge=JudgeParams(p_novel=[None, 0.5, 0.3][seed % 3]), stamps=TOLD)


def alarms(decisions: Decisions) -> list[Alarm]:
    """In the order of the log; what one tick ends, by recipient."""
    found = (
        Alarm(e.revision, number(e.recipient), e.change, e.level)
        for e in decisions.episodes
        if e.kind == "flood" and e.change != "renewed"
    )
    return sorted(found, key=attrgetter("offset", "recipient"))


def number(recipient: str) -> int:
    return int(recipient[3:], 16) if recipient.startswith("h1:") else int(recipient)


def cut_and_restored(params: Params, seed: int, stream: Stream | None = None) -> Decisions:
    """The stream in random batches, the partition snapshot and restored between some of them."""
    rng = random.Random(-seed)
    events, offsets = stream or random_stream(seed)
    partition = Partition(params)
    total = Decisions()
    at = 0
    while at < len(events):
        size = rng.choice([1, 7, rng.randint(1, 50), 1000, 20_000])
        batch = batch_of(events[at : at + size], offsets[at : at + size])
        at += size
        add(total, process(params, partition, batch, codes_of(batch)))
        if rng.random() < 0.3:
            partition = restore(params, snapshot(partition))
    return total


@pytest.mark.parametrize("part", range(PARTS))
def test_sieve_and_judge_equal_a_judge_that_sees_everything(part: int) -> None:
    raised, rules = 0, set[str]()
    for seed in range(part, STREAMS, PARTS):
        params = params_of(seed)
        events, offsets = random_stream(seed)
        expected = Naive(params).run(events, offsets)
        expected.sort(key=attrgetter("offset", "recipient"))
        decisions = cut_and_restored(params, seed)
        assert alarms(decisions) == expected, f"seed {seed}"
        whole = run(params, events, offsets=offsets)
        assert whole.actions == decisions.actions, f"seed {seed}"
        assert whole.episodes == decisions.episodes, f"seed {seed}"
        raised += len(expected)
        rules |= {e.reason.rule for e in decisions.episodes if e.change in ("opened", "raised")}
    assert raised, "streams without alarms prove nothing"
    assert STREAMS < 1000 or {"burst", "mass_10min"} <= rules


@pytest.mark.parametrize("part", range(PARTS))
def test_clocks_that_are_ahead_are_forgotten_alike_by_sieve_and_judge(part: int) -> None:
    """One message in a row, for more of them can push what is honest out of a row's ring.

    And no ticks: one of few messages is as wrong as they are, and lets suspects go too soon.
    """
    raised = 0
    for seed in range(part, STREAMS, PARTS):
        events, _ = ahead_of_time(random_stream(seed), seed, most=1)
        stream = Stream(events, list(range(1, len(events) + 1)))
        decisions = cut_and_restored(Params(), seed, stream)
        assert alarms(decisions) == Naive(Params()).run(*stream), f"seed {seed}"
        raised += len(decisions.episodes)
    assert raised, "streams without alarms prove nothing"


@pytest.mark.parametrize("part", range(PARTS))
def test_clocks_that_are_ahead_are_decided_alike_whatever_the_batches(part: int) -> None:
    raised = 0
    for seed in range(part, STREAMS // 2, PARTS):
        stream = ahead_of_time(random_stream(seed), seed, most=100)
        decisions = cut_and_restored(Params(), seed, stream)
        whole = run(Params(), stream.events, offsets=stream.offsets)
        assert whole.actions == decisions.actions, f"seed {seed}"
        assert whole.episodes == decisions.episodes, f"seed {seed}"
        assert whole.ahead == decisions.ahead, f"seed {seed}"
        assert whole.windows == decisions.windows, f"seed {seed}"
        raised += len(decisions.episodes)
    assert raised, "streams without alarms prove nothing"


def test_two_seeds_decide_the_same_and_hold_the_same() -> None:
    outcomes = 0
    for seed in range(0, STREAMS, 20):
        params = params_of(seed)
        events, offsets = random_stream(seed)
        one = cut_and_restored(replace(params, seed=seed * 0x9E37_79B9_7F4A_7C15), seed)
        assert one == cut_and_restored(params, seed), f"seed {seed}"
        parts = [Partition(replace(params, seed=s)) for s in (1, 1 << 63 | 12345)]
        for part in parts:
            run(params, events, part, offsets=offsets)
        held = [snapshot(part) for part in parts]
        rows = [{row[0]: tuple(row) for row in h.rows.tolist()} for h in held]
        assert rows[0] == rows[1], f"seed {seed}"
        assert (held[0].header, held[0].rest) == (held[1].header, held[1].rest), f"seed {seed}"
        outcomes += len(one.episodes)
    assert outcomes, "streams without alarms prove nothing"


def test_platforms_that_share_a_print_are_the_same_to_sieve_and_judge() -> None:
    """Against a sieve that hands everything on, so that the judge alone decides."""
    judge_alone = Params(sieve=SieveParams(promote_distinct=1), stamps=TOLD)
    pairs = {f"{p}.{i + 1}": twin_of(f"{p}.{i}") for p in range(5) for i in range(0, 20, 2)}
    crowd = {f"{p}.{i}": twin_of(f"{p}.{i % 4}", i) for p in range(5) for i in range(4, 20)}
    raised = 0
    for seed in range(0, STREAMS, 5):
        events, offsets = random_stream(seed)
        twins = crowd if seed % 2 else pairs
        events = [e._replace(platform=twins.get(e.platform, e.platform)) for e in events]
        found = alarms(run(Params(stamps=TOLD), events, offsets=offsets))
        assert found == alarms(run(judge_alone, events, offsets=offsets)), f"seed {seed}"
        raised += len(found)
    assert raised, "streams without alarms prove nothing"
