"""States in the format before: read, written, and what is lost on the way there and back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from detectors.chain import FORMATS, Partition, Snapshot, restore, snapshot
from detectors.model.event import platform_print
from detectors.recipients.row import AGAIN, HABIT, ONCE, unpack
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run
from tests.detectors.test_chain import ENFORCE, VICTIM, flood, history

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
    assert [(a.action_id, len(a.scope.pass_prints)) for a in decisions.actions] == [
        ("1:sms.delivery.v1:3:64900", 14)
    ]
    assert [(e.revision, e.change, e.known) for e in decisions.episodes] == [
        (64_900, "renewed", 14)
    ]


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
    assert after == (before if format_ == FORMATS[-1] else dict.fromkeys(before, AGAIN))
    assert run(ENFORCE, history()[14:] + flood(9), again) == run(
        ENFORCE, history()[14:] + flood(9), partition
    )


def test_a_format_of_later_is_none_to_be_restored() -> None:
    held = snapshot(Partition(ENFORCE))
    held.header["format"] = FORMATS[-1] + 1
    with pytest.raises(AssertionError):
        restore(ENFORCE, held)
