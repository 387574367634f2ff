"""The network's list in a partition: what is adopted, what is refused, and that it is state."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.hot.base import Base
from detectors.hot.network import (
    authentic,
    check_list,
    join_lists,
    sign_list,
    units,
)
from detectors.model.event import TICK_OFFSETS, EventKind, HotList, platform_id
from detectors.model.fields import reader, writer
from detectors.model.records import Level
from detectors.thresholds import HOT_MAX, HOT_VALID_MS
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import DAY_MS, START_MS, Event, run

KEY = b"a key of sixteen"
PARAMS = replace(ENFORCE, list_keys=(KEY,))
TOOL = [platform_id(f"new {i}") for i in range(200)]


def listed(told: HotList | None, at_ms: int = START_MS) -> Event:
    """The record of the log that holds a list."""
    return Event(at_ms, 1, "", kind=EventKind.LISTED, told=told)


def base_of(counts: dict[int, int]) -> Base:
    base = Base()
    base.one = [platform for platform, count in counts.items() for _ in range(count)]
    base.fold()
    return base


PEOPLE = dict.fromkeys(range(1, 101), 50)
NOW_MS = START_MS
GOOD = sign_list(KEY, NOW_MS, NOW_MS + HOT_VALID_MS, [1000, 1001])


@pytest.mark.parametrize(
    ("told", "held", "wanted"),
    [
        (GOOD, None, "adopted"),
        (None, None, "unreadable"),
        (GOOD._replace(platforms=(1000, 1001, 7)), None, "forged"),
        (GOOD._replace(version_ms=NOW_MS + 1), None, "forged"),
        (GOOD._replace(valid_until_ms=NOW_MS + 1), None, "forged"),
        (GOOD._replace(mac=""), None, "forged"),
        (GOOD, GOOD, "old"),
        (GOOD, sign_list(KEY, NOW_MS + 1, NOW_MS + 5, []), "old"),
        (sign_list(KEY, NOW_MS - DAY_MS, NOW_MS, [1000]), None, "expired"),
        (sign_list(KEY, NOW_MS, NOW_MS + HOT_VALID_MS + 1, [1000]), None, "expired"),
        (sign_list(KEY, NOW_MS, NOW_MS + 1, range(1000, 1001 + HOT_MAX)), None, "oversized"),
        (sign_list(KEY, NOW_MS, NOW_MS + 1, [*range(1, 8)]), None, "adopted"),  # .07 of what is met
        (sign_list(KEY, NOW_MS, NOW_MS + 1, [*range(1, 9)]), None, "common"),
    ],
)
def test_a_list_is_adopted_or_refused_for_a_reason(
    told: HotList | None, held: HotList | None, wanted: str
) -> None:
    assert check_list(told, (KEY,), held, base_of(PEOPLE), NOW_MS) == wanted


def test_either_of_two_keys_signs_and_none_signs_nothing() -> None:
    assert authentic((b"another key, also", KEY), GOOD)
    assert not authentic((b"another key, also",), GOOD)
    assert not authentic((), GOOD)


def test_own_platforms_are_added_as_long_as_the_cap_has_room() -> None:
    base = base_of(PEOPLE | {1000: 100})
    own = [1, 2, 3, 4, 5]  # each .0098 of what people meet
    both = join_lists(GOOD, own, base)
    assert both == {1000, 1001, 1, 2, 3}
    assert units(both, base) * 20 <= base.total


def test_a_list_is_the_same_after_a_restart() -> None:
    for held in (GOOD, None):
        assert reader(HotList | None)(writer(HotList | None)(held)) == held


def test_a_thousand_platforms_are_adopted_in_under_five_milliseconds() -> None:
    """By the CPU, at its best of some tries: others may be at work here."""
    rng = random.Random(1)
    ids = rng.sample(range(1, 1 << 32), HOT_MAX)
    took = []
    for turn in range(20):
        partition = Partition(PARAMS)
        partition.book.hot.base = base_of(dict.fromkeys(rng.sample(range(1 << 32), 5000), 1))
        told = sign_list(KEY, START_MS + turn, START_MS + DAY_MS, ids)
        began = time.process_time()
        assert partition.book.hot.adopt(told, PARAMS.list_keys, START_MS, 7) == "adopted"
        took.append(time.process_time() - began)
    assert min(took) < 0.005
    assert partition.book.hot.platforms >= {*ids}


def thin() -> list[Event]:
    """Twelve codes of a tool in 50 minutes: too few and too slow for any other rule."""
    return flood(12, gap_ms=250_000)


def test_a_list_in_the_log_finds_what_a_partition_alone_cannot() -> None:
    told = sign_list(KEY, START_MS, START_MS + DAY_MS, TOOL)
    without = run(PARAMS, history() + thin())
    assert not any(e.level is Level.THROTTLE for e in without.episodes)
    found = run(PARAMS, [*history(), listed(told), *thin()])
    assert found.lists == ["adopted"]
    assert {s.rule for e in found.episodes for s in e.path if s.level is Level.THROTTLE} == {"hot"}
    assert found.actions


@pytest.mark.parametrize(
    "params", [ENFORCE, replace(PARAMS, judge=replace(PARAMS.judge, hot=False))]
)
def test_who_takes_no_lists_passes_over_them(params: Params) -> None:
    told = sign_list(KEY, START_MS, START_MS + DAY_MS, TOOL)
    found = run(params, [*history(), listed(told), *thin()])
    assert not found.lists
    assert not found.actions
    assert found.codes == run(params, history() + thin()).codes


def test_a_forged_list_changes_nothing() -> None:
    told = sign_list(b"some other key..", START_MS, START_MS + DAY_MS, TOOL)
    found = run(PARAMS, [*history(), listed(told), listed(None), *thin()])
    assert found.lists == ["forged", "unreadable"]
    assert not found.actions


def test_a_list_ends_by_the_time_of_the_log() -> None:
    partition = Partition(PARAMS)
    told = sign_list(KEY, START_MS, START_MS + DAY_MS, TOOL)
    run(PARAMS, [listed(told)], partition)
    ticks = [Event(START_MS + n * DAY_MS // 2, VICTIM, "other") for n in range(1, 4)]
    for n, event in enumerate(ticks, 1):  # a tick behind each
        offsets = [n * TICK_OFFSETS - 16 * (20 - i) for i in range(20)]
        run(PARAMS, [event] * 20, partition, offsets=offsets)
        run(PARAMS, [event], partition, offsets=[n * TICK_OFFSETS])
    assert partition.book.hot.network is None
    assert not partition.book.hot.platforms


def test_a_restart_without_lists_goes_on_with_the_partitions_own() -> None:
    partition = Partition(PARAMS)
    run(PARAMS, [listed(sign_list(KEY, START_MS, START_MS + DAY_MS, TOOL))], partition)
    held = snapshot(partition)
    again = restore(PARAMS, snapshot(partition))
    assert again.book.hot.network == partition.book.hot.network
    assert again.book.hot.platforms == frozenset(TOOL)
    assert not restore(ENFORCE, held).book.hot.platforms
