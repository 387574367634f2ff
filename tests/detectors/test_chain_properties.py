"""What must hold of the chain for every stream: it loses no alarm, and no edge changes it.

The properties are computed for minutes. A part of the streams is tried by `make test`, the others
by `make integration`.
"""

from __future__ import annotations

import random
from dataclasses import fields, replace
from operator import attrgetter

import pytest

from detectors.chain import (
    Decisions,
    Params,
    Partition,
    process,
    restore,
    snapshot,
)
from detectors.recipients.sieve import SieveParams
from tests.builders.detectors.chain_properties import (
    ENOUGH,
    STREAMS,
    TOLD,
    alarms,
    alone,
    choose_parts,
    held_by,
    mixed,
    number,
    params_of,
    sure,
)
from tests.detectors.naive import Naive
from tests.detectors.stand_in import add, batch_of, codes_of, run, twin_of
from tests.detectors.streams import (
    Stream,
    ahead_of_time,
    of_known_platforms,
    of_pages,
    random_stream,
)

PARTS = max(2, STREAMS // 100 * 2)  # even: a part has the rules of its parity
MIXTURES = max(1, STREAMS // 100)


Limited = list[tuple[int, int, tuple[int, ...]]]


def limited(decisions: Decisions, oracle: Naive) -> tuple[Limited, Limited]:
    """Offset, recipient and platforms of each new platform lease: of the chain, and expected."""
    found = [
        (a.revision, number(a.recipient), a.refused_ids)
        for a in decisions.actions
        if a.verb == "throttle_platforms" and a.refused_ids and not a.update
    ]
    one, other = (
        [e for e in all_ if e[1] not in oracle.unsure and e[1] not in oracle.far]
        for all_ in (found, oracle.limited)
    )
    return one, other


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


@pytest.mark.parametrize("part", choose_parts(MIXTURES))
def test_a_partition_is_decided_alike_alone_and_in_any_mixture(part: int) -> None:
    """Actions, records, counts and snapshots: as its own log has them, byte for byte."""
    raised = recycled = ahead = 0
    for seed in range(part, STREAMS, 25 * MIXTURES):
        params = replace(params_of(seed), names_max=[3, 16_384][seed // 2 % 2], seed=seed << 33)
        streams = [random_stream(seed * 10 + i) for i in range(6)]
        streams[0] = ahead_of_time(streams[0], seed, most=100)
        streams[1] = ahead_of_time(streams[1], seed, most=1)
        sizes = [[1, 2, 7], [1, 16, 78, 400]][seed % 2]
        totals, parts = mixed(params, seed, streams, sizes)
        for i, stream in enumerate(streams):
            expected, partition = alone(params, seed, i, stream, sizes)
            for field in fields(Decisions):
                found = getattr(totals[i], field.name)
                assert found == getattr(expected, field.name), f"seed {seed}, {i}: {field.name}"
            assert held_by(parts[i]) == held_by(partition), f"seed {seed}, {i}"
            raised += len(expected.episodes)
            recycled += expected.recycled
            ahead += len(expected.ahead)
    assert raised, "streams without alarms prove nothing"
    assert recycled
    assert ahead or not ENOUGH


def test_records_say_the_names_that_had_come_until_their_event_whatever_the_batches() -> None:
    """Where few names are remembered, and some are forgotten while a suspect has them."""
    forgotten = 0
    for seed in range(3, STREAMS, 50):
        params = replace(params_of(seed), names_max=3)
        events, offsets = random_stream(seed)
        whole, *cut = (run(params, events, size=size, offsets=offsets) for size in (1000, 7, 1))
        for decisions in cut:
            assert decisions.episodes == whole.episodes, f"seed {seed}"
        said = (s.platform for record in whole.episodes for s in record.sightings)
        forgotten += sum(platform.startswith("#") for platform in said)
    assert forgotten, "names that are all there prove nothing"


@pytest.mark.parametrize("part", choose_parts(PARTS, soon=range(4)))
def test_sieve_and_judge_equal_a_judge_that_sees_everything(part: int) -> None:
    raised, alone, rules = 0, 0, set[str]()
    for seed in range(part, STREAMS, PARTS):
        params = params_of(seed)
        events, offsets = random_stream(seed)
        oracle = Naive(params)
        expected = oracle.run(events, offsets)
        expected.sort(key=attrgetter("offset", "recipient"))
        decisions = cut_and_restored(params, seed)
        assert sure(alarms(decisions), oracle) == sure(expected, oracle), f"seed {seed}"
        found, wanted = limited(decisions, oracle)
        # Without offsets: of one stream in a thousand the same lease comes five messages later.
        assert sorted(e[1:] for e in found) == sorted(e[1:] for e in wanted), f"seed {seed}"
        alone += len(oracle.limited)
        whole = run(params, events, offsets=offsets)
        assert whole.actions == decisions.actions, f"seed {seed}"
        assert whole.episodes == decisions.episodes, f"seed {seed}"
        raised += len(expected)
        rules |= {e.reason.rule for e in decisions.episodes if e.change in ("opened", "raised")}
    assert raised, "streams without alarms prove nothing"
    assert alone or not ENOUGH, "streams without platform leases prove nothing"
    assert {"burst", "mass_10min"} <= rules or not ENOUGH
    settled = {"relapse", "returns", "volume_6h", "volume_24h"}  # rules of settled rows alone
    assert settled & rules or part % 2 or not ENOUGH


@pytest.mark.parametrize("part", choose_parts(2, soon=[0]))
def test_the_limits_of_known_platforms_equal_a_judge_that_sees_everything(part: int) -> None:
    begun = 0
    whole_minute = 108  # codes of one minute come after a lease: a sender's retry, and others
    for seed in (*range(part, STREAMS, 20), whole_minute):
        stream = of_known_platforms(seed)
        oracle = Naive(params_of(seed))
        expected = oracle.run(*stream)
        decisions = cut_and_restored(params_of(seed), seed, stream)
        assert sure(alarms(decisions), oracle) == sure(expected, oracle), f"seed {seed}"
        found, wanted = limited(decisions, oracle)
        assert sorted(found) == sorted(wanted), f"seed {seed}"
        begun += len(wanted)
    assert begun, "streams without platform leases prove nothing"


@pytest.mark.parametrize("part", choose_parts(PARTS))
def test_pages_that_name_nobody_are_counted_alike_by_sieve_and_judge(part: int) -> None:
    raised, changed = 0, False
    for seed in range(part, STREAMS, PARTS):
        stream = of_pages(random_stream(seed), seed)
        oracle = Naive(params_of(seed))
        expected = oracle.run(*stream)
        decisions = cut_and_restored(params_of(seed), seed, stream)
        assert sure(alarms(decisions), oracle) == sure(expected, oracle), f"seed {seed}"
        whole = run(params_of(seed), stream.events, offsets=stream.offsets)
        assert whole.actions == decisions.actions, f"seed {seed}"
        assert whole.episodes == decisions.episodes, f"seed {seed}"
        raised += len(expected)
        changed = changed or Naive(params_of(seed)).run(*random_stream(seed)) != expected
    assert raised, "streams without alarms prove nothing"
    assert changed or not ENOUGH, "pages that change nothing prove nothing"


@pytest.mark.parametrize("part", choose_parts(PARTS))
def test_clocks_that_are_ahead_are_forgotten_alike_by_sieve_and_judge(part: int) -> None:
    """One message in a row, for more of them can push what is honest out of a row's ring.

    And no ticks: one of few messages is as wrong as they are, and lets suspects go too soon.
    """
    raised = 0
    for seed in range(part, STREAMS, PARTS):
        events, _ = ahead_of_time(random_stream(seed), seed, most=1)
        stream = Stream(events, list(range(1, len(events) + 1)))
        decisions = cut_and_restored(Params(), seed, stream)
        oracle = Naive(Params())
        expected = oracle.run(*stream)
        assert sure(alarms(decisions), oracle) == sure(expected, oracle), f"seed {seed}"
        raised += len(decisions.episodes)
    assert raised, "streams without alarms prove nothing"


@pytest.mark.parametrize("part", choose_parts(PARTS))
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


@pytest.mark.parametrize("part", choose_parts(4))
def test_platforms_that_share_a_print_are_the_same_to_sieve_and_judge(part: int) -> None:
    """Against a sieve that hands everything on, so that the judge alone decides."""
    judge_alone = Params(sieve=SieveParams(promote_distinct=1), stamps=TOLD)
    pairs = {f"{p}.{i + 1}": twin_of(f"{p}.{i}") for p in range(5) for i in range(0, 20, 2)}
    crowd = {f"{p}.{i}": twin_of(f"{p}.{i % 4}", i) for p in range(5) for i in range(4, 20)}
    raised = 0
    for seed in range(part * 5, STREAMS, 20):
        events, offsets = random_stream(seed)
        twins = crowd if seed % 2 else pairs
        events = [e._replace(platform=twins.get(e.platform, e.platform)) for e in events]
        found = alarms(run(Params(stamps=TOLD), events, offsets=offsets))
        assert found == alarms(run(judge_alone, events, offsets=offsets)), f"seed {seed}"
        raised += len(found)
    assert raised, "streams without alarms prove nothing"
