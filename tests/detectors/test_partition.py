"""The state of a partition: its bounds, its copy, and copies in the format before.

Of those: they are read, written, and something is lost on the way there and back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detectors.chain import FORMATS, Params, Partition, Snapshot, restore, snapshot
from detectors.defaults import WITH_INCIDENTS
from detectors.model.event import TICK_OFFSETS, platform_print
from detectors.model.records import Level
from detectors.recipients.row import AGAIN, HABIT, MEMORY_WORDS, ONCE, SUSPECT, unpack
from detectors.recipients.sieve import SieveParams
from detectors.recognise.fold import NAME_VERSION
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run
from tests.detectors.test_chain import ENFORCE, VICTIM, flood, history, idle

OLD = Path(__file__).parent / "states" / "format-1.msgpack"
"""Written by the version before: a recipient of some months, and one in the middle of a flood."""


def old() -> Snapshot:
    header, rows, rest = msgspec.msgpack.decode(OLD.read_bytes())
    return Snapshot(header, np.array(rows, np.uint64), rest)


def rest_of_the_flood() -> list[Event]:
    own = [Event(START_MS + 12 * MINUTE_MS + i, VICTIM, f"known {i}") for i in range(14)]
    return flood(20, start_ms=START_MS + 4 * MINUTE_MS, first=12) + own


def test_a_state_of_the_version_before_goes_on_as_it_did_there() -> None:
    partition = restore(ENFORCE, old())
    offsets = [60_000 + i * 700 for i in range(34)]
    decisions = run(ENFORCE, rest_of_the_flood(), partition, offsets=offsets)
    leases = [a for a in decisions.actions if not a.update]
    assert [(a.action_id, len(a.scope.pass_ids)) for a in leases] == [
        ("1:sms.delivery.v1:3:64900", 14)
    ]
    assert [(e.revision, e.change, e.known) for e in decisions.episodes] == [(64_900, "renewed", 0)]


def test_a_state_of_the_version_before_is_written_again_as_it_was() -> None:
    before, again = old(), snapshot(restore(ENFORCE, old()), 1)
    header = {key: again.header[key] for key in before.header}
    assert header == before.header
    assert again.rest["suspects"] == before.rest["suspects"]
    assert again.rows[:, :10].tolist() == before.rows[:, :10].tolist()
    for ours, theirs in zip(again.rows, before.rows, strict=True):
        ours_, theirs_ = (row[10:].copy().view(np.uint16).tolist() for row in (ours, theirs))
        assert ours_[0] == theirs_[0]
        assert ours_[1] >> 15 == theirs_[1] >> 15
        pairs = [
            sorted((p, memory[1] >> i & 1) for i, p in enumerate(memory[2:]))
            for memory in (ours_, theirs_)
        ]
        assert pairs[0] == pairs[1], "every print with its habit; habits stand first now"


def levels(partition: Partition, recipient: int = VICTIM) -> dict[int, int]:
    row = partition.table.words[partition.table.find(np.array([recipient], np.uint64))[0]]
    ring, memory, habits = unpack(row, 0)
    found = {each.print: each.level for each in memory.known}
    for w in ring:
        level = ONCE if w >> 32 & 1 else AGAIN + (w & 0xFFFF_FFFF in habits)
        found[platform_print(w & 0xFFFF_FFFF)] = level
    return found


@pytest.mark.parametrize("format_", FORMATS)
def test_a_state_is_read_in_every_format_that_is_written(format_: int) -> None:
    partition = Partition(ENFORCE)
    weeks = [
        Event(START_MS - day * DAY_MS + i * 8 * 3_600_000, VICTIM, f"known {i}")
        for day in (40, 30, 20, 10)
        for i in range(14)
    ]
    run(ENFORCE, weeks, partition)
    held = snapshot(partition, format_)
    assert held.header["format"] == format_
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(held.rest))
    again = restore(ENFORCE, Snapshot(held.header, held.rows, packed))
    assert again.recipients == partition.recipients == 1
    before, after = levels(partition), levels(again)
    assert set(before.values()) == {HABIT}
    assert after == (before if format_ > 1 else dict.fromkeys(before, AGAIN))
    incidents = format_ >= WITH_INCIDENTS
    params = replace(ENFORCE, episode=replace(ENFORCE.episode, incidents=incidents))
    decided = run(params, history()[14:] + flood(9), again)
    assert decided == run(params, history()[14:] + flood(9), partition)
    assert bool(decided.incidents) is incidents


def test_a_format_of_later_is_none_to_be_restored() -> None:
    held = snapshot(Partition(ENFORCE))
    held.header["format"] = FORMATS[-1] + 1
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
    assert levels(again) == levels(partition)


@pytest.mark.parametrize("wrong", [{"suspects_max": 0}, {"names_max": 0}])
def test_bounds_that_cannot_be_meant_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Params(**wrong)  # type: ignore[arg-type]


def test_suspects_may_keep_at_most_half_of_the_rows() -> None:
    with pytest.raises(ValueError, match="half of rows_max"):
        Params(sieve=SieveParams(rows_max=1 << 14), suspects_max=(1 << 13) + 1)
