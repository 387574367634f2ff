"""How the agent shares the loop with others while it applies an envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, count, cycle, groupby, pairwise
from operator import attrgetter
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from detectors.chain import Decisions, snapshot
from detectors.model.event import TICK_OFFSETS
from streams.config import Settings
from streams.engine.state.manager import AssignedPartition, StateManager
from streams.engine.state.outbox import Output
from streams.engine.transport.envelope import Envelope, Poll
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.agents import SPAN_MIN, Detector
from streams.engine.worker.dead_letter_limit import Letters
from streams.engine.worker.observe import Observer
from streams.engine.worker.reader import Reader
from streams.telemetry.metrics import Metrics
from streams.wire import decode_part
from tests.builders.streams.engine.state.manager import Kafka
from tests.builders.streams.wire.platform_records import PART
from tests.faults.traffic import traffic

EVENTS = 5 * TICK_OFFSETS
START_MS = 1_700_000_000_000


def standing() -> float:
    """A clock by which nothing takes any time, however busy the machine is."""
    return 0.0


@pytest.fixture(scope="module")
def envelope() -> Envelope:
    """A full poll of one partition, which begins in the middle of a tick."""
    made = list(traffic(3, EVENTS, 1, START_MS, 600_000))[:EVENTS]
    start = 7 + TICK_OFFSETS // 2
    return Envelope(
        0,
        start,
        start + EVENTS,
        start + EVENTS,
        [r.value for r in made],
        [r.key for r in made],
        range(start, start + EVENTS),
        [r.timestamp_ms for r in made],
    )


def apply(
    envelopes: Sequence[Envelope],
    others: Callable[[AssignedPartition, Any], None],
    sent: list[Output] | None = None,
    metrics: Metrics | None = None,
    now: Callable[[], float] = standing,
) -> AssignedPartition:
    """Have an agent apply them; `others` runs at every turn of the loop."""
    return play([[one] for one in envelopes], others, sent, metrics, now).partitions[0]


def play(
    polls: Sequence[list[Envelope]],
    others: Callable[[AssignedPartition, Any], None],
    sent: list[Output] | None = None,
    metrics: Metrics | None = None,
    now: Callable[[], float] = standing,
) -> StateManager:
    """The same for several partitions; each begins at its first envelope's start."""
    told = Metrics() if metrics is None else metrics
    starts: dict[int, int] = {}
    for each in chain.from_iterable(polls):
        starts.setdefault(each.partition, each.start)

    async def run() -> StateManager:
        settings, kafka = Settings(), Kafka()
        states = kafka.states()

        async def send(output: Output) -> Any:
            if sent is not None:
                sent.append(output)
            return await _acknowledged(output)

        states.send = send
        await kafka.rebalance(states, 1, set(starts))
        for partition, start in starts.items():
            states.partitions[partition].next = start
        recogniser = settings.recogniser()
        acks = Acknowledgements(told, "in", 0, states)
        detector = Detector(
            states.params,
            Reader(settings.intake(), "in", recogniser, told),
            settings.topics,
            states,
            Observer(told, recogniser, acks),
            Letters(100, told),
            now=now,
        )
        for poll in polls:
            work = asyncio.create_task(detector.handle(Poll(poll), kafka))  # type: ignore[arg-type]
            turn = cycle(poll)
            while not work.done():
                others(states.partitions[next(turn).partition], states)
                await asyncio.sleep(0)
            work.result()
        return states

    return asyncio.run(run())


async def _acknowledged(_output: object) -> Any:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


@pytest.mark.slow
def test_the_loop_is_let_go_at_every_tick_of_an_envelope(envelope: Envelope) -> None:
    seen: list[int] = []
    assigned = apply([envelope], lambda assigned, _: seen.append(assigned.next or 0))
    assert assigned.next == assigned.state.next_offset == envelope.next_offset
    steps = [b - a for a, b in zip(seen, [*seen[1:], assigned.next], strict=True)]
    assert sum(steps) == EVENTS
    assert max(steps) <= TICK_OFFSETS


@pytest.mark.slow
def test_the_loop_is_let_go_more_often_where_records_take_long(envelope: Envelope) -> None:
    """As in a campaign; what comes of them is the same."""
    seen, whole, cut = list[int](), list[Output](), list[Output]()
    expected = apply([envelope], lambda *_: None, whole)
    assigned = apply(
        [envelope],
        lambda assigned, _: seen.append(assigned.next or 0),
        cut,
        now=count(step=9).__next__,
    )
    steps = [b - a for a, b in pairwise(sorted({*seen, envelope.next_offset}))]
    assert max(steps[1:]) == SPAN_MIN, "after the first, which tells how long they take"
    for topic in {output.topic for output in whole}:
        told = ([output for output in each if output.topic == topic] for each in (cut, whole))
        assert next(told) == next(told)
    rows = (sorted(map(tuple, snapshot(each.state).rows.tolist())) for each in (assigned, expected))
    assert next(rows) == next(rows)


def test_as_many_records_are_applied_at_once_as_take_a_tenth_of_a_second() -> None:
    detector = Detector(*[None] * 6)  # type: ignore[arg-type]
    for records, spent_s, span in (
        (TICK_OFFSETS, 0.0, TICK_OFFSETS),
        (TICK_OFFSETS, 0.09, TICK_OFFSETS),
        (TICK_OFFSETS, 0.48, 512),
        (SPAN_MIN - 1, 9.0, 512),  # so few say nothing
        (512, 0.03, 1024),
        (1024, 90.0, SPAN_MIN),
        (SPAN_MIN, 0.001, TICK_OFFSETS),
    ):
        detector._pace(records, spent_s)
        assert detector._span == span


def test_an_envelope_is_given_up_where_a_rebalance_begins(envelope: Envelope) -> None:
    def revoke(assigned: AssignedPartition, states: Any) -> None:
        if assigned.next != envelope.start:
            states.revoke()

    assigned = apply([envelope], revoke)
    assert assigned.next == assigned.state.next_offset == TICK_OFFSETS


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_where_more_is_in_the_log_the_end_of_an_envelope_waits_for_the_rest_of_its_tick(
    envelope: Envelope, seed: int
) -> None:
    start, stop = envelope.start, envelope.next_offset
    cuts = sorted(Random(seed).sample(range(1, EVENTS), 3 * seed))
    held = [
        replace(envelope._part(a, b, start + a, start + b), highwater=stop)
        for a, b in pairwise([0, *cuts, EVENTS])
    ]
    seen: set[int] = set()
    assigned = apply(held, lambda assigned, _: seen.add(assigned.next or 0))
    assert assigned.next == assigned.state.next_offset == stop
    assert assigned.deferred is None
    last = stop // TICK_OFFSETS * TICK_OFFSETS  # the log does not hold all of the tick behind it
    assert {at for at in seen if at < last} <= {start, *range(0, last, TICK_OFFSETS)}


@pytest.mark.slow
def test_what_waits_is_read_again_where_something_else_follows(envelope: Envelope) -> None:
    start, stop = envelope.start, envelope.next_offset
    head = replace(envelope._part(0, 10, start, start + 10), highwater=stop)
    waits = apply([head], lambda *_: None)
    assert (waits.next, waits.deferred) == (start, head)
    assigned = apply(
        [head, envelope], lambda *_: None
    )  # as after a rebalance: from the state's offset
    assert assigned.next == assigned.state.next_offset == stop
    assert assigned.deferred is None
    expected = snapshot(apply([envelope], lambda *_: None).state)
    found = snapshot(assigned.state)
    assert found.rows.tobytes() == expected.rows.tobytes()
    assert (found.header, found.rest) == (expected.header, expected.rest)


def test_a_record_a_year_ahead_of_the_log_is_a_dead_letter_with_a_reason_of_its_own(
    envelope: Envelope,
) -> None:
    at = 3 * TICK_OFFSETS
    values, times_ms = list(envelope.values), list(envelope.timestamps_ms)
    event = json.loads(values[at] or b"")
    year_ms = 365 * 86_400_000
    event |= {"event_time_ms": START_MS + year_ms, "category": "otp", "event_type": "submit"}
    event |= {"segment": 1, "attempt": 1, "direction": "mt"}
    values[at], times_ms[at] = json.dumps(event).encode(), START_MS + year_ms
    sent: list[Output] = []
    metrics = Metrics()
    wrong = replace(envelope, values=values, timestamps_ms=times_ms)
    assigned = apply([wrong], lambda *_: None, sent, metrics)
    letters = [o for o in sent if o.topic == Settings().topics.dead_letters]
    told = {dict(o.headers)["reason"]: (dict(o.headers)["offset"], o.value) for o in letters}
    assert told[b"ahead_of_log"] == (str(envelope.offsets[at]).encode(), values[at])
    assert assigned.state.watermark_ms < START_MS + 86_400_000
    name, labels = "otpguard_dead_letters_total", {"reason": "ahead_of_log"}
    assert metrics.registry.get_sample_value(name, labels) == 1


PARTITIONS = 5


@pytest.fixture(scope="module")
def logs() -> list[Envelope]:
    """All of each partition's log, with floods and records that are refused."""
    made = sorted(traffic(7, 12_000, PARTITIONS, START_MS, 900_000), key=attrgetter("partition"))
    whole = []
    for partition, some in groupby(made, attrgetter("partition")):
        records = list(some)
        start = partition * 1000
        end = start + len(records)
        whole.append(
            Envelope(
                partition, start, end, end,
                [r.value for r in records], [r.key for r in records],
                range(start, end), [r.timestamp_ms for r in records],
            )
        )  # fmt: skip
    return whole


def polls_of(logs: list[Envelope], seed: int) -> list[list[Envelope]]:
    """The same in polls, each of which brings a little of some partitions."""
    rng, places, polls = Random(seed), [0] * len(logs), list[list[Envelope]]()
    while left := [log for log in logs if places[log.partition] < len(log.values)]:
        poll = list[Envelope]()
        for log in rng.sample(left, rng.randint(1, len(left))):
            a = places[log.partition]
            b = places[log.partition] = min(a + rng.choice([0, 2, 16, 78, 700]), len(log.values))
            part = log._part(a, b, log.start + a, log.start + b)
            poll.append(replace(part, highwater=log.start + b))
        polls.append(poll)
    return polls


def outputs_of(partition: int, sent: list[Output]) -> dict[str, list[Output]]:
    """Those that events of a partition made, in their order, by topic."""
    place = b"%d" % partition

    def made(output: Output) -> bool:
        headers = dict(output.headers)
        if "partition" in headers:
            return headers["partition"] == place
        return json.loads(output.value)["cause"]["partition"] == partition

    by_topic = dict[str, list[Output]]()
    for output in filter(made, sent):
        by_topic.setdefault(output.topic, []).append(output)
    return by_topic


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_small_envelopes_of_a_poll_are_applied_together_as_each_by_itself(
    logs: list[Envelope], seed: int
) -> None:
    """A snapshot is copied now and then: what comes meanwhile for its partition waits its turn."""
    rng, together, apart = Random(seed), list[Output](), list[Output]()
    held: list[AssignedPartition] = []

    def copy(part: AssignedPartition, _states: object) -> None:
        if held:
            held.pop().state_lock.release()
        elif rng.random() < 0.05 and not part.state_lock.locked():
            with suppress(StopIteration):  # as a copy in its thread has it
                part.state_lock.acquire().send(None)
            held.append(part)

    counted, expected_counts = Metrics(), Metrics()
    states = play(polls_of(logs, seed), copy, together, counted)
    for log in logs:
        part = states.partitions[log.partition]
        alone = play([[log]], lambda *_: None, apart, expected_counts).partitions[log.partition]
        assert part.next == part.state.next_offset == log.next_offset
        found = outputs_of(log.partition, together)
        assert found == outputs_of(log.partition, apart)
        assert len(found) == 4, "actions, episodes, incidents, letters"
        assert snapshot(part.state).header == snapshot(alone.state).header
    for name in ("codes", "judged", "promoted", "actions"):
        assert total(counted, name) == total(expected_counts, name) > 0


def total(metrics: Metrics, name: str) -> float:
    samples = (s for family in metrics.registry.collect() for s in family.samples)
    return sum(s.value for s in samples if s.name == f"otpguard_{name}_total")


def test_of_a_poll_only_what_follows_is_applied_before_its_turn(logs: list[Envelope]) -> None:
    """One of the others has a hole before it, one has its first records again."""
    poll = list[Envelope]()
    for log, (a, b) in zip(logs[:4], [(0, 5), (0, 5), (7, 9), (0, 5)], strict=True):
        part = log._part(a, b, log.start + a, log.start + b)
        poll.append(replace(part, highwater=log.start + 50))
    first = [
        replace(log._part(0, 2, log.start, log.start + 2), highwater=log.start + 2)
        for log in logs[2:4]
    ]
    seen: list[dict[int, int | None]] = []

    def note(_part: AssignedPartition, states: StateManager) -> None:
        seen.append({p: part.next for p, part in states.partitions.items()})

    states = play([*([one] for one in first), poll], note)
    start = [log.start for log in logs]
    assert {0: start[0] + 5, 1: start[1] + 5, 2: start[2] + 2, 3: start[3] + 2} in seen
    ends = {p: part.next for p, part in states.partitions.items()}
    assert ends == {0: start[0] + 5, 1: start[1] + 5, 2: start[2] + 2, 3: start[3] + 5}
    assert states.partitions[2].gap == (start[2] + 2, start[2] + 7)


def test_a_part_of_figures_goes_to_its_own_topic_by_its_partition() -> None:
    told, topics = Metrics(), Settings().topics
    states: Any = SimpleNamespace(topic="in")
    nobody: Any = None
    detector = Detector(nobody, nobody, topics, states, nobody, Letters(100, told))
    (output,) = detector._outputs(3, [], Decisions(parts=[PART]))
    assert (output.topic, output.key) == ("otpguard.platform.parts.v1", b"3")
    assert decode_part(output.value) == PART
    assert dict(output.headers)["ce_source"] == b"/otpguard/in/3"
