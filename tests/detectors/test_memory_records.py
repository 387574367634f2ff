"""Memory records: what a partition takes over, what it refuses, and that the log alone decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

import pytest
from hypothesis import given, strategies as st

from detectors import memory_records
from detectors.chain import Decisions, Partition, restore, snapshot
from detectors.memory_records import adopt_memory, list_memories, sign_memory
from detectors.model.event import (
    EventKind,
    MemoryRecord,
    platform_id,
    platform_print,
)
from detectors.model.records import Level
from detectors.model.times import DAY_S, EPOCH_S
from detectors.recipients.overflow import PLACES_MAX
from detectors.recipients.row import unpack
from detectors.recipients.sieve import SieveParams
from detectors.recognise.text.fold import NAME_VERSION
from detectors.thresholds import MEMORY_AGE_MS, MEMORY_MAX
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.builders.detectors.chain_properties import (
    STREAMS,
    alarms,
    alone,
    held_by,
    mixed,
    params_of,
    sure,
)
from tests.builders.detectors.memory_records import (
    KEY,
    OWN,
    PARAMS,
    TODAY,
    known,
    prints,
    record,
    told_of,
)
from tests.detectors.naive import Naive
from tests.detectors.stand_in import DAY_MS, HOUR_MS, START_MS, Event, run
from tests.detectors.streams import Stream, random_stream


def own_codes(start_ms: int = START_MS) -> list[Event]:
    """A person who logs in to a dozen of their own platforms in three minutes."""
    return [Event(start_ms + i * 15_000, VICTIM, name) for i, name in enumerate(OWN)]


def test_a_partition_without_history_throttles_nobody_for_platforms_that_a_record_knows() -> None:
    without = run(PARAMS, own_codes())
    assert any(each.level is Level.THROTTLE for each in without.episodes)
    found = run(PARAMS, [record(told_of(OWN)), *own_codes()])
    assert found.memories == ["adopted"]
    assert not found.episodes
    flooded = run(PARAMS, [record(told_of(OWN)), *flood(12)])
    (first, *_) = flooded.actions
    assert first.verb == "throttle"
    assert first.mode == "enforce", "the imported memory is no cold start"
    assert first.scope is not None
    assert prints(OWN) <= {*first.scope.pass_prints}


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (told_of(OWN), "adopted"),
        (told_of(OWN, key=b"that of yesterday"), "adopted"),
        (None, "unreadable"),
        (told_of(OWN, key=b"nobody's, at all"), "forged"),
        (told_of(OWN, recipient=VICTIM + 1), "forged"),
        (told_of(OWN)._replace(platforms=()), "forged"),
        (told_of(OWN)._replace(as_of_ms=START_MS), "forged"),
        (told_of(OWN)._replace(born_day=1), "forged"),
        (told_of(OWN)._replace(mac=""), "forged"),
        (told_of(OWN, version=NAME_VERSION - 1), "foreign"),
        (told_of(range(1, MEMORY_MAX + 1)), "adopted"),
        (told_of(range(1, MEMORY_MAX + 2)), "oversized"),
        (told_of(OWN, as_of_ms=START_MS - MEMORY_AGE_MS + 1), "adopted"),
        (told_of(OWN, as_of_ms=START_MS - MEMORY_AGE_MS), "old"),
        (told_of(OWN, born_day=TODAY - 99), "adopted"),
        (told_of(OWN, born_day=TODAY - 100), "recycled"),
    ],
)
def test_a_record_is_adopted_or_refused_for_a_reason(
    told: MemoryRecord | None, wanted: str
) -> None:
    partition = Partition(PARAMS)
    partition.watermark_s = START_MS // 1000 - EPOCH_S
    memory_records.note_recycled(partition, VICTIM, (TODAY - 100) * DAY_S)
    before = held_by(partition)
    assert adopt_memory(partition, PARAMS.memory_keys, VICTIM, told) == wanted
    assert (held_by(partition) == before) is (wanted != "adopted")


def test_without_a_key_records_are_passed_over() -> None:
    found = run(ENFORCE, [record(told_of(OWN)), *own_codes()])
    assert not found.memories
    assert found.episodes == run(ENFORCE, [record(None), *own_codes()]).episodes


@pytest.mark.parametrize("kind", [EventKind.MEMORY, EventKind.RECYCLED])
def test_only_messages_tell_the_time_and_the_clocks_of_gateways(kind: EventKind) -> None:
    """An import, or a list of recycled numbers, of last week: four for each message."""
    partition = Partition(PARAMS)
    as_of_ms = START_MS - 6 * DAY_MS
    told = told_of(OWN, VICTIM + 1, as_of_ms=as_of_ms, last_day=TODAY - 9)
    events = []
    for i in range(2 * 4096):
        at_ms = START_MS + i * 1000
        old = record(told, VICTIM + 1, as_of_ms)._replace(gateway="", kind=kind)
        events += [old] * 4
        events.append(Event(at_ms, VICTIM + 2 + i % 500, "p", gateway=""))
    found = run(PARAMS, events, partition)
    assert {*found.memories} == ({"adopted"} if kind is EventKind.MEMORY else set())
    assert not found.ahead
    assert START_MS // 1000 < partition.watermark_s + EPOCH_S <= at_ms // 1000
    assert not partition.stamps
    assert not partition.lags_ms
    assert [each.astray for each in partition.gateways.values()] == [0]


def test_a_platform_first_seen_in_a_flood_stays_unknown_after_an_import() -> None:
    """While the flood lasts, when it is over, and where the other state saw the same flood."""
    messages = flood(30)
    names = {each.platform for each in messages}
    partition = Partition(PARAMS)
    run(PARAMS, [*history(), *messages], partition)
    assert VICTIM in partition.suspects
    before = known(partition)
    exported = dict(list_memories(partition))[VICTIM]
    assert not prints(names) & {platform_print(each.platform) for each in exported.platforms}
    told = sign_memory(KEY, VICTIM, exported)
    mine = told_of([*names, "mine"], days=1)
    late_ms = messages[-1].at_ms + 1000
    assert run(PARAMS, [record(told), record(mine)], partition).memories == ["adopted"] * 2
    assert known(partition) == before | dict.fromkeys(prints(["mine"]), 1)
    idle = [Event(late_ms + i * 40_000, VICTIM + 7, "a") for i in range(5 * 4096)]
    run(PARAMS, idle, partition)
    assert VICTIM not in partition.suspects, "the flood is over"
    again = run(PARAMS, [record(told_of(names))], partition)
    assert again.memories == ["adopted"]
    assert not prints(names) & known(partition).keys()


def test_a_recycled_number_is_not_revived() -> None:
    partition = Partition(PARAMS)
    gone = Event(START_MS - DAY_MS, VICTIM, "", kind=EventKind.RECYCLED)
    found = run(PARAMS, [record(told_of(OWN)), gone, record(told_of(OWN))], partition)
    assert found.memories == ["adopted", "recycled"]
    assert VICTIM not in dict(list_memories(partition))
    partition = restore(PARAMS, snapshot(partition))
    fresh = told_of(OWN, born_day=TODAY, last_day=TODAY)
    found = run(PARAMS, [record(told_of(OWN)), record(fresh)], partition)
    assert found.memories == ["recycled", "adopted"], "also after a restart, but not for ever"


def test_numbers_recycled_too_long_ago_to_be_remembered_are_not_revived_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_records, "RECYCLED_MAX", 3)
    partition = Partition(PARAMS)
    for i in range(6):
        memory_records.note_recycled(partition, VICTIM + i, (TODAY - 6 + i) * DAY_S)
    assert len(partition.recycled) <= 4
    for age_days, wanted in ((4, "recycled"), (2, "adopted")):
        told = told_of(OWN, as_of_ms=START_MS - age_days * DAY_MS)
        assert adopt_memory(partition, (KEY,), VICTIM, told) == wanted


def test_what_the_partition_learned_itself_is_dropped_last() -> None:
    names = [f"mine {i}" for i in range(30)]
    own = [
        Event(START_MS + day * 3 * DAY_MS + i * 4 * HOUR_MS, VICTIM, name)
        for day in range(2)
        for i, name in enumerate(names[:15])
    ]
    partition = Partition(PARAMS)
    run(PARAMS, own, partition)
    before = known(partition)
    assert len(before) == 15
    run(PARAMS, [record(told_of(range(1, MEMORY_MAX + 1)))], partition)
    after = known(partition)
    assert before.items() <= after.items()
    assert len(after) >= PLACES_MAX


RECORDS = st.lists(
    st.tuples(
        st.lists(st.integers(1, 40), max_size=16, unique=True),
        st.sampled_from([1, 2]),
        st.integers(TODAY - 30, TODAY - 9),
        st.integers(TODAY - 99, TODAY - 31),
    ),
    min_size=1,
    max_size=4,
)


@given(RECORDS, st.randoms(use_true_random=False), st.integers(0, 12), st.booleans())
def test_records_of_a_recipient_give_the_same_in_any_order_and_any_number(
    records: list[tuple[list[int], int, int, int]],
    rng: random.Random,
    own: int,
    flooded: bool,
) -> None:
    told = [
        told_of(ids, days=days, last_day=last_day, born_day=born_day)
        for ids, days, last_day, born_day in records
    ]
    before = history(own) + (flood(12) if flooded else [])
    twice = [*told, *told]
    rng.shuffle(twice)
    found = []
    for some in (told, twice):
        partition = Partition(PARAMS)
        run(PARAMS, [*before, *map(record, some)], partition)
        held = dict(list_memories(partition))[VICTIM]
        row = partition.table.words[0]
        found.append((known(partition), held.born_day, int(row[1]) >> 32, flooded or row[10]))
    assert found[0][:3] == found[1][:3]


def with_records(stream: Stream, seed: int, *, alike: bool) -> tuple[Stream, dict[int, str]]:
    """The same log with memory records. `alike`: of a kind that the oracle knows by definition."""
    rng = random.Random(f"memory/{seed}")
    events = list(stream.events)
    people = sorted({(e.recipient, e.platform) for e in events if e.platform})
    names = {platform_id(p): p for _, p in people}
    first_ms = min(e.at_ms for e in events)
    day = first_ms // DAY_MS - EPOCH_S // DAY_S
    for at in sorted(rng.sample(range(len(events)), min(len(events), rng.randint(1, 9))))[::-1]:
        recipient = rng.choice(people)[0]
        own = [p for r, p in people if r == recipient]
        told = told_of(
            rng.sample(own, rng.randint(0, len(own))), recipient, days=rng.choice([1, 2, 2]),
            key=KEY if alike else rng.choice([KEY, KEY, b"nobody's, at all"]),
            last_day=day - rng.randint(9, 20), born_day=day - rng.randint(21, 60),
            as_of_ms=first_ms if alike else events[at].at_ms - rng.choice([0, 40]) * DAY_MS,
        )  # fmt: skip
        odd = None if not alike and rng.random() < 0.2 else told
        events.insert(at, record(odd, recipient, events[at].at_ms))
    step = rng.choice([1, 40, 400])
    return Stream(events, [step * n for n in range(1, len(events) + 1)]), names


@pytest.mark.slow
def test_sieve_and_judge_equal_a_judge_that_sees_everything() -> None:
    raised = changed = 0
    for seed in range(0, STREAMS, 5):
        params = replace(params_of(seed), memory_keys=(KEY,))
        stream, names = with_records(random_stream(seed), seed, alike=True)
        oracle = Naive(params)
        oracle.names = names
        expected = oracle.run(*stream)
        expected.sort(key=attrgetter("offset", "recipient"))
        found = run(params, stream.events, offsets=stream.offsets, size=1 + seed % 50)
        assert {*found.memories} <= {"adopted", "recycled"}
        assert sure(alarms(found), oracle) == sure(expected, oracle), f"seed {seed}"
        raised += len(expected)
        without = run(params_of(seed), stream.events, offsets=stream.offsets)
        changed += alarms(without) != alarms(found)
    assert raised, "streams without alarms prove nothing"
    assert changed, "records that change no decision prove nothing"


@pytest.mark.slow
def test_records_are_met_at_their_own_offsets_whatever_the_batches() -> None:
    """Alone, in batches of one to 20,000, in mixtures, with restores: the same, byte for byte."""
    became = set[str]()
    for seed in range(0, STREAMS, 50):
        params = replace(params_of(seed), memory_keys=(KEY,))
        streams = [
            with_records(random_stream(seed * 10 + i), seed * 10 + i, alike=False)[0]
            for i in range(3)
        ]
        sizes = [[7, 30, 99], [1, 16, 78, 400]][seed // 50 % 2]
        totals, parts = mixed(params, seed, streams, sizes)
        for i, stream in enumerate(streams):
            expected, partition = alone(params, seed, i, stream, sizes)
            for one in ([1], [20_000]):
                found, other = alone(params, seed, i, stream, one)
                assert found == expected, f"seed {seed}, {i}, batches of {one}"
                assert held_by(other) == held_by(partition), f"seed {seed}, {i}"
            assert totals[i] == expected, f"seed {seed}, {i}"
            assert held_by(parts[i]) == held_by(partition), f"seed {seed}, {i}"
            became |= {*expected.memories}
    assert {"adopted", "forged", "unreadable", "old"} <= became or STREAMS < 400


@pytest.mark.slow
def test_a_table_full_of_imports_has_room_for_a_tick_of_messages() -> None:
    """Rows and overflow blocks: imports are evicted by their last use, and no block is missing."""
    params = replace(PARAMS, sieve=SieveParams(rows_max=4 * 4096), suspects_max=100)
    partition = Partition(params)
    many = [platform_id(f"p {i}") for i in range(60)]
    imported: Decisions = run(
        params,
        [
            record(told_of(many, VICTIM + i, last_day=TODAY - 9 - (i < 4096)), VICTIM + i)
            for i in range(4 * 4096)
        ],
        partition,
    )
    assert {*imported.memories} == {"adopted"}
    assert imported.evicted
    table = partition.table
    assert table.room >= 4096
    assert table.overflow.live <= table.overflow.blocks_most
    assert VICTIM not in dict(list_memories(partition)), "the longest idle went first"
    assert VICTIM + 4 * 4096 - 1 in dict(list_memories(partition))


def test_what_is_exported_and_imported_knows_the_same_platforms() -> None:
    """Another partition that adopts all of it would refuse the same platforms."""
    events = [e for seed in range(9) for e in random_stream(seed).events]
    events.sort(key=attrgetter("at_ms"))
    one, other = Partition(PARAMS), Partition(PARAMS)
    run(PARAMS, events, one)
    exported = dict(list_memories(one))
    now_ms = max(e.at_ms for e in events)
    signed = [record(sign_memory(KEY, r, t), r, now_ms) for r, t in exported.items()]
    assert {*run(PARAMS, signed, other).memories} == {"adopted"}
    assert exported.keys() == dict(list_memories(other)).keys()
    for recipient, told in exported.items():
        assert known(other, recipient) == known(one, recipient), recipient
        assert dict(list_memories(other))[recipient].born_day == told.born_day
        last_days = [each.last_day for each in told.platforms]
        assert all(day <= told.as_of_ms // DAY_MS for day in last_days)
    assert any(len(told.platforms) > 8 for told in exported.values())


def row_of(partition: Partition, recipient: int) -> tuple[list[int], Sequence[int]]:
    table = partition.table
    at = table.words[: table.used, 0].tolist().index(recipient)
    ring, memory = unpack(table.words[at], table.overflow)
    assert all(a < b for a, b in pairwise(ring))
    return ring, memory.prints


def test_an_import_changes_no_sighting_of_the_ring() -> None:
    partition = Partition(PARAMS)
    names = ["mine 1", "mine 2", "mine 3"]
    own = [Event(START_MS + i * 8 * HOUR_MS, VICTIM, name) for i, name in enumerate(names)]
    run(PARAMS, own, partition)
    assert not partition.suspects
    before = row_of(partition, VICTIM)
    run(PARAMS, [record(told_of([*names, *OWN]))], partition)
    after = row_of(partition, VICTIM)
    assert after[0] == before[0]
    assert {*after[1]} - {*before[1]} == prints(OWN)


def test_a_partition_that_only_adopted_records_exports_what_can_be_adopted_again() -> None:
    one, other = Partition(PARAMS), Partition(PARAMS)
    run(PARAMS, [record(told_of(OWN, born_day=TODAY - 40, last_day=TODAY - 9))], one)
    ((recipient, told),) = list_memories(one)
    assert told.as_of_ms // DAY_MS - EPOCH_S // DAY_S in (TODAY - 10, TODAY - 9)
    assert run(PARAMS, [record(sign_memory(KEY, recipient, told))], other).memories == ["adopted"]
    assert known(other) == known(one) == dict.fromkeys(prints(OWN), 2)
