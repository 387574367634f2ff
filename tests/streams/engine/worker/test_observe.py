"""Counts as events are applied, gauges on the beat; nothing that names anybody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import generate_latest

from detectors.chain import Decisions, Partition, process
from detectors.memory_records import list_memories
from detectors.model.event import KnownPlatform, MemoryRecord
from detectors.model.times import EPOCH_S
from detectors.recipients.windows import RUNGS, Window
from detectors.thresholds import MEMORY_AGE_MS, MEMORY_MAX
from streams import wire
from streams.common.clock import now_ms
from streams.config import Settings
from streams.engine.worker.acks import Acknowledgements
from streams.engine.worker.observe import Observer, time_stage
from streams.telemetry.metrics import Metrics
from streams.tools.scenarios import generate
from streams.wire import Decoded, encode_memory
from tests.builders.detectors.chain import VICTIM
from tests.builders.detectors.memory_records import OWN, PARAMS, told_of
from tests.builders.streams.engine.state.manager import Kafka
from tests.detectors.stand_in import DAY_MS, START_MS
from tests.enforce.records import action

SETTINGS = Settings(mode="enforce")


class Owner:
    """A worker with one partition."""

    owned = frozenset({0})


class World:
    """An observer with real metrics, and a partition whose decisions it sees."""

    def __init__(self) -> None:
        self.metrics = Metrics("worker")
        self.recogniser = SETTINGS.recogniser()
        self.acknowledgements = Acknowledgements(self.metrics, "t", 1, Owner())
        self.observer = Observer(self.metrics, self.recogniser, self.acknowledgements)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"otpguard_{name}", labels)


def flood() -> tuple[list[bytes], list[bytes]]:
    events = [event.value for event in generate("A1", 3)]
    keys = [str(event["recipient"]).encode() for event in events]
    return [json.dumps(event).encode() for event in events], keys


def decoded(values: list[bytes], keys: list[bytes]) -> Decoded:
    n = len(values)
    return wire.decode(
        intake=SETTINGS.intake(), topic="t", partition=0, values=values, keys=keys,
        offsets=np.arange(n), timestamps_ms=None, next_offset=n,
    )  # fmt: skip


@pytest.fixture
def seen() -> World:
    world, params = World(), SETTINGS.params()
    values, keys = flood()
    taken = decoded([*values, b"{"], [*keys, b"x"])
    codes = world.recogniser.columns(taken.batch)
    decisions = process(params, Partition(params), taken.batch, codes)
    world.observer.count_batch(taken, {0: decisions})
    return world


def test_a_batch_is_counted_once_in_each_way(seen: World) -> None:
    events = len(flood()[0])
    assert seen.value("events_total", outcome="counted") == events
    assert seen.value("dead_letters_total", reason="invalid_json") == 1
    assert (seen.value("codes_total") or 0) > 60
    assert seen.value("episodes_total", rule="burst", level="watch") == 1
    assert seen.value("episodes_total", rule="burst", level="throttle") == 1
    assert (seen.value("actions_total", verb="throttle", mode="enforce") or 0) >= 1
    novel = seen.value("flood_platforms_total", trust="none", memory="novel")
    assert (novel or 0) >= 5


def test_a_count_of_the_recogniser_is_added_once(seen: World) -> None:
    hits = seen.recogniser.hits + seen.recogniser.misses
    seen.observer.count_batch(decoded([], []), {0: Decisions()})
    counted = [seen.value(f"template_cache_{kind}_total") or 0 for kind in ("hits", "misses")]
    assert sum(counted) == hits > 0


def test_a_list_is_counted_though_nothing_else_was_decided(seen: World) -> None:
    """A forged one comes when it likes, mostly with no flood beside it: an alert hangs on it."""
    nothing = decoded([], [])
    seen.observer.count_batch(nothing, {0: Decisions(lists=["forged"]), 1: Decisions()})
    assert seen.value("hot_lists_total", outcome="forged") == 1


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (told_of(OWN), "adopted"),
        (told_of(OWN, key=b"nobody's, at all"), "forged"),
        (told_of(OWN, as_of_ms=START_MS - MEMORY_AGE_MS - DAY_MS), "old"),
        (told_of(range(1, MEMORY_MAX + 2)), "oversized"),
        (told_of(OWN, version=1), "foreign"),
        (told_of(OWN)._replace(platforms=(KnownPlatform(0, 0, 7),)), "unreadable"),
    ],
)
def test_a_memory_record_is_counted_by_what_became_of_it(told: MemoryRecord, outcome: str) -> None:
    """From the bytes in the input to the metric; nothing is a dead letter."""
    world, partition = World(), Partition(PARAMS)
    partition.watermark_s = START_MS // 1000 - EPOCH_S
    value = encode_memory(str(VICTIM), told)
    taken = wire.decode(
        intake=replace(SETTINGS.intake(), memory=True), topic="t", partition=0, values=[value],
        keys=[str(VICTIM).encode()], offsets=np.array([0]), timestamps_ms=None, next_offset=1,
    )  # fmt: skip
    codes = world.recogniser.columns(taken.batch)
    decisions = process(PARAMS, partition, taken.batch, codes)
    world.observer.count_batch(taken, {0: decisions})
    assert world.value("memory_records_total", outcome=outcome) == 1
    assert world.value("events_total", outcome="memory") == 1
    assert not taken.rejects
    assert (VICTIM in dict(list_memories(partition))) is (outcome == "adopted")


def test_an_action_is_waited_for_by_the_acknowledgements(seen: World) -> None:
    assert len(seen.acknowledgements) >= 1


def test_no_number_and_no_sender_stands_in_what_is_shown(seen: World) -> None:
    shown = generate_latest(seen.metrics.registry).decode()
    assert "8617" not in shown
    assert "1069" not in shown


def window(start_ms: int, codes: int, platforms: int, over: int) -> Window:
    return Window(start_ms, codes, platforms, tuple((rung, over) for rung in RUNGS))


def test_windows_of_all_partitions_are_shown_together_and_older_ones_not() -> None:
    world = World()
    for partition, closed in enumerate([window(600, 5, 3, 1), window(600, 7, 4, 2)]):
        world.observer.count_batch(decoded([], []), {partition: Decisions(windows=[closed])})
    assert (world.value("window_codes"), world.value("window_platforms")) == (12, 4)
    assert world.value("window_recipients", rung=str(RUNGS[0])) == 3
    world.observer.count_batch(decoded([], []), {0: Decisions(windows=[window(900, 1, 1, 0)])})
    assert world.value("window_codes") == 1, "the other has not closed this one yet"


def beat(world: World, behind: dict[int, int], held: dict[int, tuple[int, int]]) -> None:
    async def play() -> None:
        kafka = Kafka()
        states = kafka.states()
        await kafka.rebalance(states, 1, {0, 1})
        world.observer.beat(states, behind, held)

    asyncio.run(play())


def test_gauges_are_set_for_what_is_owned_and_what_is_behind() -> None:
    world = World()
    beat(world, {0: 5, 1: 7}, {})
    assert world.value("partitions_assigned") == 2
    assert world.value("records_behind") == 12
    assert world.value("rebalances_total") == 1
    assert world.value("records_undecided") == 0
    assert world.value("recipients_observed_ratio") == 1, "nothing is known of anybody yet"
    assert world.value("episodes_open", level="watch") == 0


def test_a_transaction_is_open_for_as_long_as_its_offset_stays() -> None:
    world = World()
    beat(world, {}, {0: (9, 40)})
    assert (world.value("records_undecided"), world.value("transaction_open_seconds")) == (40, 0)
    since = world.observer._stable[0][1]
    beat(world, {}, {0: (9, 41)})
    assert world.observer._stable[0] == (9, since)
    beat(world, {}, {0: (50, 3)})
    assert world.observer._stable[0][0] == 50
    beat(world, {}, {})
    assert world.observer._stable == {}


def test_a_stage_is_observed_when_it_is_done() -> None:
    world = World()
    with time_stage(world.metrics, "checkpoint"):
        pass
    assert world.value("stage_seconds_count", stage="checkpoint") == 1


def test_each_kind_of_action_is_counted_and_only_leases_wait_for_an_answer() -> None:
    world = World()
    narrow = replace(action(verb="throttle_platforms", at_ms=now_ms()), refused_ids=(1,))
    windows = replace(narrow, verb="retry_windows", cause=narrow.cause._replace(offset=9))
    end = action(revision=7, verb="throttle_platforms", at_ms=now_ms())
    world.observer._count_decisions(0, Decisions(actions=[narrow, windows, end]))
    assert world.value("actions_total", verb="throttle_platforms", mode="enforce") == 2
    assert world.value("lease_updates_total") == 1
    assert len(world.acknowledgements) == 1
