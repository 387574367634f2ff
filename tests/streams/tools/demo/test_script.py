"""The incident in 50 variations, and a whole small town, in one process."""

from __future__ import annotations

from statistics import median

import pytest

from detectors.leases.gateway_rule import Ruling
from streams.tools.demo.command import SEED
from streams.tools.demo.script import END_MS, FLOOD_MS, LIVE_MS, Timetable, incident, script
from streams.tools.demo.story import Story, claims
from streams.tools.scenarios.labelled_events import Role
from streams.tools.scenarios.message_writer import in_order
from tests.streams.tools.demo.rehearsal import Rehearsal, rehearse

SEEDS = range(50)


def alone(seed: int) -> tuple[Rehearsal, list[Role]]:
    """The victim's part of the script alone; the roles of what it got live."""
    events = incident(seed)
    past = [event for event in events if event.value["event_time_ms"] < LIVE_MS]
    live = events[len(past) :]
    victim = events[0].value["recipient"]
    rehearsal = Rehearsal(Timetable(victim, 14, 1, {}, iter(past), live))
    rehearsal.history(past)
    rehearsal.live(live)
    return rehearsal, [event.truth.role for event in live]


@pytest.fixture(scope="module")
def runs() -> list[tuple[Rehearsal, list[Role]]]:
    return [alone(seed) for seed in SEEDS]


def test_the_throttle_comes_after_at_most_8_messages_of_the_flood_in_the_median(
    runs: list[tuple[Rehearsal, list[Role]]],
) -> None:
    after = []
    for rehearsal, roles in runs:
        if not rehearsal.record.actions:
            after.append(len(roles))
            continue
        cause_ms = rehearsal.record.actions[0].issued_at_ms
        times = [event.value["event_time_ms"] for event in rehearsal.play.live]
        after.append(
            sum(r is Role.ATTACK and t <= cause_ms for r, t in zip(roles, times, strict=True))
        )
    assert median(after) <= 8


def test_at_most_two_of_fifty_incidents_are_missed(
    runs: list[tuple[Rehearsal, list[Role]]],
) -> None:
    missed = [run for run, _ in runs if not any(a.mode == "enforce" for a in run.record.actions)]
    assert len(missed) <= 2


@pytest.mark.parametrize("role", [Role.BANK, Role.KNOWN])
def test_no_code_of_the_bank_or_of_a_known_platform_is_refused_in_any_run(
    runs: list[tuple[Rehearsal, list[Role]]], role: Role
) -> None:
    answers = [
        answer
        for rehearsal, roles in runs
        for answer, of in zip(rehearsal.record.answers, roles, strict=True)
        if of is role
    ]
    assert len(answers) >= 2 * len(SEEDS)
    assert Ruling.REFUSE not in answers


def test_nearly_every_code_of_the_flood_after_the_throttle_is_refused(
    runs: list[tuple[Rehearsal, list[Role]]],
) -> None:
    """All but those of platforms that the victim knows, or whose print is a known one's."""
    later = refused = 0
    for rehearsal, roles in runs:
        if not rehearsal.record.actions:
            continue
        since_ms = rehearsal.record.actions[0].issued_at_ms
        for event, answer, role in zip(
            rehearsal.play.live, rehearsal.record.answers, roles, strict=True
        ):
            if role is Role.ATTACK and event.value["event_time_ms"] > since_ms:
                later += 1
                refused += answer is Ruling.REFUSE
    assert later > 30 * len(SEEDS)
    assert refused / later > 0.95


def test_a_town_of_20000_is_left_alone_while_its_one_victim_is_protected() -> None:
    story = rehearse(seed=1, subscribers=20_000)
    assert [claim.text for claim in claims(story) if not claim.true] == []
    assert story.machinery.history > 250_000
    assert story.background.look_alikes == {"B1": 28, "B2": 1, "B4": 100}


def test_a_seed_decides_everything_that_is_sent() -> None:
    first, again, other = script(3, 500), script(3, 500), script(4, 500)
    assert first.live == again.live
    assert list(first.history) == list(again.history)
    assert first.live != other.live


def test_the_script_is_in_order_and_the_parts_do_not_overlap() -> None:
    play = script(3, 500)
    history = list(play.history)
    assert history == in_order(history)
    assert play.live == in_order(play.live)
    assert history[-1].value["event_time_ms"] < LIVE_MS <= play.live[0].value["event_time_ms"]
    assert play.live[-1].value["event_time_ms"] < END_MS


def test_message_ids_come_once() -> None:
    play = script(3, 500)
    ids = [event.value["message_id"] for event in (*play.history, *play.live)]
    assert len(ids) == len(set(ids))


def test_the_incident_is_the_68_codes_of_the_seed_case() -> None:
    play = script(3, 500)
    live = [event for event in play.live if event.value["recipient"] == play.victim]
    roles = [event.truth.role for event in live]
    assert roles.count(Role.ATTACK) + roles.count(Role.BANK) == 68
    flood = [e.value["event_time_ms"] for e in live if e.truth.role is Role.ATTACK]
    assert flood[0] >= FLOOD_MS
    assert flood[-1] - FLOOD_MS <= 35 * 60_000


@pytest.fixture(scope="module")
def story() -> Story:
    return rehearse(seed=1, subscribers=500)


def test_only_the_second_code_of_a_new_platform_is_waited_for() -> None:
    """The third one comes after the second arrived, and the demo stood still for 94 s before it."""
    play = script(SEED, 200)
    asked = [
        event.value
        for event in play.live
        if event.truth.role is Role.NEW and event.value["recipient"] == play.victim
    ]
    first, second, third = asked
    assert third["event_time_ms"] > second["event_time_ms"]
    gap_ms = second["event_time_ms"] - first["event_time_ms"]
    assert 60_000 <= gap_ms <= 120_000
    assert play.second_requests() == {second["message_id"]: gap_ms}
