"""The gateway stand-in obeys the leases that it reads, and only those."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.leases.gateway_rule import Ruling
from detectors.model.records import Action
from detectors.recognise.platform.registry import Registry
from streams.tools.demo.demo_gateway import StandInGateway
from streams.tools.demo.script import script
from streams.tools.scenarios.labelled_events import Labelled, Role
from tests.streams.tools.demo.rehearsal import Rehearsal


@pytest.fixture(scope="module")
def rehearsed() -> Rehearsal:
    play = script(1, 200)
    rehearsal = Rehearsal(play)
    rehearsal.history(play.history)
    rehearsal.live(play.live)
    return rehearsal


@pytest.fixture
def action(rehearsed: Rehearsal) -> Action:
    """The first lease of the flood."""
    return rehearsed.record.actions[0]


def sent(rehearsed: Rehearsal, role: Role, action: Action) -> dict[str, Any]:
    """A message to the victim within the lease's life."""
    event: Labelled = next(
        e
        for e in rehearsed.play.live
        if e.truth.role is role and e.value["recipient"] == action.recipient
    )
    return {**event.value, "event_time_ms": action.issued_at_ms + 1000}


def ask(rehearsed: Rehearsal, role: Role, action: Action, *learned: Action) -> Ruling:
    gateway = StandInGateway(Registry.load_shipped(), 1000)
    for one in learned:
        gateway.learn(one)
    return gateway.ask(action.recipient, sent(rehearsed, role, action))


def test_without_a_lease_everything_is_delivered(rehearsed: Rehearsal, action: Action) -> None:
    assert ask(rehearsed, Role.ATTACK, action) is Ruling.NO_LEASE


def test_a_code_of_the_flood_is_refused(rehearsed: Rehearsal, action: Action) -> None:
    assert ask(rehearsed, Role.ATTACK, action, action) is Ruling.REFUSE


@pytest.mark.parametrize(
    ("role", "ruling"), [(Role.BANK, Ruling.TRUSTED), (Role.KNOWN, Ruling.KNOWN)]
)
def test_the_codes_that_the_victim_needs_pass(
    rehearsed: Rehearsal, action: Action, role: Role, ruling: Ruling
) -> None:
    assert ask(rehearsed, role, action, action) is ruling


def test_a_lease_in_shadow_refuses_nothing(rehearsed: Rehearsal, action: Action) -> None:
    shadow = replace(action, mode="shadow")
    assert ask(rehearsed, Role.ATTACK, action, shadow) is Ruling.NO_LEASE


def test_a_lease_ends_by_itself_on_the_event_clock(rehearsed: Rehearsal, action: Action) -> None:
    over = replace(action, expires_at_ms=action.issued_at_ms + 1000)
    assert ask(rehearsed, Role.ATTACK, action, over) is Ruling.NO_LEASE
    running = replace(action, expires_at_ms=action.issued_at_ms + 1001)
    assert ask(rehearsed, Role.ATTACK, action, running) is Ruling.REFUSE


def test_the_higher_revision_wins_in_either_order(rehearsed: Rehearsal, action: Action) -> None:
    release = replace(action, action_id="r", revision=action.revision + 1, verb="release")
    for order in ((action, release), (release, action)):
        assert ask(rehearsed, Role.ATTACK, action, *order) is Ruling.NO_LEASE


def test_a_lease_is_about_its_recipient_alone(rehearsed: Rehearsal, action: Action) -> None:
    gateway = StandInGateway(Registry.load_shipped(), 1000)
    gateway.learn(action)
    value = sent(rehearsed, Role.ATTACK, action)
    assert gateway.ask("8617000000001", value) is Ruling.NO_LEASE
