"""What the records of an incident say of its messages, and when their strings are read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors.chain import Partition, process
from detectors.episodes.recorder import EventStrings
from detectors.model.strings import StringList
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import MINUTE_MS, START_MS, Event, batch_of, codes_of, run


def test_a_view_gives_the_strings_of_the_events_behind_it() -> None:
    events = [Event(START_MS + i, VICTIM, f"p{i}", gateway=f"gw{i}") for i in range(5)]
    strings = EventStrings(batch_of(events, range(10, 15)), np.array([0, 2, 4]))
    behind = strings.behind(1)
    assert behind.of(0) == strings.of(1) == ("gw2", "of p2")
    assert behind.origin(1) == strings.origin(2) == ("account", "id 14")
    without = replace(batch_of(events, range(10, 15)), origin=None)
    assert EventStrings(without, np.array([0])).origin(0) == ("", "")


def test_only_platforms_of_the_flood_are_named() -> None:
    known = [Event(START_MS + 10 * MINUTE_MS + 500, VICTIM, history()[0].platform)]
    partition = Partition(ENFORCE)
    later = flood(20, start_ms=START_MS + 10 * MINUTE_MS, first=50)
    events = sorted([*history(), *flood(40), *known, *later])
    records = run(ENFORCE, events, partition).incidents
    messages = [each for record in records for each in record.messages]
    named = [bool(each.platform) for each in messages]
    assert any(named)
    assert not all(named)
    assert named == [each.novel for each in messages]
    assert all(each.sender for each in messages if each.platform)
    assert {each.lease for each in messages if each.would == "pass"} <= {-1}


def test_half_a_surrogate_pair_is_replaced() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, history(), partition)
    events = flood(40)
    batch = batch_of(events, range(partition.next_offset, partition.next_offset + 40))
    odd = replace(batch, sender=StringList(["1069\ud800"] * 40))
    records = process(ENFORCE, partition, odd, codes_of(batch)).incidents
    assert {m.sender for record in records for m in record.messages} == {"1069?"}
