"""What the records of an incident say of its messages."""

from __future__ import annotations

from dataclasses import replace

from detectors.chain import Partition, process
from detectors.model.strings import StringList
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import MINUTE_MS, START_MS, Event, batch_of, codes_of, run


def test_a_message_has_the_strings_of_its_event() -> None:
    for origin in (True, False):
        partition = Partition(ENFORCE)
        run(ENFORCE, history(), partition)
        events = [each._replace(gateway=f"gw{i}") for i, each in enumerate(flood(40))]
        first = partition.next_offset
        batch = batch_of(events, range(first, first + 40))
        batch = batch if origin else replace(batch, origin=None)
        records = process(ENFORCE, partition, batch, codes_of(batch)).incidents
        told = [each for record in records for each in record.messages if each.sender]
        assert told
        for each in told:
            event = events[each.offset - first]
            expected = ("account", f"id {each.offset}") if origin else ("", "")
            assert (each.gateway, each.sender) == (event.gateway, f"of {event.platform}")
            assert (each.account, each.message_id) == expected


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
