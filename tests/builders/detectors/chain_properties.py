"""Builders that test_chain_properties.py shares with other tests."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

import pytest
from _pytest.mark import ParameterSet

from detectors.chain import (
    Decisions,
    Params,
    Partition,
    process,
    process_together,
    restore,
    snapshot,
)
from detectors.episodes.lease import EpisodeParams
from detectors.suspects.clocks import ClockClass, ClockParams
from detectors.suspects.judge import JudgeParams, RuleMode
from detectors.thresholds import SETTLED_DAYS
from tests.detectors.naive import Alarm, Naive
from tests.detectors.stand_in import add, batch_of, codes_of, plain_rows, poll_of
from tests.detectors.streams import Stream

STREAMS = int(os.environ.get("OTPGUARD_TEST_STREAMS", "400"))
"""Number of random streams that each property is tried on; `make soak` tries it on 3,000."""

ENOUGH = STREAMS >= 400
"""With fewer streams, some rules decide nothing in any of a part's streams."""


def choose_parts(count: int, soon: Sequence[int] = (0, 3)) -> list[ParameterSet]:
    """Parts of the streams as parameters of a test: `soon` in `make test`, the others later.

    Each part has every `count`-th stream. Parts 0 and 3 differ in both the rules that
    `params_of` sets by the seed. The other parts are minutes of computing: `make integration`
    has them.
    """
    later = pytest.mark.integration
    return [pytest.param(part, marks=() if part in soon else later) for part in range(count)]


TOLD = ClockParams(gateways={"gw": ClockClass.EXACT})
"""Out of order by minutes a gateway would be classed, and the oracle knows no classes."""


def params_of(seed: int) -> Params:
    """Of each second seed the rules for settled rows are at work from the first day on.

    Of each fourth the limit of known platforms is enforced.
    """
    p_novel, settled = [None, 0.5, 0.3][seed % 3], [0, SETTLED_DAYS][seed % 2]
    rules: dict[str, RuleMode] = {"known": "enforce"} if seed % 8 < 2 else {}
    enforce = EpisodeParams(mode="enforce", enforce_cold=True)
    judge = JudgeParams(p_novel=p_novel, settled_days=settled, rules=rules)
    return Params(judge=judge, episode=enforce, stamps=TOLD)


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


def alone(
    params: Params, seed: int, number: int, stream: Stream, sizes: Sequence[int]
) -> tuple[Decisions, Partition]:
    """One partition's log by itself, up to one offset behind its last event."""
    rng, partition, total = random.Random(seed), Partition(params), Decisions()
    at = 0
    while at < len(stream.events):
        size = rng.choice(sizes)
        batch = batch_of(stream.events[at : at + size], stream.offsets[at : at + size])
        add(total, process(params, partition, replace(batch, partition=number), codes_of(batch)))
        at += size
    return total, partition


def mixed(
    params: Params, seed: int, streams: Sequence[Stream], sizes: Sequence[int]
) -> tuple[list[Decisions], list[Partition]]:
    """The logs of several partitions in random polls, states snapshot and restored in between."""
    rng = random.Random(seed)
    parts = [Partition(params) for _ in streams]
    totals = [Decisions() for _ in streams]
    places = [0] * len(streams)
    while left := [i for i, stream in enumerate(streams) if places[i] < len(stream.events)]:
        chosen = rng.sample(left, rng.randint(1, len(left)))
        poll = []
        for i in chosen:
            events, offsets = streams[i]
            last = min(places[i] + rng.choice([0, *sizes]), len(events))
            some = offsets[places[i] : last]
            behind = (some[-1] if some else parts[i].next_offset - 1) + 1
            if last < len(events):  # what is not counted still moves the log on
                behind = rng.randint(behind, max(behind, offsets[last]))
            poll.append((i, events[places[i] : last], some, behind))
            places[i] = last
        batch = poll_of(poll)
        held = [parts[i] for i in chosen]
        decided = process_together(params, held, batch, codes_of(batch))
        for i, decisions in zip(chosen, decided, strict=True):
            add(totals[i], decisions)
        for i in rng.sample(range(len(parts)), rng.choice([0, 0, 1])):
            parts[i] = restore(params, snapshot(parts[i]))
    return totals, parts


def held_by(partition: Partition) -> dict[str, object]:
    """A snapshot's content, by keys: not in which order, nor where in the table a row lies."""
    held = snapshot(partition)
    where = {row[0]: i for i, row in enumerate(held.rows.tolist()) if row[0]}
    suspects = {state[0]: state for state in held.rest["suspects"]}
    for recipient, state in suspects.items():
        assert state[2] == where[recipient]
        state[2] = 0
    by_key = {
        kind: {each[0]: each[1:] for each in held.rest[kind]} for kind in ("names", "windows")
    }
    return held.rest | held.header | {"rows": plain_rows(held), "suspects": suspects} | by_key


def sure(alarms_: Iterable[Alarm], oracle: Naive) -> list[Alarm]:
    """The alarms without those of recipients whose young platforms a row may see in another way.

    About one alarm in twenty of these streams. `Naive.unsure` has the reason.
    """
    return [a for a in alarms_ if a.offset < oracle.unsure.get(a.recipient, a.offset + 1)]
