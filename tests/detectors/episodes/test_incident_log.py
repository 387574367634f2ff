"""The record of a flood: what it lists and what it only counts, and that nothing is lost of it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.decisions import Decisions
from detectors.episodes import incident_log as module
from detectors.model.event import TICK_OFFSETS, Trust
from detectors.model.incidents import FloodMessage, IncidentRecord
from detectors.thresholds import INCIDENT_HOUR_MAX, INCIDENT_RECORD_MAX
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history, idle
from tests.builders.detectors.episodes.incident_log import long_flood
from tests.detectors.stand_in import MINUTE_MS, START_MS, Event, run

OTHER = VICTIM + 1


def messages(decisions: Decisions) -> list[FloodMessage]:
    return [message for record in decisions.incidents for message in record.messages]


def test_the_first_record_says_what_the_decision_rested_on_and_what_came_before() -> None:
    decisions = run(ENFORCE, history() + flood(12))
    first = decisions.incidents[0]
    raised = next(e for e in decisions.episodes if e.level == 2)
    assert first.revision == raised.revision
    assert first.basis is not None
    assert first.basis.reason == raised.reason
    assert first.basis.rungs == raised.rungs
    assert first.basis.clock == "exact"
    assert first.basis.list_version == 0
    assert first.basis.born_ms <= history()[0].at_ms
    assert [m.offset for m in first.messages] == [raised.revision]
    sightings = [s for s in raised.sightings if s.platform != first.messages[0].platform]
    assert [(e.at_ms, e.platform) for e in first.earlier] == [
        (s.at_ms, s.platform) for s in sightings
    ]
    assert all(each.basis is None and not each.earlier for each in decisions.incidents[1:])


def test_earlier_sightings_have_their_place_in_the_log_since_the_recipient_was_a_suspect() -> None:
    events = history() + flood(12)
    first = run(ENFORCE, events).incidents[0]
    placed = [each for each in first.earlier if each.offset >= 0]
    assert placed
    for each in placed:
        assert events[each.offset].platform == each.platform


def test_messages_are_those_of_the_log_from_throttle_on_each_once_and_in_order() -> None:
    events = history() + long_flood(400)
    decisions = run(ENFORCE, [*events, *idle(2 * TICK_OFFSETS, START_MS + 200 * MINUTE_MS)])
    start = decisions.incidents[0].revision
    listed = messages(decisions)
    assert [m.offset for m in listed] == list(range(start, len(events)))
    for message in listed:
        event = events[message.offset]
        assert (message.at_ms, message.platform) == (event.at_ms, event.platform)
        assert (message.sender, message.account) == (f"of {event.platform}", "account")
        assert message.message_id == f"id {message.offset}"
        assert message.gateway == event.gateway
    firsts = [record.first for record in decisions.incidents]
    lengths = [len(record.messages) for record in decisions.incidents]
    assert firsts == [sum(lengths[:i]) for i in range(len(lengths))]
    assert max(lengths) <= INCIDENT_RECORD_MAX


def test_what_a_lease_would_refuse_names_the_lease_and_what_it_passes_has_a_class_alone() -> None:
    bank = Event(START_MS + 12 * MINUTE_MS, VICTIM, "bank", trust=1)
    known = Event(START_MS + 12 * MINUTE_MS + 1, VICTIM, "known 3")
    decisions = run(ENFORCE, sorted([*history(), *long_flood(300), bank, known]))
    leases = {action.revision for action in decisions.actions}
    for message in messages(decisions)[1:]:
        named = message[6:11]
        if message.trust is Trust.NONE and message.novel:
            assert all(named)
        else:
            assert not any(named)
            assert message.would == "pass"
        assert (message.would == "refuse") is (message.lease in leases)
    passing = [m for m in messages(decisions) if not m.platform]
    assert {m.trust for m in passing} == {Trust.BANK, Trust.NONE}


def test_past_the_hours_messages_are_counted_and_none_is_lost() -> None:
    number = INCIDENT_HOUR_MAX + 500
    decisions = run(
        ENFORCE,
        [*history(), *long_flood(number), *idle(2 * TICK_OFFSETS, START_MS + 200 * MINUTE_MS)],
    )
    assert len(messages(decisions)) == INCIDENT_HOUR_MAX
    counted = [record.unlisted for record in decisions.incidents if record.unlisted]
    before = decisions.incidents[0].revision - len(history())
    unlisted = sum(each.passed + each.refused for each in counted)
    assert unlisted == number - before - INCIDENT_HOUR_MAX


def test_what_is_only_counted_is_counted_as_a_list_would_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flood_ = long_flood(INCIDENT_HOUR_MAX + 200)
    last_ms = flood_[-1].at_ms
    banks = [Event(last_ms - n, VICTIM, "bank", trust=1) for n in range(7)]
    events = sorted([*history(), *flood_, *banks])
    events += idle(2 * TICK_OFFSETS, START_MS + 200 * MINUTE_MS)
    counted = [record.unlisted for record in run(ENFORCE, events).incidents if record.unlisted]
    monkeypatch.setattr(module, "INCIDENT_HOUR_MAX", 2 * INCIDENT_HOUR_MAX)
    would = [m.would for m in messages(run(ENFORCE, events))[INCIDENT_HOUR_MAX:]]
    passed, refused = (sum(each) for each in zip(*counted, strict=True))
    assert (passed, refused) == (would.count("pass"), would.count("refuse"))
    assert passed > 6
    assert refused > passed


def test_a_new_hour_is_listed_anew() -> None:
    slow = long_flood(2000, every_ms=4000)  # 900 an hour
    decisions = run(ENFORCE, [*history(), *slow])
    listed = messages(decisions)
    began_ms = listed[0].at_ms
    by_hour = [
        sum(began_ms + h * 3_600_000 <= m.at_ms < began_ms + (h + 1) * 3_600_000 for m in listed)
        for h in range(2)
    ]
    assert by_hour == [INCIDENT_HOUR_MAX] * 2


def test_past_what_a_partition_may_hold_messages_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "INCIDENT_PENDING_MAX", 3)
    decisions = run(
        ENFORCE, [*history(), *long_flood(40), *idle(2 * TICK_OFFSETS, START_MS + 99 * MINUTE_MS)]
    )
    assert max(len(record.messages) for record in decisions.incidents) == 3
    assert sum(r.unlisted.passed + r.unlisted.refused for r in decisions.incidents if r.unlisted)


def test_a_flood_that_stops_is_told_at_the_tick_after_it_was_due() -> None:
    events = [*history(), *long_flood(20)]
    quiet = idle(TICK_OFFSETS, events[-1].at_ms + 10 * MINUTE_MS, 100)
    decisions = run(ENFORCE, [*events, *quiet])
    last = decisions.incidents[-1]
    assert last.cause.offset % TICK_OFFSETS == 0
    assert messages(decisions)[-1].offset == len(events) - 1
    assert not any(e.change == "ended" for e in decisions.episodes)


def test_a_tick_writes_so_many_records_and_leaves_the_others_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TICK_MAX", 2)
    crowd = [replace_recipient(each, VICTIM + i) for i in range(5) for each in _whole()]
    crowd.sort(key=lambda each: each.at_ms)
    quiet = idle(4 * TICK_OFFSETS, crowd[-1].at_ms + 10 * MINUTE_MS, 50)
    decisions = run(ENFORCE, [*crowd, *quiet])
    ticks = [r.revision for r in decisions.incidents if r.revision % TICK_OFFSETS == 0]
    assert ticks
    assert max(ticks.count(tick) for tick in ticks) == 2
    told = {r.recipient for r in decisions.incidents if r.revision in ticks}
    assert len(told) == 5


def _whole() -> list[Event]:
    return [*history(), *long_flood(20)]


def replace_recipient(event: Event, recipient: int) -> Event:
    return event._replace(recipient=recipient)


def test_where_incidents_are_off_there_are_none_and_decisions_are_the_same() -> None:
    events = [*history(), *long_flood(300)]
    off = replace(ENFORCE, episode=replace(ENFORCE.episode, incidents=False))
    with_, without = run(ENFORCE, events), run(off, events)
    assert with_.incidents
    assert not without.incidents
    assert replace(with_, incidents=[]) == without


def test_a_flood_of_a_state_from_before_is_recorded_from_there_on_without_why() -> None:
    off = replace(ENFORCE, episode=replace(ENFORCE.episode, incidents=False))
    events = [*history(), *long_flood(200)]
    partition = Partition(off)
    run(off, events[:100], partition)
    decisions = run(ENFORCE, events[100:], restore(ENFORCE, snapshot(partition)))
    assert messages(decisions)[0].offset == 100
    assert all(record.basis is None for record in decisions.incidents)


@pytest.mark.parametrize("seed", range(5))
def test_records_are_the_same_whatever_is_restored_in_between(seed: int) -> None:
    chance = random.Random(seed)
    events = [*history(), *long_flood(INCIDENT_HOUR_MAX + 200)]
    events += idle(TICK_OFFSETS, events[-1].at_ms + 10 * MINUTE_MS)
    whole = run(ENFORCE, events).incidents
    partition, cut, at = Partition(ENFORCE), list[IncidentRecord](), 0
    while at < len(events):
        size = chance.choice([1, 30, 200, 3000])
        cut += run(ENFORCE, events[at : at + size], partition).incidents
        at += size
        partition = restore(ENFORCE, snapshot(partition))
    assert cut == whole


def test_a_recycled_number_takes_nothing_untold_along() -> None:
    from detectors.model.event import EventKind

    events = [*history(), *long_flood(20)]
    gone = Event(events[-1].at_ms + 1, VICTIM, "", kind=EventKind.RECYCLED)
    decisions = run(ENFORCE, [*events, gone])
    assert messages(decisions)[-1].offset == len(events) - 1
    assert decisions.incidents[-1].revision == len(events)


def test_names_with_half_a_surrogate_pair_do_not_get_into_a_record() -> None:
    events = [each._replace(gateway="g\ud800") for each in _whole()]
    assert {m.gateway for m in messages(run(ENFORCE, events))} == {"g?"}


def test_the_bounds_hold_together() -> None:
    assert Params().episode.incidents
    assert INCIDENT_HOUR_MAX > INCIDENT_RECORD_MAX
