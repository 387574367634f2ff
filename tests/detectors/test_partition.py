"""The state of a partition: its bounds, its copy, and the way back from the copy."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.chain import STATE_FORMAT, Params, Partition, Snapshot, restore, snapshot
from detectors.model.event import TICK_OFFSETS, EventKind, platform_print
from detectors.model.records import Level
from detectors.recipients.row import MEMORY_WORDS, SUSPECT, unpack
from detectors.recipients.sieve import SieveParams
from detectors.recognise.text.fold import NAME_VERSION
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history, idle, many_platforms
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run


def came_twice(partition: Partition, recipient: int = VICTIM) -> dict[int, bool]:
    """Print of each platform that the recipient knows -> if it came on two days."""
    row = partition.table.words[partition.table.find(np.array([recipient], np.uint64))[0]]
    ring, memory = unpack(row, partition.table.overflow)
    found = {each: each in memory.kept for each in memory.prints}
    return found | {platform_print(w & 0xFFFF_FFFF): not w >> 32 & 1 for w in ring}


def test_a_restored_state_knows_what_came_twice_and_decides_the_same() -> None:
    partition = Partition(ENFORCE)
    weeks = [
        Event(START_MS - day * DAY_MS + i * 8 * 3_600_000, VICTIM, f"known {i}")
        for day in (40, 30, 20, 10)
        for i in range(14)
    ]
    run(ENFORCE, weeks, partition)
    held = snapshot(partition)
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(held.rest))
    again = restore(ENFORCE, Snapshot(held.header, held.rows, packed))
    assert again.recipients == partition.recipients == 1
    before, after = came_twice(partition), came_twice(again)
    assert set(before.values()) == {True}
    assert after == before
    decided = run(ENFORCE, history()[14:] + flood(9), again)
    assert decided == run(ENFORCE, history()[14:] + flood(9), partition)
    assert decided.incidents


def test_a_format_of_later_is_none_to_be_restored() -> None:
    held = snapshot(Partition(ENFORCE))
    held.header["format"] = STATE_FORMAT + 1
    with pytest.raises(AssertionError):
        restore(ENFORCE, held)


def test_a_snapshot_is_plain_data_and_later_batches_leave_it_alone() -> None:
    partition = Partition(ENFORCE)
    resend = [Event(START_MS + i * MINUTE_MS, VICTIM + 7, "one") for i in range(40)]
    events = sorted(history() + flood(40) + resend)
    half = len(events) // 2
    run(ENFORCE, events[:half] + idle(TICK_OFFSETS, START_MS), partition)
    held = snapshot(partition)
    packed = msgspec.msgpack.encode([held.header, held.rows.tobytes(), held.rest])
    whole = run(ENFORCE, events[half:], partition)
    assert msgspec.msgpack.encode([held.header, held.rows.tobytes(), held.rest]) == packed
    thawed = msgspec.msgpack.decode(msgspec.msgpack.encode(held.rest))
    again = restore(ENFORCE, type(held)(held.header, held.rows, thawed))
    assert run(ENFORCE, events[half:], again) == whole
    assert whole.actions


def test_levels_count_open_episodes() -> None:
    partition = Partition(ENFORCE)
    assert partition.levels() == {Level.WATCH: 0, Level.THROTTLE: 0}
    watched = [e._replace(recipient=VICTIM + 1) for e in flood(3)]
    run(ENFORCE, sorted(history() + flood(8) + watched), partition)
    assert partition.levels() == {Level.WATCH: 1, Level.THROTTLE: 1}


def test_the_watermark_is_nought_before_the_first_tick() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, flood(3), partition)
    assert partition.watermark_ms == 0
    run(ENFORCE, idle(TICK_OFFSETS, START_MS, 0), partition)
    assert partition.watermark_ms == START_MS


def test_a_state_whose_names_are_of_another_version_is_refused() -> None:
    held = snapshot(Partition(ENFORCE))
    held.header["name_version"] = NAME_VERSION + 1
    with pytest.raises(ValueError, match="platform names are of version"):
        restore(ENFORCE, held)


def test_a_state_with_more_suspects_than_rows_is_refused() -> None:
    partition = Partition(ENFORCE)
    rows = partition.table.find_or_add(np.arange(1, 15_001, dtype=np.uint64))
    partition.table.words[rows, MEMORY_WORDS.start] |= np.uint64(SUSPECT)
    small = Params(sieve=SieveParams(rows_max=1 << 14), suspects_max=16)
    with pytest.raises(ValueError, match="rows_max leaves no room beside"):
        restore(small, snapshot(partition))


def test_counts_by_another_window_begin_anew_and_all_else_stays() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, sorted(history() + flood(12)) + idle(TICK_OFFSETS, START_MS), partition)
    wider = Params(sieve=SieveParams(window_s=2 * ENFORCE.sieve.window_s), episode=ENFORCE.episode)
    again = restore(wider, snapshot(partition))
    assert (again.windows.next, again.windows.open) == (0, {})
    assert again.window_s == 2 * ENFORCE.sieve.window_s
    assert again.suspects.keys() == partition.suspects.keys()
    assert came_twice(again) == came_twice(partition)


@pytest.mark.parametrize("wrong", [{"suspects_max": 0}, {"names_max": 0}])
def test_bounds_that_cannot_be_meant_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Params(**wrong)  # type: ignore[arg-type]


def test_suspects_may_keep_at_most_half_of_the_rows() -> None:
    with pytest.raises(ValueError, match="half of rows_max"):
        Params(sieve=SieveParams(rows_max=1 << 14), suspects_max=(1 << 13) + 1)


@pytest.mark.parametrize("begun", [0, 6])
def test_a_recycled_number_leaves_no_platform_behind_not_even_those_beyond_its_row(
    begun: int,
) -> None:
    """Neither with a suspect nor without one; and nobody else loses any."""
    partition, other = Partition(ENFORCE), VICTIM + 1
    run(ENFORCE, sorted(many_platforms(40) + many_platforms(40, other)), partition)
    overflow = partition.table.overflow
    kept, blocks = came_twice(partition, other), overflow.live // 2
    assert len(came_twice(partition)) == len(kept) == 40
    run(ENFORCE, flood(begun), partition)
    assert len(partition.suspects) == (begun > 0)
    gone = Event(START_MS + 3 * MINUTE_MS, VICTIM, "", 0, EventKind.RECYCLED)
    assert run(ENFORCE, [gone], partition).recycled == 1
    again = restore(ENFORCE, snapshot(partition))
    for each in partition, again:
        places = each.table.overflow.places[: each.table.overflow.used]
        left = set(places.ravel().tolist()) - {0}
        assert left < kept.keys()
        assert each.table.overflow.live == blocks
        assert came_twice(each, other) == kept
        new = [Event(START_MS + 4 * MINUTE_MS, VICTIM, f"known {i}") for i in range(40)]
        (*_, raised) = run(ENFORCE, new, each).episodes
        assert (raised.recipient, raised.known) == (str(VICTIM), 0)
